#!/usr/bin/env python3
"""din-export beside ONNX Runtime: the same weights, the same requests, one thread each, in turns. See README.md."""

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import QuantType, quantize_dynamic

import graph
import paper
from model import Model, Unsupported

ROOT = Path(__file__).resolve().parents[2]
REQUESTS = 8
BLOBS = [
    ("f32", ["--path", "f32", "--embedding", "f32"]),
    ("f32, int8 rows", ["--path", "f32", "--embedding", "int8"]),
    ("integer, int8 rows", ["--path", "integer", "--embedding", "int8"]),
]


class OnnxRuntime:
    """One graph, one thread, every optimisation."""

    def __init__(self, name, file, model, requests):
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.name = name
        self.session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self.feeds = [graph.feeds(model, request) for request in requests]
        self.times = []

    def scores(self):
        return [self.session.run(None, feeds)[0] for feeds in self.feeds]

    def round(self, seconds):
        self.session.run(None, self.feeds[0])
        end, index = time.perf_counter() + seconds, 0
        while index < REQUESTS or time.perf_counter() < end:
            feeds = self.feeds[index % REQUESTS]
            start = time.process_time_ns()
            self.session.run(None, feeds)
            self.times.append((time.process_time_ns() - start) / 1e3)
            index += 1

    def microseconds(self, slate):
        return min(self.times) / slate, float(np.median(self.times)) / slate


class Din:
    """One blob, through the command line: `rank` for the scores, `bench` for the time."""

    def __init__(self, name, command, blob, requests):
        self.name, self.command, self.blob, self.requests = name, command, str(blob), str(requests)
        self.reports = []

    def scores(self):
        lines = run(self.command + ["rank", self.blob, self.requests, "--json"]).splitlines()
        return [np.array(json.loads(line)["scores"]) for line in lines]

    def round(self, seconds):
        bench = ["bench", self.blob, "--requests", self.requests, "--time", str(seconds), "--threads", "1", "--json"]
        self.reports.append(json.loads(run(self.command + bench)))

    def microseconds(self, slate):
        rows = [report["rows"][0] for report in self.reports]
        return min(row["cpu_min"] for row in rows), float(np.median([row["cpu_median"] for row in rows]))


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}:\n{done.stderr}")
    return done.stdout


def write_requests(file, model, requests):
    file.write_text("".join(json.dumps(model.as_json(request)) + "\n" for request in requests))


def contestants(model, description, folder, command, slate, history):
    random = np.random.default_rng(slate * 1000 + history)
    requests = [model.draw(random, slate, history) for _ in range(REQUESTS)]
    lines = folder / f"requests-{slate}-{history}.jsonl"
    write_requests(lines, model, requests)
    # Other requests than those that are compared.
    calibration = folder / "calibration.jsonl"
    write_requests(calibration, model, [model.draw(random, 8, length % (history + 1)) for length in range(64)])
    found = []
    # quantize_dynamic recommends a step that changes nothing here: no shape is unknown.
    logging.getLogger().setLevel(logging.ERROR)
    for folded in (False, True):
        form = "first layer folded" if folded else "as exported"
        file = folder / f"{'folded' if folded else 'exported'}-{slate}-{history}.onnx"
        onnx.save(graph.build(model, slate, history, folded), file)
        found.append(OnnxRuntime(f"ONNX Runtime, {form}, f32", str(file), model, requests))
        int8 = file.with_suffix(".int8.onnx")
        quantize_dynamic(file, int8, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"])
        found.append(OnnxRuntime(f"ONNX Runtime, {form}, dynamic int8", str(int8), model, requests))
    for name, options in BLOBS:
        blob = folder / f"{name.replace(', ', '-').replace(' ', '-')}.din"
        if not blob.exists():
            export = ["export", str(description), "--output", str(blob), "--requests", str(calibration)]
            run(command + export + options)
        found.append(Din(f"din-core, {name}", command, blob, lines))
    return requests, found


def compare(model, description, folder, command, slate, history, rounds, seconds):
    requests, found = contestants(model, description, folder, command, slate, history)
    truth = [model.scores(request) for request in requests]
    errors = []
    for contestant in found:
        scores = contestant.scores()
        errors.append(max(float(np.abs(own - real).max()) for own, real in zip(scores, truth)))
    for round in range(rounds):
        print(f"slate {slate}, history {history}: round {round + 1} of {rounds}", file=sys.stderr)
        for contestant in found:
            contestant.round(seconds)
    reports = [report for own in found if isinstance(own, Din) for report in own.reports]
    peak = max(report["peak"]["gflops"] for report in reports)
    macs = reports[0]["rows"][0]["macs"]
    print(f"\nslates of {slate}, {history} behaviours; {macs:.0f} multiply-accumulates a candidate once folded; "
          f"peak {peak:.0f} GFLOP/s\n")
    print("| runtime, graph | CPU us a candidate, fastest | median | of the f32 peak | largest error |")
    print("|---|--:|--:|--:|--:|")
    for contestant, error in zip(found, errors):
        fastest, median = contestant.microseconds(slate)
        share = 2e-3 * macs / fastest / peak
        print(f"| {contestant.name} | {fastest:.2f} | {median:.2f} | {share:.0%} | {error:.1e} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("description", nargs="?", help="a model's TOML, as `din-export import` reads and `train` writes "
                        "it [default: the sizes of the paper]")
    parser.add_argument("--slates", default="1,10,100,1000", help="candidates of a request [%(default)s]")
    parser.add_argument("--histories", default="50,100", help="behaviours of a request [%(default)s]")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each runtime [%(default)s]")
    parser.add_argument("--time", type=float, default=0.5, help="seconds of a turn [%(default)s]")
    parser.add_argument("--din-export", help="the program [default: built from this checkout]")
    parser.add_argument("--keep", help="folder for graphs, blobs and requests [default: a temporary one]")
    arguments = parser.parse_args()
    if arguments.din_export:
        command = [arguments.din_export]
    else:
        build = ["cargo", "build", "--release", "-p", "din-export", "--message-format", "json"]
        artifacts = subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
        programs = [json.loads(line).get("executable") for line in artifacts.splitlines()]
        command = [[program for program in programs if program][-1]]
    histories = [int(number) for number in arguments.histories.split(",")]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        description = arguments.description or paper.write(folder, max(histories))
        try:
            model = Model(description)
        except Unsupported as what:
            sys.exit(f"{description}: not compared here: {what}")
        print(f"ONNX Runtime {ort.__version__}, one thread each", file=sys.stderr)
        for history in histories:
            for slate in (int(number) for number in arguments.slates.split(",")):
                compare(model, description, folder, command, slate, min(history, model.capacity),
                        arguments.rounds, arguments.time)


if __name__ == "__main__":
    main()

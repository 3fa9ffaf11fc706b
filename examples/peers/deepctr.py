"""DeepCTR-Torch's DIN on the samples and features of a job of din-export: the same rows, histories and splits.

    python3 -m venv /tmp/deepctr-venv
    /tmp/deepctr-venv/bin/pip install --requirement examples/peers/requirements-deepctr.txt
    /tmp/deepctr-venv/bin/python examples/peers/deepctr.py examples/kuairand/job.toml

It builds din-export, has it write the coded samples, and trains one model a seed. Everything is as the library has it (widths
256-128 and 64-16, ReLU, Dice in the activation unit, Adam at its default rate) but the width of the embeddings, which is the
job's, and what the options say. The epoch is chosen on the validation split by AUC, as din-export does; the test split is
scored once, at that epoch. GAUC is weighted by impressions, users with one class are left out.
"""
import argparse
import json
import subprocess
import tempfile
import time
import tomllib
from pathlib import Path

import numpy as np
import torch
from deepctr_torch.inputs import SparseFeat, VarLenSparseFeat
from deepctr_torch.models import DIN
from safetensors import safe_open
from sklearn.metrics import roc_auc_score

ROOT = Path(__file__).resolve().parents[2]


def read_samples(job, written):
    """The columns that `coded_samples` writes, by name, and what it says of tables; `written`: it has written them already."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(written or Path(folder) / "samples.safetensors")
        if not written:
            example = ["cargo", "run", "--release", "--quiet", "-p", "din-export", "--example", "coded_samples"]
            subprocess.run([*example, "--", Path(job).resolve(), out], check=True, cwd=ROOT)
        with safe_open(out, "numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


class Samples:
    """Features as DeepCTR-Torch wants them: one dictionary of arrays, histories padded at their end."""

    def __init__(self, job, written):
        columns, tables = read_samples(job, written)
        config = tomllib.loads(Path(job).read_text())
        dims = {name: table["dim"] for name, table in config["tables"].items()}
        if len(config["sequence"]) != 1:
            raise SystemExit(f"{job}: DIN of DeepCTR-Torch takes one sequence, the job has {len(config['sequence'])}")
        sequence = config["sequence"][0]
        self.labels, self.users = columns["labels"], columns["users"]
        self.splits = {name: columns[name].astype(np.int64) for name in ("train", "valid", "test")}
        self.features, self.inputs, names = [], {}, {}
        for column, table in ((name[6:], table) for name, table in tables.items() if name.startswith("table.")):
            group, name = column.split(".", 1)
            if group != sequence["name"]:
                self.features.append(SparseFeat(name, int(tables["rows." + table]), dims[table], embedding_name=table))
                self.inputs[name] = columns[column]
                if group == "candidate":
                    names[table] = name
        self.features.sort(key=lambda feature: feature.name)
        capacity, spans = sequence["capacity"], columns[sequence["name"] + ".spans"].reshape(-1, 2).astype(np.int64)
        length = spans[:, 1] - spans[:, 0]
        place = np.arange(capacity)[None, :]
        inside = place < length[:, None]
        index = np.where(inside, spans[:, :1] + place, 0)
        # The library reads candidates in the order of their features, histories in that of theirs: both the same, or it
        # would compare a field of the candidate with another of the behaviour.
        self.behaviours = []
        paired = {tables[f"table.{sequence['name']}.{field['name']}"]: field for field in sequence["field"]}
        for table, field in sorted(paired.items(), key=lambda pair: names[pair[0]]):
            # The library pairs a history with the candidate's feature by this name.
            name = "hist_" + names[table]
            feature = SparseFeat(name, int(tables["rows." + table]), dims[table], embedding_name=table)
            self.features.append(VarLenSparseFeat(feature, maxlen=capacity, length_name="length"))
            pool = columns[f"{sequence['name']}.{field['name']}"]
            self.inputs[name] = np.where(inside, pool[index] if len(pool) else 0, 0)
            self.behaviours.append(names[table])
        candidates = [feature.name for feature in self.features if feature.name in self.behaviours]
        assert candidates == self.behaviours, (candidates, self.behaviours)
        self.inputs["length"] = length

    def split(self, name):
        indices = self.splits[name]
        return {key: column[indices] for key, column in self.inputs.items()}, self.labels[indices], self.users[indices]


def group_auc(scores, labels, users):
    order = np.argsort(users, kind="stable")
    bounds = np.flatnonzero(np.diff(users[order])) + 1
    total, weight = 0.0, 0
    for own in np.split(order, bounds):
        if 0 < labels[own].sum() < len(own):
            total += roc_auc_score(labels[own], scores[own]) * len(own)
            weight += len(own)
    return total / weight


def train(samples, seed, options):
    torch.manual_seed(seed)
    model = DIN(
        samples.features, samples.behaviours, l2_reg_embedding=options.l2, dnn_dropout=options.dropout,
        att_weight_normalization=options.softmax, seed=seed, device="cpu",
    )
    model.compile(torch.optim.Adam(model.parameters(), lr=options.learning_rate), "binary_crossentropy", metrics=[])
    (x, y, _), (valid_x, valid_y, _), (test_x, test_y, test_users) = map(samples.split, ("train", "valid", "test"))
    best, state, rates = None, None, []
    for epoch in range(1, options.epochs + 1):
        start = time.perf_counter()
        model.fit(x, y, batch_size=options.batch_size, epochs=1, verbose=0)
        rates.append(len(y) / (time.perf_counter() - start))
        auc = roc_auc_score(valid_y, model.predict(valid_x, 4096))
        if best is None or auc > best["valid_auc"]:
            best = {"seed": seed, "epoch": epoch, "valid_auc": auc}
            state = {name: value.clone() for name, value in model.state_dict().items()}
        elif epoch - best["epoch"] >= options.patience:
            break
    model.load_state_dict(state)
    scores = model.predict(test_x, 4096)[:, 0]
    best["auc"] = roc_auc_score(test_y, scores)
    best["gauc"] = group_auc(scores, test_y, test_users)
    best["samples_per_second"] = round(max(rates))
    print(json.dumps(best), flush=True)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("job")
    parser.add_argument("--samples", help="what the example coded_samples wrote, if it ran before")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--patience", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--l2", type=float, default=1e-6, help="of the embeddings; the library's default")
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--softmax", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    samples = Samples(options.job, options.samples)
    runs = [train(samples, seed, options) for seed in range(1, options.seeds + 1)]
    for name in ("valid_auc", "auc", "gauc"):
        figures = np.array([run[name] for run in runs])
        error = figures.std(ddof=1) / len(figures) ** 0.5 if len(figures) > 1 else 0.0
        print(f"{name}: {figures.mean():.4f} ({error:.4f})")


if __name__ == "__main__":
    main()

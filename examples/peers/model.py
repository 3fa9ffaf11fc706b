"""A model as din-export describes it: the TOML of `examples/edge-profile`, or of a trained folder, and its tensors."""

import tomllib
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file


class Unsupported(Exception):
    """A part of the model family that the graphs here leave out."""


class Table:
    """Rows of numbers, and the raw ids that they stand for."""

    def __init__(self, parts, tensors):
        self.values = tensors[parts["tensor"]].astype(np.float32)
        if parts.get("hashed_text"):
            raise Unsupported("a vocabulary of hashed texts: the texts are not in the model")
        keys = parts.get("keys")
        # Row 0 stands for unknown ids, unless the vocabulary begins there.
        self.first_row = 1 if keys else parts.get("first_row", 0)
        known = np.arange(len(self.values) - self.first_row, dtype=np.uint64)
        self.ids = tensors[keys].astype(np.uint64) if keys else known + np.uint64(parts.get("first_id", 0))

    def draw(self, random, shape):
        """Rows of known ids, each as likely as another."""
        return random.integers(self.first_row, len(self.values), shape)

    def id_of(self, row):
        return int(self.ids[row - self.first_row])


class Layer:
    """weight [inputs, outputs], bias [outputs], and an activation: its kind and its numbers, one for each output."""

    def __init__(self, parts, tensors):
        weight = tensors[parts["weight"]].astype(np.float32)
        self.weight = weight if parts.get("transposed") else np.ascontiguousarray(weight.T)
        # Width-1 layers may be stored without that dimension.
        self.weight = self.weight.reshape(len(self.weight), -1)
        self.bias = tensors[parts["bias"]].astype(np.float32)
        if "batch_norm" in parts:
            raise Unsupported("batch normalisation; train without it, or compare an exported graph of your own")
        activation = parts.get("activation", "linear")
        self.kind, self.numbers = activation, {}
        if isinstance(activation, dict):
            [(self.kind, own)] = activation.items()
            numbers = {key: tensors[name].astype(np.float64) for key, name in own.items() if key != "epsilon"}
            self.numbers = {"alpha": numbers["alpha"].astype(np.float32)}
            if self.kind == "dice":
                # sigmoid(gamma (s - mean) / sqrt(variance + epsilon) + beta) = sigmoid(a s + b)
                a = numbers.get("gamma", 1.0) / np.sqrt(numbers["variance"] + own["epsilon"])
                b = numbers.get("beta", 0.0) - a * numbers["mean"]
                self.numbers |= {"a": a.astype(np.float32), "b": b.astype(np.float32)}


class Model:
    """One attention sequence of paired fields, and categorical fields alone."""

    def __init__(self, description):
        description = Path(description)
        parts = tomllib.loads(description.read_text())
        tensors = load_file(description.parent / parts["weights"])
        self.tables = {name: Table(own, tensors) for name, own in parts["tables"].items()}
        self.profile, self.context, self.candidate = (
            [(field["name"], self._table_of(field)) for field in parts.get(group, [])]
            for group in ("profile", "context", "candidate")
        )
        if len(parts.get("sequence", [])) != 1 or parts["sequence"][0]["pooling"] != "attention":
            raise Unsupported("anything but one sequence with attention")
        if parts["head"].get("product") or "item_bias" in parts:
            raise Unsupported("the product of interest and candidate, and an item bias")
        [sequence] = parts["sequence"]
        self.sequence, self.capacity = sequence["name"], sequence["capacity"]
        self.softmax = sequence.get("normalisation") == "softmax"
        names = [name for name, _ in self.candidate]
        if any("pair" not in field for field in sequence["fields"]):
            raise Unsupported("behaviour fields that the candidate does not have")
        self.behaviour = [(field["name"], self._table_of(field)) for field in sequence["fields"]]
        # Of each behaviour field, the candidate field that it is compared with.
        self.pairs = [names.index(field["pair"]) for field in sequence["fields"]]
        self.unit = [Layer(own, tensors) for own in sequence["layer"]]
        self.head = [Layer(own, tensors) for own in parts["head"]["layer"]]

    def _table_of(self, field):
        if "table" not in field:
            raise Unsupported(f"the numeric field `{field['name']}`")
        return self.tables[field["table"]]

    def draw(self, random, slate, history):
        """A request, as rows: [1] of profile and context, [slate] of the candidates, [history] of the behaviours."""
        draw = lambda fields, count: [table.draw(random, count) for _, table in fields]
        return {
            "profile": draw(self.profile, 1),
            "context": draw(self.context, 1),
            "candidate": draw(self.candidate, slate),
            "behaviour": draw(self.behaviour, history),
        }

    def as_json(self, request):
        """The same with raw ids, as `din-export rank` and `bench` read it."""

        def records(group, fields):
            columns = [[table.id_of(row) for row in rows] for (_, table), rows in zip(fields, request[group])]
            return [dict(zip((name for name, _ in fields), values)) for values in zip(*columns)]

        one = lambda group, fields: records(group, fields)[0] if fields else {}
        return {
            "profile": one("profile", self.profile),
            "context": one("context", self.context),
            "history": {self.sequence: records("behaviour", self.behaviour)},
            "candidates": records("candidate", self.candidate),
        }

    def scores(self, request):
        """The formulas in f64: what every runtime is held against."""
        rows = lambda group, fields: np.concatenate(
            [table.values[own].astype(np.float64) for (_, table), own in zip(fields, request[group])], axis=1
        ) if fields else np.zeros((1, 0))
        candidate = rows("candidate", self.candidate)  # [N, C]
        columns = np.cumsum([0] + [table.values.shape[1] for _, table in self.candidate])
        query = np.concatenate([candidate[:, columns[p] : columns[p + 1]] for p in self.pairs], axis=1)
        keys = rows("behaviour", self.behaviour)  # [T, D]
        q, k = np.broadcast_arrays(query[:, None], keys[None])
        weights = run(self.unit, np.concatenate([q, k, q - k, q * k], axis=2))[..., 0]  # [N, T]
        if self.softmax:
            weights = np.exp(weights / np.sqrt(keys.shape[1]))
            weights /= weights.sum(axis=1, keepdims=True)
        user = np.concatenate([rows("profile", self.profile), rows("context", self.context)], axis=1)
        user = np.broadcast_to(user, (len(candidate), user.shape[1]))
        logits = run(self.head, np.concatenate([user, weights @ keys, candidate], axis=1))[:, 0]
        return sigmoid(logits)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def run(layers, x):
    for layer in layers:
        x = x @ layer.weight.astype(np.float64) + layer.bias
        numbers = layer.numbers
        match layer.kind:
            case "sigmoid":
                x = sigmoid(x)
            case "relu":
                x = np.maximum(x, 0.0)
            case "prelu":
                x = np.maximum(x, 0.0) + numbers["alpha"] * np.minimum(x, 0.0)
            case "dice":
                p = sigmoid(numbers["a"] * x + numbers["b"])
                x = x * (p + (1.0 - p) * numbers["alpha"])
    return x

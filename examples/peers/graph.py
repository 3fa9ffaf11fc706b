"""The model as an ONNX graph for one size of slate and history: as an exporter writes it, or its first layer folded."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    def __init__(self):
        self.nodes, self.constants, self.inputs = [], [], []

    def constant(self, value):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def input(self, name, count):
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.INT64, [count]))
        return name

    def add(self, operation, *inputs, **attributes):
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, inputs, [name], **attributes))
        return name

    def layer(self, layer, x):
        """Everything after the product with the weight included: [..., inputs] to [..., outputs]."""
        return self.activation(layer, self.add("Add", self.add("MatMul", x, self.constant(layer.weight)),
                                               self.constant(layer.bias)))

    def activation(self, layer, s):
        number = lambda key: self.constant(layer.numbers[key])
        match layer.kind:
            case "sigmoid":
                return self.add("Sigmoid", s)
            case "relu":
                return self.add("Relu", s)
            case "prelu":
                return self.add("PRelu", s, number("alpha"))
            case "dice":
                p = self.add("Sigmoid", self.add("Add", self.add("Mul", s, number("a")), number("b")))
                # p s + (1 - p) alpha s = s (alpha + (1 - alpha) p)
                slope = self.add("Mul", p, self.constant(1.0 - layer.numbers["alpha"]))
                return self.add("Mul", s, self.add("Add", slope, number("alpha")))
        return s


def input_names(model):
    """In the order of a request's rows."""
    groups = ("profile", "context", "candidate", "behaviour")
    return {group: [f"{group}_{name}" for name, _ in getattr(model, group)] for group in groups}


def build(model, slate, history, folded):
    graph = Graph()
    names = input_names(model)
    # One copy of each table, however many fields share it.
    tables = {id(table): graph.constant(table.values) for table in model.tables.values()}

    def rows(group, count):
        return [
            graph.add("Gather", tables[id(table)], graph.input(name, count))
            for name, (_, table) in zip(names[group], getattr(model, group))
        ]

    concat = lambda parts, axis: parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=axis)
    user = rows("profile", 1) + rows("context", 1)
    candidate = rows("candidate", slate)  # each [N, dim]
    keys = concat(rows("behaviour", history), 1)  # [T, D]
    query = concat([candidate[pair] for pair in model.pairs], 1)  # [N, D]
    width = sum(table.values.shape[1] for _, table in model.behaviour)
    q = graph.add("Unsqueeze", query, graph.constant(np.array([1])))  # [N, 1, D]
    k = graph.add("Unsqueeze", keys, graph.constant(np.array([0])))  # [1, T, D]
    product = graph.add("Mul", q, k)  # [N, T, D]
    first, *rest = model.unit
    if folded:
        # W [q, k, q-k, q*k] = (Wq + Wd) q + (Wk - Wd) k + Wp (q*k)
        wq, wk, wd, wp = np.split(first.weight, 4)
        of_query = graph.add("MatMul", q, graph.constant(wq + wd))  # [N, 1, H]
        of_key = graph.add("Add", graph.add("MatMul", k, graph.constant(wk - wd)), graph.constant(first.bias))
        of_pair = graph.add("MatMul", product, graph.constant(wp))  # [N, T, H]
        x = graph.activation(first, graph.add("Add", graph.add("Add", of_pair, of_key), of_query))
    else:
        shape = graph.constant(np.array([slate, history, width]))
        whole = [graph.add("Expand", q, shape), graph.add("Expand", k, shape), graph.add("Sub", q, k), product]
        x = graph.layer(first, concat(whole, 2))
    for layer in rest:
        x = graph.layer(layer, x)
    weights = graph.add("Reshape", x, graph.constant(np.array([slate, history])))
    if model.softmax:
        scale = graph.constant(np.float32(1.0 / np.sqrt(width)))
        weights = graph.add("Softmax", graph.add("Mul", weights, scale), axis=1)
    interest = graph.add("MatMul", weights, keys)  # [N, T] x [T, D] -> [N, D]
    parts = [interest] + candidate
    if user:
        user = concat(user, 1)
        user_width = sum(table.values.shape[1] for _, table in model.profile + model.context)
        parts = [graph.add("Expand", user, graph.constant(np.array([slate, user_width])))] + parts
    x = concat(parts, 1)
    for layer in model.head:
        x = graph.layer(layer, x)
    scores = graph.add("Sigmoid", graph.add("Reshape", x, graph.constant(np.array([slate]))))
    output = helper.make_tensor_value_info(scores, TensorProto.FLOAT, [slate])
    built = helper.make_graph(graph.nodes, "din", graph.inputs, [output], graph.constants)
    whole = helper.make_model(built, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(whole)
    return whole


def feeds(model, request):
    """A request as the graph's inputs."""
    return {
        name: rows.astype(np.int64)
        for group, names in input_names(model).items()
        for name, rows in zip(names, request[group])
    }

"""Networks as graphs of ONNX, which other programs run; built node by node, so that `onnx` is all it takes."""

import importlib.util
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.results.saving import described
from nnjax.results.trees import leaves
from nnjax.validation import UserError

if TYPE_CHECKING:
    from nnjax.results.network import Network

OPSET, IR = 17, 8
"""The versions of the operators and of the format, those of 2022, which programs of today know."""


def save_onnx(networks: Sequence["Network"], path: str | os.PathLike[str]) -> None:
    """Write the average of networks as a graph from ``x`` [N, D] to ``y`` [N, C], both of 32 bits.

    ``y`` are probabilities, of a regression the targets in their units.

    Raises:
        UserError: where onnx isn't installed, for a network with a part of the user's own, and where the file
            can't be written.
    """
    if importlib.util.find_spec("onnx") is None:
        raise UserError(
            "files of ONNX are written by the package onnx, which isn't installed: pip install 'nnjax[onnx]'"
        )
    import onnx

    first = networks[0]
    graph = _Graph()
    answers = [_answer(graph, network) for network in networks]
    graph.add("Mean", *answers, output="y")
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", size])
        for name, size in (("x", first.inputs), ("y", first.classes))
    ]
    made = onnx.helper.make_graph(graph.nodes, "nnjax", ends[:1], ends[1:], graph.constants)
    model = onnx.helper.make_model(
        made, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="nnjax"
    )
    onnx.checker.check_model(model)
    try:
        onnx.save(model, str(Path(path).expanduser()))
    except OSError as error:
        raise UserError(f"the network can't be written to {path}: {error.strerror or error}") from error


class _Graph:
    """Nodes and constants so far; each value has a name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """A node; the name of what it puts out."""
        import onnx

        output = output or f"value_{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """An array; its name."""
        import onnx

        name = f"constant_{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.asarray(value, dtype), name))
        return name


def _answer(graph: _Graph, network: "Network") -> str:
    """What a network says of ``x``."""
    said = described(network)
    params = {name: graph.constant(leaf) for name, leaf in leaves(network.params)}
    x = graph.add("Mul", "x", graph.constant(1 / np.float32(said["scale"])))
    logits = _logits(graph, said, params, x)
    if network.task == "regression":
        scaled = graph.add("Mul", logits, graph.constant(said["deviation"]))
        return graph.add("Add", scaled, graph.constant(said["mean"]))
    how = said["probabilities"]
    if how == "softmax":
        return graph.add("Softmax", logits, axis=1)
    clipped = how == "shares_of_clipped"
    ends = [graph.constant(0), graph.constant(1)] if clipped else []
    shares = graph.add("Clip" if clipped else "Sigmoid", logits, *ends)
    if how == "sigmoid":
        return shares
    total, there = _sum(graph, shares)
    divided = graph.add("Div", shares, total)
    return graph.add("Where", there, divided, graph.constant(1 / network.classes))


def _logits(graph: _Graph, said: dict[str, Any], params: dict[str, str], x: str) -> str:
    if said["model"] == "softmax_regression":
        logits = graph.add("MatMul", x, params["Dense_0/kernel"])
        return graph.add("Relu", logits) if said["relu_logits"] else logits
    inside = ""
    if said["model"] == "dan":
        inside = "MLP_0/"
        words, _ = _sum(graph, x)
        x = graph.add("Div", graph.add("MatMul", x, params["Average_0/vectors"]), words)
    hidden = said["config"]["hidden"]
    for layer in range(len(hidden) + 1):
        kernel, bias = (params[f"{inside}Dense_{layer}/{name}"] for name in ("kernel", "bias"))
        made = graph.add("Gemm", x, kernel, bias)
        if layer < len(hidden):
            made = _activated(graph, said["activation"], said["slope"], made)
            if said["residual"] and layer and hidden[layer - 1] == hidden[layer]:
                made = graph.add("Add", x, made)
        x = made
    return x


def _sum(graph: _Graph, x: str) -> tuple[str, str]:
    """The sums of rows, with 1 in the place of those that aren't more than 0, and which are."""
    total = graph.add("ReduceSum", x, graph.constant([1], np.int64), keepdims=1)
    there = graph.add("Greater", total, graph.constant(0))
    return graph.add("Where", there, total, graph.constant(1)), there


def _activated(graph: _Graph, activation: str, slope: float, x: str) -> str:
    plain = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "identity": "Identity"}
    if activation in plain:
        return graph.add(plain[activation], x)
    if activation == "scaled_sigmoid":
        return graph.add("Sigmoid", graph.add("Mul", x, graph.constant(slope)))
    if activation == "leaky_relu":
        return graph.add("LeakyRelu", x, alpha=0.01)
    assert activation == "gelu", activation
    erf = graph.add("Erf", graph.add("Mul", x, graph.constant(1 / math.sqrt(2))))
    return graph.add("Mul", graph.add("Mul", x, graph.constant(0.5)), graph.add("Add", erf, graph.constant(1)))

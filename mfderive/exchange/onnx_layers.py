"""Nodes of ONNX models that are layers: windows, normalisation, means, softmax, recurrent cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .batch_normalisation import affine_steps
from .onnx_nodes import NodeReader, reads
from .operations import ImportProblem


def _window(reader: NodeReader, node: Any, attributes: dict[str, Any], taps: Sequence[int]) -> dict[str, Any]:
    """Stride and padding of a window, for every axis."""
    many = len(taps)
    if any(each != 1 for each in attributes.get("dilations", ())):
        raise ImportProblem(f"{reader.where}: node '{node.name}' has dilated taps. {_OWN_KIND}")
    if attributes.get("ceil_mode"):
        raise ImportProblem(f"{reader.where}: node '{node.name}' has ceil_mode. Use padding in its place")
    pads = list(attributes.get("pads", [0] * (2 * many)))
    padding: Any = [[pads[k], pads[k + many]] for k in range(many)]
    automatic = attributes.get("auto_pad", b"NOTSET")
    if automatic not in (b"NOTSET", b"VALID"):
        raise ImportProblem(
            f"{reader.where}: node '{node.name}' has auto_pad. Write its padding in numbers (pads)"
        )
    return {"stride": list(attributes.get("strides", [1] * many)), "padding": padding}


_OWN_KIND = "A kind of your own can do it (docs/layers.md has that very one)"


@reads("Conv")
def _conv(reader: NodeReader, node: Any, attributes: dict[str, Any]) -> None:
    if attributes.get("group", 1) != 1:
        raise ImportProblem(
            f"{reader.where}: node '{node.name or node.output[0]}' is a convolution in "
            f"{attributes['group']} groups. "
            "Write it in a spec by hand (key groups, docs/layers.md)"
        )
    taps = list(attributes.get("kernel_shape") or reader.constant(node.input[1], node).shape[2:])
    window = _window(reader, node, attributes, taps)
    reader.add("convolution", node, [each for each in node.input if each], node.output, kernel=taps, **window)


@reads("MaxPool", "AveragePool")
def _pool(reader: NodeReader, node: Any, attributes: dict[str, Any]) -> None:
    taps = list(attributes["kernel_shape"])
    window = _window(reader, node, attributes, taps)
    maximum = node.op_type == "MaxPool"
    if not maximum and attributes.get("count_include_pad") and any(sum(pad) for pad in window["padding"]):
        raise ImportProblem(
            f"{reader.where}: node '{node.name}' averages over padding. Pooling here counts what is inside "
            "alone"
        )
    reader.add("pool", node, node.input, node.output[:1], maximum=maximum, window=taps, **window)


@reads("GlobalAveragePool", "GlobalMaxPool")
def _global(reader: NodeReader, node: Any, attributes: dict[str, Any]) -> None:
    reader.add("pool", node, node.input, node.output, maximum=node.op_type == "GlobalMaxPool", window=None)


@reads("ReduceMean")
def _mean(reader: NodeReader, node: Any, attributes: dict[str, Any]) -> None:
    axes = reader.whole(node.input[1], node) if len(node.input) > 1 else list(attributes.get("axes", ()))
    if not axes:
        raise ImportProblem(f"{reader.where}: node '{node.name}' is a mean over everything, samples too")
    keep = bool(attributes.get("keepdims", 1))
    reader.add("mean", node, node.input[:1], node.output, axes=tuple(axes), keep=keep)


@reads("Softmax")
def _softmax(reader: NodeReader, node: Any, attributes: dict[str, Any]) -> None:
    reader.add("softmax", node, node.input, node.output, axis=attributes.get("axis", -1))


@reads("LayerNormalization")
def _layer_normalisation(reader: NodeReader, node: Any, attributes: dict[str, Any]) -> None:
    axis = attributes.get("axis", -1)
    if axis >= 0:
        raise ImportProblem(
            f"{reader.where}: node '{node.name}' counts axes from the front. Give axis as -1, -2, ..."
        )
    options = {"axes": -axis, "epsilon": attributes.get("epsilon", 1e-5)}
    reader.add("normalise", node, [each for each in node.input if each], node.output[:1], **options)


@reads("BatchNormalization")
def _batch_normalisation(reader: NodeReader, node: Any, attributes: dict[str, Any]) -> None:
    """In evaluation: (x - mean) / deviation, whose numbers are frozen, then gain and shift."""
    if attributes.get("training_mode"):
        raise ImportProblem(
            f"{reader.where}: node '{node.name}' normalises over the batch. Export the model in evaluation: "
            "a mean over "
            "the batch makes a prediction depend on the other samples"
        )
    x, gain, shift, centre, variance = node.input
    epsilon = attributes.get("epsilon", 1e-5)
    names = {"gain": gain, "shift": shift, "mean": reader.between(), "variance": reader.between()}
    reader.constants[names["mean"]] = reader.constant(centre, node)
    reader.constants[names["variance"]] = reader.constant(variance, node) + epsilon
    value = x
    for affine in affine_steps(True, True):
        result = node.output[0] if affine.word == "shift" else reader.between()
        inputs = [value, *(names[word] for word in affine.takes)]
        reader.add("function", node, inputs, [result], **affine.options())
        value = result


_CELLS = {"RNN": "rnn", "LSTM": "lstm", "GRU": "gru"}
_GATES = {"RNN": ("h",), "LSTM": ("i", "o", "f", "g"), "GRU": ("z", "r", "h")}


@reads(*_CELLS)
def _recurrent(reader: NodeReader, node: Any, attributes: dict[str, Any]) -> None:
    """A recurrent cell forwards over all steps, from 0."""
    x, weight, again, bias, *rest = [*node.input, "", "", ""][:4] + [each for each in node.input[4:] if each]
    direction = attributes.get("direction", b"forward")
    functions = [each.decode() for each in attributes.get("activations", ())]
    usual = {"RNN": ["Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}[node.op_type]
    known = functions in ([], usual) or (node.op_type == "RNN" and functions == ["Relu"])
    if direction != b"forward" or not known or attributes.get("clip"):
        raise ImportProblem(
            f"{reader.where}: node '{node.name or node.output[0]}' ({node.op_type}) runs "
            f"{direction.decode()} with the "
            f"functions {functions or usual}. Read are cells that run forward with the usual functions"
        )
    given = [each for each in rest if np.any(reader.constant(each, node))] if rest else []
    if given:
        raise ImportProblem(
            f"{reader.where}: node '{node.name or node.output[0]}' starts from a state ({given[0]}), or has "
            "lengths or "
            "peepholes. Recurrent layers here start from 0 and run over all steps"
        )
    reader.add(
        "recurrent", node, [each for each in (x, weight, again, bias) if each], node.output[:2],
        cell=_CELLS[node.op_type], function=(functions or usual)[-1].lower(),
        gates=_GATES[node.op_type], directions=True,
        batch_first=bool(attributes.get("layout", 0)),
        linear_before_reset=bool(attributes.get("linear_before_reset")),
    )  # fmt: skip

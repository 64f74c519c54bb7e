"""Nodes of ONNX models that act entry by entry, look at a value in another way, or multiply matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .onnx_nodes import NodeReader, reads
from .operations import ImportProblem
from .pointwise import (
    PLAIN,
    Function,
    celu,
    clipped,
    exponential,
    gelu,
    hard_sigmoid,
    leaky,
    shrunk,
    threshold,
)

# ONNX's names of functions without attributes: most are the common ones in lower case.
_COMMON = (
    "Relu Tanh Sigmoid Erf Exp Log Sqrt Abs Sin Cos Sinh Cosh Tan Sign Softplus Softsign Mish Selu HardSwish "
    "PRelu Add Sub Mul Div Pow Neg Reciprocal Max Min Where"
)
_POINTWISE: dict[str, str] = {
    **{word: word.lower() for word in _COMMON.split()},
    **{"Greater": "gt", "Less": "lt", "GreaterOrEqual": "ge", "LessOrEqual": "le"},
}
_WITH_ATTRIBUTES: dict[str, Callable[[dict[str, Any]], Function]] = {
    "LeakyRelu": lambda a: leaky(a.get("alpha", 0.01)),
    "Elu": lambda a: exponential(a.get("alpha", 1.0)),
    "HardSigmoid": lambda a: hard_sigmoid(a.get("alpha", 0.2), a.get("beta", 0.5)),
    "Celu": lambda a: celu(a.get("alpha", 1.0)),
    "ThresholdedRelu": lambda a: threshold(a.get("alpha", 1.0), 0.0),
    "Shrink": lambda a: shrunk(a.get("lambd", 0.5), a.get("bias", 0.0)),
    "Gelu": lambda a: gelu(a.get("approximate", b"none") in (b"tanh", "tanh")),
}
# What an array that meets a signal in these operations is called.
WORDS = {"Add": "b", "Sub": "b", "Mul": "gain", "Div": "scale", "PRelu": "slope"}


@reads(*_POINTWISE, *_WITH_ATTRIBUTES)
def _pointwise(reader: NodeReader, node: Any, attributes: dict[str, Any]) -> None:
    word = node.op_type
    apply = _WITH_ATTRIBUTES[word](attributes) if word in _WITH_ATTRIBUTES else PLAIN[_POINTWISE[word]]
    reader.add("function", node, node.input, node.output, apply=apply, word=WORDS.get(word, "p"))


@reads("Identity", "Dropout", "Cast")
def _identity(reader: NodeReader, node: Any, attributes: dict[str, Any]) -> None:
    reader.add("identity", node, node.input[:1], node.output[:1])


@reads("Constant")
def _constant(reader: NodeReader, node: Any, attributes: dict[str, Any]) -> None:
    value = next(iter(attributes.values()))
    is_tensor = isinstance(value, reader.onnx.TensorProto)
    reader.constants[node.output[0]] = (
        reader.onnx.numpy_helper.to_array(value) if is_tensor else np.asarray(value)
    )


@reads("Clip")
def _clip(reader: NodeReader, node: Any, attributes: dict[str, Any]) -> None:
    ends = [float(np.ravel(reader.constant(each, node))[0]) if each else None for each in node.input[1:]]
    low, high = [*ends, None, None][:2] if ends else [attributes.get("min"), attributes.get("max")]
    reader.add("function", node, node.input[:1], node.output, apply=clipped(low, high))


@reads("MatMul")
def _matmul(reader: NodeReader, node: Any, attributes: dict[str, Any]) -> None:
    reader.add("matmul", node, node.input, node.output)


@reads("Gemm")
def _gemm(reader: NodeReader, node: Any, attributes: dict[str, Any]) -> None:
    left, right, *bias = (each for each in node.input if each)
    if attributes.get("transA") or attributes.get("alpha", 1.0) != 1 or attributes.get("beta", 1.0) != 1:
        raise ImportProblem(
            f"{reader.where}: node '{node.name or node.output[0]}' (Gemm) has transA, alpha or beta. "
            "Scale the weight itself in the model"
        )
    if attributes.get("transB"):
        turned = reader.between()
        reader.add("transpose", node, [right], [turned])
        right = turned
    product = reader.between() if bias else node.output[0]
    reader.add("matmul", node, [left, right], [product])
    if bias:
        reader.add("function", node, [product, *bias], node.output, apply=PLAIN["add"], word="b")


@reads("Flatten")
def _flatten(reader: NodeReader, node: Any, attributes: dict[str, Any]) -> None:
    if attributes.get("axis", 1) != 1:
        raise ImportProblem(f"{reader.where}: node '{node.name}' flattens samples as well. Use axis = 1")
    reader.add("reshape", node, node.input, node.output, shape=(0, -1))


@reads("Reshape")
def _reshape(reader: NodeReader, node: Any, attributes: dict[str, Any]) -> None:
    shape = reader.whole(node.input[1], node)
    reader.add("reshape", node, node.input[:1], node.output, shape=tuple(shape))


@reads("Squeeze", "Unsqueeze")
def _squeeze(reader: NodeReader, node: Any, attributes: dict[str, Any]) -> None:
    axes = reader.whole(node.input[1], node) if len(node.input) > 1 else list(attributes.get("axes", ()))
    if not axes:
        raise ImportProblem(f"{reader.where}: node '{node.name}' squeezes whatever has size 1. Name the axes")
    options = {"squeeze" if node.op_type == "Squeeze" else "unsqueeze": tuple(axes)}
    reader.add("reshape", node, node.input[:1], node.output, **options)


@reads("Transpose")
def _transpose(reader: NodeReader, node: Any, attributes: dict[str, Any]) -> None:
    order = attributes.get("perm")
    reader.add("transpose", node, node.input, node.output, order=tuple(order) if order else None)


@reads("Gather")
def _gather(reader: NodeReader, node: Any, attributes: dict[str, Any]) -> None:
    known = node.input[1] in {*reader.parameters, *reader.constants}
    if node.input[0] in reader.parameters and not known and attributes.get("axis", 0) == 0:
        reader.add("embedding", node, node.input, node.output)
        return
    index = reader.constant(node.input[1], node)
    if np.shape(index):
        raise ImportProblem(
            f"{reader.where}: node '{node.name}' (Gather) takes several indices. "
            "Neurons and positions are read whole here"
        )
    reader.add("select", node, node.input[:1], node.output, axis=attributes.get("axis", 0), index=int(index))

"""Operations of PyTorch programs that act entry by entry, look at a value otherwise, or multiply matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

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
    softplus,
    threshold,
)
from .torch_nodes import ProgramReader, arguments, inserted_ones, reads, shape_of, word_of

# PyTorch's words for functions without constants: most are the common ones.
_COMMON = (
    "relu tanh sigmoid silu selu mish hardswish erf exp log log1p expm1 sqrt rsqrt abs sin cos tan sinh cosh "
    "sign neg square reciprocal mul div pow gt lt ge le where"
)
_PLAIN: dict[str, str] = {
    **{word: word for word in _COMMON.split()},
    **{"log_sigmoid": "logsigmoid", "maximum": "max", "minimum": "min"},
}
_SOFTPLUS_EDGE = 20
# Rrelu draws its slopes in training alone.
_WITH_CONSTANTS: dict[str, Callable[[Any], Function]] = {
    "leaky_relu": lambda node: leaky(*arguments(node, 0.01)),
    "elu": lambda node: exponential(*arguments(node, 1.0)),
    "gelu": lambda node: gelu(node.kwargs.get("approximate", "none") == "tanh"),
    "hardtanh": lambda node: clipped(*arguments(node, -1.0, 1.0)),
    "clamp": lambda node: clipped(*arguments(node, None, None)),
    "relu6": lambda node: clipped(0.0, 6.0),
    "celu": lambda node: celu(*arguments(node, 1.0)),
    "threshold": lambda node: threshold(*arguments(node, 0.0, 0.0)),
    "softshrink": lambda node: shrunk(arguments(node, 0.5)[0], arguments(node, 0.5)[0]),
    "hardshrink": lambda node: shrunk(arguments(node, 0.5)[0], 0.0),
    "rrelu": lambda node: leaky(sum(arguments(node, 1 / 8, 1 / 3)) / 2),
    "hardsigmoid": lambda node: hard_sigmoid(1 / 6, 0.5),
}
_WORDS = {"add": "b", "sub": "b", "mul": "gain", "div": "scale"}


@reads(*_PLAIN)
def _plain(reader: ProgramReader, node: Any) -> None:
    word = word_of(node)
    inputs = [reader.value(argument) for argument in node.args]
    reader.add(
        "function", node, inputs, [reader.out(node)], apply=PLAIN[_PLAIN[word]], word=_WORDS.get(word, "p")
    )


@reads("add", "sub", "rsub")
def _sums(reader: ProgramReader, node: Any) -> None:
    if node.kwargs.get("alpha", 1) != 1:
        raise reader.refuse(node, "a sum with alpha", "Multiply by the number in the model")
    inputs = [reader.value(argument) for argument in node.args[:2]]
    turned = inputs[::-1] if word_of(node) == "rsub" else inputs
    word = "add" if word_of(node) == "add" else "sub"
    reader.add("function", node, turned, [reader.out(node)], apply=PLAIN[word], word="b")


@reads(*_WITH_CONSTANTS)
def _with_constants(reader: ProgramReader, node: Any) -> None:
    inputs = [reader.value(node.args[0])]
    reader.add("function", node, inputs, [reader.out(node)], apply=_WITH_CONSTANTS[word_of(node)](node))


@reads("softplus")
def _softplus(reader: ProgramReader, node: Any) -> None:
    """PyTorch's softplus is the identity where beta x is above 20: 3e-9 / beta less, at most."""
    beta, edge = arguments(node, 1.0, 20.0)
    if edge < _SOFTPLUS_EDGE:
        raise reader.refuse(
            node, f"a softplus that ends at {edge:g}", f"Leave the threshold at {_SOFTPLUS_EDGE}"
        )
    reader.add("function", node, [reader.value(node.args[0])], [reader.out(node)], apply=softplus(beta))


@reads("prelu")
def _prelu(reader: ProgramReader, node: Any) -> None:
    inputs = [reader.value(argument) for argument in node.args]
    reader.add("function", node, inputs, [reader.out(node)], apply=PLAIN["prelu"], word="slope", axis=1)


@reads("dropout", "clone", "contiguous", "detach", "alias", "to", "lift_fresh_copy", "feature_dropout")
def _identity(reader: ProgramReader, node: Any) -> None:
    reader.add("identity", node, [reader.value(node.args[0])], [reader.out(node)])


@reads("slice")
def _slice(reader: ProgramReader, node: Any) -> None:
    source = reader.value(node.args[0])
    axis, start, stop, stride = arguments(node, 0, None, None, 1)
    if shape_of(node) == shape_of(node.args[0]):
        _identity(reader, node)
    elif source not in reader.fixed_values() or stride != 1:
        raise reader.refuse(node, "a part of an axis is taken", "Neurons and positions are read whole here")
    else:
        reader.add("part", node, [source], [reader.out(node)], axis=axis, start=start, stop=stop)


@reads("zeros")
def _zeros(reader: ProgramReader, node: Any) -> None:
    reader.constants[reader.out(node)] = np.zeros(shape_of(node))


@reads("view", "reshape", "flatten", "unflatten", "_unsafe_view")
def _reshape(reader: ProgramReader, node: Any) -> None:
    inputs, new = [reader.value(node.args[0])], shape_of(node)
    places = inserted_ones(shape_of(node.args[0]), new)
    if places is None:
        reader.add("reshape", node, inputs, [reader.out(node)], shape=new)
    elif places:
        reader.add("reshape", node, inputs, [reader.out(node)], unsqueeze=places)
    else:
        reader.add("identity", node, inputs, [reader.out(node)])


@reads("squeeze", "unsqueeze")
def _squeeze(reader: ProgramReader, node: Any) -> None:
    axes = node.args[1] if len(node.args) > 1 else None
    if axes is None:
        raise reader.refuse(node, "whatever has size 1 goes", "Name the axis")
    options = {word_of(node): tuple(axes) if isinstance(axes, (list, tuple)) else (axes,)}
    reader.add("reshape", node, [reader.value(node.args[0])], [reader.out(node)], **options)


@reads("t", "transpose", "permute", "numpy_T")
def _transpose(reader: ProgramReader, node: Any) -> None:
    depth = len(shape_of(node))
    order = list(range(depth))
    if word_of(node) == "permute":
        order = [int(axis) % depth for axis in node.args[1]]
    elif word_of(node) == "transpose":
        one, other = (int(axis) % depth for axis in node.args[1:3])
        order[one], order[other] = other, one
    else:
        order = order[::-1]
    reader.add("transpose", node, [reader.value(node.args[0])], [reader.out(node)], order=tuple(order))


@reads("select")
def _select(reader: ProgramReader, node: Any) -> None:
    axis, index = node.args[1:3]
    reader.add("select", node, [reader.value(node.args[0])], [reader.out(node)], axis=axis, index=index)


@reads("linear")
def _linear(reader: ProgramReader, node: Any) -> None:
    x, weight, *bias = (reader.value(argument) for argument in node.args if argument is not None)
    turned, product = reader.between(), reader.between() if bias else reader.out(node)
    reader.add("transpose", node, [weight], [turned], order=(1, 0))
    _product(reader, node, weight, [x, turned], product)
    if bias:
        reader.add("function", node, [product, *bias], [reader.out(node)], apply=PLAIN["add"], word="b")


def _product(reader: ProgramReader, node: Any, weight: str, inputs: list[str], result: str) -> None:
    """A matrix product that is called after its weight, which stands in it transposed."""
    reader.add("matmul", node, inputs, [result], called=weight)


@reads("matmul", "mm", "bmm")
def _matmul(reader: ProgramReader, node: Any) -> None:
    inputs = [reader.value(argument) for argument in node.args]
    reader.add("matmul", node, inputs, [reader.out(node)])


@reads("scaled_dot_product_attention")
def _attention(reader: ProgramReader, node: Any) -> None:
    """Written out: softmax(scale Q K^T) V."""
    queries = node.args[0]
    keys, values, mask, _, causal = arguments(node, None, None, None, 0.0, False)
    if mask is not None or causal:
        raise reader.refuse(node, "attention with a mask", "Attention here reads all positions")
    depth, width = len(shape_of(keys)), shape_of(keys)[-1]
    scale = node.kwargs.get("scale") or width**-0.5
    turned, products, scaled, shares = (reader.between() for _ in range(4))
    order = (*range(depth - 2), depth - 1, depth - 2)
    reader.add("transpose", node, [reader.value(keys)], [turned], order=order)
    reader.add("matmul", node, [reader.value(queries), turned], [products])
    reader.add("function", node, [products, reader.value(float(scale))], [scaled], apply=PLAIN["mul"])
    reader.add("softmax", node, [scaled], [shares], axis=-1)
    reader.add("matmul", node, [shares, reader.value(values)], [reader.out(node)])


@reads("addmm")
def _addmm(reader: ProgramReader, node: Any) -> None:
    bias, *factors = (reader.value(argument) for argument in node.args[:3])
    product = reader.between()
    reader.add("matmul", node, factors, [product])
    reader.add("function", node, [product, bias], [reader.out(node)], apply=PLAIN["add"], word="b")

"""Operations of PyTorch programs that are layers: windows, normalisation, means, softmax, recurrent cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from .batch_normalisation import affine_steps
from .torch_nodes import ProgramReader, arguments, per_axis, reads, shape_of, word_of

_OWN_KIND = "A kind of your own can do it (docs/layers.md)"


def _positions(node: Any) -> int:
    return len(shape_of(node)) - 2


def _margins(values: Any, many: int) -> list[list[int]]:
    return [[each, each] for each in per_axis(values, many)]


@reads("conv1d", "conv2d", "conv3d")
def _convolution(reader: ProgramReader, node: Any) -> None:
    many = _positions(node)
    weight, bias, stride, padding, dilation, groups = arguments(node, None, None, 1, 0, 1, 1)
    if isinstance(padding, str):
        raise reader.refuse(node, f'padding="{padding}"', "Write the padding as a number")
    if groups != 1 or set(per_axis(dilation, many)) != {1}:
        raise reader.refuse(node, "a convolution with groups or dilation", _OWN_KIND)
    inputs = [reader.value(each) for each in (node.args[0], weight, bias) if each is not None]
    reader.add(
        "convolution",
        node,
        inputs,
        [reader.out(node)],
        kernel=list(shape_of(weight)[2:]),
        stride=per_axis(stride, many),
        padding=_margins(padding, many),
    )


@reads("max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d")
def _pool(reader: ProgramReader, node: Any) -> None:
    many, maximum = _positions(node), word_of(node).startswith("max")
    taps, stride, padding, *rest = arguments(node, None, None, 0, 1 if maximum else False, False)
    dilation, ceil = (rest[0], rest[1]) if maximum else (1, rest[0])
    if ceil or set(per_axis(dilation, many)) != {1}:
        raise reader.refuse(node, "pooling with ceil_mode or dilation", "Use padding in its place")
    if not maximum and rest[1] is not False and set(per_axis(padding, many)) != {0}:
        raise reader.refuse(node, "an average over padding", "Give count_include_pad = False")
    reader.add(
        "pool",
        node,
        [reader.value(node.args[0])],
        [reader.out(node)],
        maximum=maximum,
        window=per_axis(taps, many),
        stride=per_axis(stride or taps, many),
        padding=_margins(padding, many),
    )


@reads("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
def _all(reader: ProgramReader, node: Any) -> None:
    if set(shape_of(node)[2:]) != {1}:
        raise reader.refuse(node, "adaptive pooling to several positions", "Name the window (avg_pool)")
    reader.add("pool", node, [reader.value(node.args[0])], [reader.out(node)], maximum=False, window=None)


@reads("mean")
def _mean(reader: ProgramReader, node: Any) -> None:
    axes, keep = arguments(node, None, False)
    if not axes:
        raise reader.refuse(node, "a mean over everything, samples too", "Name the axes")
    reader.add(
        "mean", node, [reader.value(node.args[0])], [reader.out(node)], axes=tuple(axes), keep=bool(keep)
    )


@reads("layer_norm")
def _layer_norm(reader: ProgramReader, node: Any) -> None:
    shape, gain, shift, epsilon = arguments(node, (), None, None, 1e-5)
    inputs = [reader.value(each) for each in (node.args[0], gain, shift) if each is not None]
    reader.add("normalise", node, inputs, [reader.out(node)], axes=len(shape), epsilon=epsilon)


@reads("batch_norm")
def _batch_norm(reader: ProgramReader, node: Any) -> None:
    defaults = (None, None, None, None, False, 0.1, 1e-5)
    gain, shift, mean, variance, training, _, epsilon = arguments(node, *defaults)
    if training or mean is None:
        raise reader.refuse(
            node,
            "it normalises over the batch",
            "Use module.eval(): a mean over the batch makes a prediction depend on the other samples",
        )
    given = {"gain": gain, "shift": shift}
    names = {word: reader.value(each) for word, each in given.items() if each is not None}
    names |= {"mean": reader.between(), "variance": reader.between()}
    reader.constants[names["mean"]] = np.asarray(reader.array(mean))
    reader.constants[names["variance"]] = np.asarray(reader.array(variance)) + epsilon
    value = reader.value(node.args[0])
    for affine in affine_steps(gain is not None, shift is not None):
        result = reader.between()
        inputs = [value, *(names[word] for word in affine.takes)]
        reader.add("function", node, inputs, [result], **affine.options())
        value = result
    reader.add("identity", node, [value], [reader.out(node)])


@reads("softmax", "_softmax")
def _softmax(reader: ProgramReader, node: Any) -> None:
    reader.add("softmax", node, [reader.value(node.args[0])], [reader.out(node)], axis=node.args[1])


_CELLS = {
    "rnn_tanh": ("rnn", "tanh", ("h",)),
    "rnn_relu": ("rnn", "relu", ("h",)),
    "lstm": ("lstm", "tanh", ("i", "f", "g", "o")),
    "gru": ("gru", "tanh", ("r", "z", "h")),
}


@reads(*_CELLS)
def _recurrent(reader: ProgramReader, node: Any) -> None:
    defaults = (None, (), True, 1, 0, False, False, False)
    start, weights, biases, many, _, _, both, batch_first = arguments(node, *defaults)
    if many != 1 or both or any(np.any(reader.array(each)) for each in _listed(start)):
        raise reader.refuse(
            node,
            "several layers in one, both directions, or a state to start from",
            "Write one module for each layer; recurrent layers here run forward from 0",
        )
    cell, function, gates = _CELLS[word_of(node)]
    outputs = [f"{node.name}.{place}" for place in range(2)]
    reader.names |= {(node, place): name for place, name in enumerate(outputs)}
    inputs = [reader.value(each) for each in (node.args[0], *weights[: 4 if biases else 2])]
    options = {"function": function, "gates": gates, "directions": False, "batch_first": bool(batch_first)}
    reader.add("recurrent", node, inputs, outputs, cell=cell, **options)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


@reads("getitem")
def _item(reader: ProgramReader, node: Any) -> None:
    source, place = node.args
    if not node.users:
        return
    if (source, place) not in reader.names:
        raise reader.refuse(
            node, f"result {place} of '{source.name}' is read", "It is no result that is kept here"
        )
    reader.names[node] = reader.names[source, place]


@reads("embedding")
def _embedding(reader: ProgramReader, node: Any) -> None:
    weight, indices = node.args[:2]
    (padding,) = arguments(node, None, -1)[1:]
    if padding >= 0:
        raise reader.refuse(node, "a row that is not trained (padding_idx)", "Leave padding_idx out")
    reader.add("embedding", node, [reader.value(weight), reader.value(indices)], [reader.out(node)])


@reads("_assert_tensor_metadata")
def _nothing(reader: ProgramReader, node: Any) -> None:
    """Checks that the exporter writes beside the program make no value."""

"""Operations that read neurons: matrix products, convolutions, pooling, means, normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from ..algebra.functions import call
from .attention_steps import attended, scores_of, shared
from .layering import SKIP
from .operations import Operation
from .pointwise import number
from .signal_values import Axis, Fixed, Leg, LegKind, Owns, Reads, Scores, Signal, Space, axis_size
from .translate import Translator, Value, step

_POSITIONS = sp.Symbol("positions")


def _read(
    translator: Translator, source: Signal, kind: str, weight: Fixed | None, options: dict[str, Any]
) -> tuple[sp.Symbol, Signal]:
    """A connection of some kind from a signal, which becomes a layer; the symbol of what it brings."""
    settled = translator.settled(source)
    name = translator.layers.layer_of(settled)
    assert name is not None
    return translator.layers.symbol(
        Reads(name, kind, weight, tuple(options.items()), translator.hint)
    ), settled


@step("matmul")
def matmul(translator: Translator, operation: Operation) -> tuple[Value, ...]:
    """A signal times a matrix [in, out]: all that its last axis runs over is summed."""
    left, right = (translator.values[name] for name in operation.inputs)
    if isinstance(left, Fixed) and isinstance(right, Fixed):
        return (Fixed(np.asarray(left.array @ right.array)),)
    if isinstance(left, Signal) and isinstance(right, Signal):
        return (scores_of(translator, left, right),)
    if isinstance(left, Scores) and isinstance(right, Signal):
        return (attended(translator, left, right),)
    if not isinstance(left, Signal) or not isinstance(right, Fixed):
        raise translator.refuse(
            "a weight stands in front of a signal", "Write the product as signal times weight"
        )
    matrix = right if right.array.ndim > 1 else right.moved(lambda array: array.reshape(-1, 1))
    if matrix.array.ndim != 2:
        raise translator.refuse(
            f"a weight of shape {right.array.shape} is multiplied", "Weights are matrices here"
        )
    symbol, out, positions = _linear(translator, left, matrix)
    last: tuple[Axis, ...] = ((out,),) if right.array.ndim > 1 else ()
    space = Space(out.number, positions, left.space.steps)
    return (Signal((*left.axes[:-1], *last), symbol, space),)


def _linear(translator: Translator, source: Signal, matrix: Fixed) -> tuple[sp.Symbol, Leg, tuple[int, ...]]:
    """The connection of a matrix: its symbol, the axis of its neurons, and the positions that are left."""
    legs, space = source.axes[-1], source.space
    inputs, outputs = matrix.array.shape
    if inputs != axis_size(legs):
        raise translator.refuse(f"a weight of {inputs} inputs reads an axis of {axis_size(legs)}", "")
    kinds = [leg.kind for leg in legs]
    read = [leg for leg in legs if leg.kind is LegKind.POSITION]
    if (
        kinds.count(LegKind.NEURONS) != 1
        or len(kinds) != 1 + len(read)
        or len(read) not in (0, len(space.positions))
    ):
        words = " and ".join(kind.value for kind in kinds) or "size 1"
        raise translator.refuse(
            f"a weight reads an axis of {words}, but the signal has neurons and {len(space.positions)} "
            "position axes",
            "A matrix reads the neurons at each position, or all neurons at all positions",
        )
    order = sorted(range(len(legs)), key=lambda k: (legs[k].kind is LegKind.POSITION, legs[k].number))
    sizes = [leg.size for leg in legs]
    weight = matrix.moved(lambda array: array.reshape(*sizes, outputs).transpose(len(legs), *order))
    pointwise = bool(space.positions) and not read
    options: dict[str, Any] = {}
    if pointwise:
        ones = [1] * len(space.positions)
        weight = weight.moved(lambda array: array.reshape(*array.shape, *ones))
        options = {"kernel": ones}
    symbol, _ = _read(translator, source, "convolution" if pointwise else "dense", weight, options)
    return symbol, translator.fresh(outputs), space.positions if pointwise else ()


def _channels_first(translator: Translator, source: Signal) -> None:
    """Windows are read of [samples, channels, positions...]."""
    kinds = [[leg.kind for leg in axis] for axis in source.axes]
    positions = [[LegKind.POSITION]] * len(source.space.positions)
    if kinds != [[LegKind.BATCH], [LegKind.NEURONS], *positions]:
        words = [" and ".join(kind.value for kind in axis) or "size 1" for axis in kinds]
        raise translator.refuse(
            f"a window moves over [{', '.join(words)}]", "It must be [samples, channels, positions]"
        )


@step("convolution")
def convolution(translator: Translator, operation: Operation) -> tuple[Value, ...]:
    """A convolution, channels first."""
    source, weight = translator.signal(operation.inputs[0]), translator.fixed(operation.inputs[1])
    _channels_first(translator, source)
    options = {key: operation.options[key] for key in ("kernel", "stride", "padding")}
    symbol, settled = _read(translator, source, "convolution", weight, options)
    out = translator.fresh(weight.array.shape[0])
    space = Space(out.number, _places(settled.space.positions, options))
    axes = _window_axes(settled.axes[0], out, space.positions)
    expression: sp.Expr = symbol
    if len(operation.inputs) > 2:
        expression += translator.layers.symbol(
            Owns(translator.fixed(operation.inputs[2]), "b", translator.hint)
        )
    return (Signal(axes, expression, space),)


def _places(positions: tuple[int, ...], options: dict[str, Any]) -> tuple[int, ...]:
    rows = zip(positions, options["kernel"], options["stride"], options["padding"], strict=True)
    return tuple((size + sum(pad) - taps) // stride + 1 for size, taps, stride, pad in rows)


def _window_axes(batch: Axis, neurons: Leg, positions: tuple[int, ...]) -> tuple[Axis, ...]:
    places = ((Leg(LegKind.POSITION, size, number),) for number, size in enumerate(positions))
    return (batch, (neurons,), *places)


@step("pool")
def pool(translator: Translator, operation: Operation) -> tuple[Value, ...]:
    """Average or maximum over a window, or over all positions."""
    source, options = translator.signal(operation.inputs[0]), operation.options
    _channels_first(translator, source)
    kind = "max-pool" if options.get("maximum") else "average-pool"
    if options.get("window") is None:
        return (_all_positions(translator, source, kind),)
    window = {key: options[key] for key in ("window", "stride", "padding")}
    symbol, settled = _read(translator, source, kind, None, window)
    places = _places(settled.space.positions, {**window, "kernel": window["window"]})
    space = Space(settled.space.neurons, places)
    return (Signal(_window_axes(settled.axes[0], settled.axes[1][0], places), symbol, space),)


def _all_positions(translator: Translator, source: Signal, kind: str) -> Signal:
    """Pooling over all positions: their axes keep size 1."""
    symbol, settled = _read(translator, source, kind, None, {"window": "all"})
    axes = (tuple(leg for leg in axis if leg.kind is not LegKind.POSITION) for axis in settled.axes)
    return Signal(tuple(axes), symbol, Space(settled.space.neurons, (), settled.space.steps))


@step("mean")
def mean(translator: Translator, operation: Operation) -> tuple[Value, ...]:
    """A mean over axes: of neurons a statistic of the layer, of positions or steps a layer that averages."""
    source, options = translator.signal(operation.inputs[0]), operation.options
    places = {axis % len(source.axes) for axis in options["axes"]}
    legs = [leg for place in places for leg in source.axes[place]]
    kinds = {leg.kind for leg in legs}
    if (
        kinds == {LegKind.POSITION}
        and len(legs) == len(source.space.positions)
        and not _is_compared(translator, operation)
    ):
        result = _all_positions(translator, source, "average-pool")
    elif kinds == {LegKind.STEP} and len(legs) == 1:
        result = _all_steps(translator, source)
    else:
        expression = statistic(translator, source, source.expression, legs)
        gone = [() if place in places else axis for place, axis in enumerate(source.axes)]
        result = Signal(tuple(gone), expression, source.space)
    if options["keep"]:
        return (result,)
    return (result.with_axes(axis for place, axis in enumerate(result.axes) if place not in places),)


def _all_steps(translator: Translator, source: Signal) -> Signal:
    """The average over all steps, whose axis keeps size 1."""
    symbol, settled = _read(translator, source, SKIP, None, {"average": ("steps",)})
    axes = (() if axis and axis[0].kind is LegKind.STEP else axis for axis in settled.axes)
    return Signal(tuple(axes), symbol, Space(settled.space.neurons, settled.space.positions))


@step("sum")
def total(translator: Translator, operation: Operation) -> tuple[Value, ...]:
    """A sum over axes: their size times the mean."""
    value = translator.values[operation.inputs[0]]
    if isinstance(value, Fixed):
        axes, keep = tuple(operation.options["axes"]), operation.options["keep"]
        return (Fixed(np.sum(value.array, axis=axes, keepdims=keep)),)
    source = translator.signal(operation.inputs[0])
    size = sp.Integer(1)
    for place in {axis % len(source.axes) for axis in operation.options["axes"]}:
        size *= axis_size(source.axes[place])
    (found,) = mean(translator, operation)
    assert isinstance(found, Signal)
    return (Signal(found.axes, size * found.expression, found.space),)


def _is_compared(translator: Translator, operation: Operation) -> bool:
    """Whether what reads a mean also reads what it is the mean of, as normalisation does."""
    return any(
        reader.kind == "function" and operation.inputs[0] in reader.inputs
        for reader in translator.graph.readers().get(operation.outputs[0], [])
    )


def statistic(translator: Translator, source: Signal, expression: sp.Expr, legs: list[Leg]) -> sp.Expr:
    """The mean of an expression over neurons, positions or both, as an activation has it."""
    kinds = [leg.kind for leg in legs]
    if set(kinds) - {LegKind.NEURONS, LegKind.POSITION} or not kinds:
        raise translator.refuse(
            "a mean over samples, or over steps and something else at once",
            "Means are over the neurons, the positions or the steps of one sample",
        )
    mean_of = sp.Function("mean")
    if LegKind.POSITION in kinds:
        if kinds.count(LegKind.POSITION) != len(source.space.positions):
            raise translator.refuse("a mean over some of the position axes", "Take it over all of them")
        expression = mean_of(expression, _POSITIONS)
    if LegKind.NEURONS in kinds:
        expression = mean_of(expression)
    return expression


@step("normalise")
def normalise(translator: Translator, operation: Operation) -> tuple[Value, ...]:
    """Layer normalisation over the last axes, with gain and shift where they are given."""
    name, *affine = operation.inputs
    source = translator.signal(name)
    legs = [leg for axis in source.axes[-int(operation.options["axes"]) :] for leg in axis]
    centre = source.expression - statistic(translator, source, source.expression, legs)
    variance = statistic(translator, source, centre**2, legs)
    expression = centre / call("sqrt", variance + number(operation.options["epsilon"]))
    result = Signal(source.axes, expression, source.space)
    for values, word in zip(affine, ("gain", "shift"), strict=False):
        owned = translator.owned(translator.fixed(values), source.axes, word)
        expression = expression * owned if word == "gain" else expression + owned
        result = Signal(source.axes, expression, source.space)
    return (result,)


@step("softmax")
def softmax(translator: Translator, operation: Operation) -> tuple[Value, ...]:
    """A softmax over the only axis of positions, or over the positions of keys."""
    scores = translator.values[operation.inputs[0]]
    if isinstance(scores, Scores):
        return (shared(translator, scores, int(operation.options["axis"])),)
    source = translator.signal(operation.inputs[0])
    legs = source.axes[int(operation.options["axis"])]
    if [leg.kind for leg in legs] != [LegKind.POSITION] or len(source.space.positions) != 1:
        raise translator.refuse(
            f"a softmax over {' and '.join(leg.kind.value for leg in legs) or 'one value'}",
            "A softmax is over positions; one over the outputs belongs to the loss (export the model "
            "without it, and "
            'give loss = {"kind": "cross-entropy"})',
        )
    return (Signal(source.axes, sp.Function("softmax")(source.expression, _POSITIONS), source.space),)

"""Operations that look at a value in another way: reshapes, transposed axes, one index of an axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .layering import SKIP
from .operations import Operation
from .signal_values import Axis, Fixed, Leg, LegKind, Reads, Scores, Signal, Space, axis_size
from .translate import Translator, Value, step


@step("identity")
def identity(translator: Translator, operation: Operation) -> tuple[Value, ...]:
    """The value itself."""
    return (translator.values[operation.inputs[0]],)


@step("function")
def function(translator: Translator, operation: Operation) -> tuple[Value, ...]:
    """A pointwise function of all inputs."""
    return (translator.apply(operation.options["apply"], operation.inputs),)


@step("transpose")
def transpose(translator: Translator, operation: Operation) -> tuple[Value, ...]:
    """Axes in another order; all of them turned round where none is given."""
    value = translator.values[operation.inputs[0]]
    if isinstance(value, Fixed):
        order = operation.options.get("order")
        return (value.moved(lambda array: np.transpose(array, order)),)
    if isinstance(value, Scores):
        raise translator.refuse("scores of attention are turned round", "Turn queries and keys in the model")
    order = operation.options.get("order") or range(len(value.axes))[::-1]
    return (value.with_axes(value.axes[axis] for axis in order),)


@step("part")
def part(translator: Translator, operation: Operation) -> tuple[Value, ...]:
    """A part of a weight, as heads of attention are cut from one array."""
    value, options = translator.fixed(operation.inputs[0]), operation.options
    cut = (slice(None),) * int(options["axis"]) + (slice(options["start"], options["stop"]),)
    return (value.moved(lambda array: array[cut]),)


@step("reshape")
def reshape(translator: Translator, operation: Operation) -> tuple[Value, ...]:
    """A shape (-1: what is left; 0: as it was), or axes of size 1 that go (squeeze) or come (unsqueeze)."""
    value, options = translator.values[operation.inputs[0]], operation.options
    if isinstance(value, Fixed):
        return (value.moved(lambda array: array.reshape(_fixed_shape(array.shape, options))),)
    if isinstance(value, Scores):
        raise translator.refuse("scores of attention get another shape", "Heads are layers of their own here")
    if "unsqueeze" in options:
        axes = list(value.axes)
        depth = len(axes) + len(options["unsqueeze"])
        for place in sorted(axis % depth for axis in options["unsqueeze"]):
            axes.insert(place, ())
        return (value.with_axes(axes),)
    if "squeeze" in options:
        gone = {axis % len(value.axes) for axis in options["squeeze"]}
        for place in gone:
            if axis_size(value.axes[place]) != 1 or _is_batch(value.axes[place]):
                raise translator.refuse(f"axis {place} of shape {value.shape} has more than one entry", "")
        return (value.with_axes(axis for place, axis in enumerate(value.axes) if place not in gone),)
    return (value.with_axes(regrouped(translator, value, list(options["shape"]))),)


def _fixed_shape(shape: tuple[int, ...], options: object) -> tuple[int, ...]:
    assert isinstance(options, dict)
    if "shape" in options:
        return tuple(shape[k] if size == 0 else int(size) for k, size in enumerate(options["shape"]))
    if "squeeze" in options:
        gone = {axis % len(shape) for axis in options["squeeze"]}
        return tuple(size for k, size in enumerate(shape) if k not in gone)
    new = list(shape)
    depth = len(shape) + len(options["unsqueeze"])
    for place in sorted(axis % depth for axis in options["unsqueeze"]):
        new.insert(place, 1)
    return tuple(new)


def _is_batch(axis: Axis) -> bool:
    return any(leg.kind is LegKind.BATCH for leg in axis)


def regrouped(translator: Translator, value: Signal, shape: Sequence[int]) -> list[Axis]:
    """The factors of a signal's axes in groups of the sizes of a new shape; the batch stays in front."""
    if not value.axes or not _is_batch(value.axes[0]):
        # Nothing moves where only axes go over which nothing runs, as the direction of a recurrent cell.
        kept = [axis for axis in value.axes if axis]
        sizes = zip(kept, shape, strict=False)
        if len(kept) == len(shape) and all(_is_batch(a) or size in (-1, axis_size(a)) for a, size in sizes):
            return kept
        raise translator.refuse(
            "a reshape moves samples",
            "Keep the batch as the first axis; heads of MultiheadAttention must be layers of their own",
        )
    wanted = [
        value.shape[k] if size == 0 and k < len(value.shape) else int(size) for k, size in enumerate(shape)
    ][1:]
    legs = [leg for axis in value.axes[1:] for leg in axis]
    whole = int(np.prod([leg.size for leg in legs], dtype=int))
    if -1 in wanted:
        wanted[wanted.index(-1)] = whole // -int(np.prod(wanted, dtype=int))
    if int(np.prod(wanted, dtype=int)) != whole:
        raise translator.refuse(
            f"a reshape of one sample from {value.shape[1:]} to {wanted} mixes samples", ""
        )
    axes: list[list[Leg]] = []
    for size in wanted:
        taken: list[Leg] = []
        product = 1
        while legs and (product < size or (size == 1 and not taken and legs[0].size == 1)):
            leg = legs.pop(0)
            taken.append(leg)
            product *= leg.size
        if product != size:
            raise translator.refuse(
                f"a reshape from {value.shape[1:]} to {wanted} takes an axis of {taken[-1].size} "
                f"{taken[-1].kind.value} apart",
                "Neurons come in no blocks here; write the blocks as layers of their own",
            )
        axes.append(taken)
    if legs and axes:
        axes[-1] += legs
    return [value.axes[0], *(tuple(axis) for axis in axes)]


@step("select")
def select(translator: Translator, operation: Operation) -> tuple[Value, ...]:
    """One index of an axis: of a constant, of an axis of size 1, or the last of the steps."""
    value, options = translator.values[operation.inputs[0]], operation.options
    axis, index = int(options["axis"]), int(options["index"])
    if isinstance(value, Fixed):
        return (value.moved(lambda array: np.take(array, index, axis=axis)),)
    if isinstance(value, Scores):
        raise translator.refuse("one score of attention is taken", "Scores are read whole")
    axis %= len(value.axes)
    legs = value.axes[axis]
    rest = [a for k, a in enumerate(value.axes) if k != axis]
    if axis_size(legs) == 1 and not _is_batch(legs):
        return (value.with_axes(rest),)
    is_steps = [leg.kind for leg in legs] == [LegKind.STEP]
    if is_steps and index in (-1, legs[0].size - 1):
        settled = translator.settled(value)
        name = translator.layers.layer_of(settled)
        assert name is not None
        last = translator.layers.symbol(Reads(name, SKIP))
        return (Signal(tuple(rest), last, Space(value.space.neurons, value.space.positions)),)
    kinds = ", ".join(leg.kind.value for leg in legs)
    raise translator.refuse(
        f"index {index} of an axis of {kinds} is taken",
        "Of steps the last one can be read, or their mean; single positions and neurons have no names of "
        "their own",
    )

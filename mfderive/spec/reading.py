"""How each layer kind reads its source: the slots of values and weight, and what is summed.

This is all that a layer kind is. A new kind adds a function here and its keys in the table of kinds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..algebra.terms import Affine, AxisKind, Index, Slot, canonical_indices
from ..errors import SpecError
from .network import Connection
from .terms import numbered

if TYPE_CHECKING:
    from .forward import ForwardBuilder


@dataclass(frozen=True)
class Shape:
    """Where the values of a layer live: the axis of its neurons and those of its positions."""

    neurons: str
    positions: tuple[str, ...] = ()

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes of a field of the layer: data, neurons, positions."""
        return ("data", self.neurons, *self.positions)


@dataclass(frozen=True)
class Reading:
    """How a connection reads its source.

    ``source``: slots of the source's values; ``weight_axes`` and ``weight_slots``: [target, source, rest];
    ``reduced``: what is averaged or summed; ``counts``: sizes of the finite sums by the names that
    ``average`` uses (taps, positions, inputs).
    """

    source: tuple[Slot, ...]
    source_neuron: Index
    weight_axes: tuple[str, ...] = ()
    weight_slots: tuple[Slot, ...] = ()
    reduced: tuple[Index, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ConvolutionShape:
    """Numbers of a convolution, one an axis: kernel, stride, padding before, and the output's size."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    before: tuple[int, ...]
    outputs: tuple[int, ...]


def convolution_shape(connection: Connection, inputs: tuple[int, ...]) -> ConvolutionShape:
    """The shape of a convolution over positions of sizes ``inputs``; "same" pads as jax.lax does."""
    kernel = connection.kernel
    if not inputs:
        raise SpecError(
            f"a convolution needs positions, but '{connection.source}' has none",
            remedy="Give the data a shape [channels, positions], or use a dense connection",
        )
    stride = connection.stride or (1,) * len(kernel)
    if len(kernel) != len(inputs) or len(stride) != len(inputs):
        raise SpecError(
            f"kernel {list(kernel)} and stride {list(stride)} must have one number for each of the "
            f"{len(inputs)} position axes of '{connection.source}'",
            key="kernel",
        )
    before, outputs = [], []
    for axis, (size, taps, step) in enumerate(zip(inputs, kernel, stride, strict=True)):
        if connection.padding == "same":
            total = max((-(-size // step) - 1) * step + taps - size, 0)
            pad = (total // 2, total - total // 2)
        elif connection.padding == "valid":
            pad = (0, 0)
        else:
            if isinstance(connection.padding, str) or len(connection.padding) != len(inputs):
                raise SpecError("padding needs one entry for each position axis", key="padding")
            pad = connection.padding[axis]
        padded = size + sum(pad)
        if taps > padded:
            raise SpecError(
                f"the kernel ({taps}) is larger than what it reads ({size} positions of "
                f"'{connection.source}', {padded} with padding)",
                key="kernel",
                remedy="Use a smaller kernel or more padding",
            )
        before.append(pad[0])
        outputs.append((padded - taps) // step + 1)
    return ConvolutionShape(kernel, stride, tuple(before), tuple(outputs))


def dense(
    builder: ForwardBuilder, shape: Shape, target: tuple[Index, ...], connection: Connection
) -> Reading:
    """Every neuron reads all neurons of the source, at all its positions: Mean (or Sum) over both."""
    source = builder.shapes[connection.source]
    neuron, *positions = canonical_indices((source.neurons, *source.positions), target)
    counts = {}
    if builder.axes[source.neurons].kind is AxisKind.FINITE:
        counts["inputs"] = builder.size(source.neurons)
    if source.positions:
        counts["positions"] = 1
        for axis in source.positions:
            counts["positions"] *= builder.size(axis)
    return Reading(
        source=(target[0], neuron, *positions),
        source_neuron=neuron,
        weight_axes=(shape.neurons, source.neurons, *source.positions),
        weight_slots=(target[1], neuron, *positions),
        reduced=(neuron, *positions),
        counts=counts,
    )


def skip(builder: ForwardBuilder, shape: Shape, target: tuple[Index, ...], connection: Connection) -> Reading:
    """Every neuron reads itself: no average."""
    return Reading(source=target, source_neuron=target[1])


def convolution(
    builder: ForwardBuilder, shape: Shape, target: tuple[Index, ...], connection: Connection
) -> Reading:
    """Position p reads positions stride * p + tap - padding of all the source's neurons; outside is 0."""
    source = builder.shapes[connection.source]
    numbers = builder.convolution(connection)
    base = f"{builder.current}.taps"
    name, number = base, 1
    while any(
        axis in builder.axes and builder.axes[axis].size != size
        for axis, size in zip(numbered(name, len(numbers.kernel)), numbers.kernel, strict=True)
    ):
        number += 1
        name = f"{base}.{number}"
    axes = numbered(name, len(numbers.kernel))
    taps_axes = tuple(builder.finite(a, size) for a, size in zip(axes, numbers.kernel, strict=True))
    neuron, *taps = canonical_indices((source.neurons, *taps_axes), target)
    places = tuple(
        Affine(((step, position), (1, tap)), -before)
        for step, position, tap, before in zip(numbers.stride, target[2:], taps, numbers.before, strict=True)
    )
    counts = {"taps": 1}
    for size in numbers.kernel:
        counts["taps"] *= size
    if builder.axes[source.neurons].kind is AxisKind.FINITE:
        counts["inputs"] = builder.size(source.neurons)
    return Reading(
        source=(target[0], neuron, *places),
        source_neuron=neuron,
        weight_axes=(shape.neurons, source.neurons, *taps_axes),
        weight_slots=(target[1], neuron, *taps),
        reduced=(neuron, *taps),
        counts=counts,
    )


READINGS: dict[str, Callable[[ForwardBuilder, Shape, tuple[Index, ...], Connection], Reading]] = {
    "dense": dense,
    "skip": skip,
    "convolution": convolution,
}

"""Kernels of two inputs layer by layer: variances, correlations, and the sizes of gradients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algebra.arguments import number, real_array
from ..algebra.entries import FIGURE, fill
from ..algebra.showing import Shown
from ..errors import ArgumentError
from .given_inputs import input_values, norm_values
from .kernel_system import Kernel, KernelKind, KernelSystem, Part
from .kernel_values import KernelValues

Array = Any


# What draws the figure: a room that stands behind this one enters itself.
_DRAWERS: list[Any] = []


def register_depth_figure(draw: Any) -> None:
    """Enter what draws the figure of kernels by depth: a function of :class:`ByDepth`."""
    _DRAWERS.append(draw)


@dataclass(frozen=True)
class DepthRow:
    """One kernel of two inputs: of the first, of the second and between them; ``c`` is the correlation.

    Of a layer with positions these are averages over equal positions of both inputs.
    """

    name: str
    layer: str
    part: Part
    q1: float
    q2: float
    q12: float

    @property
    def c(self) -> float:
        """The correlation of the two inputs, nan where a variance is 0."""
        product = self.q1 * self.q2
        return float(np.clip(self.q12 / np.sqrt(product), -1.0, 1.0)) if product > 0 else float("nan")


@dataclass(frozen=True, repr=False)
class ByDepth(Shown):
    """Kernels of two inputs by depth.

    ``fields``: second moments of pre-activations. ``gradients``: those of the derivatives of the output by
    them, summed over the neurons of a layer (so that widths drop out; a neuron has 1/width of it), in the
    order in which they are computed: the last layer first.
    ``parameters``: the products of gradients by the normal numbers behind a parameter. ``error``: the largest
    estimated error of an expectation. :meth:`kernel` gives any kernel at all positions.
    """

    title: str
    fields: tuple[DepthRow, ...]
    gradients: tuple[DepthRow, ...]
    parameters: tuple[DepthRow, ...]
    error: float
    values: KernelValues

    def kernel(self, name: str, first: int = 1, second: int = 2) -> Array:
        """A kernel between inputs ``first`` and ``second``, with an axis for each position. Raises
        ArgumentError."""
        known = [kernel.name for kernel in self.values.system.computed]
        if name not in known:
            raise ArgumentError(f"there is no kernel '{name}'. There are: {', '.join(known)}")
        if first not in (1, 2) or second not in (1, 2):
            raise ArgumentError(f"inputs are number 1 and 2, found {first} and {second}")
        kind = self.values.system.kernel[name].kind
        return self.values(name, (first,) if kind is KernelKind.FIRST else (first, second))

    @property
    def tangent(self) -> float:
        """The neural tangent kernel of the two inputs, of one output: the sum over all parameters."""
        return sum(row.q12 for row in self.parameters)

    @property
    def data(self) -> dict[str, Any]:
        """Everything as plain data."""
        parts = {"fields": self.fields, "gradients": self.gradients, "parameters": self.parameters}
        return {
            "title": self.title,
            "error": self.error,
            **{
                part: [
                    {
                        "name": r.name,
                        "layer": r.layer,
                        "q1": r.q1,
                        "q2": r.q2,
                        "q12": r.q12,
                        "c": None if np.isnan(r.c) else r.c,
                    }
                    for r in rows
                ]
                for part, rows in parts.items()
            },
        }

    @property
    def text(self) -> str:
        """The tables as text."""
        lines = [f"Two inputs through '{self.title}'"]
        for words, rows in (
            ("second moments of fields", self.fields),
            ("gradients of the output by fields, summed over neurons", self.gradients),
            ("gradients of the output by parameters, summed over entries", self.parameters),
        ):
            if rows:
                width = max(len(row.name) for row in rows)
                lines += ["", words, f"  {'':<{width}}  {'q1':>12} {'q2':>12} {'q12':>12} {'c':>10}"]
                lines += [
                    f"  {r.name:<{width}}  {r.q1:12.6g} {r.q2:12.6g} {r.q12:12.6g} {_shown(r.c):>10}"
                    for r in rows
                ]
        lines += ["", f"Largest estimated error of an expectation: {self.error:.1e}"]
        return "\n".join(lines)

    def figure(self) -> Any:
        """Variances and correlation above, gradients below, as a matplotlib Figure."""
        fill(FIGURE)
        return _DRAWERS[-1](self)

    def to_csv(self) -> str:
        """The tables as CSV text: part, name, layer, q1, q2, q12, c."""
        rows = [(part, r) for part in ("fields", "gradients", "parameters") for r in getattr(self, part)]
        body = (f"{part},{r.name},{r.layer},{r.q1!r},{r.q2!r},{r.q12!r},{r.c!r}" for part, r in rows)
        return "\n".join(("part,name,layer,q1,q2,q12,c", *body)) + "\n"

    def __str__(self) -> str:
        return self.text

    def _summary(self) -> Iterator[str]:
        yield f"ByDepth of '{self.title}': {len(self.fields)} fields, {len(self.gradients)} gradients"
        if self.fields:
            first, last = self.fields[0], self.fields[-1]
            yield f"  q: {first.q1:.4g} -> {last.q1:.4g}; c: {first.c:.4g} -> {last.c:.4g}"
        yield "  print(...) writes the tables; .kernel(name) has all positions"


def kernels_by_depth(
    system: KernelSystem,
    scales: Mapping[str, float],
    shape: tuple[int, ...],
    x1: Any,
    x2: Any,
    correlation: float | None,
) -> ByDepth:
    """The kernels of two inputs, which are arrays of ``shape`` or norms |x|^2/d with a correlation."""
    numbers = {symbol: np.asarray(scales[symbol.name], float) for symbol in system.scales}
    x2 = x1 if x2 is None else x2
    if correlation is not None or (np.shape(x1) == () and np.prod(shape) != 1):
        q1, q2 = number("x1", x1), number("x2", x2)
        c = 1.0 if correlation is None else number("correlation", correlation)
        if min(q1, q2) < 0 or abs(c) > 1:
            raise ArgumentError(
                f"norms |x|^2/d of {q1:g} and {q2:g} with a correlation of {c:g} belong to no inputs"
            )
        given = norm_values(system, np.asarray(q1), np.asarray(q2), np.asarray(c), ())
    else:
        inputs = [real_array(name, x).reshape(_flat(name, x, shape)) for name, x in (("x1", x1), ("x2", x2))]
        given = input_values(system, np.stack(inputs))
    values = KernelValues(system, numbers, (), given)
    rows = {part: tuple(_rows(system, values, part)) for part in Part}
    return ByDepth(
        system.title,
        rows[Part.FORWARD],
        rows[Part.BACKWARD],
        rows[Part.PARAMETERS],
        values.largest_error,
        values,
    )


def batch_by_depth(
    system: KernelSystem,
    scales: Mapping[str, float],
    shape: tuple[int, ...],
    batch: Any,
    other: Any,
    correlation: float | None,
) -> ByDepth:
    """The kernels of any two samples of a batch, given as arrays [samples, *shape] or as |x|^2/d and a
    correlation."""
    if np.shape(batch) == ():
        if other is not None and other != batch:
            raise ArgumentError(
                "samples of a batch that is normalised are taken to be alike: give one number |x|^2/d, "
                f"not {batch} "
                f"and {other}"
            )
        return kernels_by_depth(
            system, scales, shape, batch, batch, 0.0 if correlation is None else correlation
        )
    x = real_array("x1", batch)
    size = int(np.prod(shape))
    if other is not None or correlation is not None or x.ndim < 2 or x.size != len(x) * size or len(x) < 2:
        raise ArgumentError(
            f"x1 has the shape {x.shape}; where a batch is normalised it must hold at least two inputs of "
            "shape "
            f"{shape}, alone, or be a number |x|^2/d with a correlation"
        )
    products = x.reshape(len(x), size) @ x.reshape(len(x), size).T / size
    q = float(np.trace(products) / len(x))
    pair = float((products.sum() - np.trace(products)) / (len(x) * (len(x) - 1)))
    return kernels_by_depth(system, scales, shape, q, q, pair / q if q > 0 else 0.0)


def _flat(name: str, x: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    size = int(np.prod(shape))
    if np.shape(x) != shape and np.shape(x) != (size,):
        raise ArgumentError(
            f"{name} has the shape {np.shape(x)}; it must be {shape}, as one input, or a number |x|^2/d"
        )
    return shape


def _rows(system: KernelSystem, values: KernelValues, part: Part) -> Iterator[DepthRow]:
    for kernel in system.of_part(part):
        if kernel.kind is not KernelKind.FIRST and kernel.first == kernel.second and is_shown(kernel):
            q1, q2, q12 = (_average(values(kernel.name, r)) for r in ((1, 1), (2, 2), (1, 2)))
            yield DepthRow(kernel.of, kernel.layer, part, q1, q2, q12)


def is_shown(kernel: Kernel) -> bool:
    """Whether a kernel has a row of its own: sums over weights that only lead to others have none."""
    return not kernel.is_helper


def _shown(correlation: float) -> str:
    """A correlation with six decimals; a dash where there is none, since nothing varies."""
    return "–" if np.isnan(correlation) else f"{correlation:.6f}"


def _average(values: Array) -> float:
    """The average over equal positions (the sum where these are outputs of one gradient)."""
    half = values.ndim // 2
    flat = values.reshape(int(np.prod(values.shape[:half])), -1)
    return float(np.trace(flat) / len(flat))

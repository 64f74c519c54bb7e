"""Laws of data that are drawn, not read: Gaussians, mixtures, teachers.

A draw is a function of a random generator and a size that other processes can be sent: made of functions of
this file and of what they need, and of nothing that pickle cannot name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import sympy as sp

from ..algebra.evaluate import evaluate_expression
from ..algebra.laws import Law
from .data_place import DataPlace
from .points import draw_law
from .quadrature import gaussian_mixture_law, teacher_law
from .sources import Draw
from .standard_law import StandardLaw

Array = Any
# A probe draws so many coordinates of an input (more where targets read more), or so many numbers in all.
PROBE_COORDINATES = 64
_PROBE_NUMBERS = 2**18


def isotropic_gaussians(dimension: int, separation: float) -> Draw:
    """Labels y = +1 and -1 with equal odds; x given y is N(0, (1 + y * separation)^2 I).

    The source is Nguyen 2019, section 4.2.1. x is [size, dimension], y [size, 1].
    """
    return partial(_draw_isotropic, dimension, separation)


def _draw_isotropic(
    dimension: int, separation: float, rng: np.random.Generator, size: int
) -> tuple[Array, Array]:
    y = (1 - 2 * rng.integers(0, 2, size)).astype(np.float64)[:, None]
    x = rng.standard_normal((size, dimension))
    x *= 1 + y * separation
    return x, y


def gaussian_mixture(means: Array, deviations: Array, odds: Array, labels: Array) -> Draw:
    """Component j with probability odds[j]; x given j is N(means[j], deviations[j]^2 I), y = labels[j].

    ``means`` is [components, d], ``deviations`` and ``odds`` [components] (odds sum to 1), ``labels``
    [components, outputs].
    """
    return partial(_draw_mixture, means, deviations, np.cumsum(odds), labels)


def _draw_mixture(
    means: Array, deviations: Array, limits: Array, labels: Array, rng: np.random.Generator, size: int
) -> tuple[Array, Array]:
    # The last limit may be 1 - rounding, and a uniform number may lie above it.
    component = np.minimum(np.searchsorted(limits, rng.random(size), side="right"), len(limits) - 1)
    noise = rng.standard_normal((size, means.shape[1]))
    return means[component] + deviations[component, None] * noise, labels[component]


def mixture_of_options(options: Mapping[str, Any], place: DataPlace) -> tuple[Draw, int, StandardLaw, Draw]:
    """The mixture that ``[data]`` describes, its dimension, its standard variables, and draws for a probe.

    Lists that do not fit raise DataError.
    """
    rows = options["means"]
    lengths = {len(row) for row in rows}
    if not rows or len(lengths) != 1 or 0 in lengths:
        raise place.error(
            f"the means have {sorted(lengths)} coordinates",
            "means",
            "Give one mean for each component, all of one dimension of at least 1",
        )
    means = place.numbers(rows, "means", "means")
    count = len(means)
    deviations = place.numbers(options.get("deviations", 1.0), "deviations", "deviations")
    if deviations.ndim == 0:
        deviations = np.full(count, float(deviations))
    odds = place.numbers(options.get("weights", [1.0] * count), "weights", "weights")
    entries = options["labels"]
    if len({len(entry) if isinstance(entry, tuple) else -1 for entry in entries}) > 1:
        raise place.error("the labels differ in length", "labels", "Give every component as many numbers")
    labels = place.numbers(entries, "labels", "labels")
    for key, array in (("deviations", deviations), ("weights", odds), ("labels", labels)):
        if len(array) != count:
            raise place.error(
                f"{len(array)} entries for {count} components", key, f"Give one for each of the {count} means"
            )
    if np.any(deviations < 0):
        raise place.error(f"the deviation {deviations.min()} is negative", "deviations")
    if np.any(odds <= 0):
        raise place.error(f"the weight {odds.min()} is not greater than 0", "weights")
    mixture = (means, deviations, odds / odds.sum(), labels.reshape(count, -1))
    draw = gaussian_mixture(*mixture)  # the means are written out, so that it is as small as the file
    return draw, int(means.shape[1]), gaussian_mixture_law(*mixture), draw


@dataclass(frozen=True)
class Teacher:
    """Targets that are functions of independent coordinates, whose law has these ``arguments`` as numbers.

    ``columns``: where the coordinates stand that targets read.
    """

    dimension: int
    law: Law
    arguments: tuple[Array, ...]
    targets: tuple[sp.Expr, ...]
    columns: Mapping[sp.Symbol, int]
    noise: float
    place: DataPlace

    def values(self, x: Array, columns: Mapping[sp.Symbol, int] | None = None) -> Array:
        """The targets [row, output] at x [row, coordinate]; ``columns``: where those stand in this x.

        Raises DataError where they are not finite.
        """
        placed = self.columns if columns is None else columns
        symbols = {symbol: x[:, column] for symbol, column in placed.items()}
        with np.errstate(all="ignore"):
            found = [np.broadcast_to(evaluate_expression(t, symbols), (len(x),)) for t in self.targets]
        y = np.stack(found, axis=1).astype(np.float64)
        if not np.isfinite(y).all():
            row, column = (int(i) for i in np.argwhere(~np.isfinite(y))[0])
            raise self.place.error(
                f"target {column} is {y[row, column]} at x = {x[row].tolist()[:8]}",
                "target",
                "It must be finite wherever the inputs can be",
            )
        return y

    def draw(self, rng: np.random.Generator, size: int) -> tuple[Array, Array]:
        """Inputs and targets, with their errors."""
        x = draw_law(self.law, self.arguments, (size, self.dimension), rng)
        y = self.values(x)
        if self.noise:
            y = y + self.noise * rng.standard_normal(y.shape)
        return x, y

    def probe(self, rng: np.random.Generator, size: int) -> tuple[Array, Array]:
        """As :meth:`draw`, in few coordinates, among them those that targets read."""
        if self.dimension <= PROBE_COORDINATES:
            return self.draw(rng, size)
        if self.law.row.is_vector:  # a shorter vector has other coordinates
            return self.draw(rng, max(1, min(size, _PROBE_NUMBERS // self.dimension)))
        shape = size, max(PROBE_COORDINATES, len(self.columns))
        x = draw_law(self.law, self.arguments, shape, rng)
        return x, self.values(x, {symbol: column for column, symbol in enumerate(self.columns)})


def teacher(
    dimension: int,
    law: Law,
    targets: Sequence[sp.Expr],
    columns: Mapping[sp.Symbol, int],
    noise: float,
    place: DataPlace,
) -> tuple[Draw, StandardLaw, Draw]:
    """Coordinates x1 ... xd independent with law ``law``; y_k = targets[k](x) + N(0, noise^2).

    ``columns``: where the coordinates stand that targets read. The last of what comes back draws few
    coordinates, among them those that targets read. Every draw checks that the targets are finite, for
    example that no logarithm met a negative number.
    """
    arguments = tuple(evaluate_expression(argument, {}) for argument in law.arguments)
    found = Teacher(dimension, law, arguments, tuple(targets), columns, noise, place)
    standard = teacher_law(dimension, law, arguments, found.values, len(targets), noise)
    return found.draw, standard, found.probe

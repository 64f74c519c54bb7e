"""Laws of data that are drawn, not read: Gaussians, mixtures, teachers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    def draw(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
        y = (1 - 2 * rng.integers(0, 2, size)).astype(np.float64)[:, None]
        x = (1 + y * separation) * rng.standard_normal((size, dimension))
        return x, y

    return draw


def gaussian_mixture(means: Array, deviations: Array, odds: Array, labels: Array) -> Draw:
    """Component j with probability odds[j]; x given j is N(means[j], deviations[j]^2 I), y = labels[j].

    ``means`` is [components, d], ``deviations`` and ``odds`` [components] (odds sum to 1), ``labels``
    [components, outputs].
    """
    limits = np.cumsum(odds)

    def draw(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
        # The last limit may be 1 - rounding, and a uniform number may lie above it.
        component = np.minimum(np.searchsorted(limits, rng.random(size), side="right"), len(odds) - 1)
        noise = rng.standard_normal((size, means.shape[1]))
        return means[component] + deviations[component, None] * noise, labels[component]

    return draw


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


def teacher(
    dimension: int, law: Law, targets: Sequence[sp.Expr], noise: float, place: DataPlace
) -> tuple[Draw, StandardLaw, Draw]:
    """Coordinates x1 ... xd independent with law ``law``; y_k = targets[k](x) + N(0, noise^2).

    The last of what comes back draws few coordinates, among them those that targets read. Every draw checks
    that the targets are finite, for example that no logarithm met a negative number.
    """
    used = sorted(set().union(*(target.free_symbols for target in targets)), key=str)
    columns = {symbol: int(symbol.name[1:]) - 1 for symbol in used}
    arguments = tuple(evaluate_expression(argument, {}) for argument in law.arguments)

    def values(x: Array, places: Mapping[sp.Symbol, int] = columns) -> Array:
        symbols = {symbol: x[:, place] for symbol, place in places.items()}
        with np.errstate(all="ignore"):
            found = [np.broadcast_to(evaluate_expression(target, symbols), (len(x),)) for target in targets]
        y = np.stack(found, axis=1).astype(np.float64)
        if not np.isfinite(y).all():
            row, column = (int(i) for i in np.argwhere(~np.isfinite(y))[0])
            raise place.error(
                f"target {column} is {y[row, column]} at x = {x[row].tolist()[:8]}",
                "target",
                "It must be finite wherever the inputs can be",
            )
        return y

    def draw(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
        x = draw_law(law, arguments, (size, dimension), rng)
        y = values(x)
        if noise:
            y = y + noise * rng.standard_normal(y.shape)
        return x, y

    def probe(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
        if dimension <= PROBE_COORDINATES:
            return draw(rng, size)
        if law.row.is_vector:  # a shorter vector has other coordinates
            return draw(rng, max(1, min(size, _PROBE_NUMBERS // dimension)))
        x = draw_law(law, arguments, (size, max(PROBE_COORDINATES, len(used))), rng)
        return x, values(x, {symbol: place for place, symbol in enumerate(used)})

    return draw, teacher_law(dimension, law, arguments, values, len(targets), noise), probe

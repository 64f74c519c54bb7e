"""Values of laws: random draws, and transforms of standard variables at given points."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import Any

import numpy as np
from scipy.special import roots_hermitenorm, roots_legendre

from ..algebra.laws import Law, LawKind
from ..errors import MfError, SpecError

Array = Any


_ARGUMENT_NAMES = {
    LawKind.NORMAL: ("mean", "deviation"),
    LawKind.UNIFORM: ("low", "high"),
    LawKind.RADEMACHER: ("scale",),
    LawKind.SPHERE: ("radius",),
    LawKind.CONSTANT: ("value",),
}


def check_law(law: Law, arguments: tuple[Array, ...], table: str, file: str | None = None) -> None:
    """Raise SpecError unless a law's arguments are finite, and deviations not negative, for every entry."""
    for name, values in zip(_ARGUMENT_NAMES[law.kind], arguments, strict=True):
        numbers = np.asarray(values, dtype=np.float64)
        wrong = ~np.isfinite(numbers)
        if name == "deviation":
            wrong |= numbers < 0
        if wrong.any():
            allowed = "finite and not negative" if name == "deviation" else "finite"
            raise SpecError(
                f"the {name} of the law '{law.text}' is {float(numbers[wrong][0])} for some entry",
                file=file,
                table=table,
                remedy=f"It must be {allowed}",
            )


def draw_law(
    law: Law,
    arguments: tuple[Array, ...],
    shape: tuple[int, ...],
    rng: np.random.Generator,
    neuron: int = 0,
) -> Array:
    """Independent entries of a law as float64 of ``shape``; ``arguments`` broadcast to it.

    ``neuron`` is the array axis of the neurons: a vector on a sphere takes all the other axes.

    In place where the operation allows it: a draw of a large weight should not need a second array.
    """
    if law.kind is LawKind.NORMAL:
        values = rng.standard_normal(shape)
        values *= arguments[1]
        values += arguments[0]
        return values
    if law.kind is LawKind.UNIFORM:
        values = rng.random(shape)
        values *= arguments[1] - arguments[0]
        values += arguments[0]
        return values
    if law.kind is LawKind.RADEMACHER:
        return np.broadcast_to(arguments[0] * (1 - 2 * rng.integers(0, 2, shape)), shape).astype(np.float64)
    if law.kind is LawKind.SPHERE:
        values = rng.standard_normal(shape)
        others = tuple(axis for axis in range(len(shape)) if axis != neuron)
        norm = np.sqrt(np.sum(values * values, axis=others, keepdims=True))
        return arguments[0] * values / norm
    if law.kind is LawKind.CONSTANT:
        return np.broadcast_to(np.asarray(arguments[0], dtype=np.float64), shape).copy()
    raise SpecError(f"'{law.kind}' is not a kind of law")


def tensor_points(kinds: Sequence[LawKind], sizes: tuple[int, ...]) -> tuple[Array, Array]:
    """Gauss nodes [node, number] of standard variables and weights [node] of their full tensor."""
    if not kinds:
        return np.zeros((1, 0)), np.ones(1)
    rules = [_gauss(kind, size) for kind, size in zip(kinds, sizes, strict=True)]
    points = np.meshgrid(*(nodes for nodes, _ in rules), indexing="ij")
    weights = np.ones(())
    for _, own in rules:
        weights = np.multiply.outer(weights, own)
    return np.stack([each.ravel() for each in points], axis=1), weights.ravel()


def standard_points(kinds: Sequence[LawKind], rule: str, count: int, key: list[int]) -> Array:
    """Equally weighted values [node, number] of standard variables, by the rules sobol and monte-carlo.

    Normal numbers (those of vectors on a sphere too) are standard normal, all others uniform on (0, 1).
    Sobol points are scrambled; ``count`` is then a power of 2. ``key`` seeds the generator.
    """
    if not kinds:
        return np.zeros((1, 0))
    if rule == "sobol":
        from scipy.stats import qmc

        sampler = qmc.Sobol(len(kinds), scramble=True, rng=np.random.default_rng(key))
        uniform = sampler.random_base2(round(log2(count)))
    else:
        uniform = np.random.default_rng(key).random((count, len(kinds)))
    from scipy.special import ndtri

    smallest = np.finfo(np.float64).tiny
    normal = [kind in (LawKind.NORMAL, LawKind.SPHERE) for kind in kinds]
    columns = [
        ndtri(np.clip(column, smallest, 1 - 2**-53)) if is_normal else column
        for column, is_normal in zip(uniform.T, normal, strict=True)
    ]
    return np.array(columns).T


def transform(law: Law, arguments: tuple[Array, ...], standard: Array) -> Array:
    """Values of a law from its standard variables; axis 0 of ``standard`` are the nodes."""
    if law.kind is LawKind.NORMAL:
        return arguments[0] + arguments[1] * standard
    if law.kind is LawKind.UNIFORM:
        return arguments[0] + (arguments[1] - arguments[0]) * standard
    if law.kind is LawKind.RADEMACHER:
        return arguments[0] * np.where(standard < 0.5, 1.0, -1.0)
    if law.kind is LawKind.SPHERE:
        norm = np.sqrt((standard**2).sum(axis=tuple(range(1, standard.ndim)), keepdims=True))
        return arguments[0] * standard / norm
    raise SpecError(f"'{law.kind}' has no standard variable")


def _gauss(kind: LawKind, count: int) -> tuple[Array, Array]:
    """Nodes and weights of the standard variable of a law: normal, or uniform on (0, 1)."""
    if kind is LawKind.NORMAL:
        # numpy's rule overflows at about 400 nodes; scipy turns to asymptotic formulas in time.
        nodes, weights = roots_hermitenorm(count)
        return nodes, weights / weights.sum()
    if kind is LawKind.RADEMACHER:
        return np.array([0.25, 0.75]), np.array([0.5, 0.5])
    if kind is LawKind.UNIFORM:
        nodes, weights = roots_legendre(count)
        return (nodes + 1) / 2, weights / 2
    raise MfError(f"there are no Gauss nodes for a law of kind '{kind.value}'; use the rule sobol")

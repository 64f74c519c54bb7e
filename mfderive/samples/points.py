"""Values of laws: random draws, and transforms of standard variables at given points."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import log2
from typing import Any

import numpy as np
from scipy.special import ndtri, roots_hermitenorm, roots_legendre

from ..algebra.law_kinds import LAWS, Standard
from ..algebra.laws import Law
from ..errors import MfError, SpecError

Array = Any

# Both tails of a normal number have this weight, times 1 / N^2, beyond N equally spaced nodes: below the
# error of a kink, for functions that grow as a square does, too.
_LEFT_OUT = 1e-3


def check_law(law: Law, arguments: tuple[Array, ...], table: str, file: str | None = None) -> None:
    """Raise SpecError unless a law's arguments are finite, and not negative where they must not be."""
    for name, values in zip(law.row.arguments, arguments, strict=True):
        numbers = np.asarray(values, dtype=np.float64)
        wrong = ~np.isfinite(numbers)
        bounded = name in law.row.not_negative and not law.row.sign_is_idle
        if bounded:
            wrong |= numbers < 0
        if wrong.any():
            allowed = "finite and not negative" if bounded else "finite"
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
    """
    return law.row.draw(rng, shape, neuron, *arguments)


def tensor_points(kinds: Sequence[str], sizes: tuple[int, ...], spaced: bool = False) -> tuple[Array, Array]:
    """Gauss nodes [node, number] of standard variables and weights [node] of their full tensor.

    ``kinds`` names the law of each number. ``spaced``: normal and uniform numbers have equally spaced nodes.
    """
    return tensor_of([number_rule(kind, size, spaced) for kind, size in zip(kinds, sizes, strict=True)])


def tensor_of(rules: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Points [node, number] and weights [node] of the full tensor of the nodes and weights of each number."""
    if not rules:
        return np.zeros((1, 0)), np.ones(1)
    points = np.meshgrid(*(nodes for nodes, _ in rules), indexing="ij")
    weights = np.ones(())
    for _, own in rules:
        weights = np.multiply.outer(weights, own)
    return np.stack([each.ravel() for each in points], axis=1), weights.ravel()


def standard_points(kinds: Sequence[str], rule: str, count: int, key: list[int]) -> Array:
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
    smallest = np.finfo(np.float64).tiny
    normal = [LAWS[kind].standard in (Standard.NORMAL, Standard.HALVES) for kind in kinds]
    columns = [
        ndtri(np.clip(column, smallest, 1 - 2**-53)) if is_normal else column
        for column, is_normal in zip(uniform.T, normal, strict=True)
    ]
    return np.array(columns).T


def transform(law: Law, arguments: tuple[Array, ...], standard: Array) -> Array:
    """Values of a law from its standard variables; axis 0 of ``standard`` are the nodes."""
    if law.row.transform is None:
        raise SpecError(f"'{law.kind}' has no standard variable")
    return law.row.transform(arguments, standard)


def left_out(count: int) -> float:
    """The weight of what lies beyond ``count`` equally spaced nodes of a normal number, on both sides."""
    return _LEFT_OUT / count**2


def spaced_normal(count: int) -> tuple[Array, Array]:
    """``count`` equally spaced nodes of a standard normal number, and their weights."""
    end = -float(ndtri(left_out(count) / 2))
    nodes = (2 * np.arange(count) + 1 - count) * (end / count)
    weights = np.exp(-(nodes**2) / 2)
    return nodes, weights / weights.sum()


def spaced_uniform(count: int) -> tuple[Array, Array]:
    """``count`` equally spaced nodes of a number that is uniform on (0, 1), and their weights."""
    return (np.arange(count) + 0.5) / count, np.full(count, 1 / count)


# Standard variables that have equally spaced nodes.
SPACED = {Standard.NORMAL: spaced_normal, Standard.UNIFORM: spaced_uniform}


def number_rule(kind: str, count: int, spaced: bool) -> tuple[Array, Array]:
    """Nodes and weights of a number: Gauss nodes, or ``spaced`` ones if it is normal or uniform."""
    standard = LAWS[kind].standard
    return SPACED[standard](count) if spaced and standard in SPACED else _gauss(kind, count)


@cache
def _gauss(kind: str, count: int) -> tuple[Array, Array]:
    """Nodes and weights of the standard variable of a law: normal, or uniform on (0, 1)."""
    row = LAWS[kind]
    if not row.has_gauss_nodes:
        raise MfError(f"there are no Gauss nodes for a law of kind '{kind}'; use the rule sobol")
    if row.standard is Standard.PAIR:
        return np.array([0.25, 0.75]), np.array([0.5, 0.5])
    if row.standard is Standard.UNIFORM:
        nodes, weights = roots_legendre(count)
        return (nodes + 1) / 2, weights / 2
    if row.standard is Standard.HALVES:
        return _half_normal_rule(max(1, (count + 1) // 2))
    # numpy's rule overflows at about 400 nodes; scipy turns to asymptotic formulas in time.
    nodes, weights = roots_hermitenorm(count)
    return nodes, weights / weights.sum()


def _half_normal_rule(count: int) -> tuple[Array, Array]:
    """Gauss nodes of a normal number, ``count`` for each sign: exact for polynomials on either side of 0.

    By the recurrence of the polynomials that are orthogonal on the half line (Stieltjes), its integrals on
    a fine Legendre rule: those of numpy and scipy know the whole line only.
    """
    fine, weights = roots_legendre(400)
    fine = (fine + 1) * 20  # the density ends below 1e-300
    weights = weights * np.exp(-fine * fine / 2)
    weights /= weights.sum()
    before, now = np.zeros_like(fine), np.ones_like(fine)
    diagonal, beside, norm = np.empty(count), np.empty(count), 1.0
    for k in range(count):
        diagonal[k] = (weights * fine * now * now).sum()
        before, now = now, (fine - diagonal[k]) * now - (norm * before if k else 0.0)
        norm = np.sqrt((weights * now * now).sum())
        beside[k] = norm
        now = now / norm
    nodes, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1))
    halves = vectors[0] ** 2 / 2
    return np.concatenate([-nodes[::-1], nodes]), np.concatenate([halves[::-1], halves])

"""Gaussian expectations in closed form: tilts, Stein's recursion over powers, and probabilities of quadrants.

An exponential of a quadratic form turns the law into another Gaussian law; a power is taken off by Stein's
lemma, E[u_i h] = mean_i E[h] + sum_j S_ij E[d_j h]; the derivative of a distribution function is a density,
which conditions the law; and what is left is the probability that one or two linear forms with noise are
positive (an angle, or Owen's T function). Covariances are kept as factors S = L L^T throughout, so that
nothing is lost near equal or opposite variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from scipy import special

from .closed_rows import ClosedTerm

Array = Any
_ROUNDING = 4e-16
_SMALLEST = 1e-290  # variances below it are taken for 0


@dataclass(frozen=True, eq=False)
class _Law:
    """Gaussian laws, one a row: mean [row, i], factor L [row, i, k]."""

    mean: Array
    factor: Array

    def along(self, slopes: Array) -> Array:
        """L^T slopes [row, k]."""
        return np.einsum("ei,eik->ek", slopes, self.factor)


@dataclass(frozen=True, eq=False)
class _Below:
    """A distribution function of ``slopes`` u + ``offset`` with noise of deviation ``width``."""

    slopes: Array
    offset: Array
    width: float

    def at(self, law: _Law) -> Array:
        """The linear form at the mean."""
        return np.einsum("ei,ei->e", self.slopes, law.mean) + self.offset

    def deviation(self, law: _Law) -> Array:
        """The deviation of the linear form with its noise."""
        along = law.along(self.slopes)
        return np.sqrt(np.einsum("ek,ek->e", along, along) + self.width**2)


Moment = tuple[
    Array, Array
]  # the value, and the sum of the sizes of what was added up, for its rounding error


def closed_value(
    terms: tuple[ClosedTerm, ...], mean: Array, factor: Array, parameters: Mapping[sp.Symbol, Array]
) -> Moment:
    """The sum of the expectations of terms, and its rounding error (infinite where there is no value)."""
    value, size = np.zeros(len(mean)), np.zeros(len(mean))
    for term in terms:
        with np.errstate(all="ignore"):
            own, own_size = _term_moment(term, _Law(mean, factor), parameters)
            value, size = value + np.real(own), size + own_size
    error = _ROUNDING * size
    return value, np.where(np.isfinite(value) & np.isfinite(error), error, np.inf)


def _numbers(expression: sp.Expr, parameters: Mapping[sp.Symbol, Array], count: int) -> Array:
    """An expression in the parameters as an array [row]; complex where it is."""
    symbols, function = _compiled(expression)
    return np.broadcast_to(np.asarray(function(*(parameters[s] for s in symbols))), (count,))


@lru_cache(maxsize=4096)
def _compiled(expression: sp.Expr) -> tuple[tuple[sp.Symbol, ...], Any]:
    """The symbols of an expression, and the function of their values that it is; real where it can be."""
    symbols = tuple(sorted(expression.free_symbols, key=str))
    if symbols:
        return symbols, sp.lambdify(symbols, expression, "numpy")
    number = complex(expression)
    value = number.real if number.imag == 0 else number
    return (), lambda: value


def _term_moment(term: ClosedTerm, law: _Law, parameters: Mapping[sp.Symbol, Array]) -> Moment:
    count = len(law.mean)

    def table(expressions: tuple[sp.Expr, ...]) -> Array:
        return np.stack([_numbers(each, parameters, count) for each in expressions], axis=1)

    weight = _numbers(term.coefficient, parameters, count)
    if any(each != 0 for row in term.hessian for each in row):
        hessian = np.stack([table(row) for row in term.hessian], axis=1)
        law, factor = _tilted_quadratic(law, hessian, table(term.linear))
        weight = weight * factor
    elif any(each != 0 for each in term.linear):
        law, factor = _tilted(law, table(term.linear))
        weight = weight * factor
    weight = weight * np.exp(_numbers(term.constant, parameters, count))
    below = tuple(
        _Below(table(slopes), _numbers(offset, parameters, count), float(width))
        for slopes, offset, width in term.below
    )
    for each in below:  # a jump where nothing varies: the value there is a convention of the function
        weight = np.where(each.deviation(law) > 0, weight, np.nan)
    value, size = _moment(term.powers, below, law)
    return weight * value, np.abs(weight) * size


def _tilted(law: _Law, linear: Array) -> tuple[_Law, Array]:
    """The law with the density times exp(linear u), and the mean of that factor."""
    along = law.along(linear)
    mean = law.mean + np.einsum("eik,ek->ei", law.factor, along)
    exponent = np.einsum("ei,ei->e", linear, law.mean) + 0.5 * np.einsum("ek,ek->e", along, along)
    return _Law(mean, law.factor), np.exp(exponent)


def _tilted_quadratic(law: _Law, hessian: Array, linear: Array) -> tuple[_Law, Array]:
    """The same for exp(u^T hessian u / 2 + linear u); nan where the mean of that factor is infinite."""
    inner = np.eye(law.factor.shape[2]) - np.einsum("eik,eij,ejl->ekl", law.factor, hessian, law.factor)
    spread, directions = np.linalg.eigh(inner)
    spread = np.where(spread > 0, spread, np.nan)
    factor = np.einsum("eik,ekl->eil", law.factor, directions) / np.sqrt(spread)[:, None, :]
    at_mean = np.einsum("eij,ej->ei", hessian, law.mean)
    inside, weight = _tilted(_Law(np.zeros_like(law.mean), factor), linear + at_mean)
    exponent = np.einsum("ei,ei->e", linear + 0.5 * at_mean, law.mean)
    return _Law(law.mean + inside.mean, factor), weight * np.exp(exponent) / np.sqrt(spread).prod(axis=1)


def _moment(powers: tuple[int, ...], below: tuple[_Below, ...], law: _Law) -> Moment:
    """E[u^powers prod below] by Stein's lemma, one power after the other."""
    variable = next((i for i, power in enumerate(powers) if power), None)
    if variable is None:
        return _quadrant(below, law)
    left = tuple(power - (i == variable) for i, power in enumerate(powers))
    value, size = _moment(left, below, law)
    value, size = law.mean[:, variable] * value, np.abs(law.mean[:, variable]) * size
    for j, power in enumerate(left):
        if power:
            fewer = tuple(each - (i == j) for i, each in enumerate(left))
            own, own_size = _moment(fewer, below, law)
            covariance = np.einsum("ek,ek->e", law.factor[:, variable], law.factor[:, j]) * power
            value, size = value + covariance * own, size + np.abs(covariance) * own_size
    for k, each in enumerate(below):
        own, own_size = _at_edge(left, below[:k] + below[k + 1 :], law, each, variable)
        value, size = value + own, size + own_size
    return value, size


def _at_edge(
    powers: tuple[int, ...], others: tuple[_Below, ...], law: _Law, edge: _Below, variable: int
) -> Moment:
    """What the derivative of a distribution function adds: its density, and the law given the form is 0."""
    along = law.along(edge.slopes)
    deviation = edge.deviation(law)
    varies = deviation > np.sqrt(_SMALLEST)
    safe = np.where(varies, deviation, 1.0)
    middle = edge.at(law) / safe
    covariance = np.einsum("ek,ek->e", law.factor[:, variable], along) / safe
    weight = np.where(varies, covariance * np.exp(-0.5 * middle**2) / np.sqrt(2 * np.pi), 0.0)
    shift = np.einsum("eik,ek->ei", law.factor, along) * (middle / safe)[:, None]
    square = np.einsum("ek,ek->e", along, along)
    gain = np.where(square > 0, (1 - edge.width / safe) / np.where(square > 0, square, 1.0), 0.0)
    through = np.einsum("eik,ek->ei", law.factor, along)
    factor = law.factor - (gain[:, None] * through)[:, :, None] * along[:, None, :]
    value, size = _moment(powers, others, replace(law, mean=law.mean - shift, factor=factor))
    return np.where(varies, weight * value, 0.0), np.where(varies, np.abs(weight) * size, 0.0)


def _quadrant(below: tuple[_Below, ...], law: _Law) -> Moment:
    """The probability that all linear forms with their noise are positive."""
    one = np.ones(len(law.mean))
    if not below:
        return one, one
    deviations = [each.deviation(law) for each in below]
    levels = [_level(each.at(law), deviation) for each, deviation in zip(below, deviations, strict=True)]
    if len(below) == 1:
        return special.ndtr(levels[0]), one
    sine, cosine, angle = _angle(below, law, deviations)
    h, k = levels
    with np.errstate(all="ignore"):
        part_h = special.owens_t(h, _slope(k - cosine * h, h * sine))
        part_k = special.owens_t(k, _slope(h - cosine * k, k * sine))
    opposite = (h * k < 0) | ((h * k == 0) & (h + k < 0))
    general = 0.5 * (special.ndtr(h) + special.ndtr(k)) - part_h - part_k - 0.5 * opposite
    value = np.where((h == 0) & (k == 0), 0.5 - angle / (2 * np.pi), general)
    fixed = np.minimum(*deviations) <= np.sqrt(_SMALLEST)
    # Levels that differ by rounding alone are apart by as much over the sine: an error of the slopes of T.
    thin = ~((h == 0) & (k == 0)) & (sine > 0) & ~fixed
    size = np.where(thin, 1 + 1 / np.where(thin, sine, 1.0), 1.0)
    return np.where(fixed, special.ndtr(h) * special.ndtr(k), value), size


def _level(at: Array, deviation: Array) -> Array:
    """A level in deviations; where nothing varies, all or nothing, and half at 0."""
    sharp = np.where(at == 0, 0.0, np.sign(at) * np.inf)
    return np.where(deviation > np.sqrt(_SMALLEST), at / np.where(deviation > 0, deviation, 1.0), sharp) + 0.0


def _slope(numerator: Array, denominator: Array) -> Array:
    slope = numerator / denominator
    return np.where(numerator == 0, 0.0, slope)


def _angle(below: tuple[_Below, ...], law: _Law, deviations: list[Array]) -> tuple[Array, Array, Array]:
    """Sine, cosine and size of the angle between two linear forms, exact to rounding for small angles too."""
    units = []
    for k, (each, deviation) in enumerate(zip(below, deviations, strict=True)):
        noise = np.zeros((len(deviation), 2))
        noise[:, k] = each.width
        vector = np.concatenate([law.along(each.slopes), noise], axis=1)
        units.append(vector / np.where(deviation > 0, deviation, 1.0)[:, None])
    apart, together = (np.linalg.norm(units[0] + sign * units[1], axis=1) for sign in (-1, 1))
    angle = 2 * np.arctan2(apart, together)
    return apart * together / 2, (together**2 - apart**2) / 4, angle

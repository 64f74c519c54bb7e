"""A dense layer with one activation as a map of the variance of its fields and of their covariance.

    q'   = sigma_w2 m E phi(u)^2 + sigma_b2,              u ~ N(0, q)
    q12' = sigma_w2 E phi(u1) phi(u2) + sigma_b2,         (u1, u2) ~ N(0, [[q1, q12], [q12, q2]])

(Poole et al. 2016; Schoenholz et al. 2017). m is the second moment of noise that multiplies every neuron on
its own, with mean 1: 1 without noise, 1/p for dropout that keeps with probability p, 1 + s^2 for Gaussian
noise of deviation s (Pretorius et al. 2018). Two inputs have noise of their own, so that m is not in q12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from ..algebra.derivative import derivative
from ..algebra.evaluate import evaluate_expression
from ..algebra.functions import ClosedFunction
from ..algebra.memo import once
from .depth_map import Scales
from .gaussian import Expectation
from .linear_places import linear_places

Array = Any
# What stands for the limit of a vanishing variance from above.
VANISHING = 1e-100


@dataclass(frozen=True)
class DenseMap:
    """The map of a dense layer: ``activation`` in ``variable``, and the second moment of noise."""

    activation: sp.Expr
    variable: sp.Symbol
    noise_moment: float = 1.0

    # The covariance after a layer is a power series in the correlation without negative coefficients (Daniely
    # et al. 2016): convex on [0, 1].
    power_series = True

    @property
    def names(self) -> tuple[str, ...]:
        """One entry: the variance of a field."""
        return ("q",)

    def advance(self, q: Array, scales: Scales) -> Array:
        """sigma_w2 m E phi^2 + sigma_b2 [..., 1]."""
        moment, _ = _moments(self).square.evaluate(_q(q)[..., None, None])
        return _affine(self.noise_moment * moment, scales)

    def advance_pair(self, k12: Array, q1: Array, q2: Array, scales: Scales) -> Array:
        """sigma_w2 E phi phi' + sigma_b2 [..., 1]."""
        moment, _ = _moments(self).product.evaluate(pair_covariance(k12, q1, q2))
        return _affine(moment, scales)

    def jacobian(self, q: Array, scales: Scales) -> Array:
        """sigma_w2 m d E phi^2 / d q = sigma_w2 m E phi phi' u / q [..., 1, 1], at 0 its limit from above."""
        q = np.maximum(_q(q), VANISHING)
        if jumps(self):
            slope, _ = _moments(self).square.covariance_derivative(0, 0, q[..., None, None])
        else:
            slope = _moments(self).growth.evaluate(q[..., None, None])[0] / q
        return (np.asarray(scales["sigma_w2"]) * self.noise_moment * slope)[..., None, None]

    def jacobian_pair(self, k12: Array, q1: Array, q2: Array, scales: Scales) -> Array:
        """chi(c) = sigma_w2 E phi' phi' [..., 1, 1]; infinite where phi jumps and the inputs are equal."""
        covariance = pair_covariance(k12, q1, q2)
        if jumps(self):
            k = covariance[..., 0, 1]
            equal = k**2 >= covariance[..., 0, 0] * covariance[..., 1, 1]
            safe = np.where(equal[..., None, None], np.eye(2), covariance)
            slope, _ = _moments(self).product.covariance_derivative(0, 1, safe)
            slope = np.where(equal, np.inf, slope)
        else:
            slope, _ = _moments(self).slopes.evaluate(covariance)
        return (np.asarray(scales["sigma_w2"]) * slope)[..., None, None]

    def gradient_factor(self, q: Array, scales: Scales) -> Array:
        """chi_1 = sigma_w2 m E phi'^2 [...], at 0 its limit from above; infinite where phi jumps."""
        q = np.maximum(_q(q), VANISHING)
        if jumps(self):
            return np.full(np.broadcast_shapes(q.shape, np.shape(scales["sigma_w2"])), np.inf)
        slope, _ = _moments(self).slope_square.evaluate(q[..., None, None])
        return np.asarray(scales["sigma_w2"]) * self.noise_moment * slope


@dataclass(frozen=True)
class _Moments:
    """The expectations of a dense layer: E phi^2, E phi phi, E phi' phi', E phi'^2 and E phi phi' u."""

    square: Expectation
    product: Expectation
    slopes: Expectation
    slope_square: Expectation
    growth: Expectation


@once
def _moments(dense: DenseMap) -> _Moments:
    u, v = dense.variable, sp.Dummy("v")
    slope = derivative(dense.activation, u)
    return _Moments(
        Expectation(dense.activation**2, (u,)),
        Expectation(dense.activation * dense.activation.subs(u, v), (u, v)),
        Expectation(slope * slope.subs(u, v), (u, v)),
        Expectation(slope**2, (u,)),
        Expectation(dense.activation * slope * u, (u,)),
    )


@once
def jumps(dense: DenseMap) -> bool:
    """Whether the activation itself jumps somewhere, by its values on both sides of its places."""
    if not dense.activation.atoms(ClosedFunction):
        return False
    places, _ = linear_places(dense.activation, (dense.variable,))
    for place in places:
        if place.bends:
            middle = -float(place.offset) / float(place.slopes[0])
            near = middle + np.array([-1.0, 1.0]) * 1e-9 * (1 + abs(middle))
            left, right = np.broadcast_to(evaluate_expression(dense.activation, {dense.variable: near}), (2,))
            if abs(right - left) > 1e-6 * (1 + abs(left)):
                return True
    return False


@once
def endless_slope(dense: DenseMap) -> float | None:
    """Where the slope of the activation is infinite, None where it is nowhere."""
    slope = derivative(dense.activation, dense.variable)
    places, _ = linear_places(dense.activation, (dense.variable,))
    for place in places:
        if place.bends:
            middle = -float(place.offset) / float(place.slopes[0])
            near = middle + np.array([[-1e-4, 1e-4], [-1e-7, 1e-7], [-1e-10, 1e-10]]) * (1 + abs(middle))
            with np.errstate(all="ignore"):
                sizes = np.abs(np.broadcast_to(evaluate_expression(slope, {dense.variable: near}), (3, 2)))
                growth = np.diff(sizes, axis=0)
            # A slope that has an end changes less and less; that of a power, or of h log|h|, does not.
            if np.any((growth[0] > 1e-6 * (1 + sizes[0])) & (growth[1] > 0.5 * growth[0])):
                return middle
    return None


def pair_covariance(k12: Array, q1: Array, q2: Array) -> Array:
    """[[q1, k12], [k12, q2]] [..., 2, 2] of arrays [..., 1], the correlation cut to [-1, 1]."""
    first, second, both = np.broadcast_arrays(_q(q1), _q(q2), _q(k12))
    bound = np.sqrt(first * second)
    both = np.clip(both, -bound, bound)
    return np.stack([np.stack([first, both], axis=-1), np.stack([both, second], axis=-1)], axis=-2)


def _q(q: Array) -> Array:
    return np.asarray(q, dtype=float)[..., 0]


def _affine(moment: Array, scales: Scales) -> Array:
    return (np.asarray(scales["sigma_w2"]) * moment + np.asarray(scales["sigma_b2"]))[..., None]

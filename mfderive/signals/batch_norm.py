"""How gradients grow through batch normalisation: per layer, for any activation and any batch.

With z = sqrt(B) G h / |G h|, G = I - 1 1^T / B, the normalised fields of one neuron over a batch of B
inputs that differ by their fields alone (the symmetric fixed point), second moments of gradients grow per
layer, going backward, by

    R = E |P (phi'(z) o g)|^2 / (s^2 (B - 1)),    g ~ N(0, G),    P removes 1 and z,

where s^2 is the variance that a layer divides by (theory F; Yang et al. 2019). z is uniform on a sphere and
independent of |G h|, so that E 1/s^2 = B / ((a - b)(B - 3)) with a = E phi(z_i)^2, b = E phi(z_i) phi(z_j),
and what is left are expectations of one and of two entries of z. sigma_w2 cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy as sp
from scipy import special

from ..algebra.arguments import whole_number
from ..algebra.derivative import derivative
from ..algebra.evaluate import evaluate_expression
from ..errors import ArgumentError, MfError
from .activations import activation_expression
from .adaptive_panels import integrate
from .dense_map import DenseMap, jumps
from .gaussian import Expectation
from .linear_places import linear_places

Array = Any
SMALLEST_BATCH = 4
_TOLERANCE = 1e-12
_HALF = np.pi / 2


def batch_norm_growth(activation: Any, batch: int | None = None) -> float:
    """The growth R of squared gradient norms per layer; ``batch`` inputs at a time, None for infinitely many.

    ``activation``: a name, an expression in h, or a sympy expression in one symbol. The activation reads
    fields of variance 1 over the batch. Raises ArgumentError for batches of less than 4 (R is infinite
    there) and for activations that jump.
    """
    expression, u = activation_expression(activation)
    if jumps(DenseMap(expression, u)):
        raise ArgumentError(
            f"the activation {activation} jumps: no gradient passes a jump. Take a continuous one"
        )
    slope = derivative(expression, u)
    if batch is None:
        return _of_infinite(expression, slope, u)
    size = whole_number("batch", batch, SMALLEST_BATCH)
    entries = _SphereEntries(expression, u, size)
    square = entries.one(expression**2)
    apart = square - entries.pair(expression)
    if apart <= 1e-12 * square:
        raise MfError(
            f"the activation {activation} makes all inputs of a batch equal: nothing is left to normalise"
        )
    slope_square = entries.one(slope**2)
    slope_outer = entries.one(slope**2 * u**2)
    slope_pair = entries.pair(slope)
    weighted_pair = entries.pair(slope * u)
    left = size * (slope_square * (1 - 1 / size) - slope_outer / size)
    removed = size * slope_square
    removed -= slope_square + (size - 1) * slope_pair
    removed -= slope_outer + (size - 1) * weighted_pair
    numerator = left - removed / size
    return float(numerator / (size - 1) * size / (apart * (size - 3)))


def _of_infinite(expression: sp.Expr, slope: sp.Expr, u: sp.Symbol) -> float:
    """E phi'^2 / Var phi over a standard normal number: pi / (pi - 1) for relu."""
    one = np.ones((1, 1))
    square, mean, slopes = (
        float(Expectation(each, (u,)).evaluate(one)[0]) for each in (expression**2, expression, slope**2)
    )
    variance = square - mean**2
    if variance <= 1e-12 * square:
        raise MfError(f"the activation {expression} has no variance: nothing is left to normalise")
    return slopes / variance


class _SphereEntries:
    """Expectations over one and two entries of z, uniform on the sphere |z|^2 = B across 1.

    Along a unit vector of n = B - 1 dimensions the coordinate is sin t with density cos^(n - 2) t; two
    entries are sqrt(n) sin t and sqrt(n) (r sin t + sqrt(1 - r^2) cos t sin s) with r = -1/n and density
    cos^(n - 3) s.
    """

    def __init__(self, expression: sp.Expr, variable: sp.Symbol, batch: int) -> None:
        self.variable = variable
        self.dimension = batch - 1
        places, _ = linear_places(expression, (variable,))
        self.levels = [-float(p.offset) / float(p.slopes[0]) / np.sqrt(self.dimension) for p in places]

    def _density(self, t: Array, power: int) -> Array:
        norm = special.gammaln(power / 2 + 1) - special.gammaln((power + 1) / 2)
        return np.cos(t) ** power * np.exp(norm) / np.sqrt(np.pi)

    def _values(self, expression: sp.Expr, z: Array) -> Array:
        return np.broadcast_to(evaluate_expression(expression, {self.variable: z}), np.shape(z))

    def one(self, expression: sp.Expr) -> float:
        """E of a function of one entry."""

        def integrand(t: Array, which: Array) -> tuple[Array, Array]:
            values = self._values(expression, np.sqrt(self.dimension) * np.sin(t))
            values = values * self._density(t, self.dimension - 2)
            return values, np.zeros_like(values)

        edges = _edges([np.arcsin(np.clip(level, -1, 1)) * np.ones(1) for level in self.levels], 1)
        return float(integrate(integrand, edges, _TOLERANCE)[0][0])

    def pair(self, expression: sp.Expr) -> float:
        """E f(z_1) f(z_2) of a function f."""
        n = self.dimension
        r = -1 / n
        across = np.sqrt(1 - r * r)

        def inner(t: Array, which: Array) -> tuple[Array, Array]:
            own = t.ravel()
            first = self._values(expression, np.sqrt(n) * np.sin(own))

            def integrand(s: Array, row: Array) -> tuple[Array, Array]:
                z = np.sqrt(n) * (
                    r * np.sin(own[row])[:, None] + across * np.cos(own[row])[:, None] * np.sin(s)
                )
                values = first[row][:, None] * self._values(expression, z)
                values = values * self._density(s, n - 3)
                return values, np.zeros_like(values)

            with np.errstate(divide="ignore", invalid="ignore"):
                cuts = [(level - r * np.sin(own)) / (across * np.cos(own)) for level in self.levels]
            edges = _edges([np.arcsin(np.clip(np.nan_to_num(cut), -1, 1)) for cut in cuts], len(own))
            value, error, _ = integrate(integrand, edges, _TOLERANCE)
            density = self._density(t, n - 2)
            return value.reshape(t.shape) * density, error.reshape(t.shape) * density

        cuts = [np.arcsin(np.clip(level, -1, 1)) * np.ones(1) for level in self.levels]
        # Where the inner line leaves the half on which a place is met, the inner integral bends.
        for level in self.levels:
            for side in (-1.0, 1.0):
                angle = np.arctan2(side * across, r)
                if abs(level) <= 1:
                    for turn in (np.arcsin(level), np.pi - np.arcsin(level)):
                        cuts.append(np.array([np.clip(_wrapped(turn - angle), -_HALF, _HALF)]))
        value, _, _ = integrate(inner, _edges(cuts, 1), _TOLERANCE)
        return float(value[0])


def _wrapped(angle: float) -> float:
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


def _edges(cuts: Sequence[Array], count: int) -> Array:
    fixed = [np.full(count, share * _HALF) for share in (-1.0, -0.3, 0.0, 0.3, 1.0)]
    return np.sort(np.stack([*fixed, *cuts], axis=1), axis=1)

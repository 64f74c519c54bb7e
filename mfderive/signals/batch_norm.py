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

from typing import Any

import numpy as np
import sympy as sp

from ..algebra.arguments import whole_number
from ..algebra.derivative import derivative
from ..errors import ArgumentError, MfError
from ..network.signal_keys import SMALLEST_BATCH
from .activations import activation_expression
from .dense_map import DenseMap, jumps
from .gaussian import Expectation
from .sphere import SphereExpectation


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
    other = sp.Symbol(f"{u.name} of another sample")

    def one(integrand: sp.Expr) -> float:
        return float(SphereExpectation(integrand, (u,), size).evaluate()[0])

    def pair(factor: sp.Expr) -> float:
        product = factor * factor.xreplace({u: other})
        return float(SphereExpectation(product, (u, other), size).evaluate()[0])

    square = one(expression**2)
    apart = square - pair(expression)
    if apart <= 1e-12 * square:
        raise MfError(
            f"the activation {activation} makes all inputs of a batch equal: nothing is left to normalise"
        )
    slope_square = one(slope**2)
    slope_outer = one(slope**2 * u**2)
    slope_pair = pair(slope)
    weighted_pair = pair(slope * u)
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

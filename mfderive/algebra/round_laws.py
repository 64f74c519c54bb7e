"""Lengths and angles of isotropic vectors, as monotone functions of one standard normal number."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


def radius_of_normal(z: Array, dimension: Array) -> Array:
    """The length of ``dimension`` standard normal numbers at the quantile of the normal number ``z``.

    Close to linear in z where there are many, so that rules for normal numbers serve. Each tail by its own
    function: neither is 1 minus the other in floating point.
    """
    from scipy.special import gammainccinv, gammaincinv, ndtr

    half = np.asarray(dimension, np.float64) / 2
    # Nodes of large rules lie where a tail is below the smallest number; their weights are 0, too.
    smallest = np.finfo(np.float64).tiny
    below = np.maximum(ndtr(np.minimum(z, 0.0)), smallest)
    above = np.maximum(ndtr(-np.maximum(z, 0.0)), smallest)
    squares = np.where(z < 0, gammaincinv(half, below), gammainccinv(half, above))
    return np.sqrt(2 * squares)


def cosine_of_normal(z: Array, dimension: Array) -> Array:
    """The cosine of a random angle at the quantile of ``z``, in at least 2 dimensions; odd in z.

    Its density is proportional to (1 - u^2)^((dimension - 3) / 2) (theory C.4).
    """
    from scipy.special import betainccinv, ndtr

    outside = 2 * ndtr(-np.abs(z))
    squares = betainccinv(0.5, (np.asarray(dimension, np.float64) - 1) / 2, outside)
    return np.sign(z) * np.sqrt(squares)

"""Matrix products by BLAS."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import blas

from .compilation import COMPILED, Array


def matrix(array: Array, split: int) -> Array:
    """An array as a matrix whose rows are its first ``split`` axes; shares memory."""
    return array.reshape(math.prod(array.shape[:split]), math.prod(array.shape[split:]))


def rescale(array: Array, factor: float) -> None:
    """array = factor * array in place, 0 for the factor 0 whatever stands in the array."""
    if factor == 0.0:
        array.fill(0.0)
    elif factor != 1.0:
        array *= factor


def matrix_product(
    out: Array,
    left: Array,
    right: Array,
    factor: float,
    weighting: tuple[float, Array | None] = (1.0, None),
    keep: float = 0.0,
) -> None:
    """out = factor * left @ diag(weights) @ right + keep * out (gemm with beta = keep), in place.

    Operands are matrices, each contiguous in row-major or column-major order, so that BLAS reads them in
    place. Weights that are not equal scale the smaller operand.
    """
    shared, weights = weighting
    factor = float(factor * shared)
    if weights is not None and left.size <= right.size:
        left = left * weights
    elif weights is not None:
        right = right * weights[:, None]
    if not COMPILED:
        out[...] = factor * (left @ right) + (keep * out if keep else 0)
        return
    if not out.flags.f_contiguous:
        out, left, right = out.T, right.T, left.T
    gemm = blas.dgemm if out.dtype == np.float64 else blas.sgemm
    a, b = left.flags.f_contiguous, right.flags.f_contiguous
    gemm(
        factor,
        left if a else left.T,
        right if b else right.T,
        beta=keep,
        c=out,
        trans_a=not a,
        trans_b=not b,
        overwrite_c=True,
    )

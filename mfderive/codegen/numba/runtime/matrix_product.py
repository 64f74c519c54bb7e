"""Matrix products by BLAS."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.linalg import blas

from .compilation import COMPILED, Array, Number


def matrix(array: Array, split: int) -> Array:
    """An array as a matrix whose rows are its first ``split`` axes; shares memory."""
    return array.reshape(math.prod(array.shape[:split]), math.prod(array.shape[split:]))


def rescale(array: Array, factor: Number) -> None:
    """array = factor * array in place, 0 for the factor 0 whatever stands in the array."""
    value = factor() if callable(factor) else factor
    if value == 0.0:
        array.fill(0.0)
    elif value != 1.0:
        array *= value


def matrix_product(
    out: Array,
    left: Array,
    right: Array,
    factor: Number,
    weighting: tuple[float, Array | None] = (1.0, None),
    keep: Number = 0.0,
) -> None:
    """out = factor * left @ diag(weights) @ right + keep * out (gemm with beta = keep), in place.

    Operands are matrices, each contiguous in row-major or column-major order, so that BLAS reads them in
    place. Weights that are not equal scale the smaller operand.
    """
    prepared_product(out, left, right, factor, weighting, keep)()


def prepared_product(
    out: Array,
    left: Array,
    right: Array,
    factor: Number,
    weighting: tuple[float, Array | None] = (1.0, None),
    keep: Number = 0.0,
) -> Callable[[], Any]:
    """A call of ``matrix_product`` that can be repeated, and finds out only once how the operands lie."""
    shared, weights = weighting
    if weights is None and COMPILED and not callable(factor) and not callable(keep):
        gemm, a, b, by_columns = _gemm(out, left, right)
        c, trans_a, trans_b = by_columns
        number = float(factor * shared)
        return partial(gemm, number, a, b, beta=keep, c=c, trans_a=trans_a, trans_b=trans_b, overwrite_c=True)
    if weights is None and COMPILED:
        return partial(_late_product, *_gemm(out, left, right), shared, factor, keep)
    return partial(_scaled_product, out, left, right, shared, weights, factor, keep)


def _gemm(out: Array, left: Array, right: Array) -> tuple[Any, Array, Array, tuple[Array, bool, bool]]:
    """BLAS's function, and what it is given: it reads matrices in column-major order."""
    if not out.flags.f_contiguous:
        out, left, right = out.T, right.T, left.T
    gemm = blas.dgemm if out.dtype == np.float64 else blas.sgemm
    a, b = left.flags.f_contiguous, right.flags.f_contiguous
    return gemm, left if a else left.T, right if b else right.T, (out, not a, not b)


def _late_product(
    gemm: Any, a: Array, b: Array, rest: tuple[Array, bool, bool], shared: float, factor: Number, keep: Number
) -> None:
    """A product whose numbers are known only when it is called."""
    number = float((factor() if callable(factor) else factor) * shared)
    c, trans_a, trans_b = rest
    gemm(number, a, b, keep() if callable(keep) else keep, c, trans_a, trans_b, True)


def _scaled_product(
    out: Array, left: Array, right: Array, shared: float, weights: Array | None, factor: Number, keep: Number
) -> None:
    """A product that scales an operand first, or in plain Python."""
    if weights is not None and left.size <= right.size:
        left = left * weights
    elif weights is not None:
        right = right * weights[:, None]
    kept = keep() if callable(keep) else keep
    if COMPILED:
        _late_product(*_gemm(out, left, right), shared, factor, kept)
    else:
        number = float((factor() if callable(factor) else factor) * shared)
        out[...] = number * (left @ right) + (kept * out if kept else 0)

"""Matrix products inside compiled loops, which call BLAS by its address."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from .compilation import COMPILED, Array, Real, compiled

if COMPILED:
    from numba import types
    from numba.extending import get_cython_function_address

    # Importing this teaches numba to type functions by their address.
    import_module("numba.experimental.function_type")

    class Blas(types.WrapperAddressProtocol):
        """A routine of BLAS by its address; its 13 arguments are addresses."""

        def __init__(self, name: str) -> None:
            self.address = get_cython_function_address("scipy.linalg.cython_blas", name)

        def __wrapper_address__(self) -> Any:
            return self.address

        def signature(self) -> Any:
            """Nothing is returned."""
            return types.void(*[types.uintp] * 13)

    GEMM: dict[Any, Any] = {np.dtype(np.float32): Blas("sgemm"), np.dtype(np.float64): Blas("dgemm")}

    @compiled
    def small_arguments(array: Array) -> Any:
        """Memory for the small arguments of BLAS: letters, sizes and factors."""
        return np.array([78, 84], np.uint8), np.empty(6, np.int32), np.empty(2, array.dtype)

    @compiled
    def product(
        gemm: Any,
        small: Any,
        out: Array,
        left: Array,
        right: Array,
        factor: Real,
        weights: Array | None,
        add: bool,
    ) -> Any:
        """out = factor * left @ diag(weights) @ right, or out += that; ``out`` is row-major."""
        if weights is None:
            return _product(gemm, small, out, left, right, factor, add)
        if left.size <= right.size:
            return _product(gemm, small, out, left * weights, right, factor, add)
        return _product(gemm, small, out, left, right * weights.reshape(weights.size, 1), factor, add)

    @compiled
    def _product(
        gemm: Any, small: Any, out: Array, left: Array, right: Array, factor: Real, add: bool
    ) -> Any:
        """BLAS reads matrices in column-major order: it computes the transposed product, right.T @ left.T."""
        letters, sizes, factors = small
        rows, columns = left.flags.c_contiguous, right.flags.c_contiguous
        sizes[0], sizes[1], sizes[2] = right.shape[1], left.shape[0], left.shape[1]
        sizes[3] = right.shape[1] if columns else right.shape[0]
        sizes[4] = left.shape[1] if rows else left.shape[0]
        sizes[5] = out.shape[1]
        factors[0], factors[1] = factor, add
        gemm(
            letters[0 if columns else 1 :].ctypes.data,
            letters[0 if rows else 1 :].ctypes.data,
            sizes.ctypes.data,
            sizes[1:].ctypes.data,
            sizes[2:].ctypes.data,
            factors.ctypes.data,
            right.ctypes.data,
            sizes[3:].ctypes.data,
            left.ctypes.data,
            sizes[4:].ctypes.data,
            factors[1:].ctypes.data,
            out.ctypes.data,
            sizes[5:].ctypes.data,
        )
        return left.size + right.size  # reading them here keeps them alive until BLAS is done

else:
    GEMM = {np.dtype(np.float32): None, np.dtype(np.float64): None}

    def small_arguments(array: Array) -> Any:
        """Nothing: numpy needs no memory for arguments."""

    def product(
        gemm: Any,
        small: Any,
        out: Array,
        left: Array,
        right: Array,
        factor: Real,
        weights: Array | None,
        add: bool,
    ) -> Any:
        """out = factor * left @ diag(weights) @ right, or out += that."""
        left = left if weights is None else left * weights
        out[...] = factor * (left @ right) + (out if add else 0)

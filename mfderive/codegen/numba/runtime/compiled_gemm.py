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
        sizes: tuple[int, int, int],
        turned: tuple[bool, bool],
        factor: Real,
        weights: Array | None,
        add: bool,
    ) -> Any:
        """out = factor * left @ diag(weights) @ right, or out += that.

        Arrays are read as matrices, whatever axes they have: ``sizes`` are rows, columns and shared, and
        ``turned`` says which operand has its transpose in memory.
        """
        if weights is not None:
            if left.size <= right.size:
                left = _weighted(left, weights, sizes[0], turned[0])
            else:
                right = _weighted(right, weights, sizes[1], not turned[1])
        addresses = (out.ctypes.data, left.ctypes.data, right.ctypes.data)
        _call_blas(gemm, small, addresses, sizes, turned, factor, add)
        return left.size + right.size  # reading them here keeps them alive until BLAS is done

    @compiled
    def _weighted(operand: Array, weights: Array, other: int, leads: bool) -> Array:
        """An operand times the weights of its shared index, which leads in memory or comes last."""
        if leads:
            return (operand.reshape(weights.size, other) * weights.reshape(weights.size, 1)).reshape(
                operand.shape
            )
        return (operand.reshape(other, weights.size) * weights).reshape(operand.shape)

    @compiled
    def _call_blas(
        gemm: Any,
        small: Any,
        addresses: tuple[int, int, int],
        given: tuple[int, int, int],
        turned: tuple[bool, bool],
        factor: Real,
        add: bool,
    ) -> None:
        """BLAS reads matrices in column-major order: it computes the transposed product, right.T @ left.T."""
        letters, sizes, factors = small
        rows, columns, shared = given
        sizes[0], sizes[1], sizes[2] = columns, rows, shared
        sizes[3] = shared if turned[1] else columns
        sizes[4] = rows if turned[0] else shared
        sizes[5] = columns
        factors[0], factors[1] = factor, add
        letter, size, number = letters.ctypes.data, sizes.ctypes.data, factors.ctypes.data
        next_size, next_number = np.uintp(sizes.itemsize), np.uintp(factors.itemsize)
        gemm(
            letter + np.uintp(turned[1]),
            letter + np.uintp(turned[0]),
            size,
            size + next_size,
            size + np.uintp(2) * next_size,
            number,
            addresses[2],
            size + np.uintp(3) * next_size,
            addresses[1],
            size + np.uintp(4) * next_size,
            number + next_number,
            addresses[0],
            size + np.uintp(5) * next_size,
        )

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
        sizes: tuple[int, int, int],
        turned: tuple[bool, bool],
        factor: Real,
        weights: Array | None,
        add: bool,
    ) -> Any:
        """out = factor * left @ diag(weights) @ right, or out += that; the arrays are read as matrices."""
        rows, columns, shared = sizes
        left = left.reshape(shared, rows).T if turned[0] else left.reshape(rows, shared)
        right = right.reshape(columns, shared).T if turned[1] else right.reshape(shared, columns)
        left = left if weights is None else left * weights
        result = out.reshape(rows, columns)
        result[...] = factor * (left @ right) + (result if add else 0)

"""PyTorch as an array library of the finite network: the few functions that it needs, under numpy's names.

This module imports torch; it is imported only where torch is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch.nn.functional import pad
from torch.utils.checkpoint import checkpoint

from .namespace import Namespace
from .torch_functions import TORCH_FUNCTIONS

Array = Any


class TorchArrays:
    """Functions of arrays as numpy calls them, on one device."""

    def __init__(self, device: Any) -> None:
        self.device = device

    moveaxis = staticmethod(torch.moveaxis)
    broadcast_to = staticmethod(torch.broadcast_to)

    def asarray(self, values: Any, dtype: Any = None) -> Array:
        """A tensor on the device."""
        return torch.as_tensor(values, dtype=dtype, device=self.device)

    def zeros(self, shape: Sequence[int], dtype: Any) -> Array:
        """Zeros."""
        return torch.zeros(tuple(shape), dtype=dtype, device=self.device)

    def ones(self, shape: Sequence[int], dtype: Any) -> Array:
        """Ones."""
        return torch.ones(tuple(shape), dtype=dtype, device=self.device)

    def arange(self, count: int) -> Array:
        """0, ..., count - 1."""
        return torch.arange(count, device=self.device)

    def transpose(self, array: Array, order: Sequence[int]) -> Array:
        """The array with its axes in another order."""
        return array.permute(tuple(order))

    def stack(self, arrays: Sequence[Array], axis: int) -> Array:
        """Arrays along a new axis."""
        return torch.stack(tuple(arrays), dim=axis)

    def take(self, array: Array, read: Any, axis: int) -> Array:
        """The array with one axis read at whole numbers of any shape, whose axes take its place."""
        places = torch.as_tensor(read, device=self.device)
        taken = torch.index_select(array, axis, places.reshape(-1))
        return taken.reshape((*array.shape[:axis], *places.shape, *array.shape[axis + 1 :]))

    def pad(self, array: Array, padding: Sequence[tuple[int, int]]) -> Array:
        """The array with zeros (before, after) along each axis."""
        # PyTorch counts axes from the last one.
        return pad(array, [count for pair in reversed(padding) for count in pair])


def _over_samples(function: Callable[..., Array], arrays: tuple[Array, ...], chunk: int) -> Array:
    """Piece by piece; what a piece computes on the way is computed again in the reverse pass."""
    parts = []
    for start in range(0, len(arrays[0]), chunk):
        pieces = tuple(array[start : start + chunk] for array in arrays)
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            parts.append(checkpoint(function, *pieces, use_reentrant=False))
        else:
            parts.append(function(*pieces))
    return torch.cat(parts, dim=0)


@cache
def torch_namespace(device: Any) -> Namespace:
    """The arithmetic of PyTorch on one device."""
    arrays = TorchArrays(device)
    return Namespace("torch", arrays, TORCH_FUNCTIONS, torch.detach, torch.einsum, _over_samples)

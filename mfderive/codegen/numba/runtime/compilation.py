"""Compilation, threads and names of types."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

# A loader may set COMPILED to False beforehand: then everything below runs as plain Python.
COMPILED: bool = globals().get("COMPILED", True)
if COMPILED:
    from numba import njit

# Threads that share the work of one step.
THREADS = min(os.cpu_count() or 1, 8)

Array = np.ndarray[Any, Any]
Real = Any  # a number in the precision of the arrays
Fields = dict[str, Array]
Maker = Callable[[str, tuple[int, ...]], Array]  # (name, shape) -> array
Caller = Callable[..., None]  # (function, arguments): calls it now, or whenever the sweep is repeated
Number = float | Callable[[], float]  # a number, or what gives its value at present
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """The function as machine code, or the function itself where COMPILED is False."""
    if not COMPILED:
        return function
    fast = {"contract", "reassoc"}
    result: Function = njit(cache=True, nogil=True, error_model="numpy", fastmath=fast)(function)
    return result


def compiled_in_order(function: Function) -> Function:
    """A function of numbers whose sums are made in the order in which they are written.

    It becomes a part of every loop that calls it, so that the loop does several numbers at once.
    """
    if not COMPILED:
        return function
    options = {"cache": True, "nogil": True, "error_model": "numpy", "forceinline": True}
    result: Function = njit(fastmath={"contract"}, **options)(function)
    return result

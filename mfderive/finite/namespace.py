"""The arithmetics in which a finite network is evaluated: numpy (real or complex), JAX and PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from .numpy_functions import NUMPY_FUNCTIONS, real_part

Array = Any


@dataclass(frozen=True)
class Namespace:
    """What the interpretation of forward equations needs from an array library.

    ``frozen`` takes the derivative off an array. ``over_samples(function, arrays, chunk)`` maps a function
    over the leading axis of all arrays, at most ``chunk`` entries at a time, and joins the results along
    their leading axis.
    """

    name: str
    arrays: Any
    functions: Mapping[str, Callable[..., Array]]
    frozen: Callable[[Array], Array]
    einsum: Callable[..., Array]
    over_samples: Callable[[Callable[..., Array], tuple[Array, ...], int], Array]


def _numpy_over_samples(function: Callable[..., Array], arrays: tuple[Array, ...], chunk: int) -> Array:
    count = len(arrays[0])
    parts = [
        function(*(array[start : start + chunk] for array in arrays)) for start in range(0, count, chunk)
    ]
    return np.concatenate(parts, axis=0)


def _numpy_einsum(formula: str, *operands: Array) -> Array:
    # One or two small operands gain nothing from a search for the best order of contraction.
    return np.einsum(formula, *operands, optimize=len(operands) > 1)


NUMPY = Namespace("numpy", np, NUMPY_FUNCTIONS, real_part, _numpy_einsum, _numpy_over_samples)


def precision(jax: Any, dtype: str) -> AbstractContextManager[Any]:
    """A context in which JAX computes in float64 or float32; the global flag is left alone."""
    wanted = dtype == "float64"
    if hasattr(jax, "enable_x64"):
        context: AbstractContextManager[Any] = jax.enable_x64(wanted)
        return context
    from jax import experimental  # where releases before 0.8 keep it

    older: AbstractContextManager[Any] = experimental.enable_x64(wanted)
    return older


@cache
def jax_namespace() -> Namespace:
    """The JAX namespace; imports JAX on first use."""
    import jax
    import jax.numpy as jnp

    from .jax_functions import JAX_FUNCTIONS

    def over_samples(function: Callable[..., Array], arrays: tuple[Array, ...], chunk: int) -> Array:
        count = arrays[0].shape[0]
        # Equal pieces, so that one compiled body serves all; recomputed in the reverse pass to save memory.
        pieces = next(n for n in range(-(-count // chunk), count + 1) if count % n == 0)
        stacked = tuple(a.reshape((pieces, count // pieces, *a.shape[1:])) for a in arrays)
        body = jax.checkpoint(lambda parts: function(*parts))
        result = jax.lax.map(body, stacked)
        return result.reshape((count, *result.shape[2:]))

    return Namespace("jax", jnp, JAX_FUNCTIONS, jax.lax.stop_gradient, jnp.einsum, over_samples)

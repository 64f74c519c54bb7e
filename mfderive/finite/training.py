"""SGD of finite networks: all seeds of one width in one compiled JAX program, many steps per call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .finite_network import FiniteNetwork
from .namespace import jax_namespace

Array = Any
Arrays = dict[str, Array]


class Trainer:
    """Compiled steps and outputs of several networks that differ only in the values of their parameters.

    Parameters carry a leading axis over seeds, [seed, target, source, taps...]; data is shared by all seeds.
    Everything runs in ``dtype``: use it within :func:`mfderive.finite.namespace.precision`.
    """

    def __init__(self, finite: FiniteNetwork, trained: tuple[str, ...], dtype: str) -> None:
        """Compile nothing yet: that happens at the first call."""
        self.finite = finite
        self.trained = trained
        self.dtype = np.dtype(dtype)
        self._advance = jax.jit(self._many_steps, donate_argnums=0)
        self._outputs = jax.jit(self._all_outputs)

    def place(self, arrays: Mapping[str, Array]) -> Arrays:
        """Arrays in the trainer's precision, as JAX arrays."""
        return {name: jnp.asarray(array, dtype=self.dtype) for name, array in arrays.items()}

    def advance(
        self, moving: Arrays, fixed: Arrays, xs: Array, ys: Array, factors: Array, count: int
    ) -> Arrays:
        """``count`` steps: step i on batch xs[i], ys[i] subtracts factors[i, j] * gradient of parameter j.

        ``factors`` [step, trained parameter] may be longer than ``count``, so that one compiled program
        serves every number of steps; a single batch serves all steps. ``moving`` is consumed.
        """
        batches = [np.asarray(array, dtype=self.dtype) for array in (xs, ys, factors)]
        moved: Arrays = self._advance(moving, fixed, *batches, count)
        return moved

    def outputs(self, moving: Arrays, fixed: Arrays, x: Array, piece: int) -> Array:
        """yhat [seed, sample, outputs] in float64, evaluated ``piece`` samples at a time."""
        count = len(x)
        pieces = math.ceil(count / piece)
        piece = math.ceil(count / pieces)
        # Equal pieces, the last filled up with its last sample: one compiled program for all.
        filled = np.pad(x, [(0, pieces * piece - count)] + [(0, 0)] * (x.ndim - 1), mode="edge")
        parts = [
            np.asarray(self._outputs(moving, fixed, filled[k * piece : (k + 1) * piece].astype(self.dtype)))
            for k in range(pieces)
        ]
        return np.concatenate(parts, axis=1)[:, :count].astype(np.float64)

    def _loss(self, moving: Arrays, fixed: Arrays, x: Array, y: Array) -> Array:
        """The batch-mean loss of one network."""
        parameters = {**fixed, **moving}
        sizes = self.finite.sizes({name: a.shape for name, a in parameters.items()}, x.shape[0])
        values = {**parameters, "x": x, "y": y}
        return self.finite.evaluate(values, sizes, jax_namespace())["loss"].mean()

    def _many_steps(
        self, moving: Arrays, fixed: Arrays, xs: Array, ys: Array, factors: Array, count: Array
    ) -> Arrays:
        gradient = jax.vmap(jax.grad(self._loss), in_axes=(0, 0, None, None))

        def step(number: Array, current: Arrays) -> Arrays:
            batch = number % xs.shape[0]
            change = gradient(current, fixed, xs[batch], ys[batch])
            return {
                name: current[name] - factors[number, place] * change[name]
                for place, name in enumerate(self.trained)
            }

        moved: Arrays = jax.lax.fori_loop(0, count, step, moving)
        return moved

    def _all_outputs(self, moving: Arrays, fixed: Arrays, x: Array) -> Array:
        def outputs(own: Arrays, other: Arrays) -> Array:
            parameters = {**other, **own}
            sizes = self.finite.sizes({name: a.shape for name, a in parameters.items()}, x.shape[0])
            return self.finite.evaluate({**parameters, "x": x}, sizes, jax_namespace(), until="yhat")["yhat"]

        return jax.vmap(outputs)(moving, fixed)

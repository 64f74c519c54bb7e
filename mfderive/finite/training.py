"""Training of finite networks: all seeds of one width in one compiled JAX program, many steps per call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .dropout import Dropout
from .finite_network import FiniteNetwork
from .namespace import jax_namespace
from .rule_step import RuleStep

Array = Any
Arrays = dict[str, Array]


@dataclass(frozen=True)
class Batches:
    """What some steps are given: arrays that all have a leading axis over the steps.

    ``xs``, ``ys``: one batch for each step, or a single one for all. ``table``: of
    :meth:`mfderive.finite.rule_step.RuleStep.table`. ``draws``: noise [step, seed, ...] by parameter;
    ``keys``: of the masks of dropout [seed, 2] by layer, the same for all steps. The first step has the
    number ``first``, counted from 1.
    """

    xs: Array
    ys: Array
    table: Array
    draws: Mapping[str, Array]
    keys: Mapping[str, Array]
    first: int


class Trainer:
    """Compiled steps and outputs of several networks that differ only in the values of their variables.

    Arrays carry a leading axis over seeds, [seed, target, source, taps...]; data is shared by all seeds.
    Everything runs in ``dtype``: use it within :func:`mfderive.finite.namespace.precision`.
    """

    def __init__(self, finite: FiniteNetwork, rule: RuleStep, dropout: Dropout, dtype: str) -> None:
        """Compile nothing yet: that happens at the first call."""
        self.finite, self.rule, self.dropout = finite, rule, dropout
        self.dtype = np.dtype(dtype)
        self._advance = jax.jit(self._many_steps, donate_argnums=0)
        self._outputs = jax.jit(self._all_outputs)

    def place(self, arrays: Mapping[str, Array]) -> Arrays:
        """Arrays in the trainer's precision, as JAX arrays."""
        return {name: jnp.asarray(array, dtype=self.dtype) for name, array in arrays.items()}

    def advance(self, moving: Arrays, fixed: Arrays, batches: Batches, count: int) -> Arrays:
        """``count`` steps of the trained parameters and their memories; ``moving`` is consumed.

        The arrays of ``batches`` may be longer than ``count``, so that one compiled program serves every
        number of steps.
        """
        given = [np.asarray(array, dtype=self.dtype) for array in (batches.xs, batches.ys, batches.table)]
        draws = {name: np.asarray(array, dtype=self.dtype) for name, array in batches.draws.items()}
        moved: Arrays = self._advance(
            moving, fixed, *given, draws, dict(batches.keys), np.int32(batches.first), count
        )
        return moved

    def outputs(self, moving: Arrays, fixed: Arrays, x: Array, piece: int) -> Array:
        """yhat [seed, sample, outputs] in float64, evaluated ``piece`` samples at a time; no dropout."""
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

    def _loss(self, trained: Arrays, fixed: Arrays, keys: Arrays, number: Array, x: Array, y: Array) -> Array:
        """The batch-mean loss of one network, with the masks of a step."""
        parameters = {**fixed, **trained}
        sizes = self.finite.sizes({name: a.shape for name, a in parameters.items()}, x.shape[0])
        masks = self.dropout.masks(keys, number, sizes, self.dtype)
        values = {**parameters, "x": x, "y": y}
        return self.finite.evaluate(values, sizes, jax_namespace(), masks=masks)["loss"].mean()

    def _many_steps(
        self,
        moving: Arrays,
        fixed: Arrays,
        xs: Array,
        ys: Array,
        table: Array,
        draws: Arrays,
        keys: Arrays,
        first: Array,
        count: Array,
    ) -> Arrays:
        gradient = jax.vmap(jax.grad(self._loss), in_axes=(0, 0, 0, None, None, None))
        after = jax.vmap(self._after, in_axes=(0, 0, None, 0))

        def step(number: Array, current: Arrays) -> Arrays:
            batch = number % xs.shape[0]
            trained = {parameter.name: current[parameter.name] for parameter in self.rule.trained}
            change = gradient(trained, fixed, keys, first + number, xs[batch], ys[batch])
            noise = {name: own[number] for name, own in draws.items()}
            moved: Arrays = after(current, change, table[number], noise)
            return moved

        last: Arrays = jax.lax.fori_loop(0, count, step, moving)
        return last

    def _after(self, current: Arrays, change: Arrays, row: Array, draws: Arrays) -> Arrays:
        """One network after a step."""
        return self.rule.after(current, change, row, draws, jax_namespace())

    def _all_outputs(self, moving: Arrays, fixed: Arrays, x: Array) -> Array:
        def outputs(own: Arrays, other: Arrays) -> Array:
            parameters = {**other, **own}
            sizes = self.finite.sizes({name: a.shape for name, a in parameters.items()}, x.shape[0])
            return self.finite.evaluate({**parameters, "x": x}, sizes, jax_namespace(), until="yhat")["yhat"]

        return jax.vmap(outputs)(moving, fixed)

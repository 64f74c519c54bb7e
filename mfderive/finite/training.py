"""Training of finite networks in JAX: one compiled program for all seeds of a width, many steps per call."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from .dropout import Dropout
from .finite_network import FiniteNetwork
from .namespace import jax_namespace, precision
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
    ``together`` of them are in one call of the compiled program; the calls share the cores, and what comes
    out does not depend on how many cores there are. Everything runs in ``dtype``: use it within
    :func:`mfderive.finite.namespace.precision`.
    """

    def __init__(
        self, finite: FiniteNetwork, rule: RuleStep, dropout: Dropout, dtype: str, together: int
    ) -> None:
        """Compile nothing yet: that happens at the first call."""
        self.finite, self.rule, self.dropout = finite, rule, dropout
        self.dtype = np.dtype(dtype)
        self.together = together
        self._advance = jax.jit(self._many_steps, donate_argnums=0)
        self._outputs = jax.jit(self._all_outputs)
        self._compiled: set[Any] = set()

    def place(self, arrays: Mapping[str, Array]) -> Arrays:
        """Arrays in the trainer's precision."""
        return {name: np.asarray(array, dtype=self.dtype) for name, array in arrays.items()}

    def advance(self, moving: Arrays, fixed: Arrays, batches: Batches, count: int) -> Arrays:
        """``count`` steps of the trained parameters and their memories; ``moving`` is consumed.

        The arrays of ``batches`` may be longer than ``count``, so that one compiled program serves every
        number of steps.
        """
        given = [np.asarray(array, dtype=self.dtype) for array in (batches.xs, batches.ys, batches.table)]
        draws = {name: np.asarray(array, dtype=self.dtype) for name, array in batches.draws.items()}
        first = np.int32(batches.first)
        pieces = self._pieces({**fixed, **moving})
        program = ("steps", *(array.shape for array in given))

        def moved(piece: slice) -> Arrays:
            own, other = _part(moving, piece), _part(fixed, piece)
            noise = {name: array[:, piece] for name, array in draws.items()}
            keys = {name: array[piece] for name, array in batches.keys.items()}
            result: Arrays = self._advance(own, other, *given, noise, keys, first, count)
            return result

        if len(pieces) == 1:
            return moved(pieces[0])
        moving = {name: _writable(array) for name, array in moving.items()}

        def call(piece: slice) -> None:
            for name, array in moved(piece).items():
                moving[name][piece] = array

        self._shared(call, pieces, program)
        return moving

    def outputs(self, moving: Arrays, fixed: Arrays, x: Array, piece: int) -> Array:
        """yhat [seed, sample, outputs] in float64, evaluated ``piece`` samples at a time; no dropout."""
        count = len(x)
        number = math.ceil(count / piece)
        size = math.ceil(count / number)
        # Equal pieces, the last filled up with its last sample: one compiled program for all.
        filled = np.pad(x, [(0, number * size - count)] + [(0, 0)] * (x.ndim - 1), mode="edge")
        samples = [filled[k * size : (k + 1) * size].astype(self.dtype) for k in range(number)]
        pieces = self._pieces({**fixed, **moving})

        def call(seeds: slice) -> Array:
            own, other = _part(moving, seeds), _part(fixed, seeds)
            return np.concatenate([np.asarray(self._outputs(own, other, part)) for part in samples], axis=1)

        found = self._shared(call, pieces, ("outputs", samples[0].shape))
        return np.concatenate(found)[:, :count].astype(np.float64)

    def _pieces(self, arrays: Arrays) -> list[slice]:
        """The seeds of each call; a device other than the processor is given all of them at once."""
        seeds = len(next(iter(arrays.values())))
        size = self.together if jax.default_backend() == "cpu" else seeds
        return [slice(first, min(first + size, seeds)) for first in range(0, seeds, size)]

    def _shared(self, call: Callable[[slice], Any], pieces: Sequence[slice], program: Any) -> list[Any]:
        """The results of ``call`` for all pieces, made on all cores.

        The first of a new ``program`` is made alone: it compiles what the others use.
        """
        found: dict[int, Any] = {}
        for number, piece in enumerate(pieces):
            compiled = (program, piece.stop - piece.start)
            if compiled not in self._compiled:
                found[number] = call(piece)
                self._compiled.add(compiled)
        left = [number for number in range(len(pieces)) if number not in found]

        def within(number: int) -> Any:
            with precision(jax, self.dtype.name):  # which belongs to a thread
                return call(pieces[number])

        if len(left) < 2:
            found |= {number: call(pieces[number]) for number in left}
        else:
            with ThreadPoolExecutor(min(len(left), os.cpu_count() or 1)) as pool:
                found |= dict(zip(left, pool.map(within, left), strict=True))
        return [found[number] for number in range(len(pieces))]

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


def _part(arrays: Arrays, seeds: slice) -> Arrays:
    """The arrays of some seeds; those of all seeds are handed on as they are.

    Cut by numpy: JAX compiles every cut that it makes.
    """
    whole = all(seeds.stop - seeds.start == len(own) for own in arrays.values())
    return arrays if whole else {name: np.asarray(own)[seeds] for name, own in arrays.items()}


def _writable(array: Array) -> Array:
    """An array in memory that may be written: itself, or a copy."""
    own = np.asarray(array)
    return own if own.flags.writeable else own.copy()

"""Steps of SGD: of all seeds of one width, and of one network for a time between two of its stored states."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from ..algebra.laws import TIME, Variable
from ..network.network import Network
from ..runs.schedule import alphas, times
from ..runs.trajectory import Ground, Trajectory, register_ground
from .finite_network import FiniteNetwork
from .namespace import precision
from .network_fields import fields_of, system_of
from .numpy_functions import NUMPY_FUNCTIONS, evaluate_expression
from .velocity import width_factor

Array = Any
Arrays = dict[str, Any]

# Steps of one call of the compiled program, and the bytes that their batches may take.
_STEPS_A_CALL = 64
BATCH_BYTES = 2**26


class Sgd:
    """The steps 1, ..., ``count`` of networks of one width, whose arrays have the shapes of ``state``."""

    def __init__(
        self, network: Network, finite: FiniteNetwork, state: Mapping[str, Any], count: int, dtype: str
    ) -> None:
        self.network, self.finite, self.count, self.dtype = network, finite, count, dtype
        self.trained = tuple(p.name for p in finite.system.parameters if not p.is_frozen)
        self.times = times(network.training, count)
        self.factors = self._step_factors(state)

    def _step_factors(self, state: Mapping[str, Any]) -> Array:
        """alpha_k * xi(t_{k-1}) * (product of widths), float64 [step, trained parameter]."""
        rates = alphas(self.network.training, self.count)
        columns = []
        for name in self.trained:
            parameter: Variable = self.finite.system.parameter[name]
            rate = evaluate_expression(parameter.rate, {TIME: self.times[:-1]}, NUMPY_FUNCTIONS)
            factor = width_factor(self.finite.system, parameter, state[name].shape)
            columns.append(rates * rate * factor)
        return np.stack(columns, axis=1) if columns else np.zeros((self.count, 0))

    def place(self, trainer: Any, states: list[Arrays]) -> tuple[Arrays, Arrays]:
        """The trained and the frozen parameters of networks, with an axis over them, in the trainer."""
        stacked = {
            parameter.name: np.stack([state[parameter.name] for state in states])
            for parameter in self.finite.system.parameters
        }
        moving = trainer.place({name: stacked[name] for name in self.trained})
        return moving, trainer.place({n: a for n, a in stacked.items() if n not in moving})

    def advance(
        self, trainer: Any, moving: Arrays, fixed: Arrays, done: int, target: int, share: float = 1.0
    ) -> tuple[Arrays, int]:
        """At most one call's worth of steps from step ``done`` towards ``target``, and how many these were.

        ``share``: which part of every step is made.
        """
        size = self.network.training.batch_size
        first = self.network.source.batch(done + 1, size)
        bytes_a_batch = sum(array.size for array in first) * np.dtype(self.dtype).itemsize
        longest = max(1, min(_STEPS_A_CALL, self.count, BATCH_BYTES // max(1, bytes_a_batch)))
        steps = min(longest, target - done)
        batches = [first]
        if size != "all":
            batches += [self.network.source.batch(k, size) for k in range(done + 2, done + steps + 1)]
        length = 1 if size == "all" else longest
        xs, ys = (_filled(np.stack(part), length) for part in zip(*batches, strict=True))
        factors = _filled(share * self.factors[done : done + steps], longest)
        return trainer.advance(moving, fixed, xs, ys, factors, steps), steps


class StepsAgain:
    """The steps of one trained network by its record (:class:`mfderive.runs.between.Steps`)."""

    def __init__(self, network: Network, finite: FiniteNetwork, record: Mapping[str, Any]) -> None:
        self.network, self.finite, self.record = network, finite, record
        self.times = times(network.training, record["steps"])
        self.sgd_steps = np.arange(len(self.times))

    def advance(self, state: Arrays, first: int, last: int) -> Arrays:
        """The steps of SGD from number ``first`` to ``last``."""
        return self._trained(state, first, last, 1.0)

    def part(self, state: Arrays, first: int, t: float) -> Arrays:
        """The part of the step after number ``first`` that leads to time ``t``."""
        begins, ends = (float(time) for time in self.times[first : first + 2])
        return self._trained(state, first, first + 1, (t - begins) / (ends - begins))

    def _trained(self, state: Arrays, first: int, last: int, share: float) -> Arrays:
        import jax

        from .training import Trainer

        dtype = self.record["precision"]
        sgd = Sgd(self.network, self.finite, state, self.record["steps"], dtype)
        with precision(jax, dtype):
            trainer = Trainer(self.finite, sgd.trained, dtype)
            moving, fixed = sgd.place(trainer, [state])
            done = first
            while done < last:
                moving, steps = sgd.advance(trainer, moving, fixed, done, last, share)
                done += steps
            return {**state, **{name: np.array(value[0], dtype) for name, value in moving.items()}}


def network_ground(network: Network, finite: FiniteNetwork) -> Ground:
    """What the trajectories of a finite network live on: its forward equations, and its steps of SGD."""
    return Ground(finite.system, partial(fields_of, finite), partial(StepsAgain, network, finite))


def _filled(array: Array, length: int) -> Array:
    """An array with its leading axis filled up with zeros to ``length``: one shape, one compilation."""
    return np.pad(array, [(0, length - len(array))] + [(0, 0)] * (array.ndim - 1))


def _loaded_ground(path: Trajectory) -> Ground:
    return network_ground(path.network, FiniteNetwork(system_of(path.network)))


register_ground("network", _loaded_ground)

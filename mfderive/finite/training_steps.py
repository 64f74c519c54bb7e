"""Steps of training: of all seeds of one width, and of one network for a time between two stored states."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..algebra.memo import once
from ..algebra.system import ForwardSystem
from ..network.network import Network
from ..runs.schedule import alphas, times
from ..runs.trajectory import Ground, Trajectory, register_ground
from ..state.draw import WEIGHTS
from .dropout import Dropout
from .finite_network import FiniteNetwork
from .namespace import precision
from .network_fields import fields_of, system_of
from .rule_step import RuleStep

Array = Any
Arrays = dict[str, Any]

# Steps of one call of the compiled program, and the bytes that their batches may take.
_STEPS_PER_CALL = 64
BATCH_BYTES = 2**26
# So many bytes are filled up to a whole call's: trainings of few steps then share the program of longer ones.
_FILLED_BYTES = 2**22
# Networks of fewer numbers (parameters, and fields on a batch) are trained several in one call: what a call
# costs by itself then counts. Larger ones gain nothing from it (measured at widths of 50 to 400).
_NUMBERS_TOGETHER = 2**15
# Compiled programs that a system keeps: as many as a check has widths, and some.
_TRAINERS = 8


class TrainingSteps:
    """The steps 1, ..., ``count`` of networks of one width, whose arrays have the shapes of ``state``.

    ``seeds`` draw what steps draw: noise, and the masks of dropout. ``share``: which part of every step is
    made.
    """

    def __init__(
        self,
        network: Network,
        finite: FiniteNetwork,
        state: Mapping[str, Any],
        seeds: Sequence[int],
        count: int,
        dtype: str,
        share: float = 1.0,
    ) -> None:
        self.network, self.finite, self.seeds = network, finite, seeds
        self.count, self.dtype = count, dtype
        self.times = times(network.training, count)
        shapes = {name: np.shape(value) for name, value in state.items() if name != WEIGHTS}
        self.rule = RuleStep(finite.system, shapes)
        self.dropout = Dropout(network, finite.system)
        sizes, numbers = alphas(network.training, count), np.arange(1, count + 1)
        self.table = self.rule.table(sizes, self.times[:-1], numbers, share)

    def trainer(self) -> Any:
        """What makes the steps; use it within :func:`mfderive.finite.namespace.precision`.

        Trainings of the same system in the same shapes have the same one, which has compiled already.
        """
        from .training import Trainer

        known = _trainers(self.finite.system)
        facts = tuple(sorted(self.rule.shapes.items()))
        key = (facts, self.dtype, tuple(self.dropout.rates.items()), self.together())
        trainer = known.pop(key, None) or Trainer(
            self.finite, self.rule, self.dropout, self.dtype, self.together()
        )
        known[key] = trainer
        if len(known) > _TRAINERS:
            del known[next(iter(known))]
        return trainer

    def together(self) -> int:
        """How many networks one call of the compiled program trains."""
        size = self.network.training.batch_size
        samples = (self.network.source.rows or 1) if isinstance(size, str) else size
        sizes = self.finite.sizes(self.rule.shapes, samples)
        fields = [self.finite.system.field[equation.field] for equation in self.finite.system.forward]
        shapes = [*self.rule.shapes.values(), *([sizes[axis] for axis in field.axes] for field in fields)]
        return max(1, _NUMBERS_TOGETHER // sum(math.prod(shape) for shape in shapes))

    def place(self, trainer: Any, states: list[Arrays]) -> tuple[Arrays, Arrays]:
        """What training moves and what it does not, with an axis over the networks, in the trainer."""
        stacked = {
            variable.name: np.stack([state[variable.name] for state in states])
            for variable in self.finite.system.variables
        }
        moving = trainer.place({name: stacked[name] for name in self.rule.moving})
        return moving, trainer.place({n: a for n, a in stacked.items() if n not in moving})

    def advance(
        self, trainer: Any, moving: Arrays, fixed: Arrays, done: int, target: int
    ) -> tuple[Arrays, int]:
        """At most one call's worth of steps from ``done`` towards ``target``, and how many these were."""
        from .training import Batches

        size = self.network.training.batch_size
        batches, draws = [self.network.source.batch(done + 1, size)], [self._draws(done + 1)]
        entries = sum(array.size for array in (*batches[0], *draws[0].values()))
        bytes_per_step = entries * np.dtype(self.dtype).itemsize
        fitting = [limit // max(1, bytes_per_step) for limit in (_FILLED_BYTES, BATCH_BYTES)]
        longest = max(1, min(_STEPS_PER_CALL, max(self.count, fitting[0]), fitting[1]))
        numbers = range(done + 2, done + 1 + min(longest, target - done))
        if size != "all":
            batches += [self.network.source.batch(k, size) for k in numbers]
        draws += [self._draws(k) for k in numbers]
        steps = 1 + len(numbers)
        length = 1 if size == "all" else longest
        xs, ys = (_filled(np.stack(part), length) for part in zip(*batches, strict=True))
        given = Batches(
            xs,
            ys,
            table=_filled(self.table[done : done + steps], longest),
            draws={name: _filled(np.stack([own[name] for own in draws]), longest) for name in draws[0]},
            keys=self.dropout.keys(self.seeds),
            first=done + 1,
        )
        return trainer.advance(moving, fixed, given, steps), steps

    def _draws(self, number: int) -> Arrays:
        """The noise of one step, [seed, ...] by parameter."""
        each = [self.rule.draws(number, seed) for seed in self.seeds] if self.rule.noise else [{}]
        return {name: np.stack([own[name] for own in each]).astype(self.dtype) for name in each[0]}


class _Trainers(dict[Any, Any]):
    """What trains the networks of a system, by what it was compiled for; copies of the system are without."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _Trainers, ()


@once
def _trainers(system: ForwardSystem) -> _Trainers:
    return _Trainers()


class StepsAgain:
    """The steps of one trained network by its record (:class:`mfderive.runs.between.Steps`)."""

    def __init__(self, network: Network, finite: FiniteNetwork, record: Mapping[str, Any]) -> None:
        self.network, self.finite, self.record = network, finite, record
        self.times = times(network.training, record["steps"])
        self.sgd_steps = np.arange(len(self.times))

    def advance(self, state: Arrays, first: int, last: int) -> Arrays:
        """The steps of training from number ``first`` to ``last``."""
        return self._trained(state, first, last, 1.0)

    def part(self, state: Arrays, first: int, t: float) -> Arrays:
        """The part of the step after number ``first`` that leads to time ``t``.

        That is a step of the size t - t_first with the same number; what a rule remembers whatever the size
        of a step is (the sum m of momentum) has its value after the step.
        """
        begins, ends = (float(time) for time in self.times[first : first + 2])
        return self._trained(state, first, first + 1, (t - begins) / (ends - begins))

    def _trained(self, state: Arrays, first: int, last: int, share: float) -> Arrays:
        import jax

        dtype = self.record["precision"]
        # Records of runs without anything to draw may lack the seed.
        seeds = [self.record.get("seed", 0)]
        steps = TrainingSteps(self.network, self.finite, state, seeds, self.record["steps"], dtype, share)
        with precision(jax, dtype):
            trainer = steps.trainer()
            moving, fixed = steps.place(trainer, [state])
            done = first
            while done < last:
                moving, made = steps.advance(trainer, moving, fixed, done, last)
                done += made
            return {**state, **{name: np.array(value[0], dtype) for name, value in moving.items()}}


def network_ground(network: Network, finite: FiniteNetwork) -> Ground:
    """What the trajectories of a finite network live on: its forward equations, and its steps of training."""
    return Ground(finite.system, partial(fields_of, finite), partial(StepsAgain, network, finite))


def _filled(array: Array, length: int) -> Array:
    """An array with its leading axis filled up with zeros to ``length``: one shape, one compilation."""
    return np.pad(array, [(0, length - len(array))] + [(0, 0)] * (array.ndim - 1))


def _loaded_ground(path: Trajectory) -> Ground:
    return network_ground(path.network, FiniteNetwork(system_of(path.network)))


register_ground("network", _loaded_ground)

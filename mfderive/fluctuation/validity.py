"""Until when a limit holds at a width: the growth of differences between neurons of one type (theory C.1).

Noise of single weights makes neurons of one type differ by order n^(-1/2) at the start. Where a difference
grows like e^(lambda t) networks leave the limit at a time of about log(n) / (2 lambda), in which it grows
from n^(-1/2) to order 1; averages, outputs among them, feel its square. The differences of all types are
followed along the solution (:mod:`mfderive.limit.differences`), from noise of the size that the laws of
weights have.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algebra.arguments import whole_number
from ..algebra.reduced import Reduced
from ..algebra.showing import Shown, words
from ..algebra.system import LimitSystem, draw_noise
from ..algebra.terms import Role
from ..codegen.generate import generate
from ..errors import MfError
from ..limit.derive import derive
from ..limit.differences import difference_name, neuron_differences
from ..network.network import Network
from ..network.solve_options import SolveOptions
from ..reduction.cost import cost
from ..reduction.reduce import reduce as reduce_system
from ..solution.feed import make_feed
from ..solution.grid import make_clock
from ..solution.options import resolve_options
from ..solution.start import start_state
from ..solution.stepping import Problem, Stepper
from ..state.draw import initial_state
from ..state.ensembles import plan_ensembles
from .rule_transpose import RuleTranspose

Array = Any
Arrays = dict[str, Any]
NODES, COPIES, STEPS, TIMES, SAMPLES = 32, 32, 400, 40, 64
# Averages over neurons feel the square of a difference, and of a neuron that has gone elsewhere no more than
# 1: networks have left the limit when the average of min(1, difference^2), in units of the weights, is this.
LEFT = 0.1
# Differences that grew less than this are no instability: training moves them as it moves all weights.
GROWN = 3.0


@dataclass(frozen=True, repr=False)
class Validity(Shown):
    """How differences between neurons of one type grow along a limit.

    ``times`` [time]; ``growth[a]`` [time]: how many times as large the differences of the values of a neuron
    of population a are as at the start, for a typical neuron (geometric mean; only populations that differ
    there). ``moved[w, slot]`` [time, neuron]: what training made of differences in the weights w of a neuron,
    the one at that slot of w, at width 1, in units of the size of w (root mean square); at width n it is
    moved / sqrt(n). ``weights[w, slot]`` [neuron]: those of these neurons.
    """

    network: Network
    times: Array
    growth: Mapping[str, Array]
    moved: Mapping[tuple[str, int], Array]
    weights: Mapping[tuple[str, int], Array]

    @property
    def rate(self) -> Array:
        """The growth rate lambda(t) [time]: that of the population that grows fastest up to the end."""
        if not self.growth:
            return np.zeros(len(self.times))
        most = max(self.growth.values(), key=lambda own: float(own[-1]))
        return np.gradient(np.log(most), self.times)

    @property
    def is_unstable(self) -> bool:
        """Whether a typical difference grows by more than training moves weights anyway."""
        return any(own.max() > GROWN for own in self.growth.values())

    def until(self, width: float) -> float | None:
        """The time at which networks of a base width leave the limit; None: not up to the last time."""
        if not self.moved or not self.is_unstable:
            return None
        size = self.left(width)
        beyond = np.flatnonzero(size >= LEFT)
        if not len(beyond):
            return None
        last = int(beyond[0])
        if last == 0:
            return float(self.times[0])
        # In between a difference grows exponentially.
        with np.errstate(divide="ignore"):
            low, high = np.log(size[last - 1 : last + 1])
        share = (math.log(LEFT) - low) / (high - low) if np.isfinite(low) else 1.0
        return float(self.times[last - 1] + share * (self.times[last] - self.times[last - 1]))

    def left(self, width: float) -> Array:
        """By how much networks of a base width have left the limit [time], 0 to 1: most of all weights."""
        shares = [
            np.minimum(1.0, np.square(own) / width) @ self.weights[end] for end, own in self.moved.items()
        ]
        return np.max(shares, axis=0)

    def text(self, width: int) -> str:
        """The answer for a width, in words and as a time."""
        whole_number("width", width)
        end, time = self.times[-1], self.until(width)
        if not self.is_unstable:
            return (
                f"No instability grows up to t = {end:.4g}: neurons of one type stay as alike as they start."
            )
        rate = float(self.rate.max())
        most = max(float(own.max()) for own in self.growth.values())
        told = (
            f"Differences between neurons of one type grow {most:.3g} fold up to t = {end:.4g} (like e^(λt) "
            f"with λ up to {rate:.3g})"
        )
        if time is None:
            return f"{told}, but at width {width} they stay small: the limit holds up to t = {end:.4g}."
        return (
            f"{told}. At width {width} neurons of one type part at about t = {time:.4g}: until then the "
            f"limit holds. This time grows by {math.log(10) / (2 * self._rate_at(time)):.3g} with every "
            "factor of 10 in the width."
        )

    def _rate_at(self, time: float) -> float:
        return max(float(np.interp(time, self.times, self.rate)), 1e-300)

    def _summary(self) -> Iterator[str]:
        yield f"Differences between neurons of one type in '{words(self.network.title)}'"
        yield "  .until(width): when networks leave the limit; .text(width) says it"


def validity(
    network: Network, horizon: float | None = None, *, seed: int = 0, most: float = math.inf
) -> Validity:
    """Follow the differences between neurons of one type along the limit, up to a time of training.

    On few nodes (:data:`NODES` of a population that has labels), and with steps of SGD put together to at
    most :data:`STEPS` where the rule remembers nothing. Raises MfError where differences cannot be followed
    (weights that keep their noise or whose laws name labels, clipping, fresh noise), and where that would
    take more than ``most`` operations.
    """
    reduced: Reduced = reduce_system(derive(network))
    plain = RuleTranspose(reduced.system).is_plain
    if _noise(reduced.system):
        raise MfError("weights that keep the noise of their entries have no types of neurons to follow")
    options = resolve_options(network, None, **({} if horizon is None else {"horizon": horizon}))
    options = SolveOptions(horizon=options.horizon, steps=options.steps, nodes=_nodes(reduced), seed=seed)
    system = neuron_differences(draw_noise(reduced.full))
    clock = make_clock(network, options)
    if plain:
        clock = clock.merged(max(1, math.ceil(clock.steps / STEPS)))
    _, small = start_state(reduced, options, None, None, clock, network.source)
    state, scales = _start(reduced, small, seed)
    if not scales:
        return Validity(network, clock.times[[0, -1]], {}, {}, {})
    whole = Reduced.identity(system)
    feed = make_feed(network, whole, "batches", None)
    sizes = {name: len(weights) for name, weights in state["p"].items()}
    operations = cost(system, sizes).work * feed.samples * clock.steps
    if operations > most:
        raise MfError(
            f"following the differences of neurons would take {operations:.2g} operations; at most "
            f"{most:.2g} are spent on that here"
        )
    return _followed(Stepper(Problem(network, whole, generate(whole), options), clock, feed), state, scales)


def _noise(system: LimitSystem) -> list[str]:
    return [axis.name for axis in system.node_axes if axis not in system.populations]


def _nodes(reduced: Reduced) -> dict[str, int]:
    return {name: min(plan.nodes, NODES) for name, plan in plan_ensembles(reduced.system).items()}


def _start(reduced: Reduced, small: Arrays, seed: int) -> tuple[Arrays, Mapping[str, float]]:
    """The state of the whole system on copies of nodes, with differences; and the sizes of noisy weights."""
    full = draw_noise(reduced.full)
    counts = {axis.name: len(small["p"].get(axis.name, (1.0,))) for axis in full.populations}
    copies = {name: max(1, COPIES // count) for name, count in counts.items()}
    weights = {
        name: np.repeat(small["p"].get(name, np.ones(1)) / copies[name], copies[name]) for name in counts
    }
    state: Arrays = {"p": weights}
    for variable in full.variables:
        state[variable.name] = _copied(reduced, variable.name, small[variable.name], counts, copies)
        for slot, axis in enumerate(variable.axes):
            if axis in counts:
                state[difference_name(variable.name, slot)] = np.zeros_like(state[variable.name])
    sizes = {name: len(own) for name, own in weights.items()}
    draws = [initial_state(reduced.full, sizes, seed + number) for number in (1, 2)]
    scales: dict[str, float] = {}
    for variable in reduced.full.parameters:
        if variable.noise is None or variable.law.is_deterministic:
            continue
        if variable.law.references:
            raise MfError(
                f"the law of {variable.name} names labels of its ends; how far it makes neurons of one type "
                "differ is not computed yet"
            )
        one, two = (np.asarray(own[variable.name], float) for own in draws)
        noise = (one - two) / math.sqrt(2)
        scales[variable.name] = float(np.sqrt(np.mean(np.square(one))))
        _put(full, variable.name, noise, state, weights)
    return state, scales


def _copied(
    reduced: Reduced, name: str, value: Array, counts: Mapping[str, int], copies: Mapping[str, int]
) -> Array:
    """A value of the reduced system in the layout of the whole one, on copies of its ``counts`` nodes."""
    axes = draw_noise(reduced.full).variable[name].axes
    table = draw_noise(reduced.full).axis
    found, place = np.asarray(value, float), 0
    dropped = reduced.system.variable[name].dropped
    for slot, axis in enumerate(axes):
        if slot in dropped:
            size = counts.get(axis, table[axis].size)
            found = np.repeat(np.expand_dims(found, slot), int(size or 1), slot)
        place += slot not in dropped
    for slot, axis in enumerate(axes):
        if axis in copies:
            found = np.repeat(found, copies[axis], slot)
    return np.ascontiguousarray(found)


def _put(full: LimitSystem, name: str, noise: Array, state: Arrays, weights: Mapping[str, Array]) -> None:
    """The noise of a weight's entries as differences of both of its ends, at width 1.

    A node of weight p stands for p gamma n neurons, over which independent noise averages to a size of
    1 / sqrt(p gamma n).
    """
    axes = full.variable[name].axes
    ends = [slot for slot, axis in enumerate(axes) if axis in weights]
    for slot in ends:
        (other,) = (end for end in ends if end != slot)
        share = full.axis[axes[other]].width * weights[axes[other]]
        shape = [1] * len(axes)
        shape[other] = len(share)
        state[difference_name(name, slot)] = noise / np.sqrt(share).reshape(shape)


def _followed(stepper: Stepper, state: Arrays, scales: Mapping[str, float]) -> Validity:
    """March, and look at the differences at some times."""
    clock, network = stepper.clock, stepper.problem.network
    x, _ = network.source.evaluation(SAMPLES)
    looks = np.unique(np.round(np.linspace(0, clock.steps, min(TIMES, clock.steps) + 1)).astype(int))
    start = {name: value.copy() for name, value in state.items() if name != "p"}
    system = stepper.problem.system
    sizes: dict[str, list[Array]] = {}
    moved: dict[tuple[str, int], list[Array]] = {}
    ends = [(name, slot) for name in scales for slot in _ends(system, name, state["p"])]
    done = 0
    with stepper.threads(state):
        for number in looks:
            state = stepper.advance(state, done, int(number))
            done = int(number)
            for axis, size in _sizes(stepper, state, x).items():
                sizes.setdefault(axis, []).append(size)
            for name, slot in ends:
                size = _moved(system, name, slot, state, start) / scales[name]
                moved.setdefault((name, slot), []).append(size)
    growth = {name: _typical(np.array(own), state["p"][name]) for name, own in sizes.items() if own[0].all()}
    weights = {(name, slot): state["p"][system.field[name].axes[slot]] for name, slot in ends}
    found = {end: np.array(own) for end, own in moved.items()}
    return Validity(network, clock.times[looks], growth, found, weights)


def _typical(sizes: Array, weights: Array) -> Array:
    """The growth [time] of a typical neuron, from sizes [time, neuron]."""
    return np.asarray(np.exp(np.log(np.maximum(sizes, 1e-300) / sizes[0]) @ weights))


def _ends(system: LimitSystem, name: str, weights: Mapping[str, Array]) -> list[int]:
    return [slot for slot, axis in enumerate(system.field[name].axes) if axis in weights]


def _sizes(stepper: Stepper, state: Arrays, x: Array) -> dict[str, Array]:
    """The root mean square of the differences of all values of a neuron, by population [neuron]."""
    system = stepper.problem.system
    values = stepper.problem.module.forward(state, x)
    found: dict[str, Array] = {}
    for field in system.fields:
        for slot in _ends(system, field.name, state["p"]):
            own = values.get(difference_name(field.name, slot))
            if field.role is Role.FORWARD and not field.deviation and own is not None:
                axis = field.axes[slot]
                found[axis] = found.get(axis, 0.0) + _mean(field.axes, np.square(own), state["p"], slot)
    return {axis: np.sqrt(value) for axis, value in found.items()}


def _moved(system: LimitSystem, name: str, slot: int, state: Arrays, start: Arrays) -> Array:
    """What training made of the differences in a weight, for the neurons at one of its slots [neuron]."""
    own = difference_name(name, slot)
    change = np.square(state[own] - start[own])
    return np.asarray(np.sqrt(_mean(system.variable[name].axes, change, state["p"], slot)))


def _mean(axes: tuple[str, ...], values: Array, weights: Mapping[str, Array], kept: int) -> Array:
    """The average over all axes but one: weighted over populations, plain over others."""
    for slot in reversed(range(len(axes))):
        if slot != kept:
            own = weights.get(axes[slot])
            values = values.mean(slot) if own is None else np.tensordot(values, own, (slot, 0))
    return np.asarray(values)

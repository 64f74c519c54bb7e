"""Networks of finite width drawn from a solution: neurons by their types, frozen noise put back."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..algebra.evaluate import evaluate_expression
from ..algebra.laws import Variable
from ..algebra.system import ForwardSystem, draw_noise
from ..algebra.terms import AxisKind
from ..errors import StateError
from ..limit.derive import derive
from ..runs.trajectory import Trajectory, register_sampler
from ..samples.points import check_law, draw_law
from ..state.draw import (
    WEIGHTS,
    State,
    check_draw_memory,
    neuron_axis,
    parameter_shapes,
    population_sizes,
    referenced_values,
)
from .systems import system_of_state

Array = Any

# Random numbers of a sample stand apart from those of initial states and of data.
_PURPOSE = zlib.crc32(b"sample of a solution")


def sample_network(path: Trajectory, n: int | Mapping[str, int], t: float | None, seed: int) -> State:
    """A network drawn from a solution of the limit; see :meth:`Trajectory.sample`.

    Every neuron draws a node of its population by the nodes' weights, once: the same nodes pick the incoming
    and outgoing weights of all layers that share the population, and so do they at every time. A weight of
    which the solution holds the conditional mean f gets back the noise that its entries started with, which
    training does not change: w = f(types) + (w_0 - mean of its law given the labels) (theory C.1). Where
    the noise has nodes of its own (theory C.5) every pair draws one, the same for all weights on that pair.
    """
    means = path.notes.get("edges") == "mean"
    limit, state = derive(path.network), path.at(t)
    full, system = draw_noise(limit), draw_noise(system_of_state(limit, state, means))
    sizes = population_sizes(full, n)
    # Values and their noise in double precision, and for every pair the node of its noise.
    check_draw_memory(parameter_shapes(full, sizes), np.dtype(np.float64).itemsize, "A sampled network")
    draw = _Draw(full, system, sizes, seed)
    network: State = {p.name: draw.values(p, state) for p in full.parameters}
    closed = [p for p in full.parameters if means and draw.is_closed(p)]
    if closed:
        start = _initial(path, closed)
        named = {r.parameter for p in closed for _, r in p.law.references}
        labels = {name: draw.values(full.parameter[name], start) for name in named}
        for parameter in closed:
            name = parameter.name
            noise = draw.frozen_noise(parameter, network[name].shape, labels)
            network[name] = (network[name] + noise).astype(network[name].dtype)
    dtype = next((network[p.name].dtype for p in full.parameters), np.dtype(np.float64))
    network[WEIGHTS] = {name: np.full(size, 1 / size, dtype) for name, size in sizes.items()}
    return network


def _initial(path: Trajectory, closed: list[Variable]) -> State:
    """The state at t = 0, whose labels the laws of the noise name; the first one where none is named."""
    first = path.checkpoints[0]
    named = [parameter.name for parameter in closed if parameter.law.references]
    if named and first.time > 0:
        raise StateError(
            f"the noise of '{named[0]}' depends on labels at t = 0, but this trajectory begins at "
            f"t = {first.time:.4g}; draw samples from one that holds its start"
        )
    return first.state


class _Draw:
    """Nodes for the neurons of one network, and noise nodes for its pairs."""

    def __init__(
        self, full: ForwardSystem, system: ForwardSystem, sizes: Mapping[str, int], seed: int
    ) -> None:
        self.full, self.system, self.sizes, self.seed = full, system, sizes, seed
        self.chosen: dict[str, Array] = {}

    def rng(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, _PURPOSE, zlib.crc32(name.encode())])

    def choose(self, name: str, shape: tuple[int, ...], state: State) -> Array:
        """Nodes of one axis, drawn by their weights; the same ones at every call."""
        if name not in self.chosen:
            weights = np.asarray(state[WEIGHTS][name], dtype=np.float64)
            total = np.cumsum(weights)
            places = np.searchsorted(total, self.rng(name).random(shape) * total[-1], side="right")
            # Rounding may put a draw on the last limit, and a node of weight 0 is a tracer, not a neuron.
            self.chosen[name] = np.minimum(places, int(np.flatnonzero(weights)[-1]))
        return self.chosen[name]

    def values(self, parameter: Variable, state: State) -> Array:
        """One parameter of the network [target, source, ...] from its values on nodes."""
        own = self.system.parameter[parameter.name]
        lengths = [self.sizes.get(axis) or self.full.axis[axis].size or 1 for axis in parameter.axes]
        rank = len(own.axes) + len(own.dropped)
        places = [place for place in range(rank) if place not in own.dropped]
        index: list[Array] = []
        for axis, place in zip(own.axes, places, strict=True):
            kind = self.system.axis[axis].kind
            if kind is AxisKind.NOISE:
                pairs = self._pairs(parameter, axis, state)
                index.append(self._along(parameter, pairs, self._ends(parameter)))
            elif kind is AxisKind.POPULATION:
                nodes = self.choose(axis, (self.sizes[axis],), state)
                index.append(self._along(parameter, nodes, (place,)))
            else:
                index.append(self._along(parameter, np.arange(lengths[place]), (place,)))
        values = np.asarray(state[parameter.name])[tuple(index)]
        return np.array(np.broadcast_to(values, lengths), order="C")

    def _ends(self, parameter: Variable) -> tuple[int, ...]:
        kinds = [self.full.axis[axis].kind for axis in parameter.axes]
        return tuple(place for place, kind in enumerate(kinds) if kind is AxisKind.POPULATION)

    def _pairs(self, parameter: Variable, axis: str, state: State) -> Array:
        shape = tuple(self.sizes[parameter.axes[place]] for place in self._ends(parameter))
        return self.choose(axis, shape, state)

    def _along(self, parameter: Variable, index: Array, places: tuple[int, ...]) -> Array:
        """An index array shaped to stand on some axes of the parameter's array."""
        shape = [1] * len(parameter.axes)
        for place, length in zip(places, index.shape, strict=True):
            shape[place] = length
        return index.reshape(shape)

    def is_closed(self, parameter: Variable) -> bool:
        """Whether a solution of means holds a weight's conditional mean in place of its random entries."""
        if parameter.noise is None or parameter.law.is_deterministic:
            return False
        return self.system.parameter[parameter.name].noise not in self.system.axis

    def frozen_noise(self, parameter: Variable, shape: tuple[int, ...], labels: State) -> Array:
        """w_0 - its mean given the labels, for entries drawn from the law of the start."""
        law, table = parameter.law, self.full.parameter
        symbols = {
            symbol: referenced_values(
                parameter, reference, table[reference.parameter], labels[reference.parameter]
            )
            for symbol, reference in law.references
        }
        arguments = tuple(np.asarray(evaluate_expression(a, symbols), np.float64) for a in law.arguments)
        check_law(law, arguments, parameter.name)
        drawn = draw_law(law, arguments, shape, self.rng(parameter.name), neuron_axis(self.full, parameter))
        return drawn - np.asarray(evaluate_expression(law.mean, symbols), dtype=np.float64)


register_sampler(sample_network)

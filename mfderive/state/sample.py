"""Networks of finite width drawn from a state of the limit: neurons by their nodes, frozen noise put back."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..algebra.evaluate import evaluate_expression
from ..algebra.laws import Variable
from ..algebra.reduced import DrawnNetwork, Reduced
from ..algebra.separate_noise import separate_noise
from ..algebra.system import ForwardSystem, draw_noise
from ..algebra.terms import AxisKind
from ..errors import StateError
from ..samples.points import check_law, draw_law
from .draw import (
    WEIGHTS,
    check_draw_memory,
    neuron_axis,
    parameter_shapes,
    population_sizes,
    referenced_values,
)
from .ensembles import network_axes

Array = Any
Arrays = dict[str, Any]

# Random numbers of a sample stand apart from those of initial states and of data.
_PURPOSE = zlib.crc32(b"sample of a solution")


def sample_network(
    reduced: Reduced,
    state: Mapping[str, Any],
    labels: Mapping[str, Any],
    n: int | Mapping[str, int],
    seed: int,
) -> Arrays:
    """A network of width ``n`` drawn from a state of a reduced limit, in the layout of the whole network.

    Every neuron draws a node of its population by the nodes' weights, once: the same nodes pick the incoming
    and outgoing weights of all layers that share the population, and what a learning rule remembers of them.
    Where edge noise has nodes of its own (theory C.5) every pair draws one, the same for all weights on that
    pair. Then the passes lift what was drawn, the last one first: what collapsed is the same for all neurons,
    and weights that stand for their conditional means get back the noise that their entries started with
    (theory C.1).

    ``labels``: the state at t = 0 of which the parameters of ``reduced.initial_values`` are read (empty
    where there are none). ``n``: neurons times the populations' relative widths, or one number for each
    population. Raises StateError where there is no way back to the network, and for widths
    that do not fit; ResourceError (before anything is drawn) for more than memory can hold.
    """
    if reduced.full.passes:
        raise StateError(
            "this is a state of a system that a reduction made, without the way back to the network. Solve "
            "with system = the whole result of reduce(limit), not its .system"
        )
    full = draw_noise(reduced.full)
    sizes = population_sizes(full, n)
    shapes = parameter_shapes(full, sizes)
    # Values and their noise in double precision, and for every pair the node of its noise.
    check_draw_memory(shapes, np.dtype(np.float64).itemsize, "A sampled network")
    draw = _Draw(draw_noise(reduced.system), sizes, seed)
    names = [variable.name for variable in full.variables]
    network = DrawnNetwork(
        # A reduction may follow more than the network has: what became of the noise of weights.
        {variable.name: draw.values(variable.name, state) for variable in draw.system.variables},
        {name: draw.values(name, labels) for name in reduced.initial_values},
        sizes,
        draw.rng,
    )
    lifted = reduced.lift(network).state
    found: Arrays = {name: np.array(np.broadcast_to(lifted[name], shapes[name]), order="C") for name in names}
    dtype = next((found[name].dtype for name in names), np.dtype(np.float64))
    found[WEIGHTS] = {name: np.full(size, 1 / size, dtype) for name, size in sizes.items()}
    return found


class _Draw:
    """Nodes for the neurons of one network, and noise nodes for its pairs."""

    def __init__(self, system: ForwardSystem, sizes: Mapping[str, int], seed: int) -> None:
        self.system, self.sizes, self.seed = system, sizes, seed
        self.chosen: dict[str, Array] = {}

    def rng(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, _PURPOSE, zlib.crc32(name.encode())])

    def choose(self, name: str, shape: tuple[int, ...], state: Mapping[str, Any]) -> Array:
        """Nodes of one axis, drawn by their weights; the same ones at every call."""
        if name not in self.chosen:
            weights = np.asarray(state[WEIGHTS][name], dtype=np.float64)
            total = np.cumsum(weights)
            positions = np.searchsorted(total, self.rng(name).random(shape) * total[-1], side="right")
            # Rounding may put a draw on the last limit, and a node of weight 0 is a tracer, not a neuron.
            self.chosen[name] = np.minimum(positions, int(np.flatnonzero(weights)[-1]))
        return self.chosen[name]

    def values(self, name: str, state: Mapping[str, Any]) -> Array:
        """One variable of the network in the layout of the system, from its values on nodes.

        A weight with noise nodes has a value for every pair instead: [target, source, ...], whatever the
        reduction dropped.
        """
        parameter = self.system.variable[name]
        if parameter.noise in parameter.axes:
            return self._pair_values(parameter, state)
        rank = len(parameter.axes)
        index = tuple(
            _along(self._chosen(axis, state), (position,), rank)
            for position, axis in enumerate(parameter.axes)
        )
        return np.asarray(state[name])[index]

    def _pair_values(self, parameter: Variable, state: Mapping[str, Any]) -> Array:
        assert parameter.noise is not None
        axes = network_axes(self.system, parameter)
        own = axes.index(parameter.noise)
        layout = [axis for axis in axes if axis != parameter.noise]
        # A node stands for a pair, or for one entry of it where entries do not vary together on nodes.
        alone = parameter.noise in separate_noise(self.system)
        ends = tuple(position for position, axis in enumerate(layout) if alone or axis in self.sizes)
        held = [
            position - (position > own) for position in range(len(axes)) if position not in parameter.dropped
        ]
        index = []
        for axis, position in zip(parameter.axes, held, strict=True):
            if axis == parameter.noise:
                shape = tuple(
                    self.sizes.get(layout[end]) or self.system.axis[layout[end]].size or 1 for end in ends
                )
                pairs = self._pairs(parameter, shape, state)
                index.append(_along(pairs, ends, len(layout)))
            else:
                index.append(_along(self._chosen(axis, state), (position,), len(layout)))
        return np.asarray(state[parameter.name])[tuple(index)]

    def _chosen(self, axis: str, state: Mapping[str, Any]) -> Array:
        """The node of every neuron of a population; every position of a finite axis."""
        known = self.system.axis[axis]
        if known.kind is AxisKind.POPULATION:
            return self.choose(axis, (self.sizes[axis],), state)
        return np.arange(known.size or 1)

    def _pairs(self, parameter: Variable, shape: tuple[int, ...], state: Mapping[str, Any]) -> Array:
        """The noise node of every pair of neurons, [target, source] of the parameter."""
        assert parameter.noise is not None
        if parameter.crosswise:
            return self.choose(parameter.noise, shape[::-1], state).T
        return self.choose(parameter.noise, shape, state)


def _along(index: Array, positions: tuple[int, ...], rank: int) -> Array:
    """An index array shaped to stand on some axes of an array."""
    shape = [1] * rank
    for position, length in zip(positions, index.shape, strict=True):
        shape[position] = length
    return index.reshape(shape)


def frozen_noise(
    system: ForwardSystem,
    parameter: Variable,
    shape: tuple[int, ...],
    labels: Mapping[str, Any],
    generator: np.random.Generator,
) -> Array:
    """w_0 - its mean given the labels, for entries drawn from the law of the start, float64.

    ``parameter`` is one of ``system``, which has every weight whole; ``labels`` are initial values of the
    parameters that its law names, in their layouts.
    """
    law, table = parameter.law, system.parameter
    symbols = {
        symbol: referenced_values(
            parameter, reference, table[reference.parameter], labels[reference.parameter]
        )
        for symbol, reference in law.references
    }
    arguments = tuple(np.asarray(evaluate_expression(a, symbols), np.float64) for a in law.arguments)
    check_law(law, arguments, parameter.name)
    drawn = draw_law(law, arguments, shape, generator, neuron_axis(system, parameter))
    return drawn - np.asarray(evaluate_expression(law.mean, symbols), dtype=np.float64)

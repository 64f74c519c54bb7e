"""Nodes by orbits: the motions of neurons, one node of each orbit, and random images on the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..algebra.reduced import DrawnNetwork, StateMapping
from ..algebra.signed_permutations import SignedPermutation
from ..algebra.system import LimitSystem
from ..analysis.orbits import Orbits
from ..samples.orbit_images import first_images, rounded
from ..state.draw import WEIGHTS
from ..state.ensembles import ensemble_state, plan_ensembles

Array = Any


@dataclass(frozen=True)
class NeuronMotions:
    """The motions of the neurons of a population.

    ``layouts``: the places of the neurons, of the entries and of the outputs (None: there are none) among the
    axes of every variable on the population; ``signed``: the variables whose entries change their sign with
    those of x; ``odd``: those that change it with y.
    """

    population: str
    motions: tuple[SignedPermutation, ...]
    layouts: Mapping[str, tuple[int, int | None, int | None]]
    signed: frozenset[str]
    odd: frozenset[str]

    @classmethod
    def of(cls, system: LimitSystem, orbits: Orbits) -> NeuronMotions:
        """Those of a limit."""
        layouts = {
            v.name: (
                v.axes.index(orbits.population),
                v.axes.index(orbits.axis) if v.name in orbits.vectors else None,
                v.axes.index(orbits.outputs) if orbits.outputs in v.axes else None,
            )
            for v in system.variables
            if orbits.population in v.axes
        }
        return cls(orbits.population, orbits.motions, layouts, orbits.signed, orbits.odd)

    def moved(self, name: str, values: Array, motion: SignedPermutation) -> Array:
        """A variable, or the label that it starts from, of the images of all neurons."""
        _, entries, outputs = self.layouts[name]
        if outputs is not None and motion.columns:
            values = np.take(values, motion.columns, axis=outputs)
        if entries is not None:
            signs = motion.signs if name in self.signed else (1,) * len(motion.signs)
            whole = replace(motion, signs=signs)
            values = np.moveaxis(whole(np.moveaxis(values, entries, -1)), -1, entries)
        return values * motion.target if name in self.odd else values

    # ------------------------------------------------------------------ one of each orbit

    def fold(self, state: StateMapping) -> StateMapping:
        """A state on nodes of which none is the image of another; the first of them has the weight of all."""
        weights = np.asarray(state[WEIGHTS][self.population])
        images = [self._rows(state, motion) for motion in self.motions]
        chosen = first_images(images)
        largest = np.stack(images)[chosen, np.arange(len(weights))]
        scale = max(float(np.abs(largest).max(initial=0.0)), 1e-300)
        _, first, group = np.unique(rounded(largest, scale), axis=0, return_index=True, return_inverse=True)
        if len(first) == len(weights):
            return state
        order = np.argsort(first)
        sums = np.bincount(group.reshape(-1), weights, len(first))[order].astype(weights.dtype)
        kept = first[order]
        found: dict[str, Any] = {
            name: np.ascontiguousarray(np.take(values, kept, axis=self.layouts[name][0]))
            if name in self.layouts
            else values
            for name, values in state.items()
        }
        found[WEIGHTS] = {**state[WEIGHTS], self.population: sums}
        return found

    def _rows(self, state: StateMapping, motion: SignedPermutation) -> Array:
        """What the neurons start from, as their images have it, [neuron, number]."""
        columns = [
            np.moveaxis(self.moved(name, np.asarray(state[name]), motion), neurons, 0)
            for name, (neurons, *_) in self.layouts.items()
        ]
        return np.concatenate([c.reshape(len(c), -1) for c in columns], axis=1)

    def count(self, system: LimitSystem) -> int:
        """How many nodes are left of those that the population of a limit has by default."""
        state = self.fold(ensemble_state(system, plan_ensembles(system), 0))
        return len(state[WEIGHTS][self.population])

    # ------------------------------------------------------------------ random images

    def lift(self, network: DrawnNetwork) -> DrawnNetwork:
        """The network whose neurons are a random image each, the same in all that belongs to one of them."""
        size = network.sizes[self.population]
        numbers = network.generator(f"motion {self.population}").integers(len(self.motions), size=size)
        return replace(
            network,
            state=self._drawn(network.state, numbers),
            labels=self._drawn(network.labels, numbers),
        )

    def _drawn(self, arrays: StateMapping, numbers: Sequence[int]) -> StateMapping:
        return {
            name: self._mixed(name, values, np.asarray(numbers)) if name in self.layouts else values
            for name, values in arrays.items()
        }

    def _mixed(self, name: str, values: Array, numbers: Array) -> Array:
        neurons, *_ = self.layouts[name]
        mixed = np.array(values)
        front = np.moveaxis(mixed, neurons, 0)
        for number in np.unique(numbers):
            image = self.moved(name, np.asarray(values), self.motions[number])
            front[numbers == number] = np.moveaxis(image, neurons, 0)[numbers == number]
        return mixed

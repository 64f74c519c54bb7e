"""Dropout of hidden neurons in training: a mask per sample and neuron, drawn at every step."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..algebra.system import ForwardSystem
from ..algebra.terms import OUTPUT_PART, PREACTIVATION, AxisKind, Role
from ..forward.builder import GROUPS
from ..network.network import Network

Array = Any
Arrays = dict[str, Array]


class Dropout:
    """The masks of a network (inverted dropout, theory B.8).

    A neuron is left out with probability q, and what is kept is divided by 1 - q. One mask serves all
    positions of a neuron and all steps of a recurrent layer. ``rates`` are the layers with q > 0; ``fields``
    holds the values of each: what its readers read. Masks belong to training; outputs are observed without.
    """

    def __init__(self, network: Network, system: ForwardSystem) -> None:
        self.system = system
        self.rates = {layer: rate for layer, rate in network.training.dropout if rate}
        self.fields = {layer: self._values(layer) for layer in self.rates}

    def _values(self, layer: str) -> tuple[str, ...]:
        """The fields of a layer that others read: its activation, at every step, or what it has instead."""
        own = [f for f in self.system.fields if f.owner == layer and f.role in (Role.FORWARD, Role.FROZEN)]
        activated = [field.name for field in own if field.part == OUTPUT_PART]
        return tuple(activated or (field.name for field in own if field.part == PREACTIVATION))

    def keys(self, seeds: Sequence[int]) -> Arrays:
        """The keys of the masks of every layer, uint32 [seed, 2]: a function of seed and layer."""
        return {layer: np.stack([_key(seed, layer) for seed in seeds]) for layer in self.rates}

    def masks(self, keys: Mapping[str, Array], number: Array, sizes: Mapping[str, int], dtype: Any) -> Arrays:
        """What the fields of one network are multiplied by at step ``number``: 0, or 1/(1 - q)."""
        if not self.rates:
            return {}
        import jax

        found: Arrays = {}
        for layer, rate in self.rates.items():
            key = jax.random.fold_in(jax.random.wrap_key_data(keys[layer], impl="threefry2x32"), number)
            # In float32 whatever the precision is: both then leave out the same neurons.
            draws = jax.random.uniform(key, self.shape(layer, sizes), dtype=np.float32)
            mask = jax.numpy.where(draws >= rate, 1.0 / (1.0 - rate), 0.0).astype(dtype)
            found |= dict.fromkeys(self.fields[layer], mask)
        return found

    def shape(self, layer: str, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The shape of the mask of a layer: [sample, neuron, group], and 1 for every position."""
        shape = []
        axes = self.system.field[self.fields[layer][0]].axes
        for position, name in enumerate(axes):
            axis = self.system.axis[name]
            counts = axis.kind is AxisKind.DATA or position == 1 or axis.part == GROUPS
            shape.append(sizes[name] if counts else 1)
        return tuple(shape)


def _key(seed: int, layer: str) -> Array:
    words = np.random.SeedSequence([seed, zlib.crc32(f"dropout {layer}".encode())])
    return words.generate_state(2, np.uint32)

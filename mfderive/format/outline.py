"""What is known of the layers before any expression is read: names, connections, neurons.

Expressions name other layers' parameters, and layers stand in any order, so all names are collected first
(:mod:`mfderive.format.outline_reading`). Where something in a table is wrong, its key is in doubt: what hangs
on it is open, and said of nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..forward.kinds import STEPS, ConnectionKind
from ..network.names import BIAS, INPUT, MAIN, OUTPUT, WEIGHT
from ..network.network import Training
from ..network.place import Place

Raw = Mapping[str, Any]
# Keys of a layer on which nothing hangs but the layer's own activation.
_OWN = frozenset({"activation", "average", "operation"})


@dataclass(frozen=True)
class ConnectionOutline:
    """One connection as written, in long form; ``short`` tells that it was written in the short form."""

    source: str
    kind: ConnectionKind
    values: Raw
    place: Place
    short: bool = False
    doubts: frozenset[str] = frozenset()

    @property
    def into(self) -> str:
        """The pre-activation it adds to."""
        return str(self.values.get("into", MAIN))

    @property
    def delay(self) -> int:
        """How many steps before its own it reads."""
        return int(self.values.get("delay", self.kind.delay))

    @property
    def reads(self) -> tuple[str, ...]:
        """Further layers that its kind reads."""
        return tuple(str(self.values[key]) for key in self.kind.layers if key in self.values)

    @property
    def weight_name(self) -> str | None:
        """The weight's own name, if it is written with one."""
        weight = self.values.get("weight")
        return weight.get("name") if isinstance(weight, Mapping) else None


@dataclass(frozen=True)
class LayerOutline:
    """One layer (or the output) as written, its keys checked, its expressions not yet read."""

    name: str
    values: Raw
    place: Place
    connections: tuple[ConnectionOutline, ...]
    parameters: tuple[str, ...] = ()
    doubts: frozenset[str] = frozenset()

    @property
    def steps(self) -> int:
        """The number of steps, 0 for a layer without."""
        return int(self.values.get(STEPS, 0))

    @property
    def preactivations(self) -> tuple[str, ...]:
        """The pre-activations that connections add to, each once."""
        return tuple(dict.fromkeys(connection.into for connection in self.connections))


@dataclass(frozen=True)
class Outline:
    """All layers by name, in file order, and the output."""

    layers: Mapping[str, LayerOutline]
    output: LayerOutline
    training: Training | None = None  # known before expressions are read: rates follow its time
    is_complete: bool = True  # False: some layer could not be read at all, so that names are missing

    @property
    def parts(self) -> tuple[LayerOutline, ...]:
        """The layers in file order, then the output."""
        return (*self.layers.values(), self.output)

    def in_doubt(self, *names: str) -> bool:
        """Whether something that expressions may name or rest on is in doubt in one of these layers."""
        parts = [self.output if name == OUTPUT else self.layers[name] for name in names if name != INPUT]
        return any(part.doubts - _OWN for part in parts)

    def root(self, layer: str) -> str:
        """The layer whose neurons these are (follow ``neurons`` to its end)."""
        while "neurons" in self.layers[layer].values:
            layer = self.layers[layer].values["neurons"]
        return layer

    def is_finite(self, source: str) -> bool:
        """Whether a source has a fixed number of neurons: x, or a layer with ``size``."""
        return source == INPUT or "size" in self.layers[self.root(source)].values

    def attributes(self, layer: str) -> frozenset[str]:
        """What may follow ``source.`` or ``target.`` for a layer: see ``names.attributes``."""
        if layer == INPUT:
            return frozenset()
        part = self.output if layer == OUTPUT else self.layers[layer]
        labels = [c for c in part.connections if "weight" in c.values and self.is_finite(c.source)]
        named = {c.weight_name for c in labels if c.weight_name is not None}
        bias = {BIAS} if BIAS in part.values else set()
        own = {WEIGHT} if len(labels) == 1 else set()
        return frozenset({*part.parameters, *named, *bias, *own})

    def weight_attributes(self, layer: str) -> frozenset[str]:
        """Those of the attributes that are weights, so that they have components."""
        if layer == INPUT:
            return frozenset()
        part = self.output if layer == OUTPUT else self.layers[layer]
        return self.attributes(layer) - {*part.parameters, BIAS}

"""Layers and outputs of a translated model as a spec document, with the weights in the convention of 1/n."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import sympy as sp

from ..network.names import BIAS, INPUT, MAIN, OUTPUT, weight_names
from .estimated_laws import EstimatedLaw, estimated_law
from .layering import ATTENTION, Drawn, Layers, Made
from .operations import ImportProblem
from .signal_values import Fixed, LegKind, Owns, Reads, Signal, Space
from .tied_arrays import Entries, entries_of, is_turned, tie_arrays
from .translate import Translator

Array = Any


@dataclass(frozen=True)
class Place:
    """Where the entries of one parameter come from: ``scale`` times entries of the model's array.

    ``parameter`` None: numbers that the model computes of constants.
    """

    values: Array
    scale: float
    parameter: str | None
    index: Array | None

    @property
    def state(self) -> Array:
        """The parameter of the network, in float64."""
        return self.scale * np.asarray(self.values, dtype=float)


@dataclass
class SpecParts:
    """What is written: tables of layers and output, where parameters come from, laws, what was assumed."""

    layers: list[dict[str, Any]] = field(default_factory=list)
    output: dict[str, Any] = field(default_factory=dict)
    heads: list[str] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)
    laws: dict[str, EstimatedLaw] = field(default_factory=dict)
    origins: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Ends:
    """The outputs of a model as layers: the main one, and finite layers that are heads beside it."""

    main: Made
    outputs: int
    is_layer: bool
    heads: tuple[str, ...]
    tied: Mapping[Entries, str] = field(default_factory=dict)


def ends_of(translator: Translator) -> Ends:
    """The main output (connections and a bias, or one neuron with an activation), and further heads."""
    layers, names = translator.layers, translator.graph.outputs
    translator.operation = None
    heads = []
    signal = _vector(translator, names[0])
    outputs = translator.neurons_leg(signal.space).size
    for name in names[1:]:
        head = _vector(translator, name)
        many = translator.neurons_leg(head.space).size
        if many != outputs:
            raise ImportProblem(
                f"output '{name}' has {many} numbers, and the first output has {outputs}. All outputs are "
                "held against the same labels here, and must be of one size: return those alone that the "
                "loss needs"
            )
        heads.append(layers.layer_of(translator.settled(head, name)) or "")
    made = layers.layer(OUTPUT, signal)
    plain = made.activation in ("identity", MAIN) and all(
        drawn.reads.kind == "dense" for drawn in made.connections
    )
    if plain and all(name == BIAS for name, _ in made.own):
        return _with_ties(translator, Ends(made, outputs, False, tuple(heads)))
    if outputs != 1:
        raise _no_sums(names[0], outputs, made, signal.expression)
    last = layers.layer_of(translator.settled(signal, names[0])) or ""
    return _with_ties(translator, Ends(layers.made[last], 1, True, tuple(heads)))


def _no_sums(name: str, outputs: int, made: Made, expression: sp.Expr) -> ImportProblem:
    """The error for outputs that are something else than sums of weighted neurons and a bias."""
    kinds = dict.fromkeys(drawn.reads.kind for drawn in made.connections)
    remedy = (
        "Leave the last function out of the model (the loss applies it: cross-entropy a softmax, logistic a "
        "sigmoid)"
    )
    symbols = sorted(expression.free_symbols, key=str)
    if {*kinds} == {"dense"} and expression.is_polynomial(*symbols):
        remedy = (
            "One bias may be added (bias=False in the other layers), and the only factor before a sum is 1 "
            "over the width: put others into the weights"
        )
    return ImportProblem(
        f"output '{name}': its {outputs} numbers are {made.activation} of {', '.join(kinds)}, and outputs "
        f"here are sums of weighted neurons and a bias. {remedy}"
    )


def _with_ties(translator: Translator, ends: Ends) -> Ends:
    """The same with the names of arrays that are used more than once."""
    layers = translator.layers
    parts = [*layers.made.values(), *([] if ends.is_layer else [ends.main])]
    outside = [
        translator.inputs,
        ends.main.space.neurons,
        *(layers.made[head].space.neurons for head in ends.heads),
    ]
    return replace(ends, tied=tie_arrays(layers, parts, translator.inputs, outside))


def _vector(translator: Translator, name: str) -> Signal:
    """An output of a model as values of neurons, without positions."""
    signal = translator.signal(name)
    legs = [leg for axis in signal.axes for leg in axis if leg.kind is not LegKind.BATCH]
    if (
        any(leg.kind is not LegKind.NEURONS for leg in legs)
        or len(legs) != (1 if legs else 0)
        or signal.space.positions
    ):
        words = " x ".join(leg.kind.value for leg in legs)
        raise ImportProblem(
            f"output '{name}' runs over {words or 'a statistic'}, and an output here is one vector for each "
            "sample. "
            "Pool or flatten the positions in the model before the last layer"
        )
    return signal


class SpecWriter:
    """Writes the tables of a spec. ``infinite``: the populations whose width grows."""

    def __init__(
        self,
        translator: Translator,
        ends: Ends,
        infinite: Iterable[int],
        laws: Mapping[str, str],
    ) -> None:
        self.translator, self.ends, self.named = translator, ends, dict(laws)
        self.layers: Layers = translator.layers
        self.infinite = set(infinite)
        self.parts = SpecParts(heads=list(ends.heads))
        self.owners: dict[int, str] = {self.root(translator.inputs): INPUT}
        sizes = [self.size(number) for number in sorted(self.infinite)]
        self.reference = sizes[0] if sizes else 1

    def root(self, number: int) -> int:
        """The number of the whole population."""
        return self.layers.populations.root(number)

    def size(self, number: int) -> int:
        """The number of neurons in the model."""
        return self.layers.populations.sizes[number]

    def written(self) -> SpecParts:
        """All tables."""
        tied = self.ends.tied
        for made in self.layers.made.values():
            self.layer(made, tied)
        self.output(tied)
        return self.parts

    def layer(self, made: Made, tied: Mapping[Entries, str]) -> None:
        """The table of one layer."""
        entry: dict[str, Any] = {"name": made.name}
        entry.update(self.neurons(made))
        if made.space.steps:
            entry["steps"] = made.space.steps
        connections = self.connections(made.name, made.connections, made.space, tied)
        if len(connections) == 1 and connections[0].get("into", MAIN) == MAIN:
            entry.update(connections[0])
        else:
            entry["connections"] = connections
        for name, owns in made.own:
            law = self.own(f"{made.name}.{name}", owns)
            if name == BIAS:
                entry[BIAS] = law
            else:
                entry.setdefault("parameters", {})[name] = law
        if made.activation not in ("identity", MAIN):
            entry["activation"] = made.activation
        self.parts.layers.append(entry)
        self.parts.origins[made.name] = made.origins

    def neurons(self, made: Made) -> dict[str, Any]:
        """Whose neurons a layer has: its own, infinitely many or so many, or those of an earlier layer."""
        root = self.root(made.space.neurons)
        if root not in self.owners:
            self.owners[root] = made.name
            if root not in self.infinite:
                return {"size": self.size(root)}
            ratio = self.size(root) / self.reference
            return {} if ratio == 1 else {"width": ratio}
        owner = self.owners[root]
        if owner == INPUT:
            raise ImportProblem(
                f"layer '{made.name}' ({', '.join(made.origins) or 'a function of x'}) acts on the inputs "
                "one by one, "
                "and inputs are no neurons here. Apply it to the data before, or put a linear layer in front"
            )
        return {"neurons": owner}

    def connections(
        self, layer: str, drawn: Iterable[Drawn], space: Space, tied: Mapping[Entries, str]
    ) -> list[dict[str, Any]]:
        """The tables of the connections of a layer or of the output."""
        drawn = list(drawn)
        own = [
            (d.reads.source, d.into, self.tie_name(d.reads, tied)) if d.reads.weight else None for d in drawn
        ]
        names = weight_names(layer, own)
        return [self.connection(each, name, space, tied) for each, name in zip(drawn, names, strict=True)]

    def tie_name(self, reads: Reads, tied: Mapping[Entries, str]) -> str | None:
        """The name of a weight that is used more than once."""
        key = entries_of(reads.weight)
        return None if key is None else tied.get(key)

    def connection(
        self, drawn: Drawn, name: str | None, space: Space, tied: Mapping[Entries, str]
    ) -> dict[str, Any]:
        """The table of one connection; its weight times the width that it is summed over is the state."""
        reads = drawn.reads
        entry: dict[str, Any] = {"from": reads.source}
        if reads.kind != "dense":
            entry["kind"] = reads.kind
        entry.update({key: _plain(value) for key, value in reads.options})
        if reads.kind == ATTENTION:
            self.scores(entry, reads)
        if drawn.into != MAIN:
            entry["into"] = drawn.into
        if reads.weight is not None and name is not None:
            self.weight(entry, reads, name, self.tie_name(reads, tied))
        return entry

    def scores(self, entry: dict[str, Any], reads: Reads) -> None:
        """The factor of the scores: what the model sums over neurons is a mean here."""
        summed = self.summed(str(entry["queries"]))
        entry["scale"] = float(entry["scale"] * summed)
        if summed > 1:
            self.parts.notes.append(
                f"scores of attention ({reads.origin}) are sums over {summed} neurons there, means here: "
                f"scale = {entry['scale']:g} is that of this width"
            )

    def weight(self, entry: dict[str, Any], reads: Reads, name: str, tie: str | None) -> None:
        """The keys of a weight: law, or the earlier use with which it is tied."""
        weight = reads.weight
        assert weight is not None
        scale = float(self.summed(reads.source)) / (self.neurons_of(reads.source) if reads.averaged else 1)
        if tie is None or tie not in self.parts.places:
            place = self.place(weight, scale)
            self.parts.places[name] = place
            law = self.law(name, place)
            frozen = {} if self.is_trained(weight) else {"rate": 0}
            named = {"name": tie} if tie else {}
            entry["weight"] = {**named, "law": law, **frozen} if named or frozen else law
            return
        first = self.parts.places[tie]
        entry["weight"] = {"name": tie}
        if is_turned(first.index, weight.index):
            entry["weight"]["transpose"] = True
        if scale != first.scale:
            entry["operation"] = f"{scale / first.scale!r} * w * u"
            self.parts.notes.append(
                f"the tied weight {tie} is summed over {scale:g} neurons here and over {first.scale:g} "
                "where it is used "
                f"first: the factor {scale / first.scale:g} in 'operation' is that of this width"
            )

    def neurons_of(self, source: str) -> int:
        """The number of neurons of a layer."""
        return self.size(self.root(self.layers.made[source].space.neurons))

    def summed(self, source: str) -> int:
        """The width by which the sum over a source is divided: 1 where it is finite."""
        if source == INPUT:
            return 1
        root = self.root(self.layers.made[source].space.neurons)
        return self.size(root) if root in self.infinite else 1

    def is_trained(self, values: Fixed) -> bool:
        """Whether the model trains an array: computed numbers and what it keeps fixed are frozen."""
        return values.parameter is not None and values.parameter not in self.translator.graph.frozen

    def place(self, values: Fixed, scale: float) -> Place:
        """Where a parameter comes from."""
        return Place(values.array, scale, values.parameter, values.index)

    def law(self, name: str, place: Place) -> str:
        """The law of a parameter, which is kept with the reason."""
        own = self.named.pop(place.parameter, None) if place.parameter else None
        self.parts.laws[name] = estimated_law(place.values, self.named.pop(name, own), place.scale)
        return self.parts.laws[name].text

    def own(self, name: str, owns: Owns) -> Any:
        """The law of a number of each neuron; computed numbers are frozen."""
        place = self.place(owns.values, 1.0)
        self.parts.places[name] = place
        law = self.law(name, place)
        return law if self.is_trained(owns.values) else {"law": law, "rate": 0}

    def output(self, tied: Mapping[Entries, str]) -> None:
        """The table of the output."""
        ends = self.ends
        if ends.is_layer:
            self.parts.output = {"from": ends.main.name}
            return
        connections = self.connections(OUTPUT, ends.main.connections, ends.main.space, tied)
        entry: dict[str, Any] = connections[0] if len(connections) == 1 else {"connections": connections}
        for _, owns in ends.main.own:
            entry[BIAS] = self.own(f"{OUTPUT}.{BIAS}", owns)
        self.parts.output = entry
        self.parts.origins[OUTPUT] = ends.main.origins


def _plain(value: Any) -> Any:
    """A value of an option as a spec has it."""
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value

"""A first look at the layers: names, connections, neurons, before any expression is read.

Expressions name other layers' parameters, and layers stand in any order, so all names are collected first.
"""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import nearest, nearest_word, quoted, shown
from ..forward.kinds import COMMON, DEFAULT_KIND, KINDS, STEPS, ConnectionKind, connection_keys
from ..network.names import BIAS, INPUT, MAIN, OUTPUT, WEIGHT, is_reserved
from ..network.network import Training
from ..network.place import Place, other_kinds_keys
from ..network.tables import LAYER, WEIGHT_KEYS
from ..network.tables import OUTPUT as OUTPUT_KEYS
from ..network.values import NAME, Table
from .groups import MOST_LAYERS, Written, write_out

Raw = Mapping[str, Any]
_ANOTHER = "Choose another name"


@dataclass(frozen=True)
class ConnectionOutline:
    """One connection as written, in long form; ``short`` tells that it was written in the short form."""

    source: str
    kind: ConnectionKind
    values: Raw
    place: Place
    short: bool = False

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

    @property
    def parts(self) -> tuple[LayerOutline, ...]:
        """The layers in file order, then the output."""
        return (*self.layers.values(), self.output)

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


def outline(layers: list[Raw], output: Raw, file: str | None) -> Outline:
    """Check keys, names, sources and neurons of all layers and of the output."""
    found: dict[str, LayerOutline] = {}
    written, output = write_out(layers, output, file)
    for each in written:
        layer = _layer(each)
        if layer.name in found:
            raise layer.place.error(
                f"two layers are called {quoted(layer.name)}", key="name", remedy="Give each its own name"
            )
        found[layer.name] = layer
    _check_number(found)
    result = Outline(found, _output(output, file))
    for layer in found.values():
        _check_neurons(layer, found)
    for part in result.parts:
        for connection in part.connections:
            _check_source(connection, part, result)
    _check_weight_names(result)
    return result


def _check_number(layers: Mapping[str, LayerOutline]) -> None:
    """Refuse more layers than anybody computes with; a layer with steps counts once for each."""
    total = sum(max(1, layer.steps) for layer in layers.values())
    if total > MOST_LAYERS:
        longest = max(layers.values(), key=lambda layer: layer.steps)
        raise longest.place.error(
            f"with every step of every layer there are {total} layers to compute",
            key=STEPS,
            remedy=f"At most {MOST_LAYERS}: take fewer steps",
        )


def check_name(name: str, place: Place, key: str, what: str) -> None:
    """Refuse a name that has a meaning of its own."""
    if is_reserved(name) or keyword.iskeyword(name):
        raise place.error(
            f"{quoted(name)} is a reserved name, so no {what} can have it",
            key=key,
            remedy=_ANOTHER,
        )


def _layer(written: Written) -> LayerOutline:
    values, place = written.values, written.place
    connections = _connections(values, place, LAYER)
    check_name(values["name"], place, "name", "layer")
    parameters = tuple(values.get("parameters", {}))
    first = connections[0] if connections else None
    if first and first.short and first.kind.shares_neurons and first.source != INPUT:
        values = {"neurons": first.source, **values}
    for parameter in parameters:
        key = f"parameters.{parameter}"
        if not NAME.accepts(parameter):
            raise place.error(
                f"{quoted(parameter)} is not a name", key=key, remedy=f"It must be {NAME.words}"
            )
        check_name(parameter, place, key, "parameter")
    layer = LayerOutline(values["name"], values, place, connections, parameters)
    for connection in connections:
        into = connection.into
        if into != MAIN:
            check_name(into, connection.place, "into", "pre-activation")
        if into in parameters:
            raise connection.place.error(
                f"{quoted(into)} is a parameter of the layer already", key="into", remedy=_ANOTHER
            )
    if not connections:
        raise place.error(
            "the layer has no source", key="from", remedy='Write from = "..." or [[layers.connections]]'
        )
    return layer


def _output(values: Raw, file: str | None) -> LayerOutline:
    place = Place(file, OUTPUT)
    connections = _connections(values, place, OUTPUT_KEYS)
    if not connections:
        raise place.error(
            "the output has no source", key="from", remedy='Write from = "..." or [[output.connections]]'
        )
    for connection in connections:
        if not connection.kind.into_output:
            allowed = sorted(kind.name for kind in KINDS.values() if kind.into_output)
            raise connection.place.error(
                f"a connection of kind {connection.kind.name} cannot lead into the output",
                key="kind",
                remedy=f"Allowed: {', '.join(allowed)}",
            )
        if "into" in connection.values:
            raise connection.place.error(
                "the output has only one pre-activation", key="into", remedy="Remove 'into'"
            )
    return LayerOutline(OUTPUT, values, place, connections)


def _connections(values: Raw, place: Place, keys: Table) -> tuple[ConnectionOutline, ...]:
    """The connections in long form, whichever form they are written in; checks the keys of the table."""
    if "connections" not in values:
        kind = _kind(values, place)
        own = connection_keys(kind)
        place.check(values, {**keys, **_optional(own)}, refused=_foreign(kind, {**keys, **own}))
        if "from" not in values:
            return ()
        short = {key: value for key, value in values.items() if key in own}
        _check_weight(values, place)
        return (ConnectionOutline(values["from"], kind, short, place, short=True),)
    for key in (*COMMON, "average"):
        if key in values:
            raise place.error(
                f"{quoted(key)} stands beside [[connections]]",
                key=key,
                remedy="Write one connection in the table of the layer, or all of them as [[connections]]",
            )
    place.check(values, keys)
    return tuple(
        _connection(table, place.inside(f"connections[{number}]"))
        for number, table in enumerate(values["connections"])
    )


def _optional(keys: Table) -> Table:
    """Keys of a short form without ``from``: that it is missing is said of the layer, in its own words."""
    return {name: replace(key, required=key.required and name != "from") for name, key in keys.items()}


def _kind(values: Raw, place: Place) -> ConnectionKind:
    name = values.get("kind", DEFAULT_KIND)
    if not isinstance(name, str) or name not in KINDS:
        raise place.error(f"unknown kind {shown(name)}", key="kind", remedy=nearest_word(str(name), KINDS))
    return KINDS[name]


def _foreign(kind: ConnectionKind, keys: Table) -> dict[str, tuple[str, str]]:
    """The keys of other kinds, with the reason why they are refused, and the kinds that have them."""
    kinds = {name: connection_keys(other) for name, other in KINDS.items()}
    return other_kinds_keys(kind.name, {**kinds, kind.name: keys}, "a connection")


def _connection(values: Raw, place: Place) -> ConnectionOutline:
    kind = _kind(values, place)
    keys = connection_keys(kind)
    place.check(values, keys, refused=_foreign(kind, keys))
    _check_weight(values, place)
    return ConnectionOutline(values["from"], kind, values, place)


def _check_weight(values: Raw, place: Place) -> None:
    weight = values.get("weight")
    if isinstance(weight, Mapping):
        place.inside("weight").check(weight, WEIGHT_KEYS)


def _check_source(connection: ConnectionOutline, part: LayerOutline, known: Outline) -> None:
    source, place = connection.source, connection.place
    if source != INPUT and source not in known.layers:
        what = "the output is not a source" if source == OUTPUT else f"there is no layer {quoted(source)}"
        raise place.error(what, key="from", remedy=nearest(source, [INPUT, *known.layers]))
    for key in connection.kind.layers:
        other = connection.values.get(key)
        if other is not None and other not in known.layers:
            remedy = nearest(str(other), known.layers)
            raise place.error(f"there is no layer {quoted(other)}", key=key, remedy=remedy)
    _check_steps(connection, part, known)
    if connection.kind.shares_neurons:
        if source == INPUT:
            raise place.error(
                f"kind {connection.kind.name} keeps the neurons of its source, and x has none",
                key="from",
                remedy="Let it read a layer, or take another kind (dense, convolution)",
            )
        if known.root(source) != known.root(part.name):
            raise place.error(
                f"kind {connection.kind.name} needs the same neurons at both ends, but '{source}' has those "
                f"of '{known.root(source)}' and '{part.name}' those of '{known.root(part.name)}'",
                key="from",
                remedy=f'Write neurons = "{known.root(source)}" in the layer {quoted(part.name)}',
            )


def _check_steps(connection: ConnectionOutline, part: LayerOutline, known: Outline) -> None:
    """Steps at both ends of a connection fit: equal numbers, and a delay only where both have steps."""
    place, source = connection.place, connection.source
    theirs = known.layers[source].steps if source in known.layers else 0
    if part.steps and theirs and part.steps != theirs:
        raise place.error(
            f"{quoted(part.name)} has {part.steps} steps and {quoted(source)} has {theirs}",
            key="from",
            remedy="Layers that read each other step by step have equal numbers of steps",
        )
    key = "kind" if "delay" not in connection.values else "delay"
    if connection.delay and not (part.steps and (theirs or source == INPUT)):
        lacking = f"{quoted(part.name)}" if not part.steps else f"{quoted(source)}"
        raise place.error(
            f"the connection reads {_steps(connection.delay)} back, but {lacking} has no steps",
            key=key,
            remedy="Give both layers the key steps = T",
        )
    if connection.delay and connection.delay >= part.steps:
        raise place.error(
            f"the connection reads {_steps(connection.delay)} back, but '{part.name}' has only {part.steps}: "
            "what it reads would be 0 at all of them",
            key=key,
            remedy=f"Give the layers more than {_steps(connection.delay)} (and the data with them), or "
            "remove the connection",
        )


def _steps(count: int) -> str:
    return f"{count} step{'s' * (count != 1)}"


def _check_neurons(layer: LayerOutline, layers: Mapping[str, LayerOutline]) -> None:
    values, place = layer.values, layer.place
    if "size" in values and "width" in values:
        raise place.error("a layer with 'size' has no 'width'", key="width", remedy="Keep one of them")
    if "neurons" not in values:
        return
    for key in ("size", "width"):
        if key in values:
            raise place.error(
                f"{quoted(key)} stands beside 'neurons'",
                key=key,
                remedy=f"The neurons are those of {quoted(values['neurons'])}: write {quoted(key)} there",
            )
    path = [layer.name]
    while "neurons" in layers[path[-1]].values:
        owner = layers[path[-1]].values["neurons"]
        if owner not in layers:
            raise layers[path[-1]].place.error(
                f"there is no layer {quoted(owner)}", key="neurons", remedy=nearest(owner, layers)
            )
        if owner in path:
            circle = " -> ".join([*path[path.index(owner) :], owner])
            raise place.error(
                f"the neurons are shared in a circle: {circle}",
                key="neurons",
                remedy="Leave 'neurons' out in the layer whose own neurons they are",
            )
        path.append(owner)


def _check_weight_names(known: Outline) -> None:
    """A weight's own name is a field of the system, so it may be nothing else."""
    for part in known.parts:
        for connection in part.connections:
            name = connection.weight_name
            if name is None:
                continue
            place = connection.place
            check_name(name, place, "weight.name", "weight")
            if name in known.layers:
                raise place.error(f"{quoted(name)} is a layer already", key="weight.name", remedy=_ANOTHER)
            if name in part.parameters:
                raise place.error(
                    f"{quoted(name)} is a parameter already", key="weight.name", remedy=_ANOTHER
                )

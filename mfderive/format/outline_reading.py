"""From the tables of the layers to their outline: keys, names and kinds checked, every fault kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import FaultKind, nearest_word, quoted, shown
from ..errors.gathering import Faults
from ..forward.kinds import COMMON, DEFAULT_KIND, KINDS, ConnectionKind, connection_keys
from ..network.names import INPUT, MAIN, OUTPUT
from ..network.place import Place, other_kinds_keys
from ..network.tables import LAYER, WEIGHT_KEYS
from ..network.tables import OUTPUT as OUTPUT_KEYS
from ..network.values import NAME, Table
from .groups import Written, write_out
from .outline import ConnectionOutline, LayerOutline, Outline, Raw
from .outline_checks import ANOTHER, check_name, checked_outline

# What is in doubt where the source or the kind of a connection is: the connection is left out.
_OPEN = frozenset({"connections", "from"})


def outline(layers: list[Raw], output: Raw | None, file: str | None, faults: Faults) -> Outline:
    """Check keys, names, sources and neurons of all layers and of the output (None: it is not there).

    What is wrong is kept in ``faults``; the outline has what is right, with the keys that are in doubt.
    """
    found: dict[str, LayerOutline] = {}
    written, renamed, complete = write_out(layers, output or {}, file, faults)
    for each in written:
        layer = _layer(each, faults)
        if layer is None:
            complete = False
        elif layer.name in found:
            problem = f"two layers are called {quoted(layer.name)}"
            faults.add(layer.place.error(problem, key="name", remedy="Give each its own name"))
            complete = False  # one of them has another layer's name
            # What else is wrong in it is said too; no spec can have this name.
            name = f"{layer.name} ({len(found)})"
            found[name] = replace(layer, name=name)
        else:
            found[layer.name] = layer
    last = LayerOutline(OUTPUT, {}, Place.of(file, OUTPUT), (), (), _OPEN)
    if output is not None:
        last = _output(renamed, file, faults)
    return checked_outline(Outline(found, last, is_complete=complete), faults)


def _layer(written: Written, faults: Faults) -> LayerOutline | None:
    """One layer; None where even its name is wrong."""
    place, own = written.place, Faults()
    table = _connections(written.values, place, LAYER, own)
    values, connections, doubts = table.values, table.connections, table.doubts
    if "name" in values:
        own.tried(check_name, values["name"], place, "name", "layer")
    first = connections[0] if connections else None
    if first and first.short and first.kind.shares_neurons and first.source != INPUT:
        values = {"neurons": first.source, **values}
    parameters = tuple(
        name for name in values.get("parameters", {}) if own.tried(_parameter, name, place) is not None
    )
    if len(parameters) < len(values.get("parameters", {})):
        doubts |= {"parameters"}
    sound = tuple(each for each in connections if own.tried(_into, each, parameters) is not None)
    if len(sound) < len(connections):
        doubts |= _OPEN
    if not connections and not doubts & _OPEN:
        remedy = 'Write from = "..." or [[layers.connections]]'
        own.add(place.error("the layer has no source", "from", remedy, FaultKind.MISSING_KEY))
        doubts |= _OPEN
    for error in own.found:
        faults.add(error)
    if "name" not in values or any(error.key == "name" for error in own.found):
        return None
    return LayerOutline(values["name"], values, place, sound, parameters, doubts)


def _parameter(name: str, place: Place) -> str:
    """The name of a parameter, if it is one."""
    key = f"parameters.{name}"
    if not NAME.accepts(name):
        raise place.error(f"{quoted(name)} is not a name", key=key, remedy=f"It must be {NAME.words}")
    check_name(name, place, key, "parameter")
    return name


def _into(connection: ConnectionOutline, parameters: tuple[str, ...]) -> str:
    """The pre-activation of a connection, whose name is no other's."""
    into = connection.into
    if into != MAIN:
        check_name(into, connection.place, "into", "pre-activation")
    if into in parameters:
        raise connection.place.error(
            f"{quoted(into)} is a parameter of the layer already", key="into", remedy=ANOTHER
        )
    return into


def _output(values: Raw, file: str | None, faults: Faults) -> LayerOutline:
    place = Place.of(file, OUTPUT)
    table = _connections(values, place, OUTPUT_KEYS, faults)
    if not table.connections and not table.doubts & _OPEN:
        remedy = 'Write from = "..." or [[output.connections]]'
        faults.add(place.error("the output has no source", "from", remedy, FaultKind.MISSING_KEY))
    sound = tuple(each for each in table.connections if faults.tried(_into_output, each) is not None)
    return LayerOutline(OUTPUT, table.values, place, sound, (), table.doubts)


def _into_output(connection: ConnectionOutline) -> ConnectionOutline:
    """A connection that may lead into the output."""
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
    return connection


@dataclass(frozen=True)
class _Table:
    """The table of a layer or of the output: its sound entries, its connections, its keys in doubt."""

    values: Raw
    connections: tuple[ConnectionOutline, ...]
    doubts: frozenset[str]


def _connections(values: Raw, place: Place, keys: Table, faults: Faults) -> _Table:
    """The connections in long form, whichever form they are written in; checks the keys of the table."""
    if "connections" not in values:
        return _short_form(values, place, keys, faults)
    beside = {key: value for key, value in values.items() if key in (*COMMON, "average")}
    for key in beside:
        faults.add(
            place.error(
                f"{quoted(key)} stands beside [[connections]]",
                key=key,
                remedy="Write one connection in the table of the layer, or all of them as [[connections]]",
                kind=FaultKind.REFUSED_KEY,
            )
        )
    sound = place.sound({key: value for key, value in values.items() if key not in beside}, keys, faults)
    tables = sound.values.get("connections", ())
    found = [
        _connection(table, place.inside(f"connections[{number}]", "connections", number), faults)
        for number, table in enumerate(tables)
    ]
    connections = tuple(each for each in found if each is not None)
    doubts = sound.doubts | (_OPEN if len(connections) < len(found) else frozenset())
    if any(each.doubts for each in connections):
        doubts |= {"weight"}
    return _Table(sound.values, connections, doubts | beside.keys())


def _short_form(values: Raw, place: Place, keys: Table, faults: Faults) -> _Table:
    """A table that has the keys of its only connection among its own."""
    kind = faults.tried(_kind, values, place)
    if kind is None:
        sound = place.sound({key: value for key, value in values.items() if key in keys}, keys, faults)
        return _Table(sound.values, (), sound.doubts | _OPEN)
    own = connection_keys(kind)
    # That `from` is missing is said of the layer, in its own words.
    optional = {name: replace(key, required=key.required and name != "from") for name, key in own.items()}
    sound = place.sound(values, {**keys, **optional}, faults, _foreign(kind, {**keys, **own}))
    values, doubts = _with_weight(sound.values, place, sound.doubts, faults)
    if "from" not in values:
        return _Table(values, (), doubts)
    short = {key: value for key, value in values.items() if key in own}
    connection = ConnectionOutline(values["from"], kind, short, place, True, doubts)
    return _Table(values, (connection,), doubts)


def _kind(values: Raw, place: Place) -> ConnectionKind:
    name = values.get("kind", DEFAULT_KIND)
    if not isinstance(name, str) or name not in KINDS:
        raise place.error(
            f"unknown kind {shown(name)}", "kind", nearest_word(str(name), KINDS), FaultKind.WRONG_VALUE
        )
    return KINDS[name]


def _foreign(kind: ConnectionKind, keys: Table) -> dict[str, tuple[str, str]]:
    """The keys of other kinds, with the reason why they are refused, and the kinds that have them."""
    kinds = {name: connection_keys(other) for name, other in KINDS.items()}
    return other_kinds_keys(kind.name, {**kinds, kind.name: keys}, "a connection")


def _connection(values: Raw, place: Place, faults: Faults) -> ConnectionOutline | None:
    """A connection in long form; None where its kind or its source is wrong."""
    kind = faults.tried(_kind, values, place)
    if kind is None:
        return None
    keys = connection_keys(kind)
    sound = place.sound(values, keys, faults, _foreign(kind, keys))
    values, doubts = _with_weight(sound.values, place, sound.doubts, faults)
    return ConnectionOutline(values["from"], kind, values, place, False, doubts) if "from" in values else None


def _with_weight(
    values: Mapping[str, object], place: Place, doubts: frozenset[str], faults: Faults
) -> tuple[Raw, frozenset[str]]:
    """The entries of a connection; a weight whose table is wrong is in doubt, and keeps its law, if any."""
    weight = values.get("weight")
    if isinstance(weight, Mapping):
        sound = place.inside("weight", "weight").sound(weight, WEIGHT_KEYS, faults)
        if sound.doubts:
            rest = {key: value for key, value in values.items() if key != "weight"}
            law = {key: value for key, value in sound.values.items() if key in ("law", "rate")}
            return rest | ({"weight": law} if "law" in law else {}), doubts | {"weight"}
    return values, doubts

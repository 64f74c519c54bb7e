"""Dotted keys of a spec (``layers.h2.weight``): what they name, and the changes that they stand for."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..errors import ArgumentError, nearest, nearest_word, quoted, shown
from ..forward.kinds import KINDS, connection_keys
from ..network.changes import merged
from ..network.data_keys import DATA_KINDS, data_keys
from ..network.tables import (
    DOCUMENT,
    GROUP,
    LAW,
    LAYER,
    LOSS_KINDS,
    OUTPUT,
    PARAMETER,
    REPEAT,
    SOLVER,
    TRAINING,
    WEIGHT,
    WEIGHT_KEYS,
    inner_loss_keys,
)
from ..network.values import TABLES, TEXT, Key, Table, is_number, table

Parts = tuple[str, ...]
Document = Mapping[str, Any]

_PART = re.compile(r"""(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))((?:\[\d+\])*)(?:\.|$)""", re.ASCII)
_PLACES = re.compile(r"\d+")
_LAYERS, _TITLE, _NAME = "layers", "title", "name"
_KIND = Key("kind", TEXT, "the kind of the table")
# Of these tables no run of a sweep reads anything.
_UNREAD = ("format", "check")
_HOW = 'Write for instance layers.h2.weight, training.learning_rate, training.weight_decay."h2.weight"'


def parts_of_key(text: Any) -> Parts:
    """The parts of a dotted key, as TOML has them; places in a list are ``connections[0]`` or ``.0``.

    Raises ArgumentError for what is no dotted key.
    """
    parts: list[str] = []
    place = 0
    while isinstance(text, str) and place < len(text):
        match = _PART.match(text, place)
        if match is None or (match.end() == len(text) and text[-1] == "."):
            break
        parts.append(next(part for part in match.groups()[:3] if part is not None))
        parts += _PLACES.findall(match[4])
        place = match.end()
    if not isinstance(text, str) or not parts or place < len(text):
        raise ArgumentError(f"set: {shown(text)} is no dotted key of a spec. {_HOW}")
    return tuple(parts)


def check_keys(document: Document, keys: Iterable[str]) -> dict[str, Parts]:
    """The parts of every key. Raises ArgumentError for one that names nothing, or a part of another one."""
    found = {key: parts_of_key(key) for key in keys}
    for key, parts in found.items():
        for other, longer in found.items():
            if other != key and longer[: len(parts)] == parts:
                raise ArgumentError(f"set {quoted(other)} changes a part of {quoted(key)}, which is set too")
        _check(document, key, parts)
    return found


def _check(document: Document, key: str, parts: Parts) -> None:
    lead, first = f"set {quoted(key)}", parts[0]
    allowed = [name for name in DOCUMENT if name not in _UNREAD]
    if first not in allowed:
        why = (
            f"nothing in a sweep reads [{first}]"
            if first in _UNREAD
            else f"there is no table {quoted(first)}"
        )
        raise ArgumentError(f"{lead}: {why}. {nearest_word(first, allowed)}")
    if len(parts) == 1 and first != _TITLE:
        raise ArgumentError(f"{lead}: {first} is a table; name a key in it. {_HOW}")
    if first == _LAYERS:
        layers = {str(layer.get(_NAME)): layer for layer in _all_layers(document[_LAYERS])}
        if parts[1] not in layers:
            raise ArgumentError(f"{lead}: there is no layer {quoted(parts[1])}. {nearest(parts[1], layers)}")
        if len(parts) == 2:
            raise ArgumentError(f"{lead}: {parts[1]} is a layer; name a key of it. {_HOW}")
    if DOCUMENT[first].type is TABLES and first not in document:
        raise ArgumentError(f"{lead}: the spec has no [[{first}]]. Add it there first")
    inside, place = _within(document, parts)
    if inside is not None and place < len(parts) and parts[place] not in inside:
        where = ".".join(parts[:place])
        raise ArgumentError(
            f"{lead}: {where} has no key {quoted(parts[place])}. {nearest_word(parts[place], inside)}"
        )
    _check_places(document, lead, parts)


def _check_places(document: Document, lead: str, parts: Parts) -> None:
    """Raise ArgumentError where a list is entered at a place that it does not have."""
    old: Any = document
    for place, part in enumerate(parts):
        if isinstance(old, list) and parts[:place] != (_LAYERS,):
            if not part.isdecimal() or int(part) >= len(old):
                where = ".".join(parts[:place])
                raise ArgumentError(
                    f"{lead}: {where} is a list; its places are 0 to {len(old) - 1}, not {quoted(part)}"
                )
            old = old[int(part)]
        else:
            old = _inside(old, part, parts[:place])


def _within(document: Document, parts: Parts) -> tuple[Table | None, int]:
    """The keys of the table in which a dotted key first names a key, and at which part; None: not known."""
    first = parts[0]
    if first == _LAYERS:
        layer = next(each for each in _all_layers(document[_LAYERS]) if each.get(_NAME) == parts[1])
        keys = GROUP if _LAYERS in layer else {**LAYER, REPEAT.name: REPEAT, **_connections()}
        return (_connections(), 4) if parts[2:3] == ("connections",) and len(parts) > 4 else (keys, 2)
    if first == "output":
        return (
            (_connections(), 3)
            if parts[1] == "connections" and len(parts) > 3
            else ({**OUTPUT, **_connections()}, 1)
        )
    if DOCUMENT[first].type is TABLES:
        inner = [inner_loss_keys(kind) for kind in LOSS_KINDS]
        return {**_union(inner), _KIND.name: _KIND}, 2
    return _TABLES[first]() if first in _TABLES else None, 1


def _union(tables: Iterable[Table]) -> dict[str, Key]:
    return {name: key for each in tables for name, key in each.items()}


def _connections() -> dict[str, Key]:
    return _union(connection_keys(kind) for kind in KINDS.values())


_TABLES: Mapping[str, Callable[[], Table]] = {
    # Which kind a table has may be set as well, so the keys of all kinds are let through here.
    "data": lambda: {**_union(data_keys(kind) for kind in DATA_KINDS), _KIND.name: _KIND},
    "loss": lambda: {**_union(LOSS_KINDS.values()), _KIND.name: _KIND},
    "training": lambda: TRAINING,
    "solver": lambda: SOLVER,
}


def fitting(document: Document, parts: Parts, value: Any) -> Any:
    """A number as a text where only a text can stand: a law, an expression."""
    if isinstance(value, Mapping):
        return {name: fitting(document, (*parts, name), entry) for name, entry in value.items()}
    if not is_number(value):
        return value
    key = _key_of(document, parts)
    text = repr(value)
    return text if key is not None and not key.type.accepts(value) and key.type.accepts(text) else value


def _key_of(document: Document, parts: Parts) -> Key | None:
    """The key that a dotted key names, as far as tables of keys know it."""
    inside, place = _within(document, parts)
    key: Key | None = None
    while inside is not None and place < len(parts):
        key = inside.get(parts[place])
        place += 1
        if key is None:
            return None
        inside = _below(key, parts[place:])
    return key if place == len(parts) else None


def _below(key: Key, rest: Parts) -> Table | None:
    """The keys of the table that may stand at a key."""
    if key.type is WEIGHT:
        return WEIGHT_KEYS
    if key.type is LAW:
        return PARAMETER
    if key.name == "parameters" and rest:
        return table(Key(rest[0], LAW, "the law of a parameter"))
    return None


def changes_of(document: Document, values: Mapping[Parts, Any]) -> dict[str, Any]:
    """The arguments of ``network.replace`` for new values at dotted keys."""
    changes: dict[str, Any] = {}
    for parts, value in values.items():
        _put(changes, document, parts, value, ())
    return changes


def _put(changes: dict[str, Any], old: Any, parts: Parts, value: Any, above: Parts) -> None:
    part, rest = parts[0], parts[1:]
    known = _inside(old, part, above)
    if not rest:
        changes[part] = value
    elif isinstance(known, list) and (*above, part) != (_LAYERS,):
        entries = changes.setdefault(part, copy.deepcopy(known))
        place, inside = int(rest[0]), rest[1:]
        for name in reversed(inside):
            value = {name: value}
        entries[place] = merged(entries[place], value)
    else:
        _put(changes.setdefault(part, {}), known, rest, value, (*above, part))


def _inside(old: Any, part: str, above: Parts) -> Any:
    """What stands at a part of a table; layers stand in a list and are found by their names."""
    if above == (_LAYERS,) and isinstance(old, list):
        return next((layer for layer in _all_layers(old) if layer.get(_NAME) == part), None)
    return old.get(part) if isinstance(old, Mapping) else None


def _all_layers(layers: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for layer in layers:
        yield layer
        yield from _all_layers(layer.get(_LAYERS, ()))

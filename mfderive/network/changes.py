"""A spec document with some entries changed: what ``network.replace`` writes before it is read again."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import ArgumentError, nearest, nearest_word, quoted, shown
from .names import OUTPUT
from .tables import DOCUMENT
from .values import TABLES

Document = Mapping[str, Any]

LAYERS = "layers"
_TITLE, _FORMAT, _KIND, _LAW = "title", "format", "kind", "law"
# Entries that are a kind where they are a string, and a table with a kind else.
_OF_A_KIND = ("optimizer", "schedule", "rate")
# Tables in which all keys but these depend on the kind.
_BY_KIND = ("data", "loss")


def changed_document(document: Document, changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a document with changes by table: ``{"training": {"steps": 10}, "layers": {"h2": {...}}}``.

    Keys that are not named stay; None removes one. Tables in tables are changed alike, and a law that stands
    as a string becomes ``{"law": ...}`` where its rate or name is given (a learning rule or a schedule
    ``{"kind": ...}``). Another ``kind`` of these, in ``[data]`` or in ``[loss]`` replaces the whole table.
    Layers are named as in the file (a list replaces all of them, and all of the inner losses).
    Raises ArgumentError for tables and layers that do not exist; what the new values mean is not looked at.
    """
    result = copy.deepcopy(dict(document))
    for name, change in changes.items():
        if name not in DOCUMENT or name == _FORMAT:
            allowed = [table for table in DOCUMENT if table != _FORMAT]
            raise ArgumentError(
                f"a network has no table {quoted(name)} to change. {nearest_word(name, allowed)}"
            )
        value = _plain(change)
        if name == _TITLE or (DOCUMENT[name].type is TABLES and isinstance(value, list)):
            result[name] = value
            continue
        if not isinstance(value, dict):
            raise ArgumentError(
                f"{name} is {shown(change)}; give a dictionary with the keys that change, for instance "
                f"{_example(name)}"
            )
        if name == LAYERS:
            _change_layers(result, value)
        elif name in _BY_KIND and value.get(_KIND) not in (None, result[name].get(_KIND)):
            result[name] = value
        else:
            result[name] = merged(result.get(name, {}), value)
    return result


def changed_keys(document: Document, changes: Mapping[str, Any]) -> list[str]:
    """What changes change, as messages name it: "training.steps", "layers.h2", "title"."""
    found = []
    for name, change in changes.items():
        old = document.get(name)
        if not isinstance(change, Mapping):
            found.append(name)
        elif name == LAYERS or not isinstance(old, Mapping):
            found += [f"{name}.{key}" for key in change]
        else:
            found += [f"{name}.{key}" for key, value in change.items() if old.get(key) != _plain(value)]
    return found


def _example(name: str) -> str:
    if name == LAYERS:
        return 'layers={"h2": {"activation": "tanh"}}'
    return 'output={"bias": "0"}' if name == OUTPUT else 'training={"steps": 100}'


def _plain(value: Any) -> Any:
    """Plain data as a file holds it: numpy's numbers become Python's, tuples lists."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    item = getattr(value, "item", None)
    return item() if callable(item) and getattr(value, "ndim", None) == 0 else value


def _change_layers(document: dict[str, Any], changes: Mapping[str, Any]) -> None:
    layers = {layer.get("name"): (layer, among) for layer, among in _all_layers(document[LAYERS])}
    for name, change in changes.items():
        if name not in layers:
            known = [str(layer) for layer in layers]
            raise ArgumentError(
                f"there is no layer {shown(name)} to change. {nearest(str(name), known)}. New layers: give "
                "layers the list of all of them"
            )
        layer, among = layers[name]
        position = next(number for number, each in enumerate(among) if each is layer)
        if change is None:
            del among[position]
        elif isinstance(change, Mapping):
            among[position] = merged(layer, change)
        else:
            raise ArgumentError(f"layers[{shown(name)}] is {shown(change)}; give a dictionary, or None")


def _all_layers(layers: list[Any]) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """Every table of a layer or a group, with the list in which it stands."""
    for layer in layers:
        yield layer, layers
        yield from _all_layers(layer.get(LAYERS, []))


def merged(old: Any, new: Any, entry: str = "") -> Any:
    """An entry after a change: of two tables one, and else the new value."""
    if not isinstance(new, Mapping):
        return new
    word = _KIND if entry in _OF_A_KIND else _LAW
    if isinstance(old, str) and word not in new:
        old = {word: old}
    base = dict(old) if isinstance(old, Mapping) else {}
    if entry in _OF_A_KIND and new.get(_KIND, base.get(_KIND)) != base.get(_KIND):
        base = {}
    for key, value in new.items():
        if value is None:
            base.pop(key, None)
        else:
            base[key] = merged(base.get(key), value, key)
    return base

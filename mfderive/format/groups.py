"""Groups of layers that are written several times (``repeat``), written out.

The name of a group stands for what flows through it: inside the group it is the layer that enters a copy,
outside it the last layer of the last copy. Copy k of a layer ``h`` is called ``h_k``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import quoted
from ..errors.gathering import Faults
from ..forward.kinds import COMMON, DEFAULT_KIND, KINDS
from ..network.names import is_reserved
from ..network.place import Place
from ..network.tables import GROUP, LAYER

Raw = Mapping[str, Any]
# A name in a spec -> the layer that it means.
Meaning = Callable[[str], str]
# With every step of every layer: so many are read and checked in about a second.
MOST_LAYERS = 2_000


@dataclass(frozen=True)
class Written:
    """The table of one layer, with where it stands in the file."""

    values: Raw
    place: Place


# Keys of layers, which a group's own table has not.
_OF_LAYERS = dict.fromkeys(
    (LAYER.keys() | COMMON.keys()) - GROUP.keys(),
    ("it belongs to the layers of the group", "Write it in one of its [[layers.layers]]"),
)


def write_out(
    layers: list[Raw], output: Raw, file: str | None, faults: Faults
) -> tuple[list[Written], Raw, bool]:
    """All layers, groups written out, and the output, in which a group's name is its last layer.

    The last entry tells whether all of them are there: a group with a fault, which is kept, is not.
    """
    top = Place(file, path=("layers",))
    placed = [(values, _place(Place(file), values, number)) for number, values in enumerate(layers)]
    written, last, complete = _copies(placed, faults)
    if len(written) > MOST_LAYERS:
        raise top.error(
            f"there are {len(written)} layers", key="repeat", remedy=f"At most {MOST_LAYERS}", path=top.path
        )

    def meaning(name: str) -> str:
        return last.get(name, name)

    copies = [Written(renamed(each.values, meaning), each.place) for each in written]
    return copies, renamed(output, meaning), complete


def is_group(values: Raw) -> bool:
    """Whether a table among the layers is a group, or a layer that is repeated."""
    return "repeat" in values or "layers" in values


def _place(outer: Place, values: Raw, number: int) -> Place:
    name = values.get("name")
    called = f"layers[{number}]" + (f" {quoted(name)}" if isinstance(name, str) else "")
    return outer.inside(called, "layers", number)


def _copies(tables: list[tuple[Raw, Place]], faults: Faults) -> tuple[list[Written], dict[str, str], bool]:
    """The layers of some tables, for every group among them its last layer, and whether all could be read."""
    written: list[Written] = []
    last: dict[str, str] = {}
    complete = True
    for values, place in tables:
        if not is_group(values):
            written.append(Written(values, place))
            continue
        own = faults.tried(_group, values, place)
        if own is None:
            complete = False
            continue
        if values["name"] in last:
            problem = f"two groups are called {quoted(values['name'])}"
            faults.add(place.error(problem, key="name", remedy="Give each its own name"))
            complete = False
        last[values["name"]] = str(own[-1].values["name"])
        written += own
    return written, last, complete


def _group(values: Raw, place: Place) -> list[Written]:
    """The copies of a group, one after the other."""
    group = _as_group(values, place)
    place.check(group, GROUP, refused=_OF_LAYERS)
    name = group["name"]
    if is_reserved(name):
        raise place.error(
            f"{quoted(name)} is a reserved name, so no group can have it",
            key="name",
            remedy="Choose another name",
        )
    if not group["layers"]:
        raise place.error(
            "there are no layers in the group", key="layers", remedy="Write them as [[layers.layers]]"
        )
    single = group is not values
    faults = Faults()
    inner, last, _ = _copies(
        [(each, place if single else _place(place, each, n)) for n, each in enumerate(group["layers"])],
        faults,
    )
    faults.raise_any()
    for each in inner:
        _check_named(each)
    names = {each.values["name"] for each in inner}
    if name in names and not single:
        raise place.error(
            f"the group has the name of its layer {quoted(name)}", key="name", remedy="Rename one of them"
        )
    if group["repeat"] * len(inner) > MOST_LAYERS:
        raise place.error(
            f"{group['repeat']} copies of {len(inner)} layer{'s' * (len(inner) != 1)} are too many",
            key="repeat",
            remedy=f"At most {MOST_LAYERS} layers",
        )
    copies: list[Written] = []
    entering = group["from"]
    for number in range(1, group["repeat"] + 1):

        def meaning(word: str, number: int = number, entering: str = entering) -> str:
            word = last.get(word, word)
            if word == name:
                return entering
            return f"{word}_{number}" if word in names else word

        copies += [_copy(each, number, meaning) for each in inner]
        entering = copies[-1].values["name"]
    return copies


def _check_named(written: Written) -> None:
    """Copies are told apart by the names of their layers, so that none may be without one."""
    own = {key: written.values[key] for key in ("name",) if key in written.values}
    written.place.check(own, {"name": LAYER["name"]})


def _as_group(values: Raw, place: Place) -> Raw:
    """A repeated layer as the group that it is short for: a chain of copies that read each other."""
    if "layers" in values:
        return values
    if "connections" in values or "from" not in values:
        raise place.error(
            "'repeat' stands in a layer with [[connections]]",
            key="repeat",
            remedy="Write a group: name, repeat, from, and its layers as [[layers.layers]]",
        )
    layer = {key: value for key, value in values.items() if key != "repeat"}
    layer["from"] = values.get("name")
    group = {key: values[key] for key in ("name", "repeat", "from") if key in values}
    return {**group, "layers": [layer]}


def _copy(written: Written, number: int, meaning: Meaning) -> Written:
    values = dict(renamed(written.values, meaning))
    name = values["name"]
    values["name"] = f"{name}_{number}"
    if written.values.get("neurons") == name:  # the same neurons in every copy: those of the first
        values["neurons"] = f"{name}_1"
        for key in ("neurons",) if number == 1 else ("size", "width"):
            values.pop(key, None)
    if number > 1:
        values = _without_laws(values)
    return Written(values, written.place.inside(f"copy {number}"))


def _without_laws(values: dict[str, Any]) -> dict[str, Any]:
    """Later copies mention a weight that has a name of its own; the first copy has its law."""

    def weight(table: Raw) -> Raw:
        found = table.get("weight")
        if not (isinstance(found, Mapping) and "name" in found):
            return table
        kept = {key: value for key, value in found.items() if key not in ("law", "rate")}
        return {**table, "weight": kept}

    values = dict(weight(values))
    connections = values.get("connections")
    if isinstance(connections, list | tuple):
        values["connections"] = [weight(c) if isinstance(c, Mapping) else c for c in connections]
    return values


def renamed(values: Raw, meaning: Meaning) -> Raw:
    """The table of a layer (or the output) in which names of layers are exchanged."""

    def connection(table: Raw) -> Raw:
        kind = KINDS.get(str(table.get("kind", DEFAULT_KIND)))
        keys = ("from", *(kind.layers if kind else ()))
        named = {key: meaning(table[key]) for key in keys if isinstance(table.get(key), str)}
        return {**table, **named}

    result = dict(connection(values))
    if isinstance(values.get("neurons"), str):
        result["neurons"] = meaning(values["neurons"])
    connections = values.get("connections")
    if isinstance(connections, list | tuple):
        result["connections"] = [connection(c) if isinstance(c, Mapping) else c for c in connections]
    return result

"""What needs the outline of all layers: sources, steps, shared neurons, names of weights."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from dataclasses import replace

from ..errors import nearest, quoted
from ..errors.gathering import Faults
from ..forward.kinds import STEPS
from ..network.names import INPUT, OUTPUT, is_reserved
from ..network.place import Place
from .groups import MOST_LAYERS
from .outline import ConnectionOutline, LayerOutline, Outline

ANOTHER = "Choose another name"


def checked_outline(known: Outline, faults: Faults) -> Outline:
    """The outline with what contradicts other layers left out, its keys in doubt; faults are kept."""
    faults.tried(_check_number, known.layers)
    layers = dict(known.layers)
    for name, layer in known.layers.items():
        owned = faults.tried(_check_neurons, layer, layers, known.is_complete)
        if owned is not True:
            values = {key: value for key, value in layer.values.items() if key != "neurons"}
            layers[name] = replace(layer, values=values, doubts=layer.doubts | {"neurons"})
    known = replace(known, layers=layers)
    known = replace(
        known,
        layers={name: _with_sources(layer, known, faults) for name, layer in layers.items()},
        output=_with_sources(known.output, known, faults),
    )
    for part in known.parts:
        for connection in part.connections:
            faults.tried(_check_weight_name, connection, part, known)
    return known


def check_name(name: str, place: Place, key: str, what: str) -> None:
    """Refuse a name that has a meaning of its own."""
    if is_reserved(name) or keyword.iskeyword(name):
        raise place.error(
            f"{quoted(name)} is a reserved name, so no {what} can have it",
            key=key,
            remedy=ANOTHER,
        )


def _with_sources(part: LayerOutline, known: Outline, faults: Faults) -> LayerOutline:
    """The layer with the connections whose sources are there; the others are in doubt."""
    sound = tuple(each for each in part.connections if faults.tried(_check_source, each, part, known) is True)
    if len(sound) == len(part.connections):
        return part
    return replace(part, connections=sound, doubts=part.doubts | {"connections", "from"})


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


def _check_source(connection: ConnectionOutline, part: LayerOutline, known: Outline) -> bool:
    """Whether a connection's source is known. Raises where it is not, or does not fit."""
    source, place = connection.source, connection.place
    if source != INPUT and source not in known.layers:
        if source != OUTPUT and not known.is_complete:
            return False  # it may be one of the layers that could not be read
        if connection.kind.shares_neurons and "neurons" in part.doubts:
            return False  # it is the owner of the neurons as well, of which this was said
        what = "the output is not a source" if source == OUTPUT else f"there is no layer {quoted(source)}"
        raise place.error(what, key="from", remedy=nearest(source, [INPUT, *known.layers]))
    for key in connection.kind.layers:
        other = connection.values.get(key)
        if other is not None and other not in known.layers:
            if not known.is_complete:
                return False
            remedy = nearest(str(other), known.layers)
            raise place.error(f"there is no layer {quoted(other)}", key=key, remedy=remedy)
    doubts = part.doubts | (known.layers[source].doubts if source != INPUT else frozenset())
    if STEPS not in doubts and "delay" not in connection.doubts:
        _check_steps(connection, part, known)
    if connection.kind.shares_neurons and "neurons" not in doubts:
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
    return True


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


def _check_neurons(layer: LayerOutline, layers: Mapping[str, LayerOutline], complete: bool) -> bool:
    """Whether the owner of a layer's neurons is known. Raises where it is not, or contradicts other keys."""
    values, place = layer.values, layer.place
    if "size" in values and "width" in values:
        raise place.error("a layer with 'size' has no 'width'", key="width", remedy="Keep one of them")
    if "neurons" not in values:
        return True
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
        if owner not in layers and not complete:
            return False
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
    return True


def _check_weight_name(connection: ConnectionOutline, part: LayerOutline, known: Outline) -> None:
    """A weight's own name is a field of the system, so it may be nothing else."""
    name, place = connection.weight_name, connection.place
    if name is None:
        return
    check_name(name, place, "weight.name", "weight")
    for names, what in ((known.layers, "layer"), (part.parameters, "parameter")):
        if name in names:
            raise place.error(f"{quoted(name)} is a {what} already", key="weight.name", remedy=ANOTHER)

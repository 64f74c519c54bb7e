"""Checks that need all layers: the order of evaluation, tied weights, laws that name each other."""

from __future__ import annotations

from collections.abc import Mapping, Set
from graphlib import CycleError, TopologicalSorter
from heapq import heapify, heappop, heappush

from ..algebra.laws import End
from ..algebra.local_symbols import base_of, end_of
from ..algebra.losses import LOSSES, Targets
from ..errors import SpecError, nearest, quoted
from ..network.names import (
    INPUT,
    OUTPUT,
    attributes,
    connection_weights,
    is_finite,
    parameter_rates,
    parts_of,
    population_of,
)
from ..network.network import Connection, LawSpec, Layer, Network, Output
from ..network.tables import BY_AXIS
from ..network.training_keys import DEFAULT
from .data_table import known_inputs


def evaluation_order(layers: tuple[Layer, ...], file: str | None) -> tuple[Layer, ...]:
    """The layers so that sources, and owners of shared neurons, come first; otherwise as in the file.

    Raises :class:`SpecError` that names the path of a cycle.
    """
    sources = {
        layer.name: set().union(*(connection.now for connection in layer.connections)) - {INPUT}
        for layer in layers
    }
    order, waiting = _sorted(layers, sources)
    if waiting:
        raise _cycle([layer for layer in layers if layer.name in waiting], file)
    owners = {
        layer.name: sources[layer.name] | ({layer.neurons} if layer.neurons else set()) for layer in layers
    }
    order, waiting = _sorted(layers, owners)
    for layer in layers:
        if layer.name in waiting and layer.neurons in waiting:
            raise SpecError(
                f"{quoted(layer.neurons)}, whose neurons {quoted(layer.name)} shares, is evaluated after it",
                file=file,
                table=layer.table,
                key="neurons",
                remedy=f'Turn it round: write neurons = "{layer.name}" in {quoted(layer.neurons)}',
            )
    return order


def _sorted(layers: tuple[Layer, ...], waits: Mapping[str, Set[str]]) -> tuple[tuple[Layer, ...], set[str]]:
    """The layers in an order in which nothing waits, and the names of those that wait for ever."""
    position = {layer.name: number for number, layer in enumerate(layers)}
    readers: dict[str, list[str]] = {name: [] for name in waits}
    for name, needed in waits.items():
        for source in needed:
            readers[source].append(name)
    ready = [position[name] for name, needed in waits.items() if not needed]
    heapify(ready)
    order: list[Layer] = []
    left = {name: len(needed) for name, needed in waits.items()}
    while ready:
        layer = layers[heappop(ready)]
        order.append(layer)
        for name in readers[layer.name]:
            left[name] -= 1
            if left[name] == 0:
                heappush(ready, position[name])
    return tuple(order), {name for name, count in left.items() if count}


def _cycle(layers: list[Layer], file: str | None) -> SpecError:
    """The error for layers that wait for each other: follow sources until a layer comes again."""
    known = {layer.name: layer for layer in layers}
    path = [layers[0].name]
    while True:
        following = next(
            source
            for connection in known[path[-1]].connections
            for source in (connection.source, *connection.reads)
            if source in connection.now and source in known
        )
        if following in path:
            circle = [*path[path.index(following) :], following][::-1]
            break
        path.append(following)
    return SpecError(
        f"the layers form a cycle: {' -> '.join(circle)}",
        file=file,
        table=known[circle[-1]].table,
        key="from",
        remedy="A network is evaluated from x to the output. To read the step before, give the layers "
        'steps = T and the connection kind = "recurrent"',
    )


# --- tied weights -------------------------------------------------------------------------------------


def check_ties(network: Network) -> None:
    """The first mention of a weight's name has its law, the later ones have not, and shapes agree.

    First is what is evaluated first, so that the order of the layers in the file does not matter. Sizes
    that only the data know are compared by the forward equations.
    """
    first: dict[str, tuple[Layer | Output, Connection]] = {}
    for part in parts_of(network):
        for connection in part.connections:
            weight = connection.weight
            if weight is None or weight.name is None:
                continue
            if weight.name not in first:
                if weight.law is None:
                    raise _tie_error(
                        network,
                        connection,
                        f"the weight '{weight.name}' is mentioned here first, but has no law",
                        "The first mention of a name gives law and rate, later ones only the name",
                    )
                first[weight.name] = (part, connection)
                continue
            if weight.law is not None:
                raise _tie_error(
                    network,
                    connection,
                    f"the weight '{weight.name}' has its law already in {first[weight.name][1].table}",
                    "Remove law and rate here to use the same weight, or choose another name",
                )
            _check_shapes(network, first[weight.name], (part, connection))


def _check_shapes(
    network: Network, first: tuple[Layer | Output, Connection], later: tuple[Layer | Output, Connection]
) -> None:
    weight = later[1].weight
    if weight is None:
        return
    kernels = [dict(connection.options).get("kernel") for _, connection in (first, later)]
    if kernels[0] != kernels[1]:
        problem = "ties connections of unequal kinds or kernels"
        raise _tie_error(network, later[1], f"the weight '{weight.name}' {problem}", "They must be equal")
    given = _ends(network, *first)
    wanted = _ends(network, *later)
    if weight.transpose:
        wanted = wanted[::-1]
    for there, here in zip(given, wanted, strict=True):
        if there[0] != here[0] or (None not in (there[1], here[1]) and there[1] != here[1]):
            swapped = " (transposed)" if weight.transpose else ""
            raise _tie_error(
                network,
                later[1],
                f"the weight '{weight.name}' has the shape {_words(given)} in {first[1].table}, but "
                f"{_words(wanted)} is needed here{swapped}",
                "Tied weights join the same populations; see 'neurons' and 'transpose'",
            )


Axis = tuple[str, str | int | None]


def _ends(network: Network, part: Layer | Output, connection: Connection) -> tuple[Axis, Axis]:
    """Target and source of a weight: ("population", name) or ("size", number or None if not known)."""
    target: Axis = ("size", part.outputs) if isinstance(part, Output) else _neurons(network, part.name)
    source: Axis = (
        ("size", _inputs(network)) if connection.source == INPUT else _neurons(network, connection.source)
    )
    return target, source


def _neurons(network: Network, layer: str) -> Axis:
    root = population_of(network, layer)
    size = network.layer[root].size
    return ("size", size) if size is not None else ("population", root)


def _inputs(network: Network) -> int | None:
    """The number of inputs where the spec tells it and x has no positions."""
    return None if "shape" in network.data.get else known_inputs(network.data)


def _words(ends: tuple[Axis, Axis]) -> str:
    words = [f"{quoted(name)}" if isinstance(name, str) else str(name or "?") for _, name in ends]
    return f"[{', '.join(words)}]"


def _tie_error(network: Network, connection: Connection, problem: str, remedy: str) -> SpecError:
    return SpecError(problem, file=network.where, table=connection.table, key="weight", remedy=remedy)


# --- losses on inner layers ---------------------------------------------------------------------------


def check_losses(network: Network) -> None:
    """Losses beside the output's stand on finite layers, and take the targets that the output's takes."""
    for inner in network.losses:

        def error(problem: str, key: str, remedy: str, table: str = inner.table) -> SpecError:
            return SpecError(problem, file=network.where, table=table, key=key, remedy=remedy)

        name = inner.source
        if name not in network.layer:
            own = "[loss] is the output's; " if name == OUTPUT else ""
            raise error(f"there is no layer {quoted(name)}", "from", own + nearest(name, network.layer))
        if not is_finite(network, name):
            raise error(
                f"{quoted(name)} is an infinitely wide layer, whose neurons y does not belong to",
                "from",
                "Give the loss a head: a layer that reads it, with size = the number of outputs and a weight",
            )
        wanted, given = (
            LOSSES[loss.kind].targets if loss.kind in LOSSES else Targets.NUMBERS
            for loss in (inner.loss, network.loss)
        )
        if wanted not in (Targets.NUMBERS, given):
            raise error(
                f"the {inner.loss.kind} loss takes other targets than the output's ({network.loss.kind})",
                "kind",
                "Use a loss here that takes the same targets, or one that takes any numbers (squared, huber)",
            )


# --- axes that [solver] names ---------------------------------------------------------------------------


def check_axes(network: Network) -> None:
    """What [solver] gives by name is given for populations, or for the noise of weights between two."""
    populations = [layer.name for layer in network.layers if layer.neurons is None and layer.size is None]
    noises = [
        f"noise {weight}"
        for part in network.layers
        for weight, connection in zip(connection_weights(part), part.connections, strict=True)
        if weight is not None
        and not is_finite(network, connection.source)
        and not is_finite(network, part.name)
    ]
    for key, value in network.solver:
        if key not in BY_AXIS or not isinstance(value, tuple):
            continue
        known = populations if key == "widths" else [*populations, *noises]
        for name, _ in value:
            if name not in known:
                shared = name in network.layer and network.layer[name].neurons
                why = f"the layer {quoted(name)} has the neurons of {quoted(shared)}" if shared else ""
                raise SpecError(
                    why or f"there is no population {quoted(name)} to give {key} for",
                    file=network.where,
                    table="solver",
                    key=f"{key}.{name}",
                    remedy=nearest(name, known),
                )


# --- parameters that [training] names -------------------------------------------------------------------


def check_training(network: Network) -> None:
    """What [training] gives by parameter is given for parameters that exist and are trained."""
    rates = parameter_rates(network)
    trained = [name for name, rate in rates.items() if rate != 0]
    for key in ("weight_decay", "noise"):
        for name, _ in getattr(network.training, key):
            if name and name not in trained:
                frozen = f"the parameter {quoted(name)} is frozen (rate 0), so that nothing acts on it"
                raise SpecError(
                    frozen if name in rates else f"there is no parameter {quoted(name)}",
                    file=network.where,
                    table="training",
                    key=f"{key}.{name}",
                    remedy=nearest(name, [*trained, DEFAULT]),
                )


# --- laws that name other parameters ------------------------------------------------------------------


def check_laws(network: Network) -> None:
    """No parameter's law may lead back to the parameter itself."""
    needs: dict[str, set[str]] = {}
    known = {name: attributes(network, name) for name in (*network.layer, OUTPUT)}
    for part in parts_of(network):
        name = OUTPUT if isinstance(part, Output) else part.name
        laws: list[tuple[str, LawSpec, str]] = []
        if part.bias is not None:
            laws.append((f"{name}.bias", part.bias.law, name))
        if isinstance(part, Layer):
            laws += [(f"{name}.{key}", parameter.law, name) for key, parameter in part.parameters]
        for full, connection in zip(connection_weights(part), part.connections, strict=True):
            if full is not None and connection.weight is not None and connection.weight.law is not None:
                laws.append((full, connection.weight.law, connection.source))
        for full, law, source in laws:
            needs[full] = {
                known[name if end_of(symbol) is End.TARGET else source][base_of(symbol)]
                for argument in law.arguments
                for symbol in argument.free_symbols
                if end_of(symbol) is not None
            }
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise SpecError(
            f"the laws of these parameters name each other in a circle: {circle}",
            file=network.where,
            remedy="Give one of them a law that names no other parameter",
        ) from None

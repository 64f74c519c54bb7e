"""The graph of a network as plain data: what ``run.json`` keeps of it and what the drawing is made of.

Nodes are the data, the layers and the output; edges are the connections, each with the letter that its
weight has in the equations. A long row of layers that repeat each other is folded into one node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sympy as sp

from ..algebra.system import ForwardSystem
from ..algebra.terms import Field
from ..forward.builder import GROUPS, POSITIONS
from ..network.names import INPUT, MAIN, OUTPUT, connection_weights, parts_of, population_of
from ..network.network import Connection, Layer, Network
from ..notation.letters import Letters

Data = Mapping[str, Any]
FOLD = "fold"
# What becomes of a layer's neurons in the limit.
ONE_TYPE, MANY_TYPES = "one type", "random types"
_LONGEST_PERIOD = 8
_FEWEST_COPIES = 6
# What the drawing calls a kind; kinds that are not here go by their own name.
_KIND_WORDS = {
    "dense": "",
    "recurrent": "",
    "convolution": "conv",
    "transposed-convolution": "conv transposed",
}
_LONGEST_FORMULA = 24


def graph_data(
    network: Network, system: ForwardSystem, reduced: ForwardSystem | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Nodes and edges of a resolved network, in the order of evaluation.

    ``system`` has the letters and the sizes; ``reduced``, its reduction, tells which layers are one type.
    Node keys: name, role (input, population, finite, output), neurons (in words), population, shared, types,
    positions (sizes), steps, activation. Edge keys: source, target, kind, weight (its full name), letter,
    tied, transposed, into, delay, strided, words (what is to be known of the kind and the operation).
    """
    letters = Letters(system)
    uses = [name for part in parts_of(network) for name in connection_weights(part) if name is not None]
    members = [population_of(network, layer.name) for layer in network.layers]
    nodes = [_input_node(network, system)]
    nodes += [_layer_node(network, layer, system, reduced, members) for layer in network.layers]
    nodes.append(_output_node(network))
    edges: list[dict[str, Any]] = []
    for part in parts_of(network):
        name = part.name if isinstance(part, Layer) else OUTPUT
        for weight, connection in zip(connection_weights(part), part.connections, strict=True):
            letter = None if weight is None else letters.field(weight).data
            edges.append(_edge(name, connection, weight, letter, uses.count(weight or "") > 1))
            edges += [_reading(name, connection, layer) for layer in connection.reads]
    return {"nodes": nodes, "edges": edges}


def _node(name: str, role: str, neurons: str, **more: Any) -> dict[str, Any]:
    blank: dict[str, Any] = {
        "population": None,
        "shared": False,
        "types": None,
        "positions": [],
        "steps": 0,
        "activation": "",
    }
    return {"name": name, "role": role, "neurons": neurons, **blank, **more}


def _input_node(network: Network, system: ForwardSystem) -> dict[str, Any]:
    axes = [system.axis[axis] for axis in system.field[INPUT].axes[1:]]
    steps = next((axis.size or 0 for axis in axes if axis.part == "steps"), 0)
    width = next((axis.size for axis in axes if axis.part in ("inputs", "channels")), 0)
    word = "channel" if any(axis.part == "channels" for axis in axes) else "input"
    positions = [axis.size for axis in axes if axis.part == "positions"]
    neurons = f"{width} {word}{'' if width == 1 else 's'}"
    return _node(INPUT, "input", neurons, positions=positions, steps=steps, activation=network.data.kind)


def _output_node(network: Network) -> dict[str, Any]:
    count = network.outputs or 1
    words = f"{count} output{'' if count == 1 else 's'}"
    return _node(OUTPUT, "output", words, activation=f"loss: {network.loss.kind}")


def _layer_node(
    network: Network,
    layer: Layer,
    system: ForwardSystem,
    reduced: ForwardSystem | None,
    members: Sequence[str],
) -> dict[str, Any]:
    population = population_of(network, layer.name)
    owner = network.layer[population]
    kept = _first_field(system, layer)
    neuron = next((axis for axis in kept.axes if axis == population), None)
    return _node(
        layer.name,
        "population" if owner.size is None else "finite",
        _neurons(layer, owner, next(iter(_sizes(system, kept, GROUPS)), 0)),
        population=population,
        shared=members.count(population) > 1,
        types=_types(reduced, kept.name, population) if neuron and owner.size is None else None,
        positions=_sizes(system, kept, POSITIONS),
        steps=layer.steps,
        activation=", ".join(
            [
                *filter(None, [_activation(layer)]),
                *(f"loss: {each.loss.kind}" for each in network.losses if each.source == layer.name),
            ]
        ),
    )


def _first_field(system: ForwardSystem, layer: Layer) -> Field:
    """A pre-activation of the layer at its first step: h where there is one."""
    into = [MAIN, *(connection.into for connection in layer.connections)]
    own = {f.part: f for f in system.fields if f.owner == layer.name and f.step <= 1 and not f.of}
    return next(own[part] for part in into if part in own)


def _sizes(system: ForwardSystem, field: Field, part: str) -> list[int]:
    """The sizes of those axes of a field that count positions, groups, ..."""
    axes = (system.axis[axis] for axis in field.axes)
    return [axis.size for axis in axes if axis.part == part and axis.size is not None]


def _neurons(layer: Layer, owner: Layer, groups: int) -> str:
    if owner.size is not None:
        return f"{owner.size} neuron{'' if owner.size == 1 else 's'}, finite"
    if owner is not layer:
        return f"neurons of {owner.name}"
    count = "n neurons" if layer.width == 1 else f"{layer.width:g} n neurons"
    return f"{groups} groups of {count}" if groups else count


def _types(reduced: ForwardSystem | None, field: str, population: str) -> str | None:
    if reduced is None or field not in reduced.field:
        return None
    return MANY_TYPES if population in reduced.field[field].axes else ONE_TYPE


def _activation(layer: Layer) -> str:
    """The activation where it is short, else σ of the pre-activations that it reads; "" for the identity."""
    if layer.activation == sp.Symbol(MAIN):
        return ""
    shown = _formula(layer.activation)
    if len(shown) <= _LONGEST_FORMULA:
        return shown
    names = {str(symbol) for symbol in layer.activation.free_symbols}
    read = [name for name in dict.fromkeys(c.into for c in layer.connections) if name in names]
    return f"σ({', '.join(read)})"


def _formula(expression: sp.Expr) -> str:
    shown = (
        str(sp.sstr(expression, order="rev-lex")).replace("**2", "²").replace("**", "^").replace("*", " · ")
    )
    return shown.replace("bias", "b").replace("-", "−")


def _edge(
    target: str, connection: Connection, weight: str | None, letter: dict[str, Any] | None, tied: bool
) -> dict[str, Any]:
    return {
        "source": connection.source,
        "target": target,
        "kind": connection.kind,
        "weight": weight,
        "letter": letter,
        "tied": tied,
        "transposed": connection.weight is not None and connection.weight.transpose,
        "into": connection.into,
        "delay": connection.delay,
        "strided": bool(_stride(connection)),
        "words": list(_words(connection)),
    }


def _reading(target: str, connection: Connection, layer: str) -> dict[str, Any]:
    """An edge for a further layer that the kind of a connection reads."""
    plain = {
        "kind": connection.kind,
        "weight": None,
        "letter": None,
        "tied": False,
        "transposed": False,
        "strided": False,
    }
    words = [f"read by {_KIND_WORDS.get(connection.kind) or connection.kind}"]
    ends = {"source": layer, "target": target}
    return {**ends, **plain, "into": connection.into, "delay": 0, "words": words}


def _stride(connection: Connection) -> tuple[int, ...]:
    """The strides of a window; () where it has none, or all are 1."""
    stride = tuple(dict(connection.options).get("stride") or ())
    return stride if any(step != 1 for step in stride) else ()


def _words(connection: Connection) -> Iterator[str]:
    """What a reader should know of a connection beside its weight, in short pieces."""
    options = dict(connection.options)
    kind = _KIND_WORDS.get(connection.kind, connection.kind)
    window = options.get("kernel", options.get("window"))
    if window is not None:
        kind += f" {window if isinstance(window, str) else '×'.join(map(str, window))}"
    stride = _stride(connection)
    if stride:
        kind += f" /{'×'.join(map(str, stride)) if len(set(stride)) > 1 else stride[0]}"
    if options.get(GROUPS, 1) > 1:
        kind += f" in {options[GROUPS]} groups"
    if kind:
        yield kind
    if not connection.is_usual:
        shown = _formula(connection.operation)
        yield shown if len(shown) <= _LONGEST_FORMULA else "own operation"
    if connection.average:
        yield f"mean over {', '.join(connection.average)}"
    if connection.delay:
        yield "step s − 1" if connection.delay == 1 else f"step s − {connection.delay}"
    if connection.into != MAIN:
        yield f"into {connection.into}"


# ---------------------------------------------------------------------------------------- folding


def folded(graph: Data) -> dict[str, list[dict[str, Any]]]:
    """The graph in which long rows of like layers are one node (role "fold", with the names as ``layers``).

    Two copies at the beginning and one at the end stay, so that a reader sees how they are joined.
    """
    nodes, edges = list(graph["nodes"]), list(graph["edges"])
    entering: dict[str, list[Data]] = {node["name"]: [] for node in nodes}
    for edge in edges:
        entering[edge["target"]].append(edge)
    hidden: dict[str, str] = {}
    shown: list[dict[str, Any]] = []
    position = 0
    while position < len(nodes):
        period, copies = _repetition(nodes, entering, position)
        if not copies:
            shown.append(nodes[position])
            position += 1
            continue
        inside = nodes[position + 2 * period : position + (copies - 1) * period]
        names = [node["name"] for node in inside]
        fold = _node(f"{names[0]} … {names[-1]}", FOLD, f"{copies - 3} more copies")
        shown += [*nodes[position : position + 2 * period], {**fold, "layers": names}]
        hidden.update(dict.fromkeys(names, fold["name"]))
        position += (copies - 1) * period
    return {"nodes": shown, "edges": list(_joined(edges, hidden))}


def _repetition(nodes: Sequence[Data], edges: Mapping[str, Sequence[Data]], position: int) -> tuple[int, int]:
    """The shortest period of a row of like layers that begins at ``position``, and its copies (0: none)."""
    order = {node["name"]: number for number, node in enumerate(nodes)}
    for period in range(1, _LONGEST_PERIOD + 1):
        wanted = [_signature(nodes[k], edges, order, period) for k in range(position, len(nodes))[:period]]
        end = position
        while end < len(nodes) and (
            _signature(nodes[end], edges, order, period) == wanted[(end - position) % period]
        ):
            end += 1
        copies = (end - position) // period
        if copies >= _FEWEST_COPIES:
            return period, copies
    return 0, 0


def _signature(node: Data, edges: Mapping[str, Sequence[Data]], order: Mapping[str, int], period: int) -> Any:
    """What is the same in copies of a layer: all but its name, and its sources by their distance."""
    position = order[node["name"]]

    def source(edge: Data) -> Any:
        distance = position - order[edge["source"]]
        return distance if 0 < distance <= 2 * period else edge["source"]

    alike = ("role", "types", "positions", "steps", "activation")
    own = [node[key] for key in alike] + [node["population"] == node["name"] or node["population"]]
    inward = [
        [
            source(e),
            e["kind"],
            bool(e["weight"]),
            e["tied"] and e["weight"],
            e["into"],
            e["delay"],
            e["words"],
        ]
        for e in edges[node["name"]]
    ]
    return [own, inward]


def _joined(edges: Sequence[Data], hidden: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The edges with folded ends: none inside a fold, one from each layer into it."""
    into: set[tuple[str, str]] = set()
    for edge in edges:
        ends = (hidden.get(edge["source"], edge["source"]), hidden.get(edge["target"], edge["target"]))
        if edge["target"] in hidden:
            if ends[0] == ends[1] or ends in into:
                continue
            into.add(ends)
            blank: dict[str, Any] = {
                "weight": None,
                "letter": None,
                "tied": False,
                "transposed": False,
                "strided": False,
                "words": [],
            }
            yield {**edge, **blank, "source": ends[0], "target": ends[1], "delay": 0, "into": MAIN}
        else:
            yield {**edge, "source": ends[0], "target": ends[1]}

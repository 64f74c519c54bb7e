"""A network as an ``nx.MultiDiGraph`` and back, with the spec's own keys, without loss.

Nodes are ``x``, the layers in file order, and ``output``; node attributes are the layer's keys, edge
attributes those of the connection (``from`` and the name are in the graph itself). A group (``repeat``) is
one node, with its layers as an attribute. Two attributes say how it was written: ``order`` (which of the
layer's connections an edge is) and ``form`` ("short" for a connection in the layer's own table). Both may be
missing in a graph that a person builds. Graph attributes are the other tables (format, title, data, loss,
training, solver, check, signal) and ``file``.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ..errors import SpecError, nearest
from ..forward.kinds import DEFAULT_KIND, KINDS, connection_keys
from ..network.names import INPUT, OUTPUT
from ..network.network import Network, register_graph_writer
from ..network.tables import DOCUMENT, FORMAT
from .reader import parse_document

ORDER = "order"
FORM = "form"
SHORT = "short"
FILE = "file"
_TABLES = frozenset(DOCUMENT) - {"layers", OUTPUT}


def to_networkx(network: Network) -> Any:
    """The network as an ``nx.MultiDiGraph`` with the spec's keys as attributes (copies)."""
    import networkx

    document = copy.deepcopy(dict(network.document))
    layers, output = document.pop("layers"), document.pop(OUTPUT)
    graph = networkx.MultiDiGraph(**document)
    if network.file is not None:
        graph.graph[FILE] = network.file
    graph.add_node(INPUT)
    for layer in layers:
        graph.add_node(layer["name"], **_node_attributes(layer))
    graph.add_node(OUTPUT, **_node_attributes(output))
    for layer in layers:
        _add_edges(graph, layer["name"], layer)
    _add_edges(graph, OUTPUT, output)
    return graph


register_graph_writer(to_networkx)


def from_networkx(graph: Any) -> Network:
    """The network of a graph as ``to_networkx`` makes it, or as a person builds it.

    Raises :class:`SpecError` as for a file; a graph without ``format`` has format 1.
    """
    import networkx

    if not isinstance(graph, networkx.DiGraph):
        raise SpecError(
            f"found {type(graph).__name__}, but a network is an nx.MultiDiGraph",
            remedy="Edges lead from a layer to the layers that read it",
        )
    attributes = copy.deepcopy(dict(graph.graph))
    file = attributes.pop(FILE, None)
    name = None if file is None else f"the graph of {file}"  # which may say something else by now
    for key in attributes:
        if key not in _TABLES:
            raise SpecError(f"unknown graph attribute {key!r}", file=name, remedy=nearest(str(key), _TABLES))
    for node in graph.nodes:
        if not isinstance(node, str):
            raise SpecError(f"the node {node!r} is not a string", file=name, remedy="Layers have names")
    if OUTPUT not in graph:
        raise SpecError(
            f"there is no node '{OUTPUT}'", file=name, remedy=f"Add it; also '{INPUT}' and the layers"
        )
    if INPUT in graph and (graph.nodes[INPUT] or graph.in_degree(INPUT)):
        raise SpecError(f"the node '{INPUT}' is the input: it has no attributes and no sources", file=name)
    document = {"format": FORMAT, **attributes}
    document["layers"] = [
        {"name": node, **_table(graph, node, name)} for node in graph.nodes if node not in (INPUT, OUTPUT)
    ]
    document[OUTPUT] = _table(graph, OUTPUT, name)
    return parse_document(document, file, called=name)


def _node_attributes(layer: Mapping[str, Any]) -> dict[str, Any]:
    own = {"name", "connections", "from", *_short(layer)}
    return {key: value for key, value in layer.items() if key not in own}


def _short(layer: Mapping[str, Any]) -> dict[str, Any]:
    """What a layer's own table says of its only connection, beside ``from``."""
    if "connections" in layer:
        return {}
    kind = KINDS[layer.get("kind", DEFAULT_KIND)]
    return {key: layer[key] for key in connection_keys(kind) if key in layer and key != "from"}


def _add_edges(graph: Any, name: str, layer: Mapping[str, Any]) -> None:
    """One edge per connection, the attributes being the connection's keys."""
    if "connections" not in layer:
        graph.add_edge(layer["from"], name, **_short(layer), **{ORDER: 0, FORM: SHORT})
        return
    for number, connection in enumerate(layer["connections"]):
        attributes = {key: value for key, value in connection.items() if key != "from"}
        graph.add_edge(connection["from"], name, **attributes, **{ORDER: number})


def _table(graph: Any, name: str, file: str | None) -> dict[str, Any]:
    """The table of a layer (without its name) or of the output."""
    table = copy.deepcopy(dict(graph.nodes[name]))
    for key in ("name", "from", "connections", "weight"):
        if key in table:
            raise SpecError(
                f"the node '{name}' has the attribute '{key}', which belongs to its edges or is its name",
                file=file,
                remedy="Write the keys of a connection as attributes of the edge",
            )
    edges = [(source, copy.deepcopy(dict(data))) for source, _, data in graph.in_edges(name, data=True)]
    edges.sort(key=lambda edge: _order(edge[1], name, file))
    forms = [data.pop(FORM, None) for _, data in edges]
    for _, data in edges:
        data.pop(ORDER, None)
    if len(edges) == 1 and forms[0] == SHORT:
        source, data = edges[0]
        return {"from": source, **data, **table}
    if edges:
        table["connections"] = [{"from": source, **data} for source, data in edges]
    return table


def _order(data: Mapping[str, Any], name: str, file: str | None) -> float:
    """Where an edge stands among the layer's connections; those without ``order`` come last."""
    order = data.get(ORDER, float("inf"))
    if isinstance(order, bool) or not isinstance(order, int | float) or order != order:
        raise SpecError(f"an edge into '{name}' has order = {order!r}, which is not a number", file=file)
    return order

"""Networks as graphs: nothing is lost on the way there and back."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given, settings

from mfderive.errors import SpecError
from mfderive.format.networkx_graph import from_networkx, to_networkx
from mfderive.format.reader import parse_document, read

from .documents import SPECS, Document, documents, small


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_shipped_specs_come_back(path: Path) -> None:
    network = read(path)
    again = from_networkx(to_networkx(network))
    assert again == network
    assert again.document == network.document


@settings(max_examples=60, deadline=None)
@given(documents())
def test_random_documents_come_back(document: Document) -> None:
    network = parse_document(document)
    graph = to_networkx(network)
    again = from_networkx(graph)
    assert again == network
    assert again.document == document
    assert nx.utils.graphs_equal(to_networkx(again), graph)


def test_edges_are_connections_and_attributes_are_keys() -> None:
    graph = to_networkx(parse_document(small()))
    assert list(graph.nodes) == ["x", "h1", "h2", "output"]
    assert graph.nodes["h1"] == {"bias": "0", "activation": "tanh"}
    assert graph.edges["h1", "h2", 0]["weight"] == "normal(1, 0.1)"
    assert graph.graph["training"] == {"learning_rate": 0.01, "steps": 10}


def test_order_of_connections_survives_interleaved_sources() -> None:
    """networkx groups parallel edges by source; x, h1, x would come back as x, x, h1 without ``order``."""
    document = small()
    sources = ["x", "h1", "x", "h1"]
    document["layers"][1] = {
        "name": "h2",
        "connections": [{"from": s, "weight": f"normal({n}, 1)"} for n, s in enumerate(sources)],
    }
    again = from_networkx(to_networkx(parse_document(document)))
    assert [connection.source for connection in again.layer["h2"].connections] == sources


def test_changing_a_graph_does_not_change_the_network() -> None:
    network = parse_document(small())
    to_networkx(network).graph["training"]["steps"] = 99
    assert network.document["training"]["steps"] == 10


def built_by_hand() -> nx.MultiDiGraph:
    document = small()
    graph = nx.MultiDiGraph(data=document["data"], loss=document["loss"], training=document["training"])
    graph.add_node("h1", activation="tanh")
    graph.add_edge("x", "h1", weight="normal(0, 1)")
    graph.add_edge("h1", "output", weight="normal(1, 0.1)")
    return graph


def test_graph_built_by_hand() -> None:
    network = from_networkx(built_by_hand())
    assert [layer.name for layer in network.layers] == ["h1"]
    assert network.output.connections[0].source == "h1"


def test_bad_graphs() -> None:
    with pytest.raises(SpecError, match=r"MultiDiGraph"):
        from_networkx(nx.Graph())
    with pytest.raises(SpecError, match="no node 'output'"):
        from_networkx(nx.MultiDiGraph())
    graph = built_by_hand()
    graph.graph["trainin"] = {}
    with pytest.raises(SpecError, match="Did you mean 'training'"):
        from_networkx(graph)
    graph = built_by_hand()
    graph.nodes["h1"]["weight"] = "0"
    with pytest.raises(SpecError, match="belongs to its edges"):
        from_networkx(graph)
    graph = built_by_hand()
    graph.add_edge("h1", "x")
    with pytest.raises(SpecError, match="no sources"):
        from_networkx(graph)
    graph = built_by_hand()
    graph.add_edge("h1", "h1", weight="0")
    with pytest.raises(SpecError, match="h1 -> h1"):
        from_networkx(graph)

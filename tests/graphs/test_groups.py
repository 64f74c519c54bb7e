"""Groups of layers (``repeat``), recurrence and pooling as a spec states them."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

import mfderive as mf
from mfderive.format.networkx_graph import from_networkx, to_networkx
from mfderive.format.reader import parse_document
from mfderive.format.schema import schema
from mfderive.limit.derive import derive_system
from tests.effort import calls

from .documents import GRAPHS, Document, connection, document, layer


@pytest.mark.parametrize("name", GRAPHS)
def test_schema_and_graph(name: str) -> None:
    """The schema accepts every graph, and networkx loses nothing of it."""
    jsonschema.Draft202012Validator(schema()).validate(GRAPHS[name])
    network = parse_document(GRAPHS[name])
    again = from_networkx(to_networkx(network))
    assert again == network
    assert again.document == network.document


def written(layers: list[Document], last: str) -> Any:
    return parse_document(document(layers, {"from": last, "weight": "normal(0, 1)"}, [3]))


def test_copies_of_a_group_read_each_other() -> None:
    network = parse_document(GRAPHS["repeat"])
    sources = {each.name: [c.source for c in each.connections] for each in network.layers}
    assert sources == {
        "s": ["x"],
        "inner_1": ["s"],
        "add_1": ["s", "inner_1"],
        "inner_2": ["add_1"],
        "add_2": ["add_1", "inner_2"],
        "inner_3": ["add_2"],
        "add_3": ["add_2", "inner_3"],
        "top_1": ["add_3"],
        "top_2": ["top_1"],
        "top_3": ["top_2"],
    }
    assert network.output.connections[0].source == "top_3"
    assert [network.layer[f"inner_{k}"].neurons for k in (1, 2, 3)] == [None, "inner_1", "inner_1"]
    names = set(mf.derive(mf.load(GRAPHS["repeat"])).parameter)
    assert {"V", "inner_1.weight", "inner_2.weight", "inner_3.bias"} <= names
    assert "add_1.weight" not in names


def test_groups_in_groups() -> None:
    part = {
        "name": "part",
        "repeat": 2,
        "from": "whole",
        "layers": [layer("a", "part", weight="normal(0, 1)")],
    }
    layers = [part, layer("b", "part", weight="0")]
    network = written([{"name": "whole", "repeat": 2, "from": "x", "layers": layers}], "whole")
    sources = {each.name: each.connections[0].source for each in network.layers}
    assert sources == {
        "a_1_1": "x",
        "a_2_1": "a_1_1",
        "b_1": "a_2_1",
        "a_1_2": "b_1",
        "a_2_2": "a_1_2",
        "b_2": "a_2_2",
    }


def test_steps_are_unrolled_with_one_weight() -> None:
    system = mf.forward_system(mf.load(GRAPHS["recurrence"]))
    fields = [field.name for field in system.fields]
    assert [name for name in fields if name.endswith(".out")] == ["r.step1.out", "r.step2.out", "r.step3.out"]
    assert sorted(system.parameter) == ["output.weight", "r.bias", "r.weight.r", "r.weight.x"]
    assert system.field["x"].axes == ("data", "steps", "inputs")


def blocks(count: int) -> Document:
    """A residual network of so many pre-activation blocks."""
    inner = {
        "name": "inner",
        "bias": "0",
        "activation": "tanh",
        "connections": [connection("block", operation="w * tanh(u)", weight="normal(0.5, 0.5)")],
    }
    add = {
        "name": "add",
        "neurons": "block",
        "connections": [connection("block", kind="skip"), connection("inner", weight="normal(0, 1)")],
    }
    group = {"name": "block", "repeat": count, "from": "s", "layers": [inner, add]}
    return document(
        [layer("s", "x", weight="normal(0, 1)"), group], {"from": "block", "weight": "normal(0, 1)"}, [5]
    )


def test_fifty_blocks(tmp_path) -> None:
    """Derive, reduce, generate and compile 12, 25 and 50 blocks with work that grows linearly.

    Linear: what 25 blocks more cost is at most 1.2 times what the 25 before cost by the line through 12 and
    25. Work is counted in calls, without those of the compiler (`tests/benchmarks/test_generate_time.py`
    has the seconds).
    """
    spent = {}

    def generated(count: int) -> None:
        limit = derive_system(mf.forward_system(mf.load(blocks(count))))
        assert mf.reduce(limit).log
        mf.generate(limit, directory=tmp_path / f"{count}")

    generated(3)  # what is imported and remembered once
    for count in (12, 25, 50):
        spent[count] = calls(lambda count=count: generated(count))
    assert spent[50] - spent[25] < 1.2 * (spent[25] - spent[12]) * 25 / 13
    solver = mf.load_solver(tmp_path / "50")
    network = mf.load(blocks(50))
    solver.step(solver.sample(widths=4, seed=0), *network.source.batch(1, 5), 0.0, 0.1)

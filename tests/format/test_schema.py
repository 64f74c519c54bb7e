"""The JSON Schema says what the reader says, as far as a schema can."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from mfderive.algebra.law_kinds import LAWS
from mfderive.errors import SpecError
from mfderive.format.reader import parse_document
from mfderive.format.schema import schema
from mfderive.network.key_examples import EXAMPLES

from .documents import SPECS, Document, changed, documents, small

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = sorted([*(ROOT / "specs").rglob("*.toml"), *(ROOT / "examples").rglob("*.toml")])
VALIDATOR = jsonschema.Draft202012Validator(schema())


def test_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_shipped_specs_are_valid(path: Path) -> None:
    VALIDATOR.validate(tomllib.loads(path.read_text()))


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_shipped_specs_name_the_schema_that_editors_read(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    assert first.startswith("#:schema ")
    named = path.parent / first.removeprefix("#:schema ")
    assert json.loads(named.read_text()) == schema()  # `mfderive schema --write` writes it again


@settings(max_examples=60, deadline=None)
@given(documents())
def test_random_documents_are_valid(document: Document) -> None:
    VALIDATOR.validate(document)


TABLES = ["", "data.", "loss.", "layers.0.", "output.", "training.", "solver.", "check."]


@pytest.mark.parametrize("table", TABLES)
def test_unknown_keys_are_refused_by_both(table: str) -> None:
    document = small() | {"solver": {}, "check": {}}
    place: Any = document
    for part in table.split(".")[:-1]:
        place = place[int(part)] if part.isdigit() else place[part]
    VALIDATOR.validate(document)
    parse_document(document)
    place["strange"] = 1
    assert not VALIDATOR.is_valid(document)
    with pytest.raises(SpecError, match="unknown key 'strange'"):
        parse_document(document)


BOTH = {
    "format missing": changed("format", ...),
    "format 2": changed("format", 2),
    "no layers": changed("layers", []),
    "no weight": changed("layers.1.weight", ...),
    "no source": changed("layers.1.from", ...),
    "width 0": changed("layers.1.width", 0),
    "size 0": changed("layers.1.size", 0),
    "size and width": changed("layers.1", changed("layers.1.size", 2)["layers"][1] | {"width": 1.0}),
    "batch size": changed("training.batch_size", -1),
    "batch size word": changed("training.batch_size", "some"),
    "law is a number": changed("layers.1.bias", 0),
    "weight without law": changed("layers.1.weight", {"rate": 1}),
    "transpose beside law": changed("layers.1.weight", {"law": "0", "name": "W", "transpose": True}),
    "unknown kind of data": changed("data.kind", "gaussians"),
    "key of another kind": changed("data.means", [[1]]),
    "from beside connections": changed("layers.1.connections", [{"from": "h1", "weight": "0"}]),
    "weight on a skip": changed(
        "layers.1", {"name": "h2", "connections": [{"from": "h1", "kind": "skip", "weight": "0"}]}
    ),
    "kernel on a dense": changed(
        "layers.1", {"name": "h2", "connections": [{"from": "h1", "weight": "0", "kernel": [3]}]}
    ),
    "skip into the output": changed("output", {"connections": [{"from": "h2", "kind": "skip"}]}),
    "unknown kind": changed("layers.1", {"name": "h2", "connections": [{"from": "h1", "kind": "tight"}]}),
    "widths twice": changed("check", {"widths": [8, 8]}),
    "nodes of no names": changed("solver", {"nodes": {}}),
    "nodes of a word": changed("solver", {"nodes": {"h1": "many"}}),
    "unknown rule": changed("solver", {"rule": {"h1": "sobl"}}),
    "negative rate": changed("layers.1.weight", {"law": "0", "rate": -1}),
    "operation beside connections": changed(
        "layers.1", {"name": "h2", "connections": [{"from": "h1", "weight": "0"}], "operation": "w * u"}
    ),
    "bad name": changed("layers.1.name", "2h"),
}


@pytest.mark.parametrize("name", BOTH)
def test_refused_by_both(name: str) -> None:
    assert not VALIDATOR.is_valid(BOTH[name])
    with pytest.raises(SpecError):
        parse_document(BOTH[name])


def test_the_schema_names_the_laws() -> None:
    """An editor that shows the schema says what may be written where a law is expected."""
    found = schema()["$defs"]
    for name, row in LAWS.items():
        assert (f"{name}({', '.join(row.arguments)})" in found["law"]["description"]) is row.is_written
    for table in ("parameter", "weight"):
        assert found[table]["properties"]["law"]["$ref"] == "#/$defs/law"


def properties(part: Any) -> list[tuple[str, Any]]:
    """Every key in a part of the schema, with what is said of it."""
    if isinstance(part, list):
        return [each for item in part for each in properties(item)]
    if not isinstance(part, dict):
        return []
    own = part.get("properties")
    named = [each for each in own.items() if set(each[1]) != {"const"}] if isinstance(own, dict) else []
    return named + [each for item in part.values() for each in properties(item)]


def test_every_key_has_its_meaning_and_examples_that_are_valid() -> None:
    """Words, truth values and constants are their own examples; a lone constant is a condition, no key."""
    whole = schema()
    found = {(name, str(part)): (name, part) for name, part in properties(whole)}.values()
    examples = 0
    for name, part in found:
        assert part.get("description", "").strip(), name
        listed = "const" in part or "enum" in part or part.get("type") == "boolean"
        assert part.get("examples") or listed, name
        validator = jsonschema.Draft202012Validator({**part, "$defs": whole["$defs"]})
        for example in part.get("examples", ()):
            validator.validate(example)
            examples += 1
    assert len(found) > 100 and examples > 150


def test_every_example_is_one_of_some_key() -> None:
    shown = {name for name, part in properties(schema()) if part.get("examples")}
    assert shown == set(EXAMPLES)

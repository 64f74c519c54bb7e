"""docs/paper.md: every number of the paper has its row, and what a row says is printed is printed."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

import mfderive as mf
from mfderive.errors import MfError
from mfderive.notation import measure_form, text

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")
HEAD = "| number | equation | printed by | made by | held by |"
_COMMAND = re.compile(r"^mfderive derive (\S+) --notation (\w+)$", re.M)
_PRINTED = re.compile(r"`([^`]+)`(?:, key `([^`]+)`)?")


def rows() -> list[tuple[tuple[str, str] | None, list[str]]]:
    """(spec and notation, cells) of every row of the tables of equations."""
    found = []
    for section in PAGE.split("\n## ")[1:]:
        command = _COMMAND.search(section)
        if HEAD not in section:
            continue
        table = section.split(HEAD)[1].split("\n\n")[0]
        for line in table.strip().splitlines()[1:]:
            cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
            assert len(cells) == 5, line
            found.append((command.groups() if command else None, cells))
    return found


def numbers(cell: str) -> list[int]:
    """(25), (28)-(33) -> 25, 28, ..., 33."""
    found = []
    for first, last in re.findall(r"\((\d+)\)(?:-\((\d+)\))?", cell):
        found += range(int(first), int(last or first) + 1)
    return found


@cache
def limit(spec: str) -> mf.LimitSystem:
    return mf.derive(mf.load(ROOT / spec))


@cache
def printed(spec: str, notation: str) -> list[str]:
    return [line.strip() for line in text(limit(spec), notation).splitlines()]


def test_every_number_has_one_row():
    """(7) to (53): section 2, section 3 and appendix A without a gap, each once."""
    found = [number for _, cells in rows() for number in numbers(cells[0])]
    assert sorted(found) == list(range(7, 54))


def test_what_is_printed_is_printed():
    """Each left side begins exactly one line of what the command above its table prints."""
    looked_at = 0
    for command, cells in rows():
        if cells[2] == "—":
            continue
        spec, notation = command
        for left, key in _PRINTED.findall(cells[2]):
            lines = [line for line in printed(spec, notation) if line.startswith(f"{left} = ")]
            assert len(lines) == 1, left
            if notation == "measure":
                assert key in measure_form(limit(spec)).tree, key
            looked_at += 1
    assert looked_at >= 45


def test_every_equation_of_the_measure_pages_has_its_row():
    """Three layers: all of them. Five layers: every kind of left side, whatever the layer's number."""
    kind = re.compile(r"[₀-₉0-9]+")
    for spec in ("specs/three_layer.toml", "specs/five_layer_gaussians.toml"):
        listed = {
            key
            for command, cells in rows()
            if command == (spec, "measure")
            for _, key in _PRINTED.findall(cells[2])
        }
        for key in measure_form(limit(spec)).tree:
            if "b_out" not in key and "b_{out}" not in key:
                assert key in listed or kind.sub("", key) in {kind.sub("", other) for other in listed}, key


def test_a_row_names_functions_and_tests():
    for _, cells in rows():
        assert "`mfderive/" in cells[3] and "::" in cells[3], cells
        assert "`tests/" in cells[4] and "::" in cells[4], cells


def test_the_networks_of_the_page_have_measure_notation():
    """The other way round: the spec whose operation is nonlinear in a weight is not one of them."""
    with pytest.raises(MfError, match="nonlinear"):
        measure_form(limit("specs/five_layer_parameters.toml"))

"""Numbers of the paper's equations: printed where docs/paper.md says, for the paper's own networks alone."""

import re
from functools import cache
from pathlib import Path

import pytest
from exact.strategies import seeded
from test_paper_page import numbers, rows

import mfderive as mf
from mfderive.notation import html, latex, latex_document, measure_form, text
from mfderive.notation.alphabet import Manner
from mfderive.notation.paper_numbers import PAPER_EQUATIONS, Notation, PaperNumbers

from . import systems

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "specs").glob("*.toml"))
# Chains of wide layers with one output: section 2, and section 3.2.
SMALL = {"three_layer"}
GROUPED = {"five_layer_gaussians", "five_layer_gaussians_wide_init", "five_layer_tanh"}
_LEFT = re.compile(r"`([^`]+)`(?:, key `[^`]+`)?")
_NUMBER = re.compile(r" \((\d+)\)$", re.M)


def printed_rows():
    """(number, spec, notation, left side) of every numbered equation that docs/paper.md says is printed."""
    found = []
    for command, cells in rows():
        for number in numbers(cells[0]) if cells[2] != "—" else []:
            found += [(number, *command, left) for left in _LEFT.findall(cells[2])]
    return found


@cache
def limit(spec):
    return mf.derive(mf.load(ROOT / spec))


@pytest.mark.parametrize(("number", "spec", "notation", "left"), printed_rows())
def test_the_number_of_a_row_is_printed_at_its_equation(number, spec, notation, left):
    lines = [line for line in text(limit(spec), notation).splitlines() if line.startswith(f"  {left} = ")]
    assert len(lines) == 1
    assert _NUMBER.findall(lines[0]) == [str(number)]
    assert rf" \tag{{{number}}}" in latex_document(limit(spec), notation)
    assert rf" && \qquad \text{{({number})}}" in latex(limit(spec), notation)
    assert f">({number})</td>" in html(limit(spec), notation)


def test_the_table_and_the_page_list_the_same_numbers():
    """By notation and manner: the page's sections are section 2 and the appendix of section 3."""
    manners = {"specs/three_layer.toml": Manner.SMALL, "specs/five_layer_gaussians.toml": Manner.GROUPED}
    page = {(number, manners[spec], Notation(notation)) for number, spec, notation, _ in printed_rows()}
    assert page == {(row.number, row.manner, row.notation) for row in PAPER_EQUATIONS}
    assert len(page) == 19


def found_numbers(system):
    return {int(number) for number in _NUMBER.findall(text(system))}


def test_every_printed_number_has_its_row():
    """The other way round: what is numbered on the two pages, as often as the rows say or for every layer."""
    for spec in ("specs/three_layer.toml", "specs/five_layer_gaussians.toml"):
        assert found_numbers(limit(spec)) == {number for number, name, *_ in printed_rows() if name == spec}


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_numbers_of_shipped_networks(path):
    small, grouped = {*range(16, 25), 34, 35, 36}, {39, *range(48, 54)}
    wanted = small if path.stem in SMALL else grouped if path.stem in GROUPED else set()
    system = limit(path)
    assert found_numbers(system) == wanted
    assert bool(re.search(r"\\tag|\\text\{\(\d+\)\}", latex_document(system) + latex(system))) is bool(wanted)
    assert not found_numbers(mf.reduce(system))


@pytest.mark.parametrize("name", systems.EVERY)
def test_numbers_of_other_networks(name):
    numbered = {"three_layer", "with_biases", "parametric"}
    assert bool(found_numbers(systems.EVERY[name]())) is (name in numbered)


def test_random_networks_have_none():
    """No random network is the paper's: each has something more, or several outputs."""
    for seed in range(40):
        specimen = seeded(seed, seed % 4 == 3)
        system = mf.derive(mf.load(specimen.document, data=specimen.arrays))
        assert PaperNumbers(system).manner is None, seed


def changed(**more):
    """The three layers of section 2 with something changed in the second layer."""
    layers = [
        {"name": "h1", "from": "x", "weight": systems.LAW, "activation": "tanh"},
        {"name": "h2", "connections": [{"from": "h1", "weight": systems.LAW, **more}], "activation": "tanh"},
    ]
    return systems.derived(layers, {"from": "h2", "weight": systems.LAW})


def test_a_network_that_only_looks_like_the_papers_has_none():
    assert found_numbers(changed()) == {*range(16, 25), 34, 35, 36}
    for operation in ("2 * w * u", "w * u**2", "w * u + u", "w * tanh(u)"):
        system = changed(operation=operation)
        measure_form(system)
        assert not found_numbers(system), operation
    layers = [
        {"name": "h1", "from": "x", "weight": systems.LAW, "activation": "tanh"},
        {"name": "h2", "from": "h1", "weight": systems.LAW, "activation": "relu"},
    ]
    assert not found_numbers(systems.derived(layers, {"from": "h2", "weight": systems.LAW}))  # one sigma
    one = [{"name": "h1", "from": "x", "weight": systems.LAW, "activation": "tanh"}]
    assert not found_numbers(systems.derived(one, {"from": "h1", "weight": systems.LAW}))


def test_other_rates_stand_in_unnumbered_equations():
    """Section 2.4 adjusts (22) to (24) by the rates; what holds at any rate keeps its number."""
    assert found_numbers(systems.three_layer(("1", "2", "1"))) == set(range(16, 22))

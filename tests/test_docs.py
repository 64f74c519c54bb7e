"""The documentation is true: its pieces of spec files derive and agree with networks, its code runs."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.cli.flags import build_parser
from mfderive.forward.kind import KINDS
from mfderive.network.names import RESERVED, is_reserved
from mfderive.network.solve_options import DATA_RULES
from mfderive.solution.options import resolve_options
from mfderive.state.ensembles import GAUSS_NODES, NOISE_NODES, SOBOL_NODES
from tests.codegen.material import write_solver

DOCS = Path(__file__).parent.parent / "docs"
LAYERS = (DOCS / "layers.md").read_text(encoding="utf-8")
PIECES = re.findall(r"^## ([^\n]*)\n(?:(?!^## ).)*?<!-- (.*?) -->\n```toml\n(.*?)```", LAYERS, re.M | re.S)


def specification(data, piece):
    """A whole spec around layers and output, on a teacher of the size or shape that the page names."""
    given = tomllib.loads(data)
    given.setdefault("dimension", int(np.prod(given.get("shape", 1))))
    return {
        "format": 1,
        "data": {"kind": "teacher", "target": "x1 * x2", **given},
        "loss": {"kind": "squared"},
        "training": {"learning_rate": 0.1, "steps": 2, "batch_size": 4},
        **tomllib.loads(piece),
    }


def test_every_section_has_its_piece():
    assert len(PIECES) == 11 == LAYERS.count("```toml")


@pytest.mark.parametrize(("section", "data", "piece"), PIECES, ids=[each[0] for each in PIECES])
def test_pieces_of_specs(section, data, piece, tmp_path):
    """The limit's velocity is the scaled gradient of a network of width 3, to rounding.

    By the solver's source as plain Python: other tests are there for what compilers make of it.
    """
    network = mf.load(specification(data, piece))
    limit = mf.derive(network)
    solver = write_solver(limit, tmp_path, compiled=False)
    state = solver.sample(widths=3, seed=0)
    x, y = network.source.batch(1, 4)
    witness = mf.finite_velocity(network, state, x, y)
    for name, found in solver.velocity(state, x, y).items():
        np.testing.assert_allclose(found, witness[name], rtol=1e-10, atol=1e-12, err_msg=name)
    assert mf.reduce(limit).log


def test_the_kind_of_the_page():
    """The code registers a kind; a spec that uses it is a convolution whose taps stand apart."""
    (code,) = re.findall(r"```python\n(.*?)```", LAYERS, re.S)
    dilated = {"kind": "dilated", "taps": 3, "dilation": 2}
    layer = {"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "tanh"}
    document = specification("shape = [1, 6]", "") | {
        "layers": [layer | dilated],
        "output": {"from": "h1", "weight": "normal(0, 1)"},
    }
    try:
        exec(code, {"__name__": "page"})
        network = mf.load(document)
        solver = mf.generate(mf.derive(network))
    finally:
        KINDS.pop("dilated", None)
    state = solver.sample(widths=2, seed=0)
    x, _ = network.source.batch(1, 3)
    found = solver.forward(state, x)["h1"]
    taps = np.stack([x[:, 0, k : k + 2] for k in (0, 2, 4)], axis=-1)
    np.testing.assert_allclose(found, np.einsum("zpk,ck->zcp", taps, state["h1.weight"][:, 0]), rtol=1e-13)


def test_the_reserved_names():
    """The list of the page is the program's."""
    (listed,) = re.findall(r"Reserved are the names[^`]*:\n\n(.*?)\n\n", LAYERS, re.S)
    assert set(re.findall(r"`(\w+)`", listed)) == RESERVED
    assert all(is_reserved(name) for name in ("tanh", "relu", "exp", "mean1", "positions2", "step3"))


def test_the_ways_to_give_nodes():
    """The table's pieces of [solver], flags and arguments mean the same."""
    page = (DOCS / "reductions.md").read_text(encoding="utf-8")
    written, flags, python = (
        re.findall(r"`([^`]*)`", row)
        for row in re.findall(r"^\| (?:`\[solver\]`|flags|Python) (.*)$", page, re.M)
    )
    document = specification("dimension = 2", PIECES[0][2])
    document["layers"] = [{**document["layers"][0], "name": name} for name in ("h1", "h3")]
    document["output"]["from"] = "h3"
    for place, words in enumerate((written[:2], written[2:])):
        solver = {key: value for word in words for key, value in tomllib.loads(word).items()}
        options = resolve_options(mf.load({**document, "solver": solver}))
        arguments = build_parser().parse_args(["solve", "a.toml", *flags[place].split()])
        assert {"nodes": options.nodes, "rule": options.rule} == solver
        assert {"nodes": arguments.nodes, "rule": arguments.rule} == solver
        assert eval(f"dict({python[place]})") == solver


def test_the_rules_of_reductions():
    """Numbers and names on the page are those of the program."""
    page = (DOCS / "reductions.md").read_text(encoding="utf-8")
    gauss = f"{GAUSS_NODES[1]}, {GAUSS_NODES[2]}², {GAUSS_NODES[3]}³"
    for row in (
        f"| {gauss} |",
        f"scrambled Sobol points | {SOBOL_NODES} |",
        f"Gauss nodes | {NOISE_NODES} |",
    ):
        assert row in page
    assert all(f"`{rule}`" in page for rule in DATA_RULES)


def test_what_is_added_stands_in_files_that_exist():
    """Every file, folder and test that the table of additions names is there."""
    from tests.architecture_page import PAGE, ROOT

    text = PAGE.read_text(encoding="utf-8")
    rows = text[text.index("| what | where |") : text.index("## Tests")].splitlines()[2:]
    for row in filter(None, rows):
        _, _, where, run, _ = row.split("|")
        files = [name for name in re.findall(r"`([a-z_/]+(?:\.py)?)`", where) if "/" in name]
        assert files and all((ROOT / "mfderive" / name).exists() for name in files), files
        assert all((ROOT / name).exists() for name in re.findall(r"tests/[a-z_/.]+", run)), run
    assert len(rows) >= 10


def test_the_files_of_the_architecture():
    """The page lists every file of the package with its own first sentence."""
    from tests.architecture_page import PAGE, page
    from tests.test_architecture import FILES, ORDER

    text = PAGE.read_text(encoding="utf-8")
    assert text == page(ORDER), "write it again: python tests/architecture_page.py"
    assert text.count("| `") > sum(path.name != "__init__.py" for path in FILES) > 100

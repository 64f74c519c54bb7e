"""Every notebook of examples/notebooks runs in a new kernel, and what is kept of it is small and no one's.

Each holds its own claims by assertions or shows them; here no cell may fail. The two that take longest are
studies, run by name.
"""

import re

import pytest

nbformat = pytest.importorskip("nbformat", reason="the package nbformat is not installed")
pytest.importorskip("nbclient", reason="the package nbclient is not installed")
pytest.importorskip("ipykernel", reason="the package ipykernel is not installed")

from tests.notebooks import FOLDER, kept, notebooks, run  # noqa: E402

LARGEST = 400_000  # bytes
LONG = ("03_figure_5", "05_learning_rules")
ALL = [
    pytest.param(path, marks=[pytest.mark.study] if path.stem in LONG else [], id=path.stem)
    for path in notebooks()
]


@pytest.mark.parametrize("path", ALL)
def test_a_notebook_runs(path, tmp_path):
    """In an empty folder, which stays empty; the same kinds of outputs come out as are kept."""
    made = run(path, tmp_path)
    drawn = [[_kinds(cell) for cell in each.cells] for each in (made, nbformat.read(path, as_version=4))]
    assert drawn[0] == drawn[1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_what_is_kept_is_whole_small_and_no_ones(path):
    """All cells were run once, in order; no times, warnings or folders of a machine; links lead on."""
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size <= LARGEST
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert kept(nbformat.read(path, as_version=4)) == notebook
    assert not re.search(r"/home/|/tmp/|/Users/|site-packages|Traceback|Warning:", text)
    assert {"image/png", "text/html"} & set.union(*map(_kinds, code))
    for link in re.findall(r"\]\((\w+\.ipynb)\)", text):
        assert (FOLDER / link).is_file(), link


def _kinds(cell):
    """What the outputs of a cell are."""
    outputs = cell.get("outputs", [])
    return {kind for each in outputs if each.output_type != "stream" for kind in each.data}

"""Lint, format and types of the package are clean, and the committed solvers are what the program writes."""

import subprocess
import sys
from pathlib import Path

import pytest

import mfderive as mf

ROOT = Path(__file__).parent.parent
SPECS = sorted((ROOT / "specs").glob("*.toml"))


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy", "--strict", "mfderive"],
    ],
    ids=["lint", "format", "types"],
)
def test_tool_is_content(command):
    """The tool exits with 0 on the checkout."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_generated_solvers_are_current(spec, tmp_path):
    """Regenerating a committed solver changes no byte: same input, same bytes, everywhere."""
    mf.generate(mf.derive(mf.load(spec)), directory=tmp_path / spec.stem)
    committed = ROOT / "generated" / spec.stem
    written = {p.name: p.read_bytes() for p in (tmp_path / spec.stem).iterdir() if p.is_file()}
    assert written == {p.name: p.read_bytes() for p in committed.iterdir() if p.is_file()}


def test_every_spec_has_a_generated_solver():
    """generated/ holds one folder for each shipped spec and nothing else."""
    folders = {path.name for path in (ROOT / "generated").iterdir()}
    assert folders == {path.stem for path in SPECS}

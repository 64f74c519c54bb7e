"""Seconds of the processor from a command to its answer, where nothing has to be computed.

Run: python -m pytest -m benchmark -s tests/benchmarks/test_start.py
"""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.benchmark


def seconds(*words: str, folder: Path) -> float:
    """The least of three runs of a fresh process, its children not among them."""
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], capture_output=True, cwd=folder)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(spent)


def test_start(tmp_path: Path) -> None:
    """Help in less than half of the import of sympy; a bad spec in less than three times that import."""
    text = Path("specs/two_layer.toml").read_text()
    (tmp_path / "bad.toml").write_text(text.replace('"relu"', '"rellu"'))
    imports = seconds("-c", "import sympy", folder=tmp_path)
    help_text = seconds("-m", "mfderive.cli", folder=tmp_path)
    refusal = seconds("-m", "mfderive.cli", "run", "bad.toml", folder=tmp_path)
    print(f"\nimport of sympy {imports:.2f} s, help {help_text:.2f} s, a bad spec {refusal:.2f} s")
    assert help_text < imports / 2
    assert refusal < 3 * imports

"""Every example runs, and what it shows is true."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_example_runs(script, tmp_path):
    """The script runs in a folder of its own and exits with 0."""
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_quickstart_shows_agreement():
    """Rounding for the velocity; the outputs of networks 16 times as wide are nearer to the limit.

    The distance falls like 1/sqrt(n), by a factor of 4 here; a factor of 2 leaves room for four seeds.
    """
    spec = importlib.util.spec_from_file_location("quickstart", EXAMPLES / "quickstart.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    shown = module.main()
    assert shown["disagreement"] < 1e-12
    assert shown["wide"] < shown["narrow"] / 2

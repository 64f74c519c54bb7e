"""Every example runs, and what it shows is true."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from mfderive.forward.kind import KINDS

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name):
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# These run in this process, below and in theory/test_radial_pde.py, and what they show is looked at.
OWN_TESTS = ("own_layer_kind", "quickstart", "radial_two_layer")
SCRIPTS = [path for path in sorted(EXAMPLES.glob("*.py")) if path.stem not in OWN_TESTS]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_example_runs(script, tmp_path):
    """The script runs in a folder of its own and exits with 0."""
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_quickstart_shows_agreement():
    """Rounding for the velocity; the outputs of networks 16 times as wide are nearer to the limit.

    The distance falls like 1/sqrt(n), by a factor of 4 here; a factor of 2 leaves room for four seeds.
    """
    shown = example("quickstart").main()
    assert shown["disagreement"] < 1e-12
    assert shown["wide"] < shown["narrow"] / 2


def test_a_kind_from_outside_goes_the_whole_way():
    """Derived, reduced, generated, solved, checked: rounding for the velocity, the rule for the verdict."""
    try:
        shown = example("own_layer_kind").main()
    finally:
        KINDS.pop("attention", None)
    assert shown["disagreement"] < 1e-12
    assert shown["agrees"] is True

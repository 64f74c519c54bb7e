"""What the stated error of a loss curve costs: the coarser solution beside the one that is asked for.

Run: pytest -m benchmark -s tests/benchmarks/test_loss_error_cost.py
"""

from pathlib import Path
from time import process_time

import pytest

import mfderive as mf
from mfderive.runs.error_sentences import error_sentences

SPECS = Path(__file__).parents[2] / "specs"
# Specs with all of their sizes; steps that take a few seconds.
CASES = {
    "two_layer": {"steps": 500},
    "three_layer": {"steps": 200},
    "five_layer_gaussians": {"steps": 500},
    "residual": {"steps": 60},
    "bottleneck": {"steps": 500},
    "five_layer_gaussians, flow": {"horizon": 0.5, "method": "flow", "data_nodes": 1024},
}


def seconds(network, **options):
    """The least of two times of the processor (others may be at work), and the solution."""
    found = []
    for _ in range(2):
        begins = process_time()
        path = mf.solve(network, **options)
        found.append(process_time() - begins)
    return min(found), path


@pytest.mark.benchmark
@pytest.mark.parametrize("name", CASES)
def test_cost_of_the_stated_error(name):
    """Less than the solution itself; what part of it is printed."""
    network, options = mf.load(SPECS / f"{name.partition(',')[0]}.toml"), CASES[name]
    mf.solve(network, **{**options, "nodes": 8} | ({} if "horizon" in options else {"steps": 1}))
    alone, _ = seconds(network, stated_error=False, **options)
    both, path = seconds(network, **options)
    print(f"\n{name}: {alone:.2f} s, with the stated error {both:.2f} s: {both / alone - 1:.0%} more")
    print(f"  loss from {path.loss[0]:.3g} to {path.loss[-1]:.3g}. {error_sentences(path.notes)[0]}")
    assert both < 2 * alone

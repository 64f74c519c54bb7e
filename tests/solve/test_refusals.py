"""What cannot be solved says so in one message, before it takes time or memory."""

import time

import pytest

import mfderive as mf
from mfderive.errors import DivergenceError, ResourceError

HUGE = 10**12


def network(activation="tanh", **keys):
    layer = {"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": activation} | keys
    reader = {"name": "h2", "from": "h1", "weight": "normal(0, 1)", "activation": "tanh"}
    return mf.load(
        {
            "format": 1,
            "data": {"kind": "isotropic-gaussians", "dimension": 3, "separation": 0.4},
            "loss": {"kind": "squared"},
            "layers": [layer, reader],
            "output": {"from": "h2", "weight": "normal(0, 1)"},
            "training": {"learning_rate": 0.1, "steps": 2, "batch_size": 4},
        }
    )


@pytest.mark.parametrize("options", [{"nodes": 8}, {"reduce": False, "widths": 8}])
def test_a_start_that_is_not_finite(options):
    with pytest.raises(DivergenceError, match=r"not finite where it starts: 'h1\.out' is not finite"):
        mf.solve(network("log(h)"), **options)


def test_more_memory_than_there_is_is_refused_at_once():
    cases = [
        (network(), {"nodes": HUGE}),
        (network(), {"widths": HUGE, "reduce": False}),
        (network(), {"evaluation": HUGE, "nodes": 8}),
        (network(size=HUGE), {}),
        (network(size=HUGE), {"reduce": False, "widths": 8}),
    ]
    for net, options in cases:
        start = time.perf_counter()
        with pytest.raises(ResourceError, match="GB are free"):
            mf.solve(net, **options)
        # Generous for a machine at work: drawing or listing so many numbers would take minutes.
        assert time.perf_counter() - start < 10

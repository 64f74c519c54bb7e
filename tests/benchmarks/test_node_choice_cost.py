"""What the choice of nodes is worth: a convolutional network whose neurons have six and three numbers."""

import time
import warnings

import numpy as np
import pytest

import mfderive as mf

pytestmark = pytest.mark.study

END = 2.0
# Tensors that integrate both axes. From 2 to 3 nodes a number of c1 the error falls from 3.2e-3 to 2.8e-4
# (deviation 0.2, against 4), so that the reference is known to 3e-5.
FINE = {"c1": 4**6, "c2": 3**3}


def network(deviation: float) -> mf.Network:
    """24 samples; taps of two channels tell the first channels apart, output weights the second ones."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(24, 2, 12))
    y = np.tanh(x[:, 0, :4].sum(axis=1)) - 0.5 * x[:, 1, 5] * x[:, 1, 7]
    strided = {"kind": "convolution", "kernel": [3], "stride": [2]}
    first = {"from": "x", "weight": f"normal(0.3, {deviation})", "padding": [1], **strided}
    second = {"from": "c1", "weight": "normal(0.5, 0.5)", "padding": "same", "average": ["taps"], **strided}
    tanh = {"activation": "tanh", "bias": "0"}
    document = {
        "format": 1,
        "title": "labels of six and three numbers",
        "data": {"kind": "arrays"},
        "loss": {"kind": "squared"},
        "layers": [
            {"name": "c1", **tanh, "connections": [first]},
            {"name": "c2", **tanh, "connections": [second]},
        ],
        "output": {"from": "c2", "weight": f"normal(0.3, {deviation})", "bias": "0"},
        "training": {"learning_rate": 0.05, "batch_size": "all", "steps": 200},
    }
    return mf.load(document, data=(x, y))


def timed(net: mf.Network, **options) -> tuple[float, mf.Trajectory]:
    """Seconds of a flow, derived and compiled before, and its path."""
    begin = time.process_time()
    path = mf.solve(net, END, method="flow", **options)
    return time.process_time() - begin, path


@pytest.mark.parametrize("deviation", [0.1, 0.2])
def test_few_nodes_for_labels_of_six_and_three_numbers(deviation):
    """Against the nodes that would be taken without a choice, 1024 x 1000: a tenth of the time at most.

    The loss is off by less than 1e-3 of its start where labels are narrow (deviation 0.1); Sobol points of
    wider ones stay, and are off by what 1024 are. The stated error covers the distance from the reference.
    """
    warnings.simplefilter("ignore")
    net = network(deviation)
    mf.solve(net, 0.01, method="flow", nodes={"c1": 16, "c2": 8})
    alone, _ = timed(net, stated_error=False)
    seconds, path = timed(net)
    whole, full = timed(net, stated_error=False, nodes={"c1": 1024, "c2": 1000})
    _, fine = timed(net, stated_error=False, nodes=FINE, rule="gauss", rtol=1e-6)
    away, before = (np.abs(p.loss - np.interp(p.times, fine.times, fine.loss)) for p in (path, full))
    print(
        f"\ndeviation {deviation}: {alone:.1f} s ({seconds:.1f} with the stated error) on "
        f"{path.notes['nodes']}, {whole:.1f} s on all; loss off by {away.max():.1e} (all: "
        f"{before.max():.1e}), stated {np.max(path.loss_error):.1e}"
    )
    assert alone < whole / 10
    assert away.max() < max(1e-3 * fine.loss[0], 2 * before.max())
    assert (away <= path.loss_error + 3e-5).all()

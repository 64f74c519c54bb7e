"""Kernels of convolutions: one random number for a node of the noise, whatever the number of taps."""

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.separate_noise import separate_noise
from mfderive.state import ensembles
from mfderive.state.ensembles import plan_ensembles

NOISE = "noise c2.weight"


def network(weight="uniform(-1.5, 3)", kernel=3):
    """Two convolutions in one dimension; the second has its weights inside a function."""
    data = {"kind": "arrays"}
    taps = {"kind": "convolution", "kernel": [kernel], "padding": [1]}
    inside = {"from": "c1", "weight": weight, "operation": "tanh(w * u)", **taps}
    document = {
        "format": 1,
        "title": "taps",
        "data": data,
        "loss": {"kind": "squared"},
        "layers": [
            {"name": "c1", "activation": "tanh", "connections": [{"from": "x", "weight": "0.5", **taps}]},
            {"name": "c2", "activation": "tanh", "bias": "0", "connections": [inside]},
        ],
        "output": {"from": "c2", "weight": "0.5"},
        "training": {"learning_rate": 0.2, "batch_size": "all", "steps": 20},
    }
    x = np.random.default_rng(0).standard_normal((10, 1, 6))
    return mf.load(document, data=(x, x[:, 0, :1]))


def test_a_node_of_the_noise_has_one_number_for_all_taps(monkeypatch):
    """Each tap alone has the nodes that a tensor of one number for each tap has: equal losses to rounding."""
    net = network()
    system = mf.reduce(mf.derive(net)).system
    assert separate_noise(system) == {NOISE}
    plan = plan_ensembles(system)[NOISE]
    assert (plan.dimension, plan.nodes) == (1, 24)
    path = mf.solve(net, nodes={NOISE: 6})
    assert path.notes["nodes"][NOISE] == 6 and path.loss[-1] < 0.9 * path.loss[0]
    monkeypatch.setattr(ensembles, "separate_noise", lambda system: frozenset())
    tensor = mf.solve(net, nodes={NOISE: 6**3})
    assert tensor.notes["nodes"][NOISE] == 6**3
    np.testing.assert_allclose(path.loss, tensor.loss, rtol=1e-11)


def test_taps_of_a_sampled_network_are_independent():
    """3000 pairs: correlations of taps below 5 / sqrt(3000), and values of all nodes at every tap."""
    path = mf.solve(network(), steps=1)
    weight = path.sample(55, seed=1)["c2.weight"]
    correlations = np.corrcoef(weight.reshape(-1, 3).T)
    assert np.abs(correlations - np.eye(3)).max() < 5 / np.sqrt(55**2)
    values = np.sort(path.at()["c2.weight"], axis=None)
    assert np.isin(np.round(weight, 12), np.round(values, 12)).all()
    assert weight.mean() == pytest.approx(0.75, abs=0.1) and weight.std() == pytest.approx(1.3, abs=0.1)


def test_weights_for_each_position_are_separate_and_closed_ones_have_no_noise():
    """A dense kernel has one entry for each position, which are read one by one; closure leaves no axis."""
    dense = {"from": "c1", "weight": "uniform(-1.5, 3)", "operation": "tanh(w * u)"}
    system = mf.reduce(mf.derive(network().replace(layers={"c2": {"connections": [dense]}}))).system
    assert [len(system.variable["c2.weight"].axes), plan_ensembles(system)[NOISE].dimension] == [2, 1]
    assert not separate_noise(mf.reduce(mf.derive(mf.load("specs/cnn_small.toml"))).system)

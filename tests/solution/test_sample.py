"""Networks drawn from a solution: their law at t = 0, their distance from the limit, training from them."""

import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.errors import ArgumentError, ResourceError, StateError
from mfderive.finite.network_fields import network_fields
from mfderive.format.reader import parse_document
from mfderive.state.ensembles import plan_ensembles
from mfderive.state.sample import _Draw

SPECS = Path(__file__).resolve().parents[2] / "specs"


def network(**changes):
    """A small network with a law that refers to labels, so that frozen noise depends on them."""
    document = {
        "format": 1,
        "title": "Samples",
        "data": {"kind": "teacher", "dimension": 2, "target": "x1 * x2"},
        "loss": {"kind": "squared"},
        "layers": [
            {"name": "h1", "from": "x", "weight": "normal(0, 1)", "bias": "normal(0.3, 0.5)"}
            | {"activation": "tanh"},
            {"name": "h2", "from": "h1", "weight": "normal(0.5 * source.bias, 1)", "activation": "tanh"},
            {"name": "h3", "from": "h2", "weight": "normal(1, 0.5)", "bias": "0", "activation": "tanh"},
        ],
        "output": {"from": "h3", "weight": "normal(1, 0.5)", "bias": "0"},
        "training": {"learning_rate": 0.05, "batch_size": 50, "steps": 40},
    }
    from mfderive.samples.resolve import resolve

    return resolve(parse_document(document | changes), seed=0)


def kernel_network():
    """tanh(w u): the noise of the second weight stays, with nodes of its own."""
    net = network()
    layers = [dict(layer) for layer in net.document["layers"]]
    del layers[1]["from"], layers[1]["weight"]
    connection = {"from": "h1", "operation": "tanh(w * u)", "weight": "normal(0.5 * source.bias, 1)"}
    layers[1]["connections"] = [connection]
    return network(layers=layers)


def distance(net, path, t, width, seeds):
    """Root mean square distance of the outputs of samples from the limit's, over inputs and seeds."""
    x = net.source.evaluation(40)[0]
    exact = path.predict(x, t)
    system = mf.forward_system(net)
    found = [network_fields(system, path.sample(width, t, seed), x)["yhat"] for seed in range(seeds)]
    return float(np.sqrt(np.mean((np.array(found) - exact) ** 2)))


@pytest.mark.parametrize(
    ("make", "t"),
    [(network, 0.0), (network, 2.0), pytest.param(kernel_network, 2.0, marks=pytest.mark.study)],
)
def test_samples_approach_the_limit_at_the_monte_carlo_rate(make, t):
    """The distance falls like n^(-1/2): the slope over widths 16 ... 256 lies within 0.2 of -1/2.

    With 24 seeds each distance has a relative error of at most 1/sqrt(2 * 24) = 0.14 (one mode), so
    the slope over a range of ln 16 = 2.8 has one of about 0.14 * sqrt(2) / 2.8 = 0.07.
    """
    net = make()
    path = mf.solve(net, nodes={"h1": 256 if make is network else 100, "h3": 8})
    widths = [16, 64, 256]
    found = [distance(net, path, t, width, 24) for width in widths]
    slope = np.polyfit(np.log(widths), np.log(found), 1)[0]
    assert abs(slope + 0.5) < 0.2, (slope, found)


def test_the_loss_of_samples_approaches_the_limits_at_one_over_n():
    """At t = 7.5 the mean over samples of loss(n) - loss falls like 1/n.

    One sample's loss differs by O(n^(-1/2)) in either direction; the mean over samples is second order in
    the distance of the outputs, E |yhat_n - yhat|^2 and the curvature of yhat, both O(1/n). The slope of
    its logarithm over ln n has the standard error that follows from those of the means (about 0.08 here);
    4 of them are allowed. An offset of the samples' law would bend the slope towards 0.
    """
    net, seeds, widths = network(), 150, np.array([32, 64, 128])
    path = mf.solve(net, nodes={"h1": 1024, "h3": 16}, steps=150, evaluation=100, checkpoints=2)
    system, (x, y) = mf.forward_system(net), net.source.evaluation(100)
    limit = np.mean((path.predict(x) - y) ** 2)
    means, errors = [], []
    for width in widths:
        samples = [network_fields(system, path.sample(int(width), seed=s), x)["yhat"] for s in range(seeds)]
        gaps = np.mean((np.array(samples) - y) ** 2, axis=(1, 2)) - limit
        means.append(gaps.mean())
        errors.append(gaps.std(ddof=1) / np.sqrt(seeds))
    relative = np.array(errors) / means
    assert path.checkpoints[-1].time > 7
    (slope, _), covariance = np.polyfit(np.log(widths), np.log(means), 1, w=1 / relative, cov="unscaled")
    assert abs(slope + 1) < 4 * np.sqrt(covariance[0, 0]), (slope, means, errors)
    assert np.sqrt(covariance[0, 0]) < 0.15  # so that a slope of -1/2 would be seen


class _EveryNodeOnce:
    """Random numbers that choose every node exactly once, in random order, and noise at its mean."""

    def __init__(self, rng):
        self.rng = rng

    def random(self, shape):
        if len(shape) > 1:  # nodes of edge noise: there is one
            return np.full(shape, 0.5)
        return (self.rng.permutation(shape[0]) + 0.5) / shape[0]

    def standard_normal(self, shape):
        return np.zeros(shape)


# Correlated laws and a kernel of two types; a stream of shared neurons; a transposed tie; channels of
# convolutions; a finite layer inside; edge noise with nodes; several weights between two populations.
SPEC_NAMES = [
    "correlated_init",
    "residual",
    "autoencoder_tied",
    "cnn_small",
    "bottleneck",
    "five_layer_parameters",
    "bilinear",
]


@pytest.mark.parametrize("name", SPEC_NAMES)
def test_a_network_of_all_nodes_is_the_limit(name, monkeypatch):
    """If every node is one neuron and noise is at its mean, network and limit are equal, at t = 0 and later.

    Neurons stand in random order, so incoming columns and outgoing rows fit only where the same nodes pick
    both. Types that collapsed to one become 5 equal neurons. To rounding of sums of at most 1000 numbers.
    """
    net = mf.load(SPECS / f"{name}.toml")
    reduced = mf.reduce(mf.derive(net)).system
    populations = {axis.name for axis in reduced.populations}
    axes = plan_ensembles(reduced)
    path = mf.solve(
        net,
        steps=3,
        nodes={axis: 12 if axis in populations else 1 for axis in axes},
        rule={axis: "monte-carlo" if axis in populations else "gauss" for axis in axes},
        evaluation=20,
    )
    own = _Draw.rng
    monkeypatch.setattr(_Draw, "rng", lambda self, axis: _EveryNodeOnce(own(self, axis)))
    system = mf.forward_system(net)
    nodes = path.notes["nodes"]
    widths = {axis.name: n if (n := nodes.get(axis.name, 1)) > 1 else 5 for axis in system.populations}
    x = net.source.evaluation(20)[0]
    for t in (0.0, None):
        exact = path.predict(x, t)
        found = network_fields(system, path.sample(widths, t, seed=3), x)["yhat"]
        np.testing.assert_allclose(found, exact, rtol=0, atol=1000 * 2.2e-16 * max(1, np.abs(exact).max()))


def test_training_from_a_network_of_all_nodes_is_the_limit(monkeypatch):
    """From t > 0 on, SGD of such a network makes the limit's steps: float64, 5 steps, to rounding."""
    net = network()
    nodes = {"h1": 16, "h3": 16}
    path = mf.solve(net, nodes=nodes, rule="monte-carlo", steps=10)
    onward = mf.solve(net, initial=path.at(), steps=5)
    own = _Draw.rng
    monkeypatch.setattr(_Draw, "rng", lambda self, axis: _EveryNodeOnce(own(self, axis)))
    start = path.sample({"h1": 16, "h2": 3, "h3": 16}, seed=1)
    run = mf.simulate(net, None, 1, initial=start, steps=5, precision="float64")[0]
    np.testing.assert_allclose(run.loss, onward.loss, rtol=1e-12)
    assert abs(run.loss[-1] - run.loss[0]) > 1e-3


def test_a_sample_that_memory_cannot_hold_is_refused_at_once():
    path = mf.solve(network(), steps=1, nodes=8)
    begin = time.perf_counter()
    with pytest.raises(ResourceError, match=r"sampled network .*GB are free"):
        path.sample(10**9)
    assert time.perf_counter() - begin < 10  # drawing it would take minutes


def test_a_full_solution_can_be_sampled_too():
    """Nodes of the unreduced ensemble, drawn again: the distance to it falls with the width."""
    net = network()
    path = mf.solve(net, reduce=False, widths=300, steps=20)
    assert distance(net, path, None, 400, 10) < 0.5 * distance(net, path, None, 25, 10)


def test_initial_law():
    """At t = 0 moments and correlations of a sample are those of the laws, to 5 standard errors.

    n = 400 neurons per layer; h2.weight(j, i) = normal(0.5 * bias_i, 1): its mean over j is regressed on
    bias_i, the residual has deviation 1. Types come from 4096 nodes, whose own error is smaller.
    """
    n = 400
    state = mf.solve(network(), steps=1, nodes={"h1": 4096}).sample(n, t=0.0, seed=3)
    assert state["h2.weight"].shape == (n, n)
    assert state["p"].keys() == {"h1", "h2", "h3"} and np.allclose(state["p"]["h2"], 1 / n)
    bias, first = state["h1.bias"], state["h1.weight"]
    assert abs(bias.mean() - 0.3) < 5 * 0.5 / np.sqrt(n)
    assert abs(bias.std() - 0.5) < 5 * 0.5 / np.sqrt(2 * n)
    assert abs(first.std() - 1) < 5 / np.sqrt(4 * n)
    residual = state["h2.weight"] - 0.5 * bias
    assert abs(residual.mean()) < 5 / n and abs(residual.std() - 1) < 5 / (np.sqrt(2) * n)
    assert abs(state["h3.weight"].mean() - 1) < 5 * 0.5 / n
    assert abs(state["h3.weight"].std() - 0.5) < 5 * 0.5 / (np.sqrt(2) * n)
    assert state["output.weight"].shape == (1, n)


def test_noise_stays_where_training_leaves_it():
    """The same neurons at two times: w moves by f(types) alone, in every row by the same amount."""
    path = mf.solve(network(), nodes={"h1": 64})
    start, end = (path.sample(30, t, seed=1) for t in (0.0, None))
    moved = end["h2.weight"] - start["h2.weight"]
    assert np.ptp(moved, axis=0).max() < 1e-12  # h2 is one type, so every target moves alike
    assert np.ptp(moved, axis=1).max() > 1e-3
    assert np.ptp(end["h3.weight"] - start["h3.weight"]) > 0  # it depends on the type of h3 ...
    assert np.ptp(end["h3.weight"] - start["h3.weight"], axis=1).max() < 1e-12  # ... and not of h2


def test_kernel_noise_is_drawn_for_each_pair():
    """w_0 - 0.5 bias has deviation 1 to 5 standard errors; 24 Gauss nodes have exact moments up to 47."""
    n = 300
    state = mf.solve(kernel_network(), steps=1).sample(n, t=0.0)
    residual = state["h2.weight"] - 0.5 * state["h1.bias"]
    assert abs(residual.std() - 1) < 5 / (np.sqrt(2) * n)
    across = np.corrcoef(residual[:, 0], residual[:, 1])[0, 1]
    assert abs(across) < 5 / np.sqrt(n)


def test_layers_of_one_population_are_sampled_together():
    """A residual stream: biases of all its layers belong to the drawn neuron, at every time."""
    net = mf.load(SPECS / "residual.toml")
    path = mf.solve(net, steps=3, nodes=64)
    shared = [a.name for a in mf.forward_system(net).populations]
    state = path.sample(16, seed=2)
    reduced = path.at()
    stream = shared[0]
    names = [name for name, value in reduced.items() if name != "p" and value.shape[:1] == (64,)]
    tables = [reduced[name] for name in names]
    own = [state[name] for name in names]
    firsts = [np.argmin(np.abs(tables[0] - row).reshape(64, -1).sum(1)) for row in own[0]]
    assert len(state["p"][stream]) == 16
    for table, values in zip(tables, own, strict=True):
        if values.shape[1:] == table.shape[1:]:
            assert np.array_equal(values, table[firsts])


def test_training_from_a_sample_follows_the_limit():
    """Width 400 from t = 2 on: the loss stays within the distance of networks of that width.

    The limit continues from its own state on the same batches; the bound is 4 times the distance of the
    sample's loss at its start over seeds (O(1/sqrt n)), which training does not blow up here.
    """
    net = network()
    path = mf.solve(net, nodes={"h1": 512, "h3": 32})
    onward = mf.solve(net, initial=path.at(), steps=30)
    runs = [mf.simulate(net, None, [1], initial=path.sample(400, seed=s), steps=30)[0] for s in range(4)]
    starts = np.array([run.loss[0] - onward.loss[0] for run in runs])
    ends = np.array([run.loss[-1] - onward.loss[-1] for run in runs])
    assert abs(onward.loss[-1] - onward.loss[0]) > 0.01  # something happens
    assert np.sqrt((ends**2).mean()) < 4 * max(np.sqrt((starts**2).mean()), 1e-3)


def test_what_cannot_be_sampled_says_so():
    net = network()
    trained = mf.simulate(net, 8, 1, steps=1)[0]
    with pytest.raises(StateError, match="only a solution of the limit"):
        trained.sample(4)
    path = mf.solve(net, steps=2, nodes=16)
    late = dataclasses.replace(path, checkpoints=path.checkpoints[-1:])
    with pytest.raises(StateError, match="labels at t = 0"):
        late.sample(4)
    with pytest.raises(ArgumentError, match="width"):
        path.sample(0)

"""Networks drawn from a solution: their law at t = 0, their distance from the limit, training from them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.errors import ArgumentError, StateError
from mfderive.spec.reader import parse_document

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
    from mfderive.data.resolve import resolve

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
    from mfderive.finite.fields import network_fields

    found = [network_fields(system, path.sample(width, t, seed), x)["yhat"] for seed in range(seeds)]
    return float(np.sqrt(np.mean((np.array(found) - exact) ** 2)))


@pytest.mark.parametrize(("make", "t"), [(network, 0.0), (network, 2.0), (kernel_network, 2.0)])
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


def test_a_full_solution_can_be_sampled_too():
    """Nodes of the unreduced ensemble, drawn again: the distance to it falls with the width."""
    net = network()
    path = mf.solve(net, reduce=False, widths=300, steps=20)
    assert distance(net, path, None, 400, 10) < 0.5 * distance(net, path, None, 25, 10)


def test_initial_law():
    """At t = 0 moments and correlations of a sample are those of the laws, to 5 standard errors.

    n = 400 neurons a layer; h2.weight(j, i) = normal(0.5 * bias_i, 1): its mean over j is regressed on
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

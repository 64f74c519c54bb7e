"""Solutions: resumed ones equal unbroken ones, given states are taken as they are, notes say what ran."""

from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.errors import DivergenceError, MfError
from mfderive.format.reader import parse_document
from mfderive.samples.resolve import resolve


def network(**changes):
    document = {
        "format": 1,
        "title": "Small",
        "data": {"kind": "isotropic-gaussians", "dimension": 3, "separation": 0.4},
        "loss": {"kind": "squared"},
        "layers": [
            {"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "tanh"},
            {"name": "h2", "from": "h1", "weight": "normal(1, 0.5)", "bias": "0", "activation": "tanh"},
        ],
        "output": {"from": "h2", "weight": "normal(1, 0.5)"},
        "training": {"learning_rate": 0.05, "batch_size": 20, "steps": 12},
    }
    return resolve(parse_document(document | changes), seed=0)


@pytest.mark.parametrize("method", ["euler", "rk4"])
@pytest.mark.parametrize("reduce", [True, False])
def test_a_resumed_solution_is_the_unbroken_one(method, reduce):
    """To the bit: the same steps on the same batches from the same numbers."""
    net = network()
    options = {"method": method, "reduce": reduce, "nodes": 16} | ({"step": 0.05} if method == "rk4" else {})
    whole = mf.solve(net, steps=12, **options)
    half = mf.solve(net, steps=6, **options)
    steps = {name: options[name] for name in options if name not in ("reduce", "nodes")}
    resumed = mf.solve(net, steps=12, resume=half, **steps)
    for name, value in whole.at().items():
        if name != "p":
            assert np.array_equal(value, resumed.at()[name]), name
    assert resumed.loss[-1] == whole.loss[-1] and resumed.reduced is half.reduced
    assert resumed.passes == whole.passes == (("closure", "exchangeability") if reduce else ())
    assert (resumed.sample(5)["h2.weight"] == whole.sample(5)["h2.weight"]).all()


def test_given_entries_get_no_noise():
    """Arrays of the whole network are what its weights are; means are filled up with noise."""
    net = network()
    solver = mf.generate(mf.derive(net))
    given = mf.solve(net, initial=solver.sample(widths=30, seed=2), steps=2)
    assert given.passes == ()
    assert set(given.sample(50)["h2.weight"].ravel()) <= set(given.at()["h2.weight"].ravel())
    means = mf.solve(net, reduce=False, edges="mean", widths=30, steps=2)
    assert means.passes == ("means",)
    assert abs((means.sample(200, seed=1)["h2.weight"]).std() - 0.5) < 0.02


def test_precision_and_steps_of_observation():
    path = mf.solve(network(), precision="float32", nodes=16)
    assert path.at()["h1.weight"].dtype == np.float32 and path.sample(4)["h2.weight"].dtype == np.float32
    assert path.steps[0] == 0 and path.steps[-1] == 12
    assert path.notes["memory_bytes"] > path.at()["h1.weight"].nbytes


def test_resume_and_initial_exclude_each_other():
    path = mf.solve(network(), steps=2, nodes=16)
    with pytest.raises(MfError, match="both"):
        mf.solve(network(), steps=4, resume=path, initial=path.at())


def test_a_march_is_its_steps_one_after_the_other(tmp_path):
    """Bit for bit, with batches of several sizes and weights of samples that come and go."""
    net = mf.load(Path(__file__).resolve().parents[2] / "specs" / "cnn_small.toml")
    solver = mf.generate(mf.derive(net), tmp_path)
    rng = np.random.default_rng(5)
    moves = []
    for k, size in enumerate((4, 4, 3, 4, 4), 1):
        weights = rng.dirichlet(np.ones(size)) if k > 3 else None
        moves.append((*net.source.batch(k, size), 0.1 * k, 0.01 * k, weights, k))
    marched, stepped = solver.sample(5, seed=1), solver.sample(5, seed=1)
    assert solver.march(marched, iter(moves)) is marched
    for x, y, t, alpha, weights, k in moves:
        stepped = solver.step(stepped, x, y, t, alpha, weights=weights, k=k)
    for name in solver.layout.parameters:
        assert np.array_equal(marched[name], stepped[name]), name


@pytest.mark.parametrize("kind", ["limit", "network"])
def test_infinite_weights_behind_a_finite_loss_are_seen(kind):
    """tanh of an infinite weight is finite, and so is the loss: the state itself is looked at."""
    document = {
        "format": 1,
        "data": {"kind": "isotropic-gaussians", "dimension": 2, "separation": 0.4},
        "loss": {"kind": "squared"},
        "layers": [
            {"name": "h1", "from": "x", "weight": {"law": "normal(0, 1)", "rate": 1e39}, "activation": "tanh"}
        ],
        "output": {"from": "h1", "weight": {"law": "1", "rate": 0}},
        "training": {"learning_rate": 1e270, "steps": 3, "batch_size": 10},
    }
    net = mf.load(document)
    with pytest.raises(DivergenceError, match=r"'h1.weight' is not finite"):
        mf.solve(net, nodes=8) if kind == "limit" else mf.simulate(net, 8, precision="float64")


def test_a_state_of_another_network_is_solved_by_this_ones_limit():
    """A state says through which passes it came, not which equations move it: here the activation differs."""
    net = mf.load(Path(__file__).resolve().parents[2] / "specs" / "three_layer.toml")
    other = net.replace(layers={"h2": {"activation": "tanh"}})
    start = mf.solve(net, steps=1).at(0.0)
    assert np.array_equal(mf.solve(other, steps=3, initial=start).loss, mf.solve(other, steps=3).loss)


def test_rk4_goes_on_to_any_later_end():
    """Its steps divide both ends: 0.5 and 0.75 need three; the end is the unbroken one's to the order of rk4.

    Steps of 0.5 and 0.25 against 0.0125; a hundredth of what training moves is far above their errors.
    """
    net = network(data={"kind": "teacher", "dimension": 1, "target": "sin(x1)", "inputs": "normal(0, 1)"})
    begun = mf.solve(net, 0.5, method="rk4", data="sobol", data_nodes=64, evaluation=50)
    path = mf.solve(net, 0.75, method="rk4", data="sobol", data_nodes=64, evaluation=50, resume=begun)
    fine = mf.solve(net, 0.75, method="rk4", step=0.0125, data="sobol", data_nodes=64, evaluation=50)
    assert path.times[-1] == 0.75 and 0.5 in path.times
    moved = abs(fine.loss[-1] - fine.loss[0])
    assert abs(path.loss[-1] - fine.loss[-1]) < 1e-2 * moved
    np.testing.assert_allclose(path.predict(net.source.batch(1, 3)[0], 0.6).shape, (3, 1))
    with pytest.raises(MfError, match="a step of which both ends are multiples"):
        mf.solve(net, 0.75, method="rk4", step=0.4, data="sobol", data_nodes=64, resume=begun)

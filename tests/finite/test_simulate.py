"""Training of finite networks: every step against plain numpy, and what a trajectory promises."""

import tomllib
from dataclasses import replace

import numpy as np
import pytest

from mfderive.errors import DivergenceError, MfError, ResourceError, StateError
from mfderive.finite.simulate import simulate
from mfderive.finite.velocity import finite_velocity
from mfderive.format.reader import parse_document
from mfderive.forward.equations import forward_system
from mfderive.runs.evaluation import evaluate_loss_error
from mfderive.samples.resolve import resolve
from mfderive.state.draw import initial_state

SPEC = """
format = 1
title = "Trained in a test"
[data]
kind = "isotropic-gaussians"
dimension = 3
separation = 0.4
[loss]
kind = "squared"
[[layers]]
name = "h1"
from = "x"
weight = { law = "normal(0, 1)", rate = "1/(1 + 10*t)" }
bias = "0"
activation = "relu"
[[layers]]
name = "h2"
from = "h1"
width = 1.5
weight = "normal(1, 0.5)"
bias = { law = "0.1", rate = 0 }
activation = "tanh"
[output]
from = "h2"
weight = "normal(1, 0.5)"
bias = "0"
[training]
learning_rate = 0.02
schedule = "k**(-0.1)"
batch_size = 10
steps = 12
"""


def network(**training):
    resolved = resolve(parse_document(tomllib.loads(SPEC)))
    return replace(resolved, training=replace(resolved.training, **training))


def trained_by_hand(net, seed: int, width: int, steps: int):
    """SGD with the complex-step witness, in float64, from the same draw on the same batches."""
    state = initial_state(forward_system(net), width, seed)
    t = 0.0
    for k in range(1, steps + 1):
        x, y = net.source.batch(k, net.training.batch_size)
        speed = finite_velocity(net, state, x, y, t=t)
        alpha = net.training.learning_rate * k**-0.1
        state = {**state, **{name: state[name] + alpha * value for name, value in speed.items()}}
        t += alpha
    return state, t


def test_every_step_is_the_step_of_sgd() -> None:
    """Twelve steps in float64: errors are rounding of values of order one to ten, amplified little."""
    net = network()
    for path, seed in zip(simulate(net, 4, [3, 8], precision="float64"), (3, 8), strict=True):
        expected, t = trained_by_hand(net, seed, 4, 12)
        assert path.kind == "network" and path.seed == seed and path.width == 4
        assert path.times[-1] == pytest.approx(t, rel=1e-14)
        for name in set(expected) - {"p"}:
            np.testing.assert_allclose(path.at()[name], expected[name], rtol=0, atol=1e-12, err_msg=name)
        assert path.at()["h2.weight"].shape == (6, 4) and path.at()["h2.weight"].dtype == np.float64
        np.testing.assert_array_equal(path.at()["h2.bias"], np.full(6, 0.1))


def test_observations_are_those_of_the_evaluation_sample() -> None:
    net = network()
    (path,) = simulate(net, 5, 1, evaluation=30, precision="float64")
    x, y = net.source.evaluation(30)
    assert path.steps.tolist() == list(range(13)) and path.times[0] == 0.0
    for t, place in ((0.0, 0), (path.times[-1], -1)):
        loss, error = evaluate_loss_error(net, path.predict(x, t), y)
        assert path.loss[place] == pytest.approx(loss, rel=1e-12)
        assert path.error[place] == error


def test_single_precision_follows_double() -> None:
    """float32 has 6e-8 relative rounding; twelve steps of sums of ten terms stay within 1e-4."""
    net = network()
    single, double = (simulate(net, 6, [2], precision=dtype)[0] for dtype in ("float32", "float64"))
    assert single.at()["h1.weight"].dtype == np.float32
    np.testing.assert_allclose(single.loss, double.loss, rtol=1e-4)


def test_same_seed_same_path_in_any_company() -> None:
    """A seed's draw does not depend on the other seeds; vectorising may change rounding alone."""
    net = network()
    alone, pair = simulate(net, 6, [4])[0], simulate(net, 6, [9, 4])[1]
    np.testing.assert_array_equal(alone.at(0.0)["h2.weight"], pair.at(0.0)["h2.weight"])
    np.testing.assert_allclose(alone.loss, pair.loss, rtol=1e-4)
    first, second = simulate(net, 6, 2)
    assert (first.seed, second.seed) == (1, 2) and first.loss[0] != second.loss[0]


def test_initial_arrays_start_every_network() -> None:
    net = network()
    start = initial_state(forward_system(net), {"h1": 3, "h2": 7}, seed=11)
    path = simulate(net, None, [0], initial=start, precision="float64", steps=1)[0]
    np.testing.assert_array_equal(path.at(0.0)["h1.weight"], start["h1.weight"])
    assert path.at()["h2.weight"].shape == (7, 3)
    with pytest.raises(StateError, match="the width is 4"):
        simulate(net, 4, [0], initial=start)
    unequal = {**start, "p": {**start["p"], "h1": np.array([0.5, 0.25, 0.25])}}
    with pytest.raises(StateError, match="population 'h1'"):
        simulate(net, None, [0], initial=unequal)


def test_horizon_ends_at_the_first_step_that_reaches_it() -> None:
    net = network()
    full = simulate(net, 3, 1, steps=40)[0]
    assert simulate(net, 3, 1, horizon=float(full.times[5]))[0].steps[-1] == full.steps[5]
    beyond = simulate(net, 3, 1, horizon=0.5)[0]
    assert beyond.steps[-1] > net.training.steps and beyond.times[-2] < 0.5 <= beyond.times[-1]


def test_a_fixed_sample_can_be_the_batch() -> None:
    document = tomllib.loads(SPEC)
    document["data"]["samples"] = 25
    document["training"]["batch_size"] = "all"
    net = resolve(parse_document(document))
    (path,) = simulate(net, 4, [3], precision="float64")
    expected, _ = trained_by_hand(net, 3, 4, 12)
    np.testing.assert_allclose(path.at()["h2.weight"], expected["h2.weight"], rtol=0, atol=1e-12)


def test_divergence_stops_with_time_field_and_remedy() -> None:
    with pytest.raises(DivergenceError, match=r"seed 1, diverged by t = .*'.*' is not finite.*learning rate"):
        simulate(network(learning_rate=1e6, steps=60), 4, 2)


def test_refusals() -> None:
    net = network()
    with pytest.raises(ResourceError, match="GB are free"):
        simulate(net, 10**7, 1)
    for arguments, match in (
        ({"precision": "float16"}, "float32"),
        ({"seeds": 0}, "at least 1"),
        ({"seeds": []}, "at least one seed"),
        ({"steps": 0}, "at least 1"),
        ({"steps": 3, "horizon": 1.0}, "both"),
        ({"horizon": -1.0}, "greater than 0"),
        ({"evaluation": 0}, "at least 1"),
    ):
        with pytest.raises(MfError, match=match):
            simulate(net, 4, **arguments)
    with pytest.raises(MfError, match="needs a width"):
        simulate(net, None)

"""Strides: where as many steps of SGD lead, by order, along schedules, between their ends, and as runs."""

from __future__ import annotations

import numpy as np
import pytest
from runs.survival import same, signalled, stopped_at

import mfderive as mf
from mfderive.errors import DivergenceError
from mfderive.runs.flow_sentences import flow_sentences
from mfderive.runs.trajectory import Trajectory
from mfderive.solution.strides import Strides

SPEC = {
    "format": 1,
    "title": "Small",
    "data": {"kind": "isotropic-gaussians", "dimension": 3, "separation": 0.4},
    "loss": {"kind": "squared"},
    "layers": [
        {"name": "h1", "from": "x", "weight": "normal(0.2, 0.6)", "bias": "0.1", "activation": "tanh"}
    ],
    "output": {"from": "h1", "weight": "normal(1, 0.1)"},
    "training": {"learning_rate": 0.01, "batch_size": 20, "steps": 600},
}
COMMON = {"nodes": 8, "data": "quadrature", "data_nodes": 8, "evaluation": 40}


def network(layer=None, **training):
    layers = [{**SPEC["layers"][0], **(layer or {})}]
    return mf.load({**SPEC, "layers": layers, "training": {**SPEC["training"], **training}})


def gentle(t, y):
    """A nonlinear system of two numbers that changes in time, and leaves every number after a while."""
    return np.array([y[1] * np.cos(t) - y[0] ** 2, np.sin(3 * y[0]) - 0.5 * y[1]])


def moving(t, y):
    """One that goes on."""
    return np.array([y[1] * np.cos(t) - y[0] - 0.5 * np.sin(2 * y[0]), np.sin(3 * y[0]) - 0.5 * y[1]])


START = np.array([0.7, -1.1])
SCHEDULES = {
    "equal": lambda u: np.ones_like(u),
    "falling": lambda u: 1 - 0.8 * u,
    "warm-up": lambda u: np.minimum(1, 0.9 + u / 3),
}


def steps(times, system=moving):
    """All values of the steps themselves, [step, number]."""
    found = [START]
    for t, alpha in zip(times[:-1], np.diff(times), strict=True):
        found.append(found[-1] + alpha * system(t, found[-1]))
    return np.array(found)


def one_stride(count, length, schedule):
    """A stride over so many steps, whatever its error: its end, its values by time, its steps' times."""
    rates = schedule(np.arange(count) / count)
    times = np.concatenate([[0.0], np.cumsum(rates * length / rates.sum())])
    units = 1e-9  # the error of a stride is judged in units of 1: none is too long
    stride = Strides(lambda t, y: units * gentle(t, y / units), times, 0.0, units * START, times[-1], length)
    stride.step()
    assert stride.t == times[-1] and stride.rejected == 0 and stride.nfev == 4
    return stride.y / units, lambda t: stride.dense_output()(t) / units, times


@pytest.mark.parametrize("count", [3, 4, 10, 1000])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_stride_is_that_of_its_steps_to_third_order(count, schedule):
    """Its end, and the values at every third step and between: errors ~ h^4, fitted; h^5 adds below 0.2.

    Each length has as many steps, at rates that are as much smaller.
    """
    lengths, ends, between = 0.05 / 2.0 ** np.arange(4), [], []
    for length in lengths:
        y, dense, times = one_stride(count, length, SCHEDULES[schedule])
        exact = steps(times, gentle)
        ends.append(np.abs(y - exact[-1]).max())
        inner = [np.abs(dense(times[k]) - exact[k]).max() for k in range(1, count, max(1, count // 3))]
        half = (times[1] + times[2]) / 2  # between two steps values lie on a line
        between.append(max(*inner, np.abs(dense(half) - (exact[1] + exact[2]) / 2).max()))
        np.testing.assert_allclose(dense(times[-1]), y, rtol=1e-13)
        np.testing.assert_allclose(dense(times[1] / 2), (exact[0] + exact[1]) / 2, rtol=1e-13)
    for errors in (ends, between):
        assert np.polyfit(np.log(lengths), np.log(errors), 1)[0] == pytest.approx(4, abs=0.2)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_all_strides_together_follow_the_tolerance(schedule):
    """4,000 steps to t = 8: errors ~ the tolerance, fitted over three decades, far fewer velocities."""
    rates = SCHEDULES[schedule](np.arange(4000) / 4000)
    times = np.concatenate([[0.0], np.cumsum(rates * 8 / rates.sum())])
    exact = steps(times)
    tolerances, errors = 10.0 ** -np.arange(3, 7), []
    for tolerance in tolerances:
        strides = Strides(
            lambda t, y, e=tolerance: moving(t, y * e) / e, times, 0.0, START / tolerance, times[-1]
        )
        worst = 0.0
        while strides.status == "running":
            strides.step()
            for t in np.linspace(strides.t_old, strides.t, 4):
                line = [np.interp(t, times, column) for column in exact.T]
                worst = max(worst, np.abs(strides.dense_output()(t) * tolerance - line).max())
        errors.append(worst)
        assert strides.t == times[-1] and strides.number == 4000
        assert strides.nfev < 4000 * {1e-3: 0.05, 1e-4: 0.1, 1e-5: 0.2, 1e-6: 0.4}[round(tolerance, 9)]
    assert (np.array(errors) < 10 * tolerances).all()
    assert np.polyfit(np.log(tolerances), np.log(errors), 1)[0] == pytest.approx(1, abs=0.25)


def test_steps_that_are_large_are_made_one_by_one():
    """Rates at which a step turns and shrinks the values: as many velocities as steps, to the last digit."""
    times, rate = np.arange(41) * 1.0, 1.7
    strides = Strides(
        lambda t, y: -rate * y * (1 + 0.3 * np.sin(t)) * 1e3, times / 1e3, 0.0, np.ones(2) * 1e6, 0.04
    )
    while strides.status == "running":
        strides.step()
    exact = np.ones(2) * 1e6
    for k in range(40):
        exact = exact - rate * exact * (1 + 0.3 * np.sin(k / 1e3))
    np.testing.assert_allclose(strides.y, exact, rtol=1e-9)
    assert strides.nfev < 80


def test_rates_of_zero_do_nothing():
    """Steps at a rate of 0 in the middle, at the start and at the end are no steps."""
    times = np.repeat(np.linspace(0, 2, 201), [3, *[1] * 99, 40, *[1] * 99, 5])
    found = {}
    for name, own in (("zeros", times), ("none", np.unique(times))):
        strides = Strides(moving, own, 0.0, START, 2.0)
        while strides.status == "running":
            strides.step()
        found[name] = strides.y, strides.nfev
    assert np.array_equal(found["zeros"][0], found["none"][0]) and found["zeros"][1] == found["none"][1]


# --- solutions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "training",
    [
        {},
        {"schedule": "1/(1 + k/200)"},
        {"weight_decay": 0.1, "clip": 10.0, "batch_size": 20},
    ],
    ids=["plain", "schedule", "decay"],
)
def test_solutions_are_those_of_euler(training):
    """Losses and states to ten tolerances of Euler's, on the same samples, at the same times and steps."""
    net = network(**training)
    exact = mf.solve(net, method="euler", **COMMON)
    for rtol in (1e-3, 1e-5):
        path = mf.solve(net, method="strides", rtol=rtol, **COMMON)
        assert np.array_equal(path.times, exact.times) and np.array_equal(path.steps, exact.steps)
        np.testing.assert_allclose(path.loss, exact.loss, rtol=0, atol=10 * rtol)
        for name, value in exact.at().items():
            if name != "p":
                np.testing.assert_allclose(path.at()[name], value, rtol=0, atol=20 * rtol)
        assert path.notes["flow"]["evaluations"] < {1e-3: 100, 1e-5: 300}[rtol]
    assert "flow_against_steps" not in path.notes


def test_nodes_and_data_are_chosen_as_for_a_flow():
    """By default an integrated law, with symmetries and a stated error that covers Euler's own curve."""
    net = network({"weight": "normal(0, 0.6)", "bias": "0"}, steps=100)
    path, exact = mf.solve(net, method="strides"), mf.solve(net, method="euler", data="quadrature")
    assert path.reduced.integrates_the_law and path.notes["data"] == "quadrature"
    assert (np.abs(path.loss - exact.loss) <= path.loss_error + exact.loss_error).all()
    assert 0 < path.loss_error.max() < 1e-3
    said = flow_sentences(path.notes)
    assert said[0].startswith(
        "The limit makes 100 steps of SGD on the law of the data, many at a time (method"
    )
    assert len(said) == 1


def test_kinks_take_strides_too():
    net, options = network({"activation": "relu"}), {**COMMON, "nodes": 32}
    exact = mf.solve(net, method="euler", **options)
    path = mf.solve(net, method="strides", **options)
    np.testing.assert_allclose(path.loss, exact.loss, rtol=0, atol=1e-2)
    flow = mf.solve(net, method="flow", **options)
    assert path.notes["flow"]["evaluations"] < 1.2 * flow.notes["flow"]["evaluations"]


def test_an_event_ends_with_a_step_of_sgd():
    """The first step after which the loss is low enough, as Euler's steps have it."""
    net = network()
    exact = mf.solve(net, method="euler", observations=601, checkpoints=2, **COMMON)
    bound = float(exact.loss[0] + 0.6 * (exact.loss[-1] - exact.loss[0]))
    path = mf.solve(net, method="strides", rtol=1e-7, until_loss=bound, **COMMON)
    first = int(np.argmax(exact.loss <= bound))
    assert path.steps[-1] == first and path.times[-1] == exact.times[first]
    assert path.loss[-1] == pytest.approx(exact.loss[first], abs=1e-6)
    assert path.notes["flow"]["sgd_steps"] == first


def test_between_stored_states_strides_are_what_was_observed(tmp_path):
    path = mf.solve(network(), method="strides", **COMMON)
    loaded = Trajectory.load(path.save(tmp_path))
    x, y = path.network.source.evaluation(COMMON["evaluation"])
    stored = {point.time for point in path.checkpoints}
    between = [k for k, t in enumerate(path.times.tolist()) if t not in stored]
    for k in (between[0], between[len(between) // 2], between[-1]):
        t = float(path.times[k])
        assert float(((path.predict(x, t) - y) ** 2).sum(1).mean()) == pytest.approx(path.loss[k], rel=1e-13)
        for name, value in path.at(t).items():
            assert name == "p" or np.array_equal(value, loaded.at(t)[name])


def test_strides_go_on():
    """From the end of other strides, and from the end of a flow between two steps."""
    net, more = network(), {**COMMON, "nodes": None}
    whole = mf.solve(net, method="strides", **COMMON)
    for method in ("strides", "flow"):
        begun = mf.solve(net, 1.2345, method=method, **COMMON)
        path = mf.solve(net, 6.0, method="strides", resume=begun, **more)
        assert path.steps[-1] == 600 and path.times[-1] == pytest.approx(6.0)
        assert abs(path.loss[-1] - whole.loss[-1]) < 1e-2
        t = float(path.times[-3])
        x, y = net.source.evaluation(COMMON["evaluation"])
        assert float(((path.predict(x, t) - y) ** 2).sum(1).mean()) == pytest.approx(path.loss[-3], rel=1e-13)


def test_interrupted_strides_go_on_to_the_same_bits(tmp_path):
    def call(keep=None):
        return mf.solve(network({"activation": "relu"}), method="strides", rtol=1e-4, keep=keep, **COMMON)

    for _ in range(2):
        with stopped_at(6, signalled()), pytest.raises(KeyboardInterrupt):
            call(tmp_path)
    assert same(call(tmp_path), call())


def test_steps_that_diverge_end_with_what_was_solved():
    """theta' = 3 theta^2 by steps: Euler overflows at the same step."""
    spec = {
        **SPEC,
        "layers": [{"name": "h1", "from": "x", "weight": "0.5", "activation": "h ** 3"}],
        "output": {"from": "h1"},
        "loss": {"kind": "expression", "expression": "-yhat"},
        "training": {"learning_rate": 0.05, "batch_size": "all", "steps": 40},
    }
    net = mf.load(spec, data=(np.ones((2, 1)), np.ones(2)))
    with pytest.raises(DivergenceError) as euler:
        mf.solve(net, method="euler", observations=41)
    with pytest.raises(DivergenceError, match=r"diverged by|cannot be followed beyond") as strides:
        mf.solve(net, method="strides", observations=41)
    assert strides.value.path.loss[-1] < -1e3
    assert strides.value.path.steps[-1] == euler.value.path.steps[-1]


def test_a_tolerance_refines_strides():
    options = {"data": "quadrature", "data_nodes": 8, "evaluation": 40}
    path = mf.solve(network(steps=100), method="strides", tolerance=0.05, **options)
    part = path.notes["tolerance"]["resolutions"]["time"]
    assert part["level"].startswith("rtol ") and part["estimate"] < 0.05
    exact = mf.solve(network(steps=100), method="euler", nodes=256, **options)
    assert np.abs(path.loss - exact.loss).max() < 0.05


@pytest.mark.parametrize(
    "schedule", ["heaviside(k - 50.5)", "heaviside(50.5 - k)", "heaviside(abs(k - 300) - 99.5)"]
)
@pytest.mark.parametrize("method", ["strides", "flow", "stiff"])
def test_times_at_which_rates_are_zero_are_observed_as_euler_does(method, schedule):
    """At the start, at the end and between: the same rows, and states that are there at every time."""
    net = network(schedule=schedule)
    exact = mf.solve(net, method="euler", **COMMON)
    path = mf.solve(net, method=method, **COMMON)
    assert np.array_equal(path.times, exact.times) and np.array_equal(path.steps, exact.steps)
    np.testing.assert_allclose(path.loss, exact.loss, rtol=0, atol=1e-2)
    assert path.checkpoint().step == 600
    x, y = net.source.evaluation(COMMON["evaluation"])
    for k in (0, 10, 40, 70, 79):
        loss = float(((path.predict(x, float(path.times[k])) - y) ** 2).sum(1).mean())
        assert loss == pytest.approx(path.loss[k], rel=1e-12)

"""States between the stored ones are those of the run itself, to the bit on its grid, to its order off it."""

from __future__ import annotations

import numpy as np
import pytest

import mfderive as mf
from mfderive.errors import StateError
from mfderive.format.reader import parse_document
from mfderive.runs.between import KEPT
from mfderive.runs.trajectory import Trajectory
from mfderive.samples.resolve import resolve

X = np.random.default_rng(0).normal(size=(5, 3))


def network(**changes):
    """Two layers, no bend: the outputs move at every step."""
    document = {
        "format": 1,
        "title": "Linear",
        "data": {"kind": "isotropic-gaussians", "dimension": 3, "separation": 0.4},
        "loss": {"kind": "squared"},
        "layers": [{"name": "h1", "from": "x", "weight": "normal(0.2, 0.6)", "bias": "0.1"}],
        "output": {"from": "h1", "weight": "normal(1, 0.1)"},
        "training": {"learning_rate": 0.05, "batch_size": 20, "steps": 60},
    }
    return resolve(parse_document(document | changes), seed=0)


def same(one, other):
    return one.keys() == other.keys() and all(
        np.array_equal(one[name], other[name]) for name in one if name != "p"
    )


CASES = {
    "euler": {},
    "float32": {"precision": "float32"},
    "rk4": {"method": "rk4", "step": 0.1},
    "fixed sample": {"method": "rk4", "step": 0.1, "data": "sample", "data_nodes": 50},
    "whole": {"reduce": False, "widths": 12},
}


@pytest.mark.parametrize("name", CASES)
def test_on_the_grid_the_state_is_the_one_that_the_run_had(name, tmp_path):
    """Two questions at different times have different answers, those of a run with checkpoints there."""
    net, options = network(), {"evaluation": 10, "nodes": 8} | CASES[name]
    if "widths" in options:
        del options["nodes"]
    few = mf.solve(net, checkpoints=2, **options)
    every = mf.solve(net, checkpoints=100, observations=100, **options)
    assert len(few.checkpoints) == 2 and len(every.checkpoints) > 20
    loaded = Trajectory.load(few.save(tmp_path))
    answers = []
    # In no order, so that answers rest on states that are kept, and on ones that are not any more.
    for k in (12, 7, 20, 13, 2, 12, 19):
        point = every.checkpoints[k]
        for path in (few, loaded):
            made = path.checkpoint(point.time)
            assert (made.time, made.step) == (point.time, point.step)
            assert same(made.state, point.state), (name, k)
            assert np.array_equal(path.predict(X, point.time), every.predict(X, point.time))
        answers.append(few.predict(X, point.time))
        assert len(few._between.known) <= KEPT
    assert len({answer.tobytes() for answer in answers}) == 6
    assert np.array_equal(few.observe("h1", X, point.time), every.observe("h1", X, point.time))
    assert same(few.sample(4, t=point.time), every.sample(4, t=point.time))
    assert few.at(point.time).layout is few.reduced


def test_a_typed_time_is_the_grid_s():
    """0.3 is not the sum of six learning rates of 0.05 to the bit, and means it all the same."""
    net = network()
    path = mf.solve(net, steps=20, checkpoints=2, evaluation=10, nodes=4)
    assert path.checkpoint(0.3).step == 6 and path.checkpoint(0.3).time == float(np.cumsum([0.05] * 6)[-1])


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("rk4", 4)])
def test_off_the_grid_the_error_is_of_the_order_of_the_method(method, order):
    """Against a fine solution of the same flow (one sample for every step), at a time of no grid."""
    t, common = 0.737, {"data": "sample", "data_nodes": 40, "nodes": 8, "evaluation": 10, "checkpoints": 2}
    exact = mf.solve(network(), method="rk4", step=0.737 / 400, horizon=t, **common).predict(X)
    steps, errors = [0.2, 0.1, 0.05, 0.025], []
    for step in steps:
        if method == "rk4":
            path = mf.solve(network(), method="rk4", step=step, horizon=1.0, **common)
        else:
            net = network(training={"learning_rate": step, "batch_size": 20, "steps": 60})
            path = mf.solve(net, horizon=1.0, **common)
        errors.append(np.abs(path.predict(X, t) - exact).max())
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert abs(slope - order) < 0.35, (slope, errors)


def test_between_two_steps_the_path_has_no_jump():
    path = mf.solve(network(), steps=20, checkpoints=2, evaluation=10, nodes=4)
    at = [path.predict(X, t) for t in (0.5, 0.5 + 1e-7, 0.55 - 1e-7, 0.55)]
    assert 0 < np.abs(at[1] - at[0]).max() < 1e-5 and 0 < np.abs(at[3] - at[2]).max() < 1e-5
    halfway = path.predict(X, 0.525)
    states = [path.at(t)["h1.weight"] for t in (0.5, 0.525, 0.55)]
    np.testing.assert_allclose(states[1], (states[0] + states[2]) / 2, rtol=0, atol=1e-12)  # an Euler step
    assert not np.array_equal(halfway, at[0]) and not np.array_equal(halfway, at[3])


def test_a_resumed_run_remembers_how_each_part_was_made():
    """Its first part was solved on another grid; a part of another network cannot be made again."""
    net, common = network(), {"evaluation": 10, "checkpoints": 2}
    first = mf.solve(net, horizon=1.0, method="rk4", step=0.2, nodes=8, **common)
    both = mf.solve(net, horizon=2.0, method="rk4", step=0.1, resume=first, **common)
    assert same(both.at(0.4), first.at(0.4)) and both.checkpoint(1.5).time == 1.5
    assert len(both.notes["legs"]) == 2
    slow = network(training={"learning_rate": 0.025, "batch_size": 20, "steps": 60})
    other = mf.solve(slow, horizon=2.0, method="rk4", step=0.1, resume=first, **common)
    with pytest.raises(StateError, match=r"t = 0\.4 is between the stored times.*0\.0, 1\.0"):
        other.at(0.4)
    assert other.checkpoint(1.5).time == 1.5


def test_a_tolerance_s_cut_steps_are_made_again():
    common = {"method": "rk4", "data": "sample", "data_nodes": 20, "horizon": 1.0, "evaluation": 10}
    path = mf.solve(network(), step=0.5, tolerance=0.02, **common)
    steps = path.notes["legs"][0]["steps"] * path.notes["legs"][0]["parts"]
    grid = np.linspace(0, 1, steps + 1)
    k = next(k for k, t in enumerate(grid) if all(abs(t - p.time) > 1e-9 for p in path.checkpoints))
    begin = [p for p in path.checkpoints if p.time < grid[k]][-1]
    made = path.checkpoint(float(grid[k]))
    assert begin.time < made.time <= grid[k] + 1e-12 and not same(made.state, begin.state)


def test_a_network_is_trained_again_from_the_state_before():
    """A network alone has its own states to the bit; off the grid it makes a part of a step of SGD."""
    net = network()
    options = {"width": 6, "seeds": [4], "steps": 30, "precision": "float64", "evaluation": 10}
    (few,) = mf.simulate(net, checkpoints=2, **options)
    (every,) = mf.simulate(net, checkpoints=40, **options)
    point = every.checkpoints[11]
    made = few.checkpoint(point.time)
    assert made.step == point.step and same(made.state, point.state)
    assert np.array_equal(few.predict(X, point.time), every.predict(X, point.time))
    after = every.checkpoints[12]
    middle = few.at((point.time + after.time) / 2)["h1.weight"]
    if after.step == point.step + 1:
        wanted = (point.state["h1.weight"] + after.state["h1.weight"]) / 2
        np.testing.assert_allclose(middle, wanted, rtol=0, atol=1e-12)
    assert not np.array_equal(middle, point.state["h1.weight"])


def test_times_outside_of_the_run_are_refused():
    path = mf.solve(network(), steps=4, checkpoints=2, evaluation=10, nodes=4)
    for t, advice in ((-0.1, r"begin at 0$"), (0.21, r"solve\(network, horizon=0.21, resume=path\)$")):
        with pytest.raises(StateError, match=rf"is outside of this trajectory.*{advice}"):
            path.predict(X, t)
    longer = mf.solve(path.network, horizon=0.25, resume=path)  # what the message advises
    assert longer.predict(X, 0.21).shape == (len(X), 1)
    (trained,) = mf.simulate(network(), 5, 1, steps=4, evaluation=10)
    with pytest.raises(StateError, match=r"simulate\(network, 5, horizon=0.21\)$"):
        trained.predict(X, 0.21)

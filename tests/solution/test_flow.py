"""Flows as runs: what they average over, what ends them, how they go on, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from runs.survival import same, signalled, stopped_at
from theory.common import document, limit_of
from theory.test_two_layer import aligned_state, isotropic, linear_closed_form

import mfderive as mf
from mfderive.algebra.update_rules import RULES
from mfderive.analysis.bends import has_kinks
from mfderive.errors import ArgumentError, DivergenceError
from mfderive.runs.flow_sentences import flow_sentences
from mfderive.runs.trajectory import Trajectory
from mfderive.solution import flow as flow_module
from mfderive.solution.flow_space import FlowSpace

LAYERS = [{"name": "h1", "from": "x", "weight": "normal(0.2, 0.6)", "bias": "0.1", "activation": "tanh"}]
SPEC = {
    "format": 1,
    "title": "Small",
    "data": {"kind": "isotropic-gaussians", "dimension": 3, "separation": 0.4},
    "loss": {"kind": "squared"},
    "layers": LAYERS,
    "output": {"from": "h1", "weight": "normal(1, 0.1)"},
    "training": {"learning_rate": 0.05, "batch_size": 20, "steps": 60},
}
COMMON = {"nodes": 8, "data_nodes": 32, "evaluation": 40}
METHODS = ("flow", "stiff")
ADAPTIVE = (*METHODS, "strides")


def network(**training):
    return mf.load({**SPEC, "training": {**SPEC["training"], **training}})


@pytest.fixture(scope="module")
def paths():
    return {method: mf.solve(network(), method=method, **COMMON) for method in METHODS}


# --- data ------------------------------------------------------------------------------------------------


FIXED = {"kind": "isotropic-gaussians", "dimension": 3, "separation": 0.4, "samples": 30}


@pytest.mark.parametrize(
    ("data", "batch", "rule", "samples"),
    [
        ({}, 20, "quadrature", 2 * 16**3),
        ({"dimension": 5}, 20, "sobol", 2 * 4096),
        (FIXED, 20, "sample", 30),
        (FIXED, "all", "batches", 30),
    ],
)
def test_a_flow_averages_over_the_law_of_the_data(data, batch, rule, samples):
    """Nodes of the law, or the whole data set: the same samples at every velocity; the notes say which."""
    spec = {**SPEC, "data": {**SPEC["data"], **data}, "training": {**SPEC["training"], "batch_size": batch}}
    path = mf.solve(mf.load(spec), 0.05, method="flow", nodes=4, evaluation=10)
    assert (path.notes["data"], path.notes["samples_per_step"]) == (rule, samples)
    if data == FIXED:
        steps = mf.solve(mf.load(spec), 0.05, method="rk4", step=0.01, nodes=4, evaluation=10, data="sample")
        assert path.loss[-1] == pytest.approx(steps.loss[-1], abs=1e-4)


def test_both_methods_and_steps_agree(paths):
    """At equal times: rk4 at a hundredth, and flows at ten times their tolerances; Euler at its own error."""
    exact = mf.solve(network(), method="rk4", step=0.01, data="quadrature", observations=301, **COMMON)
    curve = np.interp(paths["flow"].times, exact.times, exact.loss)
    assert np.abs(paths["flow"].loss - curve).max() < 1e-3
    assert np.abs(paths["stiff"].loss - curve).max() < 1e-2
    note = paths["flow"].notes["flow"]
    assert note["ended"] == {"by": "horizon", "time": paths["flow"].times[-1]}
    assert note["evaluations"] >= 3 * note["steps"] > 0
    assert paths["flow"].steps[-1] == 60 and paths["flow"].times[-1] == pytest.approx(3.0)


# --- events ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "rtol"), [("flow", 1e-8), ("stiff", 1e-7)])
def test_a_target_loss_is_hit(method, rtol):
    """The last row has the target to 1e-10; the closed form has it at that time to 100 tolerances."""
    limit, a = isotropic(3)
    state = aligned_state(a)
    target = float(linear_closed_form(state, a, 0.5)[2])
    path = mf.solve(
        limit.network, 3.0, method=method, rtol=rtol, initial=state, system=limit.system,
        solver=limit.solver, evaluation=6, until_loss=target,
    )  # fmt: skip
    assert path.loss[-1] == pytest.approx(target, rel=1e-10) and (path.loss[:-1] > target).all()
    bound = 100 * rtol ** {"flow": 1.0, "stiff": 2 / 3}[method]
    assert path.times[-1] == pytest.approx(0.5, abs=bound)
    assert path.checkpoints[-1].time == path.times[-1] == path.notes["flow"]["ended"]["time"]
    assert path.notes["flow"]["ended"]["by"] == "until_loss"
    assert (np.diff(path.times) > 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_flow_that_hardly_moves_ends(method):
    """The speed at the end is the bound to 1e-6: |velocity| in L2(P); its square is the fall of the loss."""
    limit, a = isotropic(3)
    state, bound = aligned_state(a), 0.3
    path = mf.solve(
        limit.network, 10.0, method=method, initial=state, system=limit.system, solver=limit.solver,
        evaluation=6, until_speed=bound,
    )  # fmt: skip
    velocity = limit.velocity(path.at())
    p = state["p"]["h1"]
    squares = p @ (velocity["h1.weight"] ** 2).sum(1) + p @ velocity["output.weight"][0] ** 2
    assert np.sqrt(squares) == pytest.approx(bound, rel=1e-6)
    assert path.notes["flow"]["ended"]["by"] == "until_speed" and path.times[-1] < 10


def test_what_has_happened_ends_a_flow_where_it_starts(paths):
    path = mf.solve(network(), method="flow", until_loss=100.0, **COMMON)
    assert path.times.tolist() == [0.0] and len(path.checkpoints) == 1
    assert path.notes["flow"]["ended"] == {"by": "until_loss", "time": 0.0}
    both = mf.solve(network(), method="flow", until_loss=1e-9, until_speed=1e-9, **COMMON)
    assert both.notes["flow"]["ended"]["by"] == "horizon"
    assert np.array_equal(both.loss, paths["flow"].loss)


# --- between, resumed, kept ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_between_stored_states_a_flow_is_what_it_observed(method, paths, tmp_path):
    """The loss of the state at every observed time is the observed one, bit for bit, also from a file."""
    path = paths[method]
    loaded = Trajectory.load(path.save(tmp_path))
    x, y = path.network.source.evaluation(COMMON["evaluation"])
    stored = {point.time for point in path.checkpoints}
    between = [k for k, t in enumerate(path.times.tolist()) if t not in stored]
    assert len(between) > 30
    for k in (between[0], between[-1], between[len(between) // 2]):
        t = float(path.times[k])
        assert float(((path.predict(x, t) - y) ** 2).sum(1).mean()) == pytest.approx(path.loss[k], rel=1e-13)
        point = loaded.checkpoint(t)
        assert (point.time, point.step) == (t, path.steps[k])
        for name, value in path.at(t).items():
            assert name == "p" or np.array_equal(value, point.state[name])
    # A state that is not stored is that of another run's checkpoint to the tolerance.
    other = mf.solve(network(), method=method, checkpoints=3, **COMMON)
    moved = np.abs(other.at(1.234)["h1.weight"] - path.at(1.234)["h1.weight"]).max()
    assert 0 < moved < {"flow": 1e-3, "stiff": 1e-2}[method]


@pytest.mark.parametrize("method", METHODS)
def test_a_flow_goes_on_from_where_it_ended(method, paths):
    """From a time of no grid, with the step that was proposed there; the end is the unbroken one's."""
    begun = mf.solve(network(), 1.2345, method=method, **COMMON)
    path = mf.solve(network(), 3.0, method=method, resume=begun, **{**COMMON, "nodes": None})
    whole = paths[method]
    assert path.times[-1] == 3.0 and (np.diff(path.times) > 0).all()
    assert abs(path.loss[-1] - whole.loss[-1]) < {"flow": 1e-3, "stiff": 1e-2}[method]
    first, second = path.notes["legs"]
    assert second["begins"] == 1.2345 and second["stretches"][0][2] == first["proposed"]
    assert np.array_equal(path.at(0.777)["h1.weight"], begun.at(0.777)["h1.weight"])
    assert path.checkpoint(2.1).step == 42


@pytest.mark.parametrize("options", [{}, {"until_loss": 0.985}], ids=["horizon", "event"])
def test_an_interrupted_flow_goes_on_to_the_same_bits(tmp_path, options):
    """Stabilised steps remember the direction and size of the spectral radius; interrupted twice."""

    def call(keep=None):
        return mf.solve(network(), method="stiff", keep=keep, **COMMON, **options)

    for _ in range(2):
        with stopped_at(6, signalled()), pytest.raises(KeyboardInterrupt):
            call(tmp_path)
    assert same(call(tmp_path), call())


# --- kinks and units -------------------------------------------------------------------------------------


def test_kinks_do_not_make_the_steps_chatter(monkeypatch):
    """A deep relu network with few nodes: a pair of low order needs a third of what one of high order needs.

    Under a third of its attempts are rejected (more would cost more than steps that are shorter by a fifth),
    its velocities are fewer than half of SGD's steps, and its loss is right to ten tolerances.
    """
    layers = [
        {"name": "h1", "from": "x", "weight": "normal(0, 0.6)", "bias": "0", "activation": "relu"},
        {"name": "h2", "from": "h1", "weight": "normal(1, 0.3)", "bias": "0", "activation": "relu"},
        {"name": "h3", "from": "h2", "weight": "normal(1, 0.3)", "activation": "relu"},
    ]
    output = {"from": "h3", "weight": "normal(1, 0.3)"}
    training = {"learning_rate": 0.001, "batch_size": 20, "steps": 1500}
    net = mf.load({**SPEC, "layers": layers, "output": output, "training": training})
    options = {"nodes": 32, "data": "sobol", "data_nodes": 128, "evaluation": 50, "symmetry": False}
    path = mf.solve(net, method="flow", **options)
    note = path.notes["flow"]
    assert note["integrator"] == "RK23"
    assert note["rejected"] < note["steps"] / 2 and note["evaluations"] < 1500 / 2
    exact = mf.solve(net, method="flow", rtol=1e-5, **options)
    assert np.abs(path.loss - exact.loss).max() < 1e-3
    monkeypatch.setattr(flow_module, "integrator_of", lambda *_: "DOP853")
    high = mf.solve(net, method="flow", **options).notes["flow"]
    assert high["integrator"] == "DOP853" and high["evaluations"] > 3 * note["evaluations"]


def test_nodes_count_by_their_weights():
    """The unit of an entry is that of its parameter, over the root of its node's weight; a node of no weight
    still counts, by the ten-thousandth part of an equal share."""
    limit = limit_of(document(LAYERS, SPEC["output"]), np.ones((4, 3)), np.ones(4))
    state = limit.solver.sample(widths=4, seed=1)
    state["p"] = {"h1": np.array([0.5, 0.4, 0.1, 0.0])}

    class Problem:
        module = limit.solver

    space = FlowSpace(Problem, state, 1e-3, 1e-5)
    size = np.sqrt(state["p"]["h1"] @ (state["h1.weight"] ** 2).mean(1))
    shares = np.maximum(state["p"]["h1"] / 3, 1e-4 / 12)
    entries = sum(state[name].size for name in space.shapes)
    expected = np.sqrt(entries * shares) / (1e-5 + 1e-3 * size)
    units = dict(zip(space.shapes, np.split(space.units, space.starts[1:]), strict=True))["h1.weight"]
    np.testing.assert_allclose(units.reshape(4, 3), np.repeat(expected[:, None], 3, 1), rtol=1e-12)
    back = space.state(space.vector(state))
    np.testing.assert_allclose(back["h1.weight"], state["h1.weight"], rtol=1e-14)


def test_smooth_flows_have_pairs_by_their_tolerance():
    system = mf.derive(network())
    relu = mf.derive(mf.load({**SPEC, "layers": [{**LAYERS[0], "activation": "relu"}]}))
    assert has_kinks(relu) and not has_kinks(system)
    taken = [
        mf.solve(network(), 0.1, method="flow", rtol=rtol, **COMMON).notes["flow"]["integrator"]
        for rtol in (1e-3, 1e-6, 1e-9)
    ]
    assert taken == ["RK23", "RK45", "DOP853"]


# --- what ends badly, and what is refused ----------------------------------------------------------------


def test_a_flow_that_leaves_every_number_is_followed_until_then():
    """theta' = 3 theta^2 (output theta^3, loss -yhat) ends at t = 1 / (3 theta0); new units as it grows."""
    layers = [{"name": "h1", "from": "x", "weight": "0.5", "activation": "h ** 3"}]
    spec = document(layers, {"from": "h1"}, {"kind": "expression", "expression": "-yhat"})
    spec["training"]["learning_rate"] = 0.05
    net = mf.load(spec, data=(np.ones((2, 1)), np.ones(2)))
    for method in METHODS:
        with pytest.raises(DivergenceError, match=r"cannot be followed beyond t = 0\.66") as caught:
            mf.solve(net, 1.0, method=method)
        path = caught.value.path
        assert path.times[-1] == 0.65 and path.loss[-1] < -1e3
        assert [str(finding.kind) for finding in path.findings] == ["not-finite"]
        grown = [float(point.state["h1.weight"].ravel()[0]) for point in path.checkpoints]
        assert grown[-1] > 1e6 and len(grown) > 10


NO_FLOW = "no-flow"


@pytest.fixture
def rule_without_flow():
    mf.register_rule(mf.UpdateRule(NO_FLOW, "a rule of steps", (("theta", "theta - alpha*xi*g*abs(g)"),)))
    yield
    RULES.pop(NO_FLOW)


@pytest.mark.usefixtures("rule_without_flow")
@pytest.mark.parametrize(
    ("training", "options", "methods", "message"),
    [
        ({"optimizer": NO_FLOW}, {}, ("rk4", *METHODS), r"no known flow.*take the method euler"),
        ({"optimizer": "adam"}, {}, ("rk4", *METHODS), r"full batches only.*Set data to one of sample"),
        ({"noise": 0.1}, {}, ("rk4", *ADAPTIVE), r"noise in \[training\].*Euler and Maruyama"),
        ({"clip": 1.0}, {}, ADAPTIVE, r"clip bounds the gradient of each batch.*Set data to one of sample"),
        ({"optimizer": {"kind": "heavy-ball", "gamma": 1.0}}, {}, ("stiff",), r"swings.*the method flow"),
        ({"optimizer": {"kind": "heavy-ball", "gamma": 1.0}}, {}, ("strides",), r"a rate times a velocity"),
        (
            {"optimizer": "adam"},
            {"data": "sobol"},
            ("strides",),
            r"those of .*adam are not; take the method euler",
        ),
        ({}, {"data": "batches"}, ADAPTIVE, r"data is batches.*Leave data out, set it to one of sample"),
        ({}, {"step": 0.1}, ADAPTIVE, r"chooses its steps by rtol and atol.*the method rk4"),
        ({}, {"rtol": 0.1}, ("euler", "rk4"), r"only the methods flow, stiff, strides read it"),
        ({}, {"until_loss": 0.1}, ("euler", "rk4"), r"only the methods flow, stiff, strides read it"),
        ({}, {"until_loss": 0.1, "tolerance": 0.1}, ADAPTIVE, r"tolerance refines a curve up to its end"),
        ({}, {"rtol": 1e-6, "precision": "float32"}, ADAPTIVE, r"rounded too coarsely.*float64"),
        ({}, {"rtol": 1e-14}, ADAPTIVE, r"rounded too coarsely for less than 1e-13\. Take a larger rtol"),
    ],
)
def test_what_no_flow_can_mean_is_refused(training, options, methods, message):
    for method in methods:
        with pytest.raises(ArgumentError, match=message):
            mf.solve(network(**training), method=method, nodes=4, **options)


def test_full_batches_of_adam_have_a_flow():
    """With fixed samples it is followed: at eps as large as the gradients it is a slower SGD in the end."""
    path = mf.solve(network(optimizer={"kind": "adam", "eps": 1.0}), method="flow", data="sobol", **COMMON)
    assert path.loss[-1] < path.loss[0] - 0.05
    assert "adam" in path.notes["flow_against_steps"]["why"]


def test_memory_that_a_flow_needs_is_counted():
    """Thirty vectors of float64 beside what the solver holds, at either precision."""
    options = {"reduce": False, "widths": 200, "data": "sobol", "data_nodes": 8, "evaluation": 8, "steps": 1}
    wide = mf.load({**SPEC, "layers": [*LAYERS, {"name": "h2", "from": "h1", "weight": "normal(0, 1)"}],
                    "output": {"from": "h2", "weight": "normal(1, 0.1)"}})  # fmt: skip
    euler, flow = (mf.solve(wide, method=method, **options).notes for method in ("euler", "flow"))
    assert flow["memory_bytes"] - euler["memory_bytes"] >= 30 * 8 * 200 * 200


def test_a_tolerance_refines_rtol():
    path = mf.solve(network(), method="flow", tolerance=0.05, data="quadrature", data_nodes=8, evaluation=40)
    part = path.notes["tolerance"]["resolutions"]["time"]
    assert part["level"].startswith("rtol ") and part["estimate"] < 0.05
    assert path.notes["flow"]["rtol"] == pytest.approx(float(part["level"].split()[1]), rel=0.02)


def test_what_is_said_of_a_flow(paths):
    """Integrator, samples, the end and SGD's steps; of no other run anything."""
    said = flow_sentences(paths["stiff"].notes)
    assert "integrated by RKC (method stiff" in said[0] and "data = quadrature" in said[0]
    estimate = paths["stiff"].notes["flow_against_steps"]
    assert f"{estimate['largest']:+.2g} at most (at t = {estimate['time']:.4g})" in said[1] and len(said) == 2
    hit = mf.solve(network(), method="flow", until_loss=0.99, until_speed=1e-9, **COMMON)
    assert any("had fallen to 0.99 (until_loss)" in each for each in flow_sentences(hit.notes))
    missed = mf.solve(network(), 0.1, method="flow", until_loss=1e-9, **COMMON)
    assert any("did not fall to 1e-09 by t = 0.1" in each for each in flow_sentences(missed.notes))
    assert flow_sentences(mf.solve(network(), 0.1, nodes=4, evaluation=10).notes) == []
    one = {**hit.notes, "samples_per_step": 1}
    one["flow"] = {**hit.notes["flow"], "steps": 1, "rejected": 2, "evaluations": 1}
    assert "): 1 step, 2 more rejected, 1 velocity, each averaged over the same 1 sample (" in " ".join(
        flow_sentences(one)
    )

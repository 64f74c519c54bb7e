"""Flows against closed forms: errors that follow the tolerance, energy, learning rules, SGD's own steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from theory.common import CLOCK, distance, document, limit_of, random_weights
from theory.test_energy import loss as loss_of
from theory.test_energy import network as energetic
from theory.test_energy import power
from theory.test_single_point import EXPONENTIAL, TARGET, pace
from theory.test_two_layer import HORIZON, LINEAR, aligned_state, isotropic, linear_closed_form

import mfderive as mf
from mfderive.solution import flow as flow_module


def flow(limit, state, horizon, method="flow", rtol=1e-8, **options):
    """The flow on the whole sample from given arrays; 20 of SGD's steps lie within the horizon."""
    training = replace(limit.network.training, learning_rate=horizon / 20, steps=20)
    return mf.solve(
        replace(limit.network, training=training),
        horizon=horizon,
        method=method,
        rtol=rtol,
        initial=state,
        system=limit.system,
        solver=limit.solver,
        evaluation=len(limit.x),
        **{"checkpoints": 2} | options,
    )


def trained(spec, **training):
    """A spec with keys of [training] changed."""
    return {**spec, "training": {**spec["training"], **training}}


# --- errors against closed forms -------------------------------------------------------------------------


def linear_error(method, rtol):
    """E1: every neuron and the loss of the linear two-layer network."""
    limit, a = isotropic(3)
    state = aligned_state(a)
    path = flow(limit, state, HORIZON, method, rtol)
    plus, minus, loss = linear_closed_form(state, a, HORIZON)
    along, beta = path.at()["h1.weight"] @ a / np.linalg.norm(a), path.at()["output.weight"][0]
    errors = beta + along - plus, beta - along - minus, path.loss[-1] - loss
    return max(float(np.abs(error).max()) for error in errors)


def exponential_error(method, rtol):
    """E4: exp(-theta) falls by the same s for every neuron."""
    limit = limit_of(EXPONENTIAL, [[1.0]], [TARGET])
    theta, p = np.array([-1.5, -0.4, 0.1, -0.9]), np.array([0.3, 0.3, 0.1, 0.3])
    s = pace(lambda s: p @ (1 / (np.exp(-theta) - s)), 0.4, TARGET)
    path = flow(limit, {"h1.weight": theta[:, None], "p": {"h1": p}}, 0.4, method, rtol)
    return float(np.abs(path.at()["h1.weight"][:, 0] + np.log(np.exp(-theta) - s)).max())


def deep_error(method, rtol):
    """E3 with two factors: u = a / (1 + (a / u0 - 1) exp(-2 a t))."""
    layer = {"name": "h1", "from": "x", "weight": "0.5"}
    limit = limit_of(document([layer], {"from": "h1", "weight": "0.5"}), [[1.0]], [1.3])
    path = flow(limit, limit.solver.sample(widths=2), 0.6, method, rtol)
    expected = 1.3 / (1 + (1.3 / 0.25 - 1) * np.exp(-2 * 1.3 * CLOCK * 0.6))
    return abs(float(limit.prediction(path.at())[0, 0]) - expected)


CASES = {"linear": linear_error, "exponential": exponential_error, "deep": deep_error}
# Relative tolerances, and the power of the tolerance with which the error falls. A pair of order q estimates
# the error h^q of a step, so that h ~ rtol^(1/q), and goes on with values whose error is ~ h^q: power 1.
# Stabilised steps of order 2 estimate the error h^3 of a step, and theirs is ~ h^2: power 2/3.
PAIRS = {
    "RK23": ("flow", 10.0 ** -np.arange(4, 8), 1.0),
    "RK45": ("flow", 10.0 ** -np.arange(5, 9), 1.0),
    "DOP853": ("flow", 10.0 ** -np.arange(8, 12), 1.0),
    "RKC": ("stiff", 10.0 ** -np.arange(4, 8), 2 / 3),
}


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("case", CASES)
def test_errors_follow_the_tolerance(pair, case, monkeypatch):
    """The error is a constant times the power of rtol that the order says: fitted within 0.25.

    The first and the last step of a run are cut to other sizes, which moves an error by a factor of about 3
    at most: over three decades that is 0.16 of the slope. The constant: below 10 tolerances (to that power).
    """
    monkeypatch.setattr(flow_module, "integrator_of", lambda *_: pair)
    method, tolerances, power = PAIRS[pair]
    errors = [CASES[case](method, rtol) for rtol in tolerances]
    slope = np.polyfit(np.log(tolerances), np.log(errors), 1)[0]
    assert slope == pytest.approx(power, abs=0.25), errors
    assert max(error / rtol**power for error, rtol in zip(errors, tolerances, strict=True)) < 10


@pytest.mark.parametrize(("method", "pair"), [("flow", "RK45"), ("stiff", "RKC")])
def test_the_loss_falls_at_the_rate_of_the_squared_gradients(method, pair):
    """E6 along a flow: L(0) - L(T) = integral of sum E G^2 xi, within the error of the loss itself.

    States between the stored ones come from dense output; Simpson's rule with 64 intervals has an error below
    a tenth of what is left, as a second rule with half of them says. What is left falls with the tolerance,
    to the power of its order (see above) within 0.4: a loss may be lucky once.
    """
    limit, state = energetic("plain")
    horizon, parts = 0.2, 64

    def integral(powers):
        rule = np.array([1, *[4, 2] * (len(powers) // 2 - 1), 4, 1]) / 3
        return horizon / (len(powers) - 1) * float(rule @ powers)

    errors, tolerances = [], 10.0 ** -np.arange(3, 7)
    for rtol in tolerances:
        path = flow(limit, state, horizon, method, rtol, checkpoints=5)
        states = [path.at(float(t)) for t in np.linspace(0, horizon, parts + 1)]
        powers = np.array([power(limit, at) for at in states])
        errors.append(abs(loss_of(limit, states[0]) - loss_of(limit, states[-1]) - integral(powers)))
        rule = abs(integral(powers[::2]) - integral(powers)) / 15
        assert rule < errors[-1] / 10
    slope = np.polyfit(np.log(tolerances), np.log(errors), 1)[0]
    assert slope > {"RK45": 1.0, "RKC": 2 / 3}[pair] - 0.4 and errors[-1] < 10 * tolerances[-1] ** (2 / 3)


# --- learning rules --------------------------------------------------------------------------------------


def general_state(seed=3):
    """Five weighted nodes in general position, three inputs."""
    rng = np.random.default_rng(seed)
    return {
        "h1.weight": rng.standard_normal((5, 3)),
        "output.weight": rng.standard_normal((1, 5)),
        "p": {"h1": random_weights(rng, 5)},
    }


def learner(**training):
    """The linear two-layer network on nine rows, with keys of [training]."""
    rng = np.random.default_rng(7)
    return limit_of(trained(LINEAR, **training), rng.standard_normal((9, 3)), rng.standard_normal(9))


def with_memories(limit, state):
    """A state with the memories of the learning rule at their start."""
    return {**{name: np.zeros_like(state[name.removeprefix("m ")]) for name in limit.solver.layout.memories},
            **state}  # fmt: skip


@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("method", ["flow", "stiff"])
def test_decay_takes_the_imbalance_away(method, decoupled):
    """d/dt (|w|^2 - beta^2) = -2 lambda (|w|^2 - beta^2) for every neuron: it falls as e^(-2 lambda t).

    At five times, to 100 tolerances (of each factor of two squares of order 1 to 10); the slope of the
    logarithm, fitted, is -2 lambda to the same.
    """
    decay, rtol = 0.7, 1e-7
    limit = learner(weight_decay=decay, decoupled=decoupled)
    path = flow(limit, general_state(), 2.0, method, rtol)
    times = np.linspace(0, 2, 5)
    states = [path.at(float(t)) for t in times]
    found = np.array([(at["h1.weight"] ** 2).sum(1) - at["output.weight"][0] ** 2 for at in states])
    assert np.abs(found[0]).min() > 0.1
    bound = 100 * rtol ** {"flow": 1.0, "stiff": 2 / 3}[method]
    np.testing.assert_allclose(found, found[0] * np.exp(-2 * decay * times)[:, None], rtol=0, atol=bound)
    slopes = np.polyfit(times, np.log(np.abs(found / found[0])), 1)[0]
    np.testing.assert_allclose(slopes, -2 * decay, rtol=0, atol=100 * bound)


def test_momentum_is_the_flow_in_a_longer_time():
    """At fixed mu: the flow of SGD at t / (1 - mu), to the tolerances; steps approach it with order 1."""
    mu, horizon, rtol = 0.8, 0.3, 1e-8
    plain, limit = learner(), learner(optimizer={"kind": "momentum", "mu": mu})
    state = general_state()
    expected = flow(plain, state, horizon / (1 - mu), rtol=rtol).at()
    start = with_memories(limit, state)
    end = flow(limit, start, horizon, rtol=rtol).at()
    assert distance({**expected}, {name: end[name] for name in expected}) < 100 * rtol
    steps, errors = (100, 200, 400), []
    for n in steps:
        stepped = limit.end(start, horizon, n, "euler")
        errors.append(distance(expected, {name: stepped[name] for name in expected}))
    assert -np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(1, abs=0.2)


def test_the_heavy_ball_is_a_damped_oscillation():
    """Frozen beta and E x x^T = I: every w has w'' = -gamma w' + 2 beta (a - u), u = E[beta w].

    u'' = -gamma u' + 2 E[beta^2] (a - u) is a damped oscillation, known in closed form; w follows beta times
    the same. Against that, and against scipy's solution of the equation for w; 100 tolerances.
    """
    gamma, horizon, rtol = 0.6, 6.0, 1e-8
    layers = [{"name": "h1", "from": "x", "weight": "normal(0, 1)"}]
    output = {"from": "h1", "weight": {"law": "normal(0, 1)", "rate": 0}}
    spec = trained(document(layers, output), optimizer={"kind": "heavy-ball", "gamma": gamma})
    x, a = np.sqrt(3) * np.vstack([np.eye(3), -np.eye(3)]), np.array([1.0, -0.5, 2.0])
    limit, state = limit_of(spec, x, x @ a), general_state()
    path = flow(limit, with_memories(limit, state), horizon, rtol=rtol)
    beta, w, p = state["output.weight"][0], state["h1.weight"], state["p"]["h1"]
    size, start = CLOCK * float(p @ beta**2), (p * beta) @ w - a
    swing = np.sqrt(size - gamma**2 / 4)
    assert swing * horizon > np.pi  # it swings over its aim and back

    def left(t):
        """u - a at a time."""
        return start * np.exp(-gamma * t / 2) * (np.cos(swing * t) + gamma / 2 / swing * np.sin(swing * t))

    for t in (0.7, 2.9, 6.0):
        at = path.at(t)
        np.testing.assert_allclose((p * beta) @ at["h1.weight"], a + left(t), rtol=0, atol=100 * rtol)
        expected = w + np.outer(beta, left(t) - start) * CLOCK / size
        np.testing.assert_allclose(at["h1.weight"], expected, rtol=0, atol=100 * rtol)

    def rate(_, z):
        place, speed = z.reshape(2, *w.shape)
        pull = CLOCK * np.outer(beta, a - (p * beta) @ place)
        return np.concatenate([speed, pull - gamma * speed]).ravel()

    solved = solve_ivp(
        rate, (0, horizon), np.concatenate([w, 0 * w]).ravel(), method="DOP853", rtol=1e-12, atol=1e-12
    )
    found = np.concatenate([path.at()["h1.weight"], path.at()["m h1.weight"]]).ravel()
    np.testing.assert_allclose(found, solved.y[:, -1], rtol=0, atol=100 * rtol)


def test_clipping_is_a_change_of_time():
    """The clipped flow at t is the flow at s(t), s' = min(1, C / |G|), and |G|^2 = -L'(s) by E6.

    L of the linear network is known (E1), so s is an integral; loss and neurons, to 100 tolerances. C lies
    between the largest and the smallest |G| on the way, so that both branches are taken.
    """
    bound, horizon, rtol = 0.9, 2.0, 1e-8
    plain, a = isotropic(3)
    limit = limit_of(trained(LINEAR, clip=bound), plain.x, plain.y[:, 0])
    state = aligned_state(a)

    def norm(s):
        step = 1e-5
        before, after = (linear_closed_form(state, a, s + sign * step)[2] for sign in (-1, 1))
        return np.sqrt((before - after) / (2 * step))

    assert norm(horizon) < bound < norm(1e-4)
    run = solve_ivp(
        lambda _, s: np.minimum(1, bound / norm(s)),
        (0, horizon),
        [1e-9],
        rtol=1e-11,
        atol=1e-12,
        max_step=0.01,
    )
    own = float(run.y[0, -1])
    assert own < 0.95 * horizon
    plus, minus, loss = linear_closed_form(state, a, own)
    path = flow(limit, state, horizon, rtol=rtol)
    along, beta = path.at()["h1.weight"] @ a / np.linalg.norm(a), path.at()["output.weight"][0]
    for found, expected in ((beta + along, plus), (beta - along, minus), (path.loss[-1], loss)):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


# --- against SGD's steps ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["flow", "stiff"])
@pytest.mark.parametrize("training", [{}, {"weight_decay": 0.3}], ids=["plain", "decay"])
def test_the_difference_from_steps_is_estimated(method, training):
    """Loss of Euler's steps minus loss of the flow, at every observed time: the estimate is its first order.

    The difference itself is of first order (fitted within 0.4); what the estimate misses, of second order, is
    below a fifth of it at the smaller rates.
    """
    limit, state = learner(**training), general_state()
    rates, missing, true = (0.04, 0.02, 0.01), [], []
    for rate in rates:
        network = replace(
            limit.network, training=replace(limit.network.training, learning_rate=rate, steps=40)
        )
        common = {
            "initial": state,
            "system": limit.system,
            "solver": limit.solver,
            "evaluation": 9,
            "steps": 40,
        }
        common["horizon"] = None
        exact = mf.solve(network, method="flow", rtol=1e-9, **common)
        steps = mf.solve(network, **common)
        np.testing.assert_allclose(steps.times, exact.times, rtol=1e-12)
        note = mf.solve(network, method=method, **common).notes["flow_against_steps"]
        assert note["until"] == pytest.approx(steps.times[-1])
        place = int(np.abs(steps.times - note["time"]).argmin())
        true.append(float((steps.loss - exact.loss)[place]))
        missing.append(abs(note["largest"] - true[-1]))
    assert max(m / abs(t) for m, t in zip(missing[1:], true[1:], strict=True)) < 0.2, (missing, true)
    assert np.polyfit(np.log(rates), np.log(np.abs(true)), 1)[0] == pytest.approx(1, abs=0.4)


def test_the_difference_from_steps_on_sampled_nodes():
    """By Euler's steps and a tight flow on the same points and data: within a fifth, as above.

    The loss at the evaluation does not rest where that of the data does: coarser nodes and data, which move
    the flow by more than steps do, would say another sign.
    """
    document = {
        "format": 1,
        "data": {"kind": "teacher", "dimension": 2, "target": "x1", "inputs": "normal(0, 1)"},
        "loss": {"kind": "squared"},
        "layers": [{"name": "h1", "from": "x", "weight": "normal(0.3, 1)", "activation": "tanh"}],
        "output": {"from": "h1", "weight": {"law": "normal(0.5, 0.5)", "rate": 0}},
        "training": {"learning_rate": 0.05, "steps": 50, "batch_size": 10},
    }
    network, common = mf.load(document), {"stated_error": False, "data": "quadrature", "data_nodes": 400}
    note = mf.solve(network, method="flow", **common).notes["flow_against_steps"]
    same = {**common, "nodes": 1000, "observations": 60}
    steps, exact = mf.solve(network, **same), mf.solve(network, method="flow", rtol=1e-7, **same)
    true = np.interp(exact.times, steps.times, steps.loss) - exact.loss
    assert note["largest"] == pytest.approx(true[np.abs(true).argmax()], rel=0.2)

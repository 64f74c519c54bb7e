"""Ensembles: quadratures are exact, points deterministic, laws have their moments."""

from dataclasses import dataclass

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.laws import LawKind
from mfderive.errors import MfError, StateError
from mfderive.samples.points import tensor_points
from mfderive.state.draw import check_state, initial_state
from mfderive.state.ensembles import ensemble_state, plan_ensembles
from tests.reduction.specs import chain, document, layer


def reduced_of(weight, parameters=None, output="1", dimension=1):
    """A network with one population, whose labels are what the test needs."""
    data = {"kind": "teacher", "dimension": dimension, "target": "x1"}
    first = layer("h1", "x", weight)
    if parameters:
        first |= {"activation": " + ".join(["tanh(h)", *parameters]), "parameters": parameters}
    spec = document([first], {"from": "h1", "weight": output}, data=data)
    return mf.reduce(mf.derive(mf.load(spec))).system


def state_of(system, seed=0, **plan):
    return ensemble_state(system, plan_ensembles(system, **plan), seed)


def double_factorial(number):
    return float(np.prod(np.arange(number, 0, -2))) if number > 0 else 1.0


@pytest.mark.parametrize("kind", [LawKind.NORMAL, LawKind.UNIFORM])
@pytest.mark.parametrize("count", [32, 400, 2000])
def test_gauss_nodes_of_any_number(kind, count):
    """Many nodes do not overflow: the first six moments are exact, up to 1e-12 of rounding in the sums."""
    points, weights = tensor_points([kind], (count,))
    moments = [float(weights @ points[:, 0] ** k) for k in range(7)]
    exact = [1, 0, 1, 0, 3, 0, 15] if kind is LawKind.NORMAL else [1 / (k + 1) for k in range(7)]
    np.testing.assert_allclose(moments, exact, rtol=1e-12, atol=1e-12)


def test_gauss_nodes_integrate_polynomials():
    """n nodes are exact to degree 2n - 1: moments of a normal and of a uniform law, up to rounding."""
    nodes = 8
    normal = state_of(reduced_of("normal(0, 1)"), nodes=nodes)
    w, p = normal["h1.weight"][:, 0], normal["p"]["h1"]
    uniform = state_of(reduced_of("uniform(-1, 3)"), nodes=nodes)
    u, q = uniform["h1.weight"][:, 0], uniform["p"]["h1"]
    assert len(w) == len(u) == nodes
    for degree in range(2 * nodes):
        exact = double_factorial(degree - 1) if degree % 2 == 0 else 0.0
        scale = max(exact, p @ np.abs(w) ** degree)
        assert abs(p @ w**degree - exact) < 1e-12 * scale
        exact = (3.0 ** (degree + 1) - (-1.0) ** (degree + 1)) / (4 * (degree + 1))
        assert abs(q @ u**degree - exact) < 1e-12 * 3.0**degree
    assert abs(p @ w ** (2 * nodes) - double_factorial(2 * nodes - 1)) > 1e-3  # and not one degree more


def test_tensor_of_two_numbers_and_pairs():
    """A weight, a bias and a sign: 16 x 16 x 2 nodes, mixed moments exact."""
    system = reduced_of("normal(0.5, 2)", {"b": "uniform(0, 1)", "s": "rademacher(3)"})
    plan = plan_ensembles(system)["h1"]
    assert (plan.rule, plan.nodes, plan.dimension) == ("gauss", 512, 3)
    state = state_of(system)
    p, w, b, s = state["p"]["h1"], state["h1.weight"][:, 0], state["h1.b"], state["h1.s"]
    assert set(s) == {-3.0, 3.0}
    assert p @ (w**2 * b**3 * s**2) == pytest.approx((0.25 + 4) / 4 * 9, rel=1e-12)
    assert abs(p @ (w**2 * b * s)) < 1e-13


def test_rule_by_dimension():
    """Gauss up to three numbers; signs alone are summed exactly as long as they are few; Sobol beyond."""
    rules = {
        1: ("gauss", 32),
        2: ("gauss", 256),
        3: ("gauss", 1000),
        4: ("sobol", 1024),
    }
    for dimension, expected in rules.items():
        plan = plan_ensembles(reduced_of("normal(0, 1)", dimension=dimension))["h1"]
        assert (plan.rule, plan.nodes) == expected
    assert plan_ensembles(reduced_of("rademacher(1)", dimension=10))["h1"].nodes == 1024
    assert plan_ensembles(reduced_of("rademacher(1)", dimension=20))["h1"].rule == "sobol"
    assert plan_ensembles(reduced_of("sphere(1)", dimension=2))["h1"].rule == "sobol"


def test_nodes_and_rules_can_be_chosen():
    system = mf.reduce(mf.derive(mf.load(chain(3)))).system
    plans = plan_ensembles(system, nodes={"h1": 100, "h3": 7}, rule={"h1": "sobol"})
    assert (plans["h1"].rule, plans["h1"].nodes) == ("sobol", 128)
    assert (plans["h3"].rule, plans["h3"].nodes) == ("gauss", 7)
    assert plan_ensembles(system, nodes=100, rule="monte-carlo")["h3"].nodes == 100
    assert plan_ensembles(system, nodes={"h2": 5})["h3"].nodes == 32  # h2 has collapsed: nothing to choose
    with pytest.raises(MfError, match=r"sobl.*sobol"):
        plan_ensembles(system, rule="sobl")
    with pytest.raises(MfError, match="h9"):
        plan_ensembles(system, nodes={"h9": 5})
    with pytest.raises(MfError, match="at least 1"):
        plan_ensembles(system, nodes=0)
    with pytest.raises(MfError, match="sphere"):
        plan_ensembles(reduced_of("sphere(1)", dimension=2), rule="gauss")


@pytest.mark.parametrize("rule", ["sobol", "monte-carlo", "gauss"])
def test_the_same_seed_gives_the_same_bits(rule):
    system = reduced_of("normal(0, 1)", {"b": "uniform(0, 1)"}, output="normal(1, 1)")
    first, again, other = (state_of(system, seed, nodes=64, rule=rule) for seed in (3, 3, 4))
    for name in ("h1.weight", "h1.b", "output.weight"):
        np.testing.assert_array_equal(first[name], again[name])
        assert (rule == "gauss") == bool((first[name] == other[name]).all())


def test_weights_sum_to_one_and_states_pass():
    for rule in ("sobol", "monte-carlo", "gauss"):
        system = reduced_of("normal(0, 1)", output="normal(1, 1)")
        state = state_of(system, nodes=50, rule=rule)
        assert abs(sum(state["p"]["h1"]) - 1) < 1e-14
        check_state(system, state)
    single = ensemble_state(system, plan_ensembles(system, nodes=50), 0, dtype=np.float32)
    assert check_state(system, single)["h1.weight"].dtype == np.float32


def test_sobol_points_beat_random_ones():
    """The mean of a cosine of four numbers, over seeds: errors of scrambled Sobol points are smaller."""
    system = reduced_of("normal(0, 1)", dimension=4)
    errors = {}
    for rule in ("sobol", "monte-carlo"):
        found = []
        for seed in range(20):
            w = state_of(system, seed, nodes=1024, rule=rule)["h1.weight"]
            found.append(np.mean(np.cos(w.sum(axis=1))) - np.exp(-2.0))
        errors[rule] = float(np.sqrt(np.mean(np.square(found))))
    assert errors["sobol"] < 0.5 * errors["monte-carlo"] < 0.5 * 2 / np.sqrt(1024)


def test_spheres_and_signs():
    system = reduced_of("sphere(2)", dimension=5)
    w = state_of(system, nodes=1024)["h1.weight"]
    np.testing.assert_allclose((w**2).sum(axis=1), 4.0, rtol=1e-12)
    np.testing.assert_allclose((w[:, :, None] * w[:, None, :]).mean(0), np.eye(5) * 4 / 5, atol=0.02)
    signs = state_of(reduced_of("rademacher(0.5)", dimension=3))
    assert sorted(map(tuple, signs["h1.weight"])) == sorted(
        (a, b, c) for a in (-0.5, 0.5) for b in (-0.5, 0.5) for c in (-0.5, 0.5)
    )


@dataclass(frozen=True)
class Moments:
    """Means and products over weighted nodes."""

    p: np.ndarray

    def __call__(self, *values):
        return float(self.p @ np.prod(values, axis=0))


def test_a_vector_on_a_sphere_moves():
    """A solver moves a state in place: its arrays lie in memory as their axes say, whatever their law."""
    data = {"kind": "teacher", "dimension": 3, "target": "x1"}
    network = mf.load(document([layer("h1", "x", "sphere(1)")], {"from": "h1", "weight": "1"}, data=data))
    state = state_of(mf.reduce(mf.derive(network)).system, nodes=8)
    assert all(values.flags.c_contiguous for name, values in state.items() if name != "p")
    assert np.isfinite(mf.solve(network, steps=2, nodes=8).loss).all()


def test_correlated_laws():
    """A bias around a gain, an output weight by both: Gauss nodes give the exact mixed moments."""
    parameters = {"gain": "normal(1, 0.5)", "b": "normal(2 * target.gain, 0.1)"}
    system = reduced_of("0.3", parameters, output="normal(source.gain * source.b, 0)")
    state = state_of(system, nodes=64)
    mean = Moments(state["p"]["h1"])
    gain, b, beta = state["h1.gain"], state["h1.b"], state["output.weight"][0]
    assert mean(b) == pytest.approx(2.0, rel=1e-12)
    assert mean(gain, b) == pytest.approx(2 * 1.25, rel=1e-12)
    assert mean(b, b) == pytest.approx(4 * 1.25 + 0.01, rel=1e-12)
    np.testing.assert_allclose(beta, gain * b, rtol=1e-14)


def test_means_of_weights_between_populations_follow_their_ends():
    """W(c2, c1) has mean source.b + 2 target.g: the reduced value on every pair of nodes."""
    layers = [
        layer("h1", "x", "normal(0, 1)", activation="tanh(h + b)", parameters={"b": "normal(0, 1)"}),
        layer(
            "h2",
            "h1",
            "normal(source.b + 2 * target.g, 0.7)",
            activation="g * tanh(h)",
            parameters={"g": "uniform(0, 1)"},
        ),
    ]
    system = mf.reduce(mf.derive(mf.load(document(layers, {"from": "h2", "weight": "1"})))).system
    state = state_of(system, nodes=16)
    np.testing.assert_allclose(
        state["h2.weight"], state["h1.b"][None, :] + 2 * state["h2.g"][:, None], rtol=1e-14
    )


def test_one_draw_for_what_belongs_to_no_neuron():
    """A random output bias is one number, the same that a finite network of this seed draws."""
    network = mf.load(chain(3, bias="normal(0, 1)"))
    full = mf.derive(network)
    system = mf.reduce(full).system
    for seed in (0, 5):
        expected = initial_state(full, 4, seed)["output.bias"]
        np.testing.assert_array_equal(state_of(system, seed)["output.bias"], expected)


def test_states_with_kernels():
    """Noise that stays has weights of its own in the state, and cannot be drawn pair by pair."""
    layers = [
        layer("h1", "x", "normal(0, 1)"),
        {
            "name": "h2",
            "activation": "tanh",
            "connections": [{"from": "h1", "weight": "normal(1, 2)", "operation": "tanh(w * u)"}],
        },
    ]
    system = mf.reduce(mf.derive(mf.load(document(layers, {"from": "h2", "weight": "normal(1, 1)"})))).system
    state = state_of(system, nodes={"noise h2.weight": 12, "h1": 8, "h2": 5})
    assert state["h2.weight"].shape == (5, 8, 12)
    w, p = check_state(system, state)["h2.weight"], state["p"]["noise h2.weight"]
    np.testing.assert_allclose(w @ p, 1.0, rtol=1e-12)
    np.testing.assert_allclose((w - 1) ** 2 @ p, 4.0, rtol=1e-12)
    with pytest.raises(StateError, match=r"noise h2\.weight"):
        check_state(system, {**state, "p": {k: v for k, v in state["p"].items() if k in ("h1", "h2")}})
    with pytest.raises(StateError, match="weighted nodes of its own"):
        initial_state(system, 4, 0)


def test_only_axes_with_nodes_get_some():
    """The message lists populations and kept noise, and nothing that has no nodes."""
    limit = mf.reduce(mf.derive(mf.load(chain(3)))).system
    with pytest.raises(MfError, match=r"no population 'zz' .*Allowed: h1, h2, h3$"):
        plan_ensembles(limit, {"zz": 4})
    for axis in ("data", "inputs", "outputs"):
        with pytest.raises(MfError, match=f"no population '{axis}'"):
            plan_ensembles(limit, {axis: 4})
    assert "h1" in plan_ensembles(limit, {"h2": 4})  # the reduction took h2 away: its nodes are one

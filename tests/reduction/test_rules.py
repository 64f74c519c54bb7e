"""Reductions under learning rules: decided from their equations, exact, the noise of weights followed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sympy

import mfderive as mf
from mfderive.algebra.findings import FindingKind
from mfderive.errors import MfError
from tests.exact.comparison import plain_solver
from tests.exact.test_rules import RULES

from .blowup import disagreement, small_state
from .specs import chain
from .test_ways import kernel_spec

SPECS = Path(__file__).parents[2] / "specs"
NAMES = ("three_layer", "five_layer_parameters", "residual", "recurrent_elman", "autoencoder_tied", "kernel")
FEW, STEPS, RATE = 8, 50, 0.01


def ruled(spec, rule=None, **training):
    network = mf.load(spec)
    return replace(network, training=replace(network.training, **(RULES[rule] if rule else {}), **training))


@pytest.fixture
def solve(tmp_path):
    """A function that solves the reduction of a network by its solver as plain Python, on small batches."""

    def solved(network, **options):
        reduced = mf.reduce(mf.derive(network))
        small = replace(network, training=replace(network.training, batch_size=2))
        return mf.solve(small, system=reduced, solver=plain_solver(reduced.system, tmp_path), **options)

    return solved


def noiseless(rule):
    return {key: value for key, value in RULES[rule].items() if key != "noise"}


def pairs():
    """Every network with every rule for fifty steps in the study, with one for a few steps by default."""
    rules = [name for name in RULES if name != "noise"]
    for number, name in enumerate(NAMES):
        yield pytest.param(name, rules[number % len(rules)], FEW)
        for rule in rules:
            yield pytest.param(name, rule, STEPS, marks=pytest.mark.study)


@pytest.mark.parametrize(("name", "rule", "steps"), list(pairs()))
def test_steps_of_the_whole_system(name, rule, steps):
    """The whole weighted network that repeats a reduced state follows it; only the order of sums differs.

    Up to fifty steps of some 1e-16 each, as for SGD; memories of squares start between 0.2 and 1.2, so that
    no root amplifies. Fresh noise is left out: it differs from entry to entry.
    """
    spec = kernel_spec() if name == "kernel" else SPECS / f"{name}.toml"
    network = ruled(spec, **noiseless(rule))
    full = mf.derive(network)
    reduced = mf.reduce(full).system
    state = small_state(reduced, 2, seed=1)
    for variable in reduced.variables:
        if reduced.field[variable.name].part == "v":
            state[variable.name] = 0.2 + np.abs(state[variable.name]) % 1.0
    batches = [network.source.batch(k + 1, 2) for k in range(steps)]
    assert disagreement(full, reduced, state, batches, RATE) < 1e-12


def test_what_a_rule_is_not_affine_in_stays():
    """Coupled decay enters the square of Adam's gradient, decoupled decay does not."""
    found = {}
    for rule in ("adam", "adamw"):
        reduced = mf.reduce(mf.derive(ruled(chain(3), rule)))
        found[rule] = {s for f in reduced.findings if f.kind == FindingKind.KEPT_NOISE for s in f.subjects}
    assert found == {"adam": {"h2.weight", "h3.weight"}, "adamw": set()}


def test_fresh_noise_makes_neurons_different(solve):
    """Where biases are noisy every neuron is a path of its own; noise on dense weights averages out."""
    still = mf.reduce(mf.derive(ruled(chain(3), noise=(("h2.weight", 0.1), ("h3.weight", 0.1)))))
    assert [axis.name for axis in still.system.populations if "h2" in axis.name] == []
    driven = mf.reduce(mf.derive(ruled(chain(3), noise=(("h2.bias", 0.1),))))
    assert "h2" in [axis.name for axis in driven.system.populations]
    path = solve(ruled(chain(3), noise=(("h2.bias", 0.1),)), nodes=16, steps=2, evaluation=5)
    values = path.at()["h2.bias"]
    assert values.shape == (16,) and len(np.unique(values)) == 16


def test_noise_on_a_kernel_is_refused():
    """The reason, and a way out."""
    with pytest.raises(MfError, match=r"noise on 'h2.weight' cannot be reduced.*reduce=False"):
        mf.reduce(mf.derive(ruled(kernel_spec(), noise=(("", 0.1),))))


@pytest.mark.parametrize(
    ("rule", "decoupled"), [("sgd", False), ("sgd", True), ("momentum", False), ("momentum", True)]
)
def test_the_noise_of_weights_shrinks_as_the_rule_says(rule, decoupled, solve):
    """z solves the linear part of the rule by itself, here as plain numbers; to rounding of 30 steps."""
    constants = (("mu", 0.8),) if rule == "momentum" else ()
    decay, steps = 0.5, 30
    network = ruled(
        chain(3, hidden="normal(1, 0.7)"),
        optimizer=rule,
        constants=constants,
        decoupled=decoupled,
        weight_decay=(("h2.weight", decay),),
    )
    path = solve(network, nodes=8, steps=steps, evaluation=5, checkpoints=steps + 1)
    alpha, mu = network.training.learning_rate, dict(constants).get("mu", 0.0)
    z, m = 1.0, 0.0
    for _ in range(steps):
        m = mu * m + (0.0 if decoupled else decay * z)
        z += -alpha * m - (alpha * decay * z if decoupled else 0.0)
    assert z < 0.8
    first, last = (path.sample(300, seed=4, t=t)["h2.weight"] for t in (0.0, float(path.times[-1])))
    # The neurons of h2 are equal, so what differs from one to the next is the noise alone.
    np.testing.assert_allclose(last - last[:1], z * (first - first[:1]), atol=1e-12)


def test_fresh_noise_on_dense_weights_adds_up(solve):
    """Its variance by the recursion S = (1 - alpha lambda)^2 S + 2 T alpha, within four standard errors.

    A sample variance of N normal numbers scatters by sqrt(2/N) of itself.
    """
    decay, temperature, steps, width = 0.5, 0.3, 25, 400
    spec = chain(3, hidden="1")
    network = ruled(spec, weight_decay=(("", decay),), noise=(("h2.weight", temperature),))
    path = solve(network, nodes=8, steps=steps, evaluation=5)
    alpha, expected = network.training.learning_rate, 0.0
    for _ in range(steps):
        expected = (1 - alpha * decay) ** 2 * expected + 2 * temperature * alpha
    # A network of that width has the same, from its own steps. (Its neurons of h2 are equal but for noise.)
    (trained,) = mf.simulate(network, width=width, seeds=1, steps=steps, evaluation=5)
    for weights in (path.sample(width, seed=2)["h2.weight"], trained.at()["h2.weight"]):
        variance = weights.var(axis=0, ddof=1).mean()
        assert abs(variance / expected - 1) < 4 * np.sqrt(2 / width**2)


# The linear part of a rule's flow on (w, m) at rate 2, decay 0.5: w' = B w + fresh noise, and what it is
# called. Momentum's memory is slaved: in the flow it stands still, and w feels the decay 1/(1 - mu) times.
FLOWS = {
    "sgd": ({"optimizer": "sgd"}, [[-1.0]]),
    "momentum": ({"optimizer": "momentum", "constants": (("mu", 0.75),)}, [[-4.0, 0.0], [0.0, 0.0]]),
    "heavy-ball": ({"optimizer": "heavy-ball", "constants": (("gamma", 0.7),)}, [[0.0, 1.0], [-1.0, -0.7]]),
}


@pytest.mark.parametrize("rule", FLOWS)
def test_in_the_flow_the_covariance_of_fresh_noise_follows_the_equation_of_lyapunov(rule):
    """S' = B S + S B^T + 2 T xi e e^T, e the weight: the equations themselves, evaluated at random S."""
    training, linear = FLOWS[rule]
    spec = chain(3, hidden="normal(1, 0.7)")
    spec["layers"][1]["weight"] = {"law": "normal(1, 0.7)", "rate": "2"}
    net = ruled(spec, weight_decay=(("h2.weight", 0.5),), noise=(("h2.weight", 0.3),), **training)
    reduced = mf.reduce(mf.derive(net)).system
    names = [name for name in ("h2.weight", "m h2.weight") if name in reduced.variable][: len(linear)]
    matrix = np.random.default_rng(2).uniform(-1, 1, (len(names), len(names)))
    matrix = matrix + matrix.T
    entries = {
        f"noise covariance {', '.join(dict.fromkeys((names[i], names[j])))}": (i, j)
        for i in range(len(names))
        for j in range(i, len(names))
    }
    expected = linear @ matrix + matrix @ np.transpose(linear)
    expected[0, 0] += 2 * 0.3 * 2
    values = {sympy.Symbol(name): matrix[place] for name, place in entries.items()}
    for name, place in entries.items():
        (term,) = reduced.equation_of[reduced.flow_of[name]].terms
        assert float(term.expression.subs(values)) == pytest.approx(expected[place], rel=1e-12, abs=1e-12)


def test_samples_after_a_flow_have_the_noise_of_their_weights(solve):
    """Variance T (1 - exp(-2 lambda t))/lambda at time t, within four standard errors (sqrt(2/N) each)."""
    decay, temperature, horizon, width = 0.5, 0.3, 0.4, 200
    network = ruled(
        chain(3, hidden="1"), weight_decay=(("h2.weight", decay),), noise=(("h2.weight", temperature),)
    )
    path = solve(network, horizon=horizon, method="rk4", nodes=8, evaluation=5)
    variance = path.sample(width, seed=2)["h2.weight"].var(axis=0, ddof=1).mean()
    expected = temperature * (1 - np.exp(-2 * decay * float(path.times[-1]))) / decay
    assert abs(variance / expected - 1) < 4 * np.sqrt(2 / width**2)


def test_held_means_follow_the_rule_too():
    """edges = "mean": the whole system on the means; samples get back the noise that is left."""
    network = ruled(chain(3, hidden="normal(1, 0.7)"), weight_decay=(("h2.weight", 0.5),))
    options = {"reduce": False, "edges": "mean", "widths": 6}
    path = mf.solve(network, steps=20, evaluation=5, **options)
    factor = (1 - 0.5 * network.training.learning_rate) ** 20
    first, last = (path.sample(200, seed=3, t=t) for t in (0.0, float(path.times[-1])))
    assert factor < 0.7
    # Weights start at mean 1. What is left of a weight without its shrunken noise is one of the means.
    means = last["h2.weight"] - factor * (first["h2.weight"] - 1)
    known = path.at()["h2.weight"].ravel()
    assert np.abs(means[..., None] - known).min(axis=-1).max() < 1e-12


def test_constant_weights_with_fresh_noise_are_no_constants():
    """A weight that starts at one number leaves its mean by its noise: inside tanh it cannot be closed."""
    spec = kernel_spec()
    spec["layers"][1]["connections"][0]["weight"] = "0.7"
    assert mf.reduce(mf.derive(ruled(spec))).system.variable["h2.weight"].noise is None
    with pytest.raises(MfError, match=r"noise on 'h2.weight' cannot be reduced"):
        mf.reduce(mf.derive(ruled(spec, noise=(("h2.weight", 0.1),))))

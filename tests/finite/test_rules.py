"""Finite networks that learn by the rules of the table: against optax, and against plain numpy."""

from __future__ import annotations

import tomllib
import zlib
from dataclasses import replace
from functools import cache
from pathlib import Path

import jax
import numpy as np
import optax
import pytest
import sympy as sp

from mfderive.algebra.system import draw_noise
from mfderive.algebra.update_rules import RULES, UpdateRule, register_rule
from mfderive.errors import ArgumentError
from mfderive.finite.finite_network import FiniteNetwork
from mfderive.finite.namespace import jax_namespace, precision
from mfderive.finite.simulate import simulate
from mfderive.finite.velocity import finite_step, finite_velocity
from mfderive.format.reader import parse_document, read
from mfderive.forward.equations import forward_system
from mfderive.runs.trajectory import Trajectory
from mfderive.samples.resolve import resolve
from mfderive.state.draw import initial_state

from . import rule_reference
from .shipped_oracles import SHIPPED
from .test_simulate import SPEC, network

SPECS = Path(__file__).parents[2] / "specs"
STEPS, WIDTH, DECAY = 5, 3, 0.3
# eps is large, so that Adam divides by no rounding error: see the test.
BETAS = (("beta1", 0.9), ("beta2", 0.99), ("eps", 0.01))
ADAM = {"b1": 0.9, "b2": 0.99, "eps": 0.01}

# What [training] says, and the same in optax: gradients in, what is added to parameters out but for -alpha_k.
CASES = {
    "sgd": ({}, optax.identity()),
    "momentum": ({"optimizer": "momentum", "constants": (("mu", 0.8),)}, optax.trace(decay=0.8)),
    "adam": ({"optimizer": "adam", "constants": BETAS}, optax.scale_by_adam(**ADAM)),
    "adamw": (
        {"optimizer": "adamw", "constants": BETAS, "weight_decay": (("", DECAY),)},
        optax.chain(optax.scale_by_adam(**ADAM), optax.add_decayed_weights(DECAY)),
    ),
    "adam, coupled decay": (
        {"optimizer": "adam", "constants": BETAS, "weight_decay": (("", DECAY),)},
        optax.chain(optax.add_decayed_weights(DECAY), optax.scale_by_adam(**ADAM)),
    ),
    "momentum, decoupled decay": (
        {
            "optimizer": "momentum",
            "constants": (("mu", 0.8),),
            "weight_decay": (("", DECAY),),
            "decoupled": True,
        },
        optax.chain(optax.trace(decay=0.8), optax.add_decayed_weights(DECAY)),
    ),
    "clipped": ({"clip": 0.2}, optax.identity()),
    "adamw, clipped": (
        {"optimizer": "adamw", "constants": BETAS, "weight_decay": (("", DECAY),), "clip": 0.2},
        optax.chain(optax.scale_by_adam(**ADAM), optax.add_decayed_weights(DECAY)),
    ),
}
# A network with positions, taps and biases meets all of this in one rule: compilation takes the time.
DEFAULT = {("three_layer", rule) for rule in ("momentum", "adamw")} | {("cnn_small", "adamw, clipped")}
PAIRS = [
    pytest.param(name, rule, marks=() if (name, rule) in DEFAULT else pytest.mark.study)
    for name in ("three_layer", "cnn_small")
    for rule in CASES
]


@cache
def shipped(name: str):
    """A shipped spec and the compiled scaled gradient of the network that was written by hand for it."""
    function, loss, slots, _ = SHIPPED[name]
    net = resolve(read(SPECS / f"{name}.toml"))
    scale = {key: float(WIDTH) ** count for key, count in slots.items()}
    gradient = jax.jit(jax.grad(lambda p, x, y: loss(function(p, x), y).mean()))
    return net, scale, lambda p, x, y: {key: scale[key] * g for key, g in gradient(p, x, y).items()}


def clipped(gradient: dict, scale: dict, largest: float) -> dict:
    """The gradient, no longer than ``largest``: squares averaged over populations, summed over the rest."""
    norm = np.sqrt(sum(float((g**2).sum()) / scale[key] for key, g in gradient.items()))
    assert norm > largest  # or nothing would be tested
    return {key: g * largest / norm for key, g in gradient.items()}


@pytest.mark.parametrize(("name", "rule"), PAIRS)
def test_a_rule_makes_the_steps_of_optax(name: str, rule: str) -> None:
    """Five steps on the same batches from the same draw, in float64, with learning rates that fall.

    A gradient of order 10, a sum of some hundred products, is known to 1e-14 of that; Adam divides its error
    by at least eps = 0.01, and 1 - 0.99**k has lost two digits: 1e-11 a step, times alpha = 0.1.
    """
    changes, transform = CASES[rule]
    net, scale, gradient = shipped(name)
    schedule = 1 / sp.sqrt(sp.Symbol("k"))
    training = replace(net.training, learning_rate=0.1, schedule=schedule, batch_size=8, **changes)
    net = replace(net, training=training)
    (path,) = simulate(net, WIDTH, [4], steps=STEPS, precision="float64", evaluation=5)
    with precision(jax, "float64"):
        state = initial_state(forward_system(net), WIDTH, 4)
        parameters = {key: jax.numpy.asarray(state[key]) for key in scale}
        memory = transform.init(parameters)
        for k in range(1, STEPS + 1):
            change = gradient(parameters, *net.source.batch(k, 8))
            if training.clip is not None:
                change = clipped(change, scale, training.clip)
            update, memory = transform.update(change, memory, parameters)
            parameters = {key: value - 0.1 * k**-0.5 * update[key] for key, value in parameters.items()}
    for key, value in parameters.items():
        np.testing.assert_allclose(path.at()[key], np.asarray(value), rtol=0, atol=1e-11, err_msg=key)


def several(**changes):
    """Momentum, clipping, decay of several parameters and noise on one; a rate in t, and a rate of 0."""
    return network(
        **{
            "optimizer": "momentum",
            "constants": (("mu", 0.7),),
            "clip": 1.5,
            "weight_decay": (("h2.weight", 0.4), ("", 0.1), ("output.bias", 0.0)),
            "noise": (("h1.weight", 0.03),),
            **changes,
        }
    )


def slots_of(system, name: str, state) -> float:
    """The product of widths of the population slots of a parameter."""
    lengths = dict(zip(draw_noise(system).variable[name].axes, state[name].shape, strict=True))
    return float(np.prod([lengths[axis] for axis in system.population_slots(name)]))


@pytest.mark.parametrize("decoupled", [False, True])
def test_what_stands_beside_a_rule_is_what_the_table_says(decoupled: bool) -> None:
    """Clip, decay, rule, decay, noise, in this order, as plain numpy that is given the velocities of SGD.

    Values of order one to ten; twelve steps amplify their rounding little.
    """
    net, plain, mu, seed = several(decoupled=decoupled), network(), 0.7, 6
    (path,) = simulate(net, 4, [seed], precision="float64", evaluation=5)
    system = forward_system(plain)
    state = initial_state(system, 4, seed)
    rates = {"h1.weight": lambda t: 1 / (1 + 10 * t)}
    decay = {"h2.weight": 0.4, "h1.weight": 0.1, "h1.bias": 0.1, "output.weight": 0.1}
    trained = [p.name for p in system.parameters if p.name != "h2.bias"]
    memory, t, cut, exact = {name: np.zeros_like(state[name]) for name in trained}, 0.0, 0, state
    for k in range(1, 13):
        x, y = net.source.batch(k, 10)
        alpha = 0.02 * k**-0.1
        exact = finite_step(net, exact, x, y, t, alpha, k, seed)
        xi = {name: rates.get(name, lambda t: 1.0)(t) for name in trained}
        speed = finite_velocity(plain, state, x, y, t)
        g = {name: -speed[name] / xi[name] for name in trained}
        norm = np.sqrt(sum((g[name] ** 2).sum() / slots_of(system, name, state) for name in trained))
        cut += norm > 1.5
        state = dict(state)
        for name in trained:
            theta, own = state[name], decay.get(name, 0.0)
            change = g[name] * min(1.0, 1.5 / norm) + (0.0 if decoupled else own * theta)
            memory[name] = mu * memory[name] + change
            state[name] = theta - alpha * xi[name] * (memory[name] + (own * theta if decoupled else 0.0))
            if name == "h1.weight":
                rng = np.random.default_rng([seed, zlib.crc32(b"noise h1.weight"), k])
                state[name] += np.sqrt(2 * 0.03 * alpha * xi[name]) * rng.standard_normal(theta.shape)
        t += alpha
    assert 0 < cut < 12
    for name in trained:
        for found in (path.at(), exact):
            np.testing.assert_allclose(found[name], state[name], rtol=0, atol=1e-12, err_msg=name)
            np.testing.assert_allclose(found[f"m {name}"], memory[name], rtol=0, atol=1e-11, err_msg=name)


CONSTANTS = {
    "sgd": {},
    "momentum": {"mu": 0.8},
    "heavy-ball": {"gamma": 1.3},
    "adam": {"beta1": 0.8, "beta2": 0.95, "eps": 0.02},
    "adamw": {"beta1": 0.8, "beta2": 0.95, "eps": 0.02},
}
DENSE = {
    "data": {
        "kind": "gaussian-mixture",
        "means": [[1.0, 0.5], [-1.0, 0.3]],
        "deviations": 0.5,
        "labels": [0, 1],
        "y": "x",
    },
    "layers": [
        {
            "name": "h1",
            "from": "x",
            "weight": {"law": "normal(0, 1)", "rate": "2/(1 + t)"},
            "bias": "0.1",
            "activation": "tanh",
        },
        {"name": "h2", "from": "h1", "weight": "normal(0.4, 1)", "bias": "0", "activation": "tanh"},
    ],
    "output": {"from": "h2", "weight": "normal(0, 1)", "bias": "0"},
}


@pytest.mark.parametrize("rule", CONSTANTS)
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("clip", [None, 0.4])
def test_a_rule_with_everything_beside_it_makes_the_steps_of_the_theory(rule, decoupled, clip) -> None:
    """Decay and noise by parameter, a rate in t, a schedule by name, two outputs: four steps in float64.

    Values of order one to ten, gradients known to some 1e-15 of that, which Adam divides by eps at most.
    """
    names = ("h1.weight", "h1.bias", "h2.weight", "h2.bias", "output.weight", "output.bias")
    how = {
        "rule": rule,
        "constants": CONSTANTS[rule],
        "clip": clip,
        "decoupled": decoupled,
        "decay": dict.fromkeys(names, 0.3) | {"h2.weight": 0.7},
        "noise": {"h2.bias": 0.05, "h1.weight": 0.02},
    }
    training = {
        "learning_rate": 0.1,
        "steps": 4,
        "batch_size": 5,
        "optimizer": {"kind": rule, **CONSTANTS[rule]},
        "schedule": {"kind": "piecewise", "at": [2], "factors": [0.5]},
        "weight_decay": {"h2.weight": 0.7, "default": 0.3},
        "noise": how["noise"],
        "decoupled": decoupled,
    } | ({} if clip is None else {"clip": clip})
    net = resolve(parse_document(tomllib.loads(SPEC) | DENSE | {"training": training}))
    state, t, seed = initial_state(forward_system(net), 3, 5), 0.0, 8
    p = {name: state[name] for name in names}
    memories = {name: {"m": 0.0, "v": 0.0} for name in names}
    for k, alpha in enumerate((0.1, 0.1, 0.05, 0.05), 1):
        x, y = net.source.batch(k, 5)
        rate = dict.fromkeys(names, 1.0) | {"h1.weight": 2 / (1 + t)}
        draws = dict.fromkeys(names, 0.0)
        for name in how["noise"]:
            rng = np.random.default_rng([seed, zlib.crc32(f"noise {name}".encode()), k])
            draws[name] = rng.standard_normal(p[name].shape)
        p, memories = rule_reference.step(p, memories, x, y, alpha, k, how | {"rate": rate}, draws)
        state, t = finite_step(net, state, x, y, t, alpha, k, seed), t + alpha
    for name in names:
        np.testing.assert_allclose(state[name], p[name], rtol=0, atol=1e-12, err_msg=name)
        for memory, value in memories[name].items():
            np.testing.assert_allclose(state[f"{memory} {name}"], value, rtol=0, atol=1e-11, err_msg=name)


def test_plain_descent_is_a_product_and_a_difference_to_the_bit() -> None:
    """theta - (alpha xi widths) * gradient in float32, its factor rounded once; a loop written down here."""
    net = network()
    (path,) = simulate(net, 4, [3], steps=3, evaluation=5)
    start, finite = path.at(0.0), FiniteNetwork(forward_system(net))
    assert set(start) == {*(p.name for p in finite.system.parameters), "p"}
    trained = [p.name for p in finite.system.parameters if not p.is_frozen]
    alphas = 0.02 * np.arange(1, 4) ** -0.1
    rates = {"h1.weight": 1 / (1 + 10 * path.times[:3])}
    factors = np.stack([alphas * rates.get(n, 1.0) * slots_of(finite.system, n, start) for n in trained], 1)
    xs, ys = (np.stack(part) for part in zip(*(net.source.batch(k, 10) for k in (1, 2, 3)), strict=True))

    def mean_loss(p, fixed, x, y):
        sizes = finite.sizes({n: v.shape for n, v in {**p, **fixed}.items()}, len(x))
        return finite.evaluate({**p, **fixed, "x": x, "y": y}, sizes, jax_namespace())["loss"].mean()

    @jax.jit
    def loop(p, fixed, xs, ys, factors, count):
        def step(k, p):
            g = jax.vmap(jax.grad(mean_loss), (0, 0, None, None))(p, fixed, xs[k], ys[k])
            return {n: p[n] - factors[k, place] * g[n] for place, n in enumerate(trained)}

        return jax.lax.fori_loop(0, count, step, p)

    with precision(jax, "float32"):
        arrays = {n: jax.numpy.asarray(start[n])[None] for n in start if n != "p"}
        fixed = {n: arrays.pop(n) for n in list(arrays) if n not in trained}
        given = (a.astype(np.float32) for a in (xs, ys, factors))
        for name, value in loop(arrays, fixed, *given, 3).items():
            np.testing.assert_array_equal(path.at()[name], np.asarray(value[0]), err_msg=name)


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[n], other[n]) for n in one if n != "p")


def test_memories_and_draws_go_on_between_stored_states(tmp_path: Path) -> None:
    """Checkpoints hold the memories; what a step draws is a function of seed and number, whoever makes it."""
    document = tomllib.loads(SPEC)
    document["training"] |= {
        "optimizer": dict(BETAS) | {"kind": "adam"},
        "noise": {"h1.weight": 0.03},
        "dropout": {"h1": 0.5},
    }
    net, options = resolve(parse_document(document)), {"steps": 8, "precision": "float32", "evaluation": 5}
    (few,) = simulate(net, 4, [5], checkpoints=2, **options)
    (every,) = simulate(net, 4, [5], checkpoints=20, **options)
    loaded = Trajectory.load(few.save(tmp_path))
    assert len(few.checkpoints) == 2 and len(every.checkpoints) == 9
    assert few.at().keys() >= {"m h1.weight", "v h1.weight", "m h1.bias"} and "m h2.bias" not in few.at()
    assert few.at()["v h1.weight"].dtype == np.float32 and few.at()["v h1.weight"].any()
    point = every.checkpoints[5]
    assert same(few.at(point.time), point.state) and same(loaded.at(point.time), point.state)


def test_a_state_may_come_with_memories_or_without() -> None:
    """Without them momentum begins at rest, with them it goes on."""
    net = network(optimizer="momentum", constants=(("mu", 0.9),))
    whole = initial_state(forward_system(net), 3, 1)
    bare = {name: value for name, value in whole.items() if not name.startswith("m ")}
    moving = {**whole, "m h1.bias": np.ones(3)}
    step = (*net.source.batch(1, 10), 0.0, 0.02)
    first, again, on = (finite_step(net, state, *step) for state in (whole, bare, moving))
    assert same(first, again) and len(bare) < len(whole)
    np.testing.assert_allclose(on["h1.bias"], first["h1.bias"] - 0.02 * 0.9, rtol=0, atol=1e-15)
    (path,) = simulate(net, None, [0], initial=bare, steps=1, precision="float64", evaluation=5)
    assert path.at().keys() == whole.keys()
    np.testing.assert_allclose(path.at()["m h2.weight"], first["m h2.weight"], rtol=0, atol=1e-13)


@pytest.fixture
def signed():
    """A rule of a user's own: the sign of g, softened by a constant, and how often an entry was moved."""
    register_rule(
        UpdateRule(
            "signed in a test",
            "steps of nearly one size",
            (("n", "n + heaviside(abs(g))"), ("s", "tanh(g/0.1)"), ("theta", "theta - alpha*xi*s/sqrt(k)")),
            memories=(("n", 2.0),),
        )
    )
    yield "signed in a test"
    del RULES["signed in a test"]


def test_a_rule_of_the_user_s_own(signed: str) -> None:
    """It has steps, and no flow until it says one."""
    plain, net = network(), network(optimizer=signed)
    (path,) = simulate(net, 4, [2], steps=2, precision="float64", evaluation=5)
    state, t = initial_state(forward_system(net), 4, 2), 0.0
    assert (state["n h1.bias"] == 2).all()
    for k in (1, 2):
        x, y = net.source.batch(k, 10)
        alpha, xi = 0.02 * k**-0.1, 1 / (1 + 10 * t)
        bare = {name: value for name, value in state.items() if not name.startswith("n ")}
        g = -finite_velocity(plain, bare, x, y, t)["h1.weight"] / xi
        expected = state["h1.weight"] - alpha * xi * np.tanh(g / 0.1) / np.sqrt(k)
        state = finite_step(net, state, x, y, t, alpha, k)
        np.testing.assert_allclose(state["h1.weight"], expected, rtol=0, atol=1e-14)
        t += alpha
    assert (path.at()["n h1.bias"] == 4).all()
    np.testing.assert_allclose(path.at()["h1.weight"], expected, rtol=0, atol=1e-13)
    with pytest.raises(ArgumentError, match=r"no flow is known of the learning rule 'signed in a test'"):
        finite_velocity(net, state, x, y)


def test_the_flow_of_a_rule() -> None:
    """Formulas of the table at one state, written out; decay beside the rule, decay in g, clipping."""
    t, gamma, mu, xi, own = 0.3, 2.0, 0.7, 1 / 4, 0.4
    x, y = network().source.batch(1, 10)
    state = initial_state(forward_system(network()), 4, 2)
    speeds = finite_velocity(network(), state, x, y, t)
    theta, g = state["h1.weight"], -speeds["h1.weight"] / xi

    def flow(name="h1.weight", **training):
        return finite_velocity(network(**training), state, x, y, t)[name]

    def close(found, expected) -> None:
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)

    decay = {"weight_decay": (("h1.weight", own),)}
    momentum = {"optimizer": "momentum", "constants": (("mu", mu),)}
    close(flow(**momentum, **decay), -xi * (g + own * theta) / (1 - mu))
    close(flow(**momentum, **decay, decoupled=True), -xi * g / (1 - mu) - xi * own * theta)
    assert not flow("m h1.weight", **momentum).any() and not flow("h2.bias", **momentum).any()
    close(flow(optimizer="adam", constants=BETAS), -xi * g / (np.abs(g) + 0.01))
    close(flow(noise=(("h1.weight", 5.0),)), -xi * g)  # noise is no part of it
    assert np.array_equal(flow(clip=1e6), flow(clip=1e7))
    close(flow(clip=1e6), -xi * g)
    ratio = flow(clip=0.2) / (-xi * g)
    assert ratio.max() < 1
    close(ratio, ratio.mean())
    ball = {"optimizer": "heavy-ball", "constants": (("gamma", gamma),)}
    state = {**initial_state(forward_system(network(**ball)), 4, 2), "m h1.weight": theta**2}
    close(flow(**ball), theta**2)
    close(flow("m h1.weight", **ball), -gamma * theta**2 - xi * g)

"""Initial states by the contract of draws, and the checks of states that are given."""

from __future__ import annotations

import zlib

import numpy as np
import psutil
import pytest

from mfderive.algebra.laws import End, LawKind, Reference
from mfderive.errors import ArgumentError, ResourceError, SpecError, StateError
from mfderive.state.draw import check_state, initial_state
from tests.samples.networks import correlated, law, parameter, system


def stream(name: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def test_every_law_follows_the_contract_to_the_bit():
    laws = {
        "n": law(LawKind.NORMAL, 0.5, 0.25),
        "u": law(LawKind.UNIFORM, -1, 2),
        "r": law(LawKind.RADEMACHER, 3),
        "s": law(LawKind.SPHERE, 1.5),
        "c": law(LawKind.CONSTANT, 0.75),
    }
    state = initial_state(system(*(parameter(k, ("h1", "inputs"), v) for k, v in laws.items())), 7, seed=11)
    shape = (7, 3)
    sphere = stream("s", 11).standard_normal(shape)
    expected = {
        "n": 0.5 + 0.25 * stream("n", 11).standard_normal(shape),
        "u": -1 + 3 * stream("u", 11).random(shape),
        "r": 3 * (1 - 2 * stream("r", 11).integers(0, 2, shape)),
        "s": 1.5 * sphere / np.sqrt(np.sum(sphere * sphere, axis=1, keepdims=True)),
        "c": np.full(shape, 0.75),
    }
    for name, values in expected.items():
        assert np.array_equal(state[name], values), name
    assert np.allclose((state["s"] ** 2).sum(axis=1), 1.5**2, rtol=1e-14)


def test_sizes_are_relative_widths_and_weights_are_uniform():
    state = initial_state(correlated(), 5, seed=0)
    assert state["h2.weight"].shape == (10, 5)
    assert state["output.weight"].shape == (2, 10)
    assert np.array_equal(state["p"]["h1"], np.full(5, 1 / 5))
    assert np.array_equal(state["p"]["h2"], np.full(10, 1 / 10))
    named = initial_state(correlated(), {"h1": 2, "h2": 3}, seed=0)
    assert named["h2.weight"].shape == (3, 2)


def test_references_broadcast_along_the_axis_of_their_end():
    state = initial_state(correlated(), 6, seed=3)
    mean = 2 * state["h1.weight"][None, :, 1] + state["h2.gain"][:, None]
    noise = stream("h2.weight", 3).standard_normal((12, 6))
    assert np.array_equal(state["h2.weight"], mean + 0.1 * noise)


def test_edges_mean_takes_the_conditional_mean_of_noisy_weights_only():
    drawn, mean = initial_state(correlated(), 6, seed=3), initial_state(correlated(), 6, seed=3, edges="mean")
    expected = 2 * mean["h1.weight"][None, :, 1] + mean["h2.gain"][:, None]
    assert np.array_equal(mean["h2.weight"], expected)
    for name in ("h1.weight", "h2.gain", "output.weight"):
        assert np.array_equal(drawn[name], mean[name])


def test_draws_depend_on_nothing_but_seed_and_name():
    alone = system(parameter("h2.gain", ("h2",), law(LawKind.UNIFORM, -1, 3)))
    assert np.array_equal(initial_state(alone, 4, 9)["h2.gain"], initial_state(correlated(), 4, 9)["h2.gain"])
    assert not np.array_equal(initial_state(alone, 4, 9)["h2.gain"], initial_state(alone, 4, 10)["h2.gain"])


def test_float32_is_the_cast_of_the_float64_draw():
    double, single = initial_state(correlated(), 6, 3), initial_state(correlated(), 6, 3, dtype=np.float32)
    for name in ("h2.weight", "h1.weight", "output.bias"):
        assert single[name].dtype == np.float32
        assert np.array_equal(single[name], double[name].astype(np.float32))
    assert single["p"]["h1"].dtype == np.float32


def test_normal_draws_have_their_moments():
    """20,000 draws of N(1/2, 1/4^2): mean within 5 standard errors 0.25/sqrt(n), deviation 5/sqrt(2n)."""
    net = system(parameter("n", ("h1",), law(LawKind.NORMAL, 0.5, 0.25)))
    values = initial_state(net, 20_000, 1)["n"]
    assert abs(values.mean() - 0.5) < 5 * 0.25 / np.sqrt(20_000)
    assert abs(values.std() / 0.25 - 1) < 5 / np.sqrt(40_000)


def test_circular_laws_are_named():
    net = system(
        parameter("a", ("h1",), law(LawKind.NORMAL, "b", 1, b=Reference(End.TARGET, "b"))),
        parameter("b", ("h1",), law(LawKind.NORMAL, "a", 1, a=Reference(End.TARGET, "a"))),
    )
    with pytest.raises(SpecError, match="circle: a -> b -> a"):
        initial_state(net, 3, 0)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (Reference(End.TARGET, "h1.weight", (0,)), "target end"),
        (Reference(End.SOURCE, "h1.weight", (3,)), "component 3"),
        (Reference(End.SOURCE, "h1.weight"), "one component"),
        (Reference(End.SOURCE, "h1.wieght", (0,)), "Did you mean 'h1.weight'"),
    ],
)
def test_misplaced_references_are_refused(reference, message):
    net = system(
        parameter("h1.weight", ("h1", "inputs"), law(LawKind.NORMAL, 0, 1)),
        parameter("h2.weight", ("h2", "h1"), law(LawKind.NORMAL, "a", 1, a=reference)),
    )
    with pytest.raises(SpecError, match=message):
        initial_state(net, 3, 0)


def test_a_deviation_that_a_reference_makes_negative_is_refused():
    net = system(
        parameter("g", ("h1",), law(LawKind.CONSTANT, -1)),
        parameter("w", ("h1", "inputs"), law(LawKind.NORMAL, 0, "g", g=Reference(End.TARGET, "g"))),
    )
    with pytest.raises(SpecError, match=r"deviation .* is -1\.0"):
        initial_state(net, 3, 0)


def test_memory_is_refused_before_anything_is_allocated():
    """A width whose square exceeds any machine; the array itself could not be made."""
    width = int(psutil.virtual_memory().total ** 0.5)
    with pytest.raises(ResourceError, match=r"h2\.weight.*GB.*smaller widths"):
        initial_state(correlated(), width, 0)


@pytest.mark.parametrize("widths", [0, -1, 1.5, True, {"h1": 3}, {"h1": 3, "h2": 3, "h3": 1}])
def test_bad_widths(widths):
    with pytest.raises(ArgumentError, match="width"):
        initial_state(correlated(), widths, 0)


def test_a_drawn_state_passes_and_keeps_its_precision():
    for dtype in (np.float32, np.float64):
        state = check_state(correlated(), initial_state(correlated(), 7, 0, dtype=dtype))
        assert {array.dtype for name, array in state.items() if name != "p"} == {np.dtype(dtype)}
    state = initial_state(correlated(), 7, 0)
    state["h2.weight"] = np.asfortranarray(state["h2.weight"])
    state["output.bias"] = [1, 2]
    checked = check_state(correlated(), state)
    assert checked["h2.weight"].flags.c_contiguous
    assert checked["output.bias"].dtype == np.float64


def broken(name, value):
    state = initial_state(correlated(), 4, 0)
    state[name] = value
    return state


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (broken("h3.weight", np.ones(3)), "no parameter 'h3.weight'. Did you mean"),
        (broken("h2.gain", np.ones(7)), r"h2\.gain.*\(7,\), expected \(8,\)"),
        (broken("h2.gain", np.full(8, np.nan)), "nan at \\[0\\]"),
        (broken("h2.gain", np.ones(8, complex)), "complex128"),
        (broken("p", {"h1": np.ones(4) / 4}), "'h2' are missing"),
        (broken("p", {"h1": np.ones(4), "h2": np.ones(8) / 8}), r"sums to 4\.0"),
        (broken("p", {"h1": [0.5, 0.5, 1, -1], "h2": np.ones(8) / 8}), "negative"),
        (broken("p", {"h1": [], "h2": np.ones(8) / 8}), "one weight for each node"),
        (broken("p", None), r"state\['p'\] is missing"),
    ],
)
def test_states_that_do_not_fit_say_why(state, message):
    with pytest.raises(StateError, match=message):
        check_state(correlated(), state)


def test_a_missing_parameter_is_named_and_weight_zero_is_legal():
    state = initial_state(correlated(), 4, 0)
    state["p"]["h1"] = np.array([0.5, 0.5, 0.0, 0.0])
    assert check_state(correlated(), state)["p"]["h1"][3] == 0
    del state["h2.gain"]
    with pytest.raises(StateError, match=r"'h2\.gain' is missing"):
        check_state(correlated(), state)

"""The two gradients of the witness against each other, against finite differences, and its refusals."""

import numpy as np
import pytest

from mfderive.errors import ArgumentError, StateError
from mfderive.finite import finite_network as network_module
from mfderive.finite import gradient as gradient_module
from mfderive.finite.finite_network import FiniteNetwork
from mfderive.finite.namespace import NUMPY
from mfderive.finite.velocity import finite_velocity

from .systems import pooled_convolution, random_state, residual, three_layer

SYSTEMS = {"three_layer": three_layer, "pooled_convolution": pooled_convolution, "residual": residual}


def case(name: str, samples: int = 6):
    system = SYSTEMS[name]()
    rng = np.random.default_rng(1)
    state = random_state(system, {axis.name: 4 + i for i, axis in enumerate(system.populations)})
    x = rng.standard_normal([samples] + [system.axis[a].size for a in system.field["x"].axes[1:]])
    return system, state, x, rng.standard_normal((samples, 1))


def assert_close(found: dict, expected: dict) -> None:
    """Rounding: sums of at most a few hundred products of order one, so 1e-13 of the largest entry."""
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(
            found[name], expected[name], rtol=0, atol=1e-13 * max(1e-3, np.abs(expected[name]).max())
        )


@pytest.mark.parametrize("name", SYSTEMS)
def test_complex_step_agrees_with_jax(name: str) -> None:
    system, state, x, y = case(name)
    assert_close(
        finite_velocity(system, state, x, y, t=0.5),
        finite_velocity(system, state, x, y, t=0.5, method="jax"),
    )


def test_scaling_rate_and_sign_against_central_differences() -> None:
    """h2.weight has rate 2 and two population slots of widths 4 and 5; step 1e-5: error about 1e-9."""
    system, state, x, y = case("three_layer")
    finite = FiniteNetwork(system)

    def loss(change: float) -> float:
        changed = {name: np.array(value) for name, value in state.items() if name != "p"}
        changed["h2.weight"][3, 1] += change
        sizes = finite.sizes({name: value.shape for name, value in changed.items()}, len(x))
        return float(finite.evaluate({**changed, "x": x, "y": y}, sizes, NUMPY)["loss"].mean())

    expected = -2 * (4 * 5) * (loss(1e-5) - loss(-1e-5)) / 2e-5
    found = finite_velocity(system, state, x, y)
    assert found["h2.weight"][3, 1] == pytest.approx(expected, rel=1e-6, abs=1e-8)
    assert not found["h2.bias"].any()
    early, late = (finite_velocity(system, state, x, y, t=t)["h1.weight"] for t in (0.0, 3.0))
    np.testing.assert_allclose(late, early / 4, rtol=1e-14)


@pytest.mark.parametrize("method", ["complex-step", "jax"])
@pytest.mark.parametrize("name", ["residual", "pooled_convolution"])
def test_pieces_change_nothing(name: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Grids cut over the samples and replicas in small chunks give the same numbers."""
    system, state, x, y = case(name)
    whole = finite_velocity(system, state, x, y, method=method)
    monkeypatch.setattr(network_module, "LARGEST_GRID", 40)
    monkeypatch.setattr(gradient_module, "CHUNK_BYTES", 20_000)
    assert_close(finite_velocity(system, state, x, y, method=method), whole)


def test_jax_gradient_leaves_the_global_precision_alone() -> None:
    import jax

    system, state, x, y = case("three_layer")
    finite_velocity(system, state, x, y, method="jax")
    assert jax.numpy.ones(1).dtype == np.float32


def test_refusals() -> None:
    system, state, x, y = case("three_layer")
    unequal = {**state, "p": {**state["p"], "h1": np.array([0.4, 0.2, 0.2, 0.2])}}
    with pytest.raises(StateError, match="population 'h1'"):
        finite_velocity(system, unequal, x, y)
    with pytest.raises(StateError, match=r"parameter 'h2\.bias' is missing"):
        finite_velocity(system, {k: v for k, v in state.items() if k != "h2.bias"}, x, y)
    with pytest.raises(StateError, match=r"'h1\.bias'\] has shape \(7,\), expected \(4,\)"):
        finite_velocity(system, {**state, "h1.bias": np.zeros(7)}, x, y)
    with pytest.raises(StateError, match=r"has shape \(4, 1\), expected \(4,\)"):
        finite_velocity(system, {**state, "h1.bias": np.zeros((4, 1))}, x, y)
    with pytest.raises(ArgumentError, match="complex-step"):
        finite_velocity(system, state, x, y, method="complexstep")

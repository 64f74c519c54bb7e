"""Every shipped spec through the witness: its two gradients agree, and networks of it train."""

from pathlib import Path

import numpy as np
import pytest

from mfderive.finite.namespace import precision
from mfderive.finite.network_fields import network_fields
from mfderive.finite.simulate import simulate
from mfderive.finite.velocity import finite_velocity
from mfderive.format.reader import read
from mfderive.forward.equations import forward_system
from mfderive.samples.resolve import resolve
from mfderive.state.draw import initial_state

from .graph_oracles import DESCENDED
from .oracles import compiled_quickly
from .shipped_oracles import SHIPPED

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.toml"))
# JAX compiles every network anew. A chain, a convolution with pooling, recurrence and attention are looked
# at by default, one of each kind of equation; the others as a study.
QUICK = {"five_layer_gaussians", "cnn_small", "recurrent_elman", "attention_positions", "layer_norm"}
SAMPLE = [pytest.param(s, marks=() if s.stem in QUICK else pytest.mark.study, id=s.stem) for s in SPECS]


def test_the_sample_names_specs() -> None:
    assert {spec.stem for spec in SPECS} >= QUICK


@pytest.mark.parametrize("spec", SAMPLE)
def test_complex_steps_agree_with_jax(spec: Path) -> None:
    """Rounding of sums of some hundred products, relative to the largest entry of an array."""
    network = resolve(read(spec))
    state = initial_state(forward_system(network), 3, seed=1)
    x, y = (
        network.source.batch(1, 4) if network.training.batch_size != "all" else network.source.batch(1, "all")
    )
    exact = finite_velocity(network, state, x, y, t=0.25)
    for name, value in finite_velocity(network, state, x, y, t=0.25, method="jax").items():
        scale = np.abs(exact[name]).max(initial=0.0)
        np.testing.assert_allclose(value, exact[name], rtol=0, atol=1e-11 * scale + 1e-300, err_msg=name)


@pytest.mark.parametrize("spec", SAMPLE)
def test_networks_train(spec: Path) -> None:
    network = resolve(read(spec))
    first, second = simulate(network, 5, 2, steps=3, evaluation=20)
    assert np.isfinite(first.loss).all() and first.steps.tolist() == [0, 1, 2, 3]
    moved = [
        name for name, value in first.at().items() if name != "p" and (value != first.at(0.0)[name]).any()
    ]
    assert moved and first.loss[0] != second.loss[0]


@pytest.mark.parametrize("name", SHIPPED)
def test_velocity_agrees_with_the_network_written_by_hand(name: str) -> None:
    """Outputs and scaled gradients to rounding, with numbers of order one to a hundred in the sums."""
    import jax

    network = resolve(read(SPECS[0].parent / f"{name}.toml"))
    state = initial_state(forward_system(network), 4, seed=6)
    x, y = network.source.batch(1, 5)
    function, loss, slots, rates = SHIPPED[name]
    parameters = {key: value for key, value in state.items() if key != "p"}
    whole = DESCENDED.get(name, lambda p, x, y: loss(function(p, x), y))

    def outputs_and_gradient(p):
        return function(p, x), jax.grad(lambda p: whole(p, x, y).mean())(p)

    with precision(jax, "float64"):
        yhat, gradient = compiled_quickly(outputs_and_gradient)(parameters)
    np.testing.assert_allclose(network_fields(network, state, x)["yhat"], yhat, rtol=1e-13, atol=1e-14)
    found = finite_velocity(network, state, x, y, t=0.25)
    assert found.keys() == slots.keys()
    for key, value in found.items():
        expected = -rates.get(key, 1.0) * 4.0 ** slots[key] * np.asarray(gradient[key])
        np.testing.assert_allclose(
            value, expected, rtol=0, atol=1e-12 * np.abs(expected).max() + 1e-300, err_msg=key
        )


def test_every_shipped_spec_is_written_by_hand() -> None:
    assert {path.stem for path in SPECS} == set(SHIPPED)

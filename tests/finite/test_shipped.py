"""Every shipped spec through the witness: its two gradients agree, and networks of it train."""

from pathlib import Path

import numpy as np
import pytest

from mfderive.data.draw import initial_state
from mfderive.data.resolve import resolve
from mfderive.finite.simulate import simulate
from mfderive.finite.velocity import finite_velocity
from mfderive.spec.forward import forward_system
from mfderive.spec.reader import read

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.toml"))


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
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


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_networks_train(spec: Path) -> None:
    network = resolve(read(spec))
    first, second = simulate(network, 5, 2, steps=3, evaluation_samples=20)
    assert np.isfinite(first.loss).all() and first.steps.tolist() == [0, 1, 2, 3]
    moved = [
        name for name, value in first.at().items() if name != "p" and (value != first.at(0.0)[name]).any()
    ]
    assert moved and first.loss[0] != second.loss[0]

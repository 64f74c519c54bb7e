"""Every kind of layer: interpreter, generated solver and JAX against complex steps of the finite network."""

from __future__ import annotations

import numpy as np
import pytest
from exact.comparison import Case, coarse_state, disagreements, interpreted, plain_solver, shaken_state

import mfderive as mf
from mfderive.limit.derive import derive_system
from mfderive.state.draw import initial_state

from .documents import GRAPHS

# Kinks and ties: values from few numbers, so that maxima tie and pre-activations are 0.
COARSE = ("max-pool", "global pooling", "activation after pooling")


def case(name: str, coarse: bool = False) -> Case:
    """A graph at a random state (or a coarse one) on three samples."""
    network = mf.load(GRAPHS[name])
    system = mf.forward_system(network)
    state = initial_state(system, 3, seed=1)
    state = (coarse_state if coarse else shaken_state)(state, 1)
    x, y = network.source.batch(1, 3)
    x = np.round(x) if coarse else x
    return Case(network, system, derive_system(system), state, x, y, 0.3)


@pytest.mark.parametrize(
    ("name", "coarse"), [*((name, False) for name in GRAPHS), *((name, True) for name in COARSE)]
)
def test_velocity_is_the_scaled_gradient(name: str, coarse: bool, tmp_path) -> None:
    """Within 1e-10 of the sum of absolute values (``tests/exact/comparison.py``), per parameter."""
    known = case(name, coarse)
    expected = mf.finite_velocity(known.network, known.state, known.x, known.y, t=known.t)
    assert any(np.any(value != 0) for value in expected.values())
    speeds, scales = interpreted(known)
    assert disagreements(speeds, expected, scales) == {}, "plain interpreter"
    solver = plain_solver(known.limit, tmp_path)
    found = solver.velocity(known.state, known.x, known.y, known.t)
    assert disagreements(found, expected, scales) == {}, "generated solver"
    by_jax = mf.finite_velocity(known.network, known.state, known.x, known.y, t=known.t, method="jax")
    assert disagreements(by_jax, expected, scales) == {}, "JAX"


@pytest.mark.parametrize("name", GRAPHS)
def test_reduction_keeps_the_limit(name: str) -> None:
    """The reduced system derives, and its log says what every layer's neurons differ by."""
    reduced = mf.reduce(mf.derive(mf.load(GRAPHS[name])))
    assert reduced.log
    assert str(reduced)

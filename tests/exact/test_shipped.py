"""Every shipped spec: compiled velocity = scaled gradient; step = state + alpha * velocity."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.system import LimitSystem

from .comparison import Case, disagreements, interpreted, shipped, verdict

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.toml"))


@pytest.fixture(scope="module", params=SPECS, ids=lambda path: path.stem)
def subject(request) -> tuple[Case, ModuleType]:
    """A shipped spec as a case, and its compiled solver."""
    case = shipped(request.param)
    return case, mf.generate(case.limit)


def test_there_are_specs() -> None:
    assert len(SPECS) >= 12


def test_velocity_is_the_complex_step_gradient(subject) -> None:
    case, solver = subject
    assert verdict(case, solver.velocity(case.state, case.x, case.y, case.t)) == {}


def test_velocity_is_the_gradient_of_jax(subject) -> None:
    case, solver = subject
    found = solver.velocity(case.state, case.x, case.y, case.t)
    by_jax = mf.finite_velocity(case.network, case.state, case.x, case.y, t=case.t, method="jax")
    assert disagreements(found, by_jax, interpreted(case)[1]) == {}


# Compiled in single precision, too; the others run their single precision as plain Python.
SINGLE = ("cnn_small", "five_layer_gaussians", "residual_blocks")


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_step_is_state_plus_alpha_velocity(subject, dtype, plain) -> None:
    """Both come from the same fields, so only the last sum and its addition to the state round differently.

    A sum of m products rounds by at most m eps times the sum of absolute values; m is at most the number of
    samples times the number of entries of the largest field a sample, and the addition adds an eps.
    """
    case, solver = subject
    if dtype == np.float32 and Path(str(case.network.file)).stem not in SINGLE:
        solver = plain(case.limit)
    alpha = 0.3
    state = cast(case.state, dtype)
    x, y = case.x.astype(dtype), case.y.astype(dtype)
    speed = solver.velocity(state, x, y, case.t)
    after = solver.step(state, x, y, case.t, alpha)
    in_place = solver.step(cast(case.state, dtype), x, y, case.t, alpha, out=cast(case.state, dtype))
    terms = len(x) * summands(case.limit)
    eps = float(np.finfo(dtype).eps)
    _, scales = interpreted(case)
    for name, scale in scales.items():
        assert speed[name].dtype == after[name].dtype == dtype
        expected = state[name].astype(float) + alpha * speed[name].astype(float)
        allowed = eps * (4 * np.abs(expected).max() + alpha * (terms + 4) * scale)
        assert np.max(np.abs(after[name] - expected)) <= allowed, name
        np.testing.assert_array_equal(in_place[name], after[name], err_msg=name)
    for name, weights in case.state["p"].items():
        np.testing.assert_array_equal(after["p"][name], weights.astype(dtype))


def cast(state, dtype):
    """A copy of a state in a precision."""
    weights = {name: value.astype(dtype) for name, value in state["p"].items()}
    return {name: value.astype(dtype) for name, value in state.items() if name != "p"} | {"p": weights}


def summands(limit: LimitSystem) -> int:
    """The largest number of products that a velocity sums over finite axes, for each sample."""
    counts = [1]
    for equation in limit.evolution:
        for term in equation.terms:
            sizes = [limit.axis[index.axis].size or 1 for index in term.reduced]
            counts.append(int(np.prod(sizes, dtype=int)))
    return max(counts)

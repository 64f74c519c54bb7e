"""The run-time part of the solvers on its own: ordinary modules around a network written by hand."""

import importlib
import pkgutil

import numpy as np
import pytest

import mfderive as mf
from mfderive.codegen.numba import runtime
from mfderive.codegen.numba.module import solver_source
from mfderive.codegen.numba.runtime import example, solver_calls, state_checks
from mfderive.codegen.numba.splice import part
from mfderive.codegen.protocol import missing_parts
from mfderive.state.draw import initial_state

from .material import limit, weighted_case, worst_error, write_solver

MODULES = [module.name for module in pkgutil.iter_modules(runtime.__path__)]
TABLES = ("PARAMETERS", "FROZEN", "POPULATIONS", "MEASURES", "SIZES", "FIELDS")


@pytest.fixture(scope="module")
def system():
    """The network of example.py, derived."""
    return mf.derive(
        mf.load(
            {
                "format": 1,
                "title": "example",
                "data": {"kind": "teacher", "dimension": 3, "target": "x1 - x2"},
                "loss": {"kind": "squared"},
                "layers": [{"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "tanh"}],
                "output": {
                    "from": "h1",
                    "outputs": 1,
                    "weight": {"law": "uniform(-1, 1)", "rate": "1/(1 + t)"},
                },
                "training": {"learning_rate": 0.1, "steps": 10},
            }
        )
    )


@pytest.mark.parametrize("name", MODULES)
def test_every_file_is_a_module(name):
    """Each file is importable on its own."""
    assert importlib.import_module(f"{runtime.__name__}.{name}").__doc__
    assert len(MODULES) >= 10


def test_the_example_is_what_is_derived(system, tmp_path):
    """The same tables, draws and velocities as the solver that the program writes for its network."""
    assert missing_parts(solver_calls) == ()
    solver = write_solver(system, tmp_path, compiled=False)
    for name in TABLES:
        own, other = getattr(example, name), getattr(solver, name)
        if name == "FIELDS":  # the example computes one adjoint fewer
            assert own.items() <= other.items()
        else:
            assert own == other, name
    state = solver_calls.sample(6, 5)
    state_checks.check(state)
    drawn = initial_state(system, 6, 5, "draw")
    assert all(np.array_equal(state[name], drawn[name]) for name in example.PARAMETERS)
    given = weighted_case(solver_calls)
    speed = solver_calls.velocity(*given[:3], t=0.7, weights=given[3])
    assert worst_error(system, speed, example.rates(0.7), given) < 200 * np.finfo(float).eps
    x = given[1]
    assert np.allclose(solver_calls.predict(given[0], x, 3), solver.predict(given[0], x), rtol=1e-14)
    assert solver_calls.loss(*given[:3]) == pytest.approx(solver.loss(*given[:3]), rel=1e-14)


def test_a_solver_holds_the_text_of_the_files():
    """What is linted and typed is what runs: the text is copied, except the example."""
    source = solver_source(limit("cnn_small"))
    for name in MODULES:
        text = part(name).text
        if name in ("example", "scalar_functions", "first_maximum", "fresh_noise"):
            assert text not in source
        else:
            assert text in source, name

"""Reduced systems print, and their generated solvers compute what the equations say."""

import numpy as np
import pytest

import mfderive as mf
from mfderive.codegen.generate import generate, load_solver
from mfderive.finite.velocity import rate_at
from mfderive.tensor.interpreter import interpret
from tests.field_names import velocity

from .blowup import small_state
from .smooth import smooth_specimen
from .specs import chain, several_outputs

FROZEN = {"law": "normal(1, 0.1)", "rate": 0}


def agree(reduced, state, x, y, directory):
    """The velocity of the solver, run as plain Python, against the interpreter: rounding of its scale."""
    generate(reduced, directory)
    speeds = load_solver(directory, compiled=False).velocity(state, x, y, t=0.5)
    values, sizes = interpret(reduced, state, x, y)
    for parameter in reduced.parameters:
        name = parameter.name
        assert speeds[name].shape == state[name].shape
        if not parameter.is_frozen:
            rate = rate_at(parameter, 0.5)
            scale = np.max(sizes[velocity(name)], initial=0.0)
            error = np.abs(speeds[name] - rate * values[velocity(name)]).max(initial=0.0)
            assert error <= 1e-12 * abs(rate) * scale, name


@pytest.mark.parametrize("seed", [0, 3, 7, 11, 46, 49, 57, 60, 73, 76, 95, 117])
def test_random_graphs(seed, tmp_path):
    specimen = smooth_specimen(seed)
    reduced = mf.reduce(mf.derive(mf.load(specimen.document, data=specimen.arrays))).system
    assert "Evolution" in str(reduced) and reduced._repr_html_()
    agree(reduced, small_state(reduced, 2, seed), *specimen.batch, tmp_path)


@pytest.mark.parametrize(
    "spec", [chain(2, hidden=FROZEN), several_outputs("normal(1, 0.5)", FROZEN)], ids=["one", "several"]
)
def test_values_that_only_their_adjoints_tell_apart(spec, tmp_path):
    """Frozen weights: h2 is one type and D of h2 is not; output weights move alike."""
    network = mf.load(spec)
    reduced = mf.reduce(mf.derive(network)).system
    assert reduced.field["h2"].axes == ("data",) and reduced.field["adj h2"].axes == ("data", "h2")
    assert reduced.field["d output.weight"].axes == reduced.field["output.weight"].axes
    assert "H" in str(reduced)
    agree(reduced, small_state(reduced, 3, 1), *network.source.batch(1, 5), tmp_path)

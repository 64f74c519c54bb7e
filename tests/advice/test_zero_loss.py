"""The loss goes to 0 where the conditions of global convergence hold, and is stuck where one fails."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.analysis.function_facts import Answer

PAPER = Path(__file__).parents[2] / "examples" / "paper"


def example(name):
    """A script of examples/paper as a module."""
    spec = importlib.util.spec_from_file_location(name, PAPER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script():
    return example("global_convergence")


def test_the_loss_goes_to_zero_where_all_conditions_hold(script):
    """The exact loss at the four points of the law falls exponentially in the end: its logarithm has a slope.

    On nodes the limit is a weighted network, for which the theorem says nothing; a loss a thousandth of the
    best constant's, still falling by a factor of e within ten units of time, is far from any plateau.
    """
    net = mf.load(script.SPEC)
    found = mf.conditions(net)
    assert found.answer is Answer.YES
    times, losses = script.curve(mf.solve(net, method="flow", horizon=100.0, nodes=32))
    assert losses[-1] < script.STUCK / 1000
    late = times > 75
    assert late.sum() >= 3
    slope = np.polyfit(times[late], np.log(losses[late]), 1)[0]
    assert slope < -0.1


def test_the_loss_is_stuck_where_the_first_layer_starts_at_a_point(script):
    """First weights stay at 0 for ever, so that the output is a constant, whose loss is at least 1/8.

    It ends within 1e-6 of that: the distance to a minimum of a constant falls exponentially, and by t = 40
    what is left is the tolerance of the flow (1e-4 relative).
    """
    net = script.degenerate(mf.load(script.SPEC))
    found = mf.conditions(net)
    assert found.failing == ("full support of the first layer's law",)
    assert found.collapsed == ("h1",)
    path = mf.solve(net, method="flow", horizon=40.0, nodes=32)
    _, losses = script.curve(path)
    assert np.ptp(path.predict(script.CORNERS)[:, 0]) < 1e-12
    assert (losses >= script.STUCK - 1e-12).all()
    assert losses[-1] - script.STUCK < 1e-6


@pytest.mark.study
def test_increments_of_equal_neurons_scatter_by_one_over_the_root_of_the_width():
    """The slope over the width is -1/2 within three standard errors (by seeds) and 0.06 for higher orders.

    With a correlated start networks reach the scatter that the limit has: at width 256 within 10 %, three
    times the relative error of a deviation of 256 labels over four networks (1/sqrt(2 * 1024) = 0.022), and a
    correction of order 1/n.
    """
    degeneracy = example("degeneracy")
    independent = degeneracy.measure(PAPER / "specs" / "degeneracy_iid.toml", (32, 64, 128, 256), 4)
    assert independent.equal == ("h2", "h3")
    for weight in degeneracy.EQUAL_ENDS:
        slope, error = independent.slope(weight)
        assert abs(slope + 0.5) < 3 * error + 0.06
        assert independent.of_limit[weight] == 0
    correlated = degeneracy.measure(PAPER / "specs" / "degeneracy_diverse.toml", (128, 256), 4)
    assert correlated.equal == ()
    for weight in degeneracy.EQUAL_ENDS:
        assert correlated.scatter[weight][-1].mean() == pytest.approx(correlated.of_limit[weight], rel=0.1)

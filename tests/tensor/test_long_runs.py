"""Patches in long runs and equations sample by sample: what is planned, and that the numbers stay."""

from __future__ import annotations

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.system import draw_noise
from mfderive.tensor.instructions import Allocate, Each, Gemm, Loop, Select
from mfderive.tensor.interpreter import interpret
from mfderive.tensor.scheduling import schedule
from tests.codegen.material import limit, weighted_case, write_solver
from tests.graphs.documents import HEAD, TIED, convolution, document, layer

# Rounding of sums of fewer than 200 products, in units of the sums of their absolute values.
ROUNDING = 200 * np.finfo(float).eps

NETWORKS = {
    "strides": document(
        [convolution("a", "x", [3, 2]), convolution("top", "a", [2, 3], stride=[2, 1], padding="same")],
        HEAD,
        [2, 6, 5],
    ),
    "pooled": document(
        [
            convolution("a", "x", [2], activation="relu", bias="normal(0, 1)"),
            layer("pool", "a", kind="max-pool", window=[2], stride=[1]),
            convolution("top", "pool", [3], padding="same", average=["taps"]),
        ],
        HEAD,
        [2, 7],
        outputs=2,
    ),
    # One weight in two layers, and so two copies of it for one loop over samples, in other orders.
    "tied": document(
        [
            convolution("a", "x", [2], padding="same"),
            convolution("b", "a", [2], padding="same", neurons="a", weight=TIED),
            convolution("c", "b", [2], padding="same", neurons="a", weight={"name": "W"}),
            convolution(
                "top", "c", [2], padding="same", neurons="a", weight={"name": "W", "transpose": True}
            ),
        ],
        HEAD,
        [2, 5],
    ),
}


def repeated(planned):
    """The loops over samples among planned equations."""
    return [i for each in planned for i in each.instructions if isinstance(i, Each)]


@pytest.mark.parametrize("name", NETWORKS)
def test_velocities_are_the_interpreters(name, tmp_path):
    """Equal to the equations index by index, to rounding, with unequal weights of neurons and samples."""
    system = mf.derive(mf.load(NETWORKS[name]))
    solver = write_solver(system, tmp_path, compiled=False)
    assert any("in order" in memory for memory in _memories(system))
    state, x, y, weights = weighted_case(solver)
    values, sizes = interpret(system, state, x, y, weights)
    velocity = solver.velocity(state, x, y, 0.0, weights)
    for parameter in system.parameters:
        if not parameter.is_frozen:
            field, rate = system.velocity_of[parameter.name], float(parameter.rate)
            off = np.abs(velocity[parameter.name] - rate * values[field])
            assert np.all(off <= ROUNDING * rate * sizes[field])


def _memories(system):
    plan = schedule(draw_noise(system))
    every = [i for each in (*plan.forward, *plan.backward) for i in each.instructions]
    return {i.memory_name for i in every if isinstance(i, Allocate)}


def test_channels_come_last_where_they_are_many():
    """The first layer reads two channels at six positions and stays; the next one has ever more channels."""
    system = draw_noise(mf.derive(mf.load(NETWORKS["strides"])))
    scratch = {array.axes for each in repeated(schedule(system).forward) for array in each.scratch}
    first = [axes for axes in scratch if "channels" in axes and "a.taps1" in axes]
    assert [axes[-1] for axes in first] == ["a.positions2"]
    second = [axes for axes in scratch if "a" in axes and "top.taps1" in axes]
    assert [axes[-3:] for axes in second] == [("top.taps1", "top.taps2", "a")]


def test_what_follows_a_product_is_done_for_the_same_sample():
    """A product, functions of it and pooling are one loop over samples, written once after their fields."""
    plan = schedule(draw_noise(mf.derive(mf.load(NETWORKS["pooled"]))))
    first, last = repeated(plan.forward)
    (at,) = [n for n, each in enumerate(plan.forward) if first in each.instructions]
    silent = [each.equation.field for each in plan.forward[:at] if not each.instructions]
    assert {"a", "a.out"} <= {*silent} and plan.forward[at].equation.field == "pool"
    assert any(isinstance(i, Select) for i in first.body)
    for each in (first, last):
        assert sum(isinstance(i, Gemm) for i in each.body) == 1 and each.is_independent
    names = [array.name for array in (*first.scratch,)]
    assert len(names) == len({*names})


def test_a_weights_velocity_is_added_once():
    """The sum over samples goes into an array of its own, from 0 on; only the end of it writes the weight."""
    plan = schedule(draw_noise(mf.derive(mf.load(NETWORKS["strides"]))))
    (update,) = [update for update in plan.updates if update.parameter == "top.weight"]
    (each,) = [i for i in update.instructions if isinstance(i, Each)]
    assert update.in_place and not each.is_independent
    (product,) = [i for i in each.body if isinstance(i, Gemm)]
    assert product.add and product.out.array in {array.name for array in each.scratch}
    assert [i.out for i in each.first] == [product.out.array]
    assert [isinstance(i, Loop) and i.add for i in each.last] == [True]


def test_dense_networks_are_planned_equation_by_equation():
    """Nothing is repeated there, so every equation keeps its instructions."""
    plan = schedule(draw_noise(limit("five_layer_gaussians")))
    assert all(each.instructions for each in (*plan.forward, *plan.backward))

"""Which terms become matrix products, what they hold, and that BLAS writes in place."""

import numpy as np
import pytest

from mfderive.algebra.system import draw_noise
from mfderive.algebra.terms import AxisKind
from mfderive.tensor.contraction import plan_equation
from mfderive.tensor.instructions import Allocate, Each, Gemm, Loop
from mfderive.tensor.scheduling import TARGET, updates_in_place
from tests.codegen.material import MATERIAL, limit, write_solver


def plans(system):
    """Field -> instructions, for every equation."""
    system = draw_noise(system)
    return system, {e.field: (e, plan_equation(system, e, e.field)) for e in system.equations}


def gemms(instructions):
    return sum(gemms(s.body) if isinstance(s, Each) else isinstance(s, Gemm) for s in instructions)


def test_dense_terms_are_products_and_weights_move_in_place():
    """Every term of the five-layer network that holds a weight is one product without a temporary."""
    system, instructions = plans(limit("five_layer_gaussians"))
    for field, (equation, plan) in instructions.items():
        if field.endswith("weight") or (field.startswith("adj h") and field.endswith("out")):
            assert [type(instruction) for instruction in plan] == [Gemm], field
        if field.endswith("weight"):
            assert updates_in_place(system, equation, plan_equation(system, equation, TARGET))


@pytest.mark.parametrize("name", [*MATERIAL, "five_layer_parameters", "cnn_small", "residual"])
def test_no_temporary_holds_widths_times_widths_times_batch(name, tmp_path):
    """No temporary has two populations and the data, and none holds the patches of a whole batch."""
    system = limit(name)
    for axes in write_solver(system, tmp_path, compiled=False).TEMPORARIES:
        kinds = [system.axis[axis].kind for axis in axes]
        if AxisKind.DATA in kinds:
            assert kinds.count(AxisKind.POPULATION) < 2
            assert not any(axis.split(".")[-1].startswith("taps") for axis in axes)


def test_convolutions_are_products_sample_by_sample():
    """Forward, adjoint and evolution of a convolution each hold one product in a loop over samples."""
    _, instructions = plans(limit("cnn_small"))
    for field in ("c2", "adj c1.out", "d c2.weight"):
        plan = instructions[field][1]
        assert any(isinstance(instruction, Each) for instruction in plan) and gemms(plan) == 1, field


def test_powers_of_a_weight_are_products_and_functions_of_it_are_loops():
    """w**2 * f(u) is a product of a temporary; tanh(w * u) is a loop nest that stores nothing."""
    _, instructions = plans(limit("gate_and_operation"))
    plan = instructions["h2"][1]
    assert gemms(plan) == 2
    assert (
        sum(isinstance(instruction, Loop) and len(instruction.term.indices) == 3 for instruction in plan) == 1
    )
    assert all(len(a.axes) == 2 for a in plan if isinstance(a, Allocate))


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """A compiled module, for its helper functions."""
    return write_solver(limit("two_layer"), tmp_path_factory.mktemp("products"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["rows", "columns"])
@pytest.mark.parametrize("shape", [(5, 3, 4), (1, 3, 4), (5, 1, 4), (5, 3, 1), (1, 1, 1)])
def test_products_write_where_out_lies(module, dtype, order, shape):
    """Whatever the layouts of the operands, out's memory changes; alpha, beta and weights as documented."""
    rows, shared, columns = shape
    rng = np.random.default_rng(0)

    def array(first, second, layout):
        values = rng.normal(size=(first, second)).astype(dtype)
        return values if layout == "rows" else np.ascontiguousarray(values.T).T

    for left_layout in ("rows", "columns"):
        for right_layout in ("rows", "columns"):
            left, right = array(rows, shared, left_layout), array(shared, columns, right_layout)
            out = array(rows, columns, order)
            weights = rng.random(shared).astype(dtype)
            start, plain = out.astype(float), left.astype(float) @ right.astype(float)
            weighted = (left.astype(float) * weights) @ right.astype(float)
            tolerance = 8 * (shared + 2) * np.finfo(dtype).eps * 10
            module.matrix_product(out, left, right, 0.5, (0.25, None), keep=1.0)
            assert np.abs(out - start - 0.125 * plain).max() < tolerance
            module.matrix_product(out, left, right, -2.0, (1.0, weights))
            assert np.abs(out + 2 * weighted).max() < tolerance


def test_step_in_place_allocates_nothing_of_a_weights_size(tmp_path):
    """After the first call a step in place holds less than one weight more; a hidden copy would show."""
    import tracemalloc

    module = write_solver(limit("three_layer"), tmp_path)
    state = module.sample(400, dtype=np.float32)
    x = np.ones((10, module.SIZES["inputs"]), np.float32)
    y = np.ones((10, 1), np.float32)
    module.step(state, x, y, 0.0, 1e-3, out=state)
    tracemalloc.start()
    module.step(state, x, y, 0.0, 1e-3, out=state)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < state["h2.weight"].nbytes / 4


def test_memory_estimate_covers_what_is_held(tmp_path):
    """Fields, data, and the state with its copy: no less than what those arrays take, in both precisions."""
    module = write_solver(limit("convolutions"), tmp_path, compiled=False)
    for dtype in (np.float32, np.float64):
        state = module.sample(7, dtype=dtype)
        x, y = np.ones((5, 2, 9), dtype), np.ones((5, 1), dtype)
        held = sum(values.nbytes for values in module.forward(state, x).values()) + x.nbytes + y.nbytes
        held += 2 * sum(state[name].nbytes for name in module.PARAMETERS)
        assert held <= module.memory(7, 5, dtype) < 8 * held
    assert module.memory({"c1": 7, "c2": 9}, 5) > module.memory(7, 5)

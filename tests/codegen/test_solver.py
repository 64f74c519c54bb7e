"""Generated solvers against the plain interpreter, uncompiled, compiled, and in both precisions."""

import re
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

from mfderive.algebra.functions import call
from mfderive.algebra.terms import Access
from mfderive.codegen.generate import load_solver
from mfderive.state.draw import initial_state

from .material import MATERIAL, cast, limit, weighted_case, worst_error, write_solver

# Sums of fewer than 200 products; a few roundings for each, and as many in the fields that are read.
TOLERANCE = 200 * np.finfo(np.float64).eps
SINGLE = 200 * np.finfo(np.float32).eps
SHIPPED = ("digits", "correlated_init", "five_layer_parameters")


@pytest.fixture(scope="module", params=(*MATERIAL, *SHIPPED))
def solver(request, tmp_path_factory):
    """(system, uncompiled module) of one network."""
    system = limit(request.param)
    return system, write_solver(system, tmp_path_factory.mktemp(request.param), compiled=False)


def test_uncompiled_velocity_is_the_interpreters(solver):
    """Unequal weights of nodes (one is 0) and of samples, rates at t = 0.7."""
    system, module = solver
    case = weighted_case(module)
    speed = module.velocity(*case[:3], t=0.7, weights=case[3])
    assert worst_error(system, speed, module.rates(0.7), case) < TOLERANCE


def test_equal_weights_take_the_short_way_to_the_same_numbers(solver):
    """p = 1/n goes into the factor of the products; the interpreter multiplies every node."""
    system, module = solver
    _, x, y, _ = weighted_case(module)
    state = module.sample(6, seed=3)
    case = (state, x, y, np.full(len(x), 1 / len(x)))
    speed = module.velocity(state, x, y)
    assert worst_error(system, speed, module.rates(0.0), case) < TOLERANCE


def test_step_is_state_plus_velocity(solver):
    """step = state + alpha * velocity to rounding, as a new state and in place; the old state is kept."""
    _, module = solver
    state, x, y, weights = weighted_case(module)
    before = cast(state, np.float64)
    speed = module.velocity(state, x, y, t=0.2, weights=weights)
    new = module.step(state, x, y, 0.2, 0.1, weights=weights)
    moved = module.step(state, x, y, 0.2, 0.1, out=state, weights=weights)
    assert moved is state
    for name in module.PARAMETERS:
        scale = np.abs(before[name]) + 0.1 * np.abs(speed[name]).max()
        assert np.all(np.abs(new[name] - before[name] - 0.1 * speed[name]) <= TOLERANCE * scale), name
        assert np.array_equal(state[name], new[name]), name


def test_sample_is_the_packages_draw(solver):
    """The solver draws what the package draws, bit for bit, in both modes of the edges."""
    system, module = solver
    for edges in ("draw", "mean"):
        own, other = module.sample(5, 11, edges), initial_state(system, 5, 11, edges)
        assert all(np.array_equal(own[name], other[name]) for name in module.PARAMETERS)
        assert {k: v.tolist() for k, v in own["p"].items()} == {k: v.tolist() for k, v in other["p"].items()}


def test_forward_returns_every_forward_field(solver):
    """New arrays with the axes of FIELDS; yhat is among them, nothing needs y."""
    _, module = solver
    state, x, _, _ = weighted_case(module)
    fields = module.forward(state, x)
    size = module.SIZES | {axis: len(values) for axis, values in state["p"].items()} | {"data": len(x)}
    assert "yhat" in fields and "loss" not in fields
    for name, values in fields.items():
        assert values.shape == tuple(size[axis] for axis in module.FIELDS[name])


@pytest.fixture(scope="module", params=(*MATERIAL, "digits"))
def compiled(request, tmp_path_factory):
    """(system, compiled module, uncompiled module): networks that between them have every plan."""
    system = limit(request.param)
    folder = tmp_path_factory.mktemp("compiled")
    return system, write_solver(system, folder), load_solver(folder, compiled=False)


def test_compiled_code_computes_the_same(compiled):
    """The machine code against the interpreter, and against the same source in plain Python."""
    system, module, plain = compiled
    case = weighted_case(module, seed=2)
    speed = module.velocity(*case[:3], t=0.7, weights=case[3])
    assert worst_error(system, speed, module.rates(0.7), case) < TOLERANCE
    assert module.loss(*case[:3]) == pytest.approx(plain.loss(*case[:3]), rel=TOLERANCE)


def test_single_precision_stays_single(compiled):
    """Every array is float32, and right to float32's rounding."""
    system, module, plain = compiled
    if system.title == "convolutions":
        module = plain  # windows take longest to compile, and test_shipped compiles some in both precisions
    state, x, y, weights = weighted_case(module, seed=2)
    single = cast(state, np.float32)
    speed = module.velocity(single, x, y, t=0.7, weights=weights)
    new = module.step(single, x, y, 0.7, 0.1, weights=weights)
    assert all(
        values.dtype == np.float32 for values in (*speed.values(), *(new[n] for n in module.PARAMETERS))
    )
    exact = (cast(single, np.float64), x.astype(np.float32), y.astype(np.float32), weights)
    assert worst_error(system, speed, module.rates(0.7), exact) < SINGLE


def test_check_names_what_is_wrong(solver):
    """Cheap validation of names, shapes, precision and weights."""
    module = solver[1]
    state = module.sample(4)
    module.check(state)
    name = next(iter(module.PARAMETERS))
    axis = next(iter(module.MEASURES))
    for change in (
        {name: state[name][..., :-1]},
        {name: state[name].astype(np.float32)},
        {"other": state[name]},
        {"p": {}},
        {"p": state["p"] | {axis: state["p"][axis] * 2}},
    ):
        with pytest.raises(ValueError, match="state"):
            module.check(state | change)


def test_wrong_data_is_refused(solver):
    """x of the wrong shape and weights of the wrong number raise instead of broadcasting."""
    module = solver[1]
    state, x, y, weights = weighted_case(module)
    with pytest.raises(ValueError, match="expected"):
        module.forward(state, x[..., :-1])
    with pytest.raises(ValueError, match="weights"):
        module.velocity(state, x, y, weights=weights[:-1])
    with pytest.raises(ValueError, match="y has shape"):
        module.velocity(state, x, y[:-1], weights=weights)
    with pytest.raises(ValueError, match="expected"):
        module.forward(state, x[:0])


def test_widths_that_cannot_be_are_refused_at_once(solver):
    """Neither nodes that are no numbers nor more than the machine could ever hold are drawn."""
    module = solver[1]
    for widths in (0, -1, 2.5, True, "8", dict.fromkeys(module.MEASURES, 0), {"other": 3}):
        with pytest.raises(ValueError, match="width"):
            module.sample(widths)
    with pytest.raises(MemoryError, match="smaller widths"):
        module.sample(10**12)


def test_arrays_of_a_wrong_shape_are_refused(solver):
    """Compiled loops would read, and write, past the end of an array that is too short."""
    module = solver[1]
    state, x, y, weights = weighted_case(module)
    for name in module.PARAMETERS:
        if np.ndim(state[name]):
            short = state | {name: state[name][:-1]}
            for call in (
                lambda short=short: module.forward(short, x),
                lambda short=short: module.velocity(short, x, y, weights=weights),
                lambda short=short: module.step(short, x, y, 0.0, 0.1, weights=weights),
            ):
                with pytest.raises(ValueError, match=re.escape(f"state['{name}'] has shape")):
                    call()


def test_a_gradient_that_reads_the_loss_computes_it_first(tmp_path):
    """No shipped loss needs this: here an adjoint is multiplied by 1 = step(loss + 1)."""
    system = limit("two_layer")
    loss = sp.Symbol("loss value")
    (index, *_) = system.equation_of[system.adjoint_of["yhat"]].target

    def reading(equation):
        if equation.field != system.adjoint_of["yhat"]:
            return equation
        return equation.map_terms(
            lambda term: replace(
                term,
                expression=term.expression * call("step", loss + 1),
                accesses=(*term.accesses, (loss, Access("loss", (index,)))),
            )
        )

    module = write_solver(system.map_equations(reading), tmp_path, compiled=False)
    (tmp_path / "plain").mkdir()
    plain = write_solver(system, tmp_path / "plain", compiled=False)
    state, x, y, weights = weighted_case(plain)
    speed, expected = (m.velocity(state, x, y, weights=weights) for m in (module, plain))
    assert all(np.array_equal(speed[name], expected[name]) for name in expected)

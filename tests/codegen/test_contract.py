"""The contract of a solver, held by every backend of the registry."""

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.laws import TIME
from mfderive.algebra.system import draw_noise
from mfderive.algebra.terms import Role
from mfderive.codegen.backend import backend_names, find_backend
from mfderive.codegen.protocol import PARTS, layout_of, missing_parts
from mfderive.tensor.clock import Moment
from mfderive.tensor.interpreter import interpret, interpret_step

from .material import cast, limit, weighted_case, worst_error

# Rates in t, a frozen gain and three kinds of edges; windows, a first maximum and several positions.
NETWORKS = ("gate_and_operation", "convolutions")
TOLERANCE = 200 * np.finfo(np.float64).eps


@pytest.fixture(
    scope="module",
    params=[(backend, network) for backend in backend_names() for network in NETWORKS],
    ids="-".join,
)
def case(request, tmp_path_factory):
    """(system, solver) of one network and one backend."""
    backend, network = request.param
    system = limit(network)
    return system, mf.generate(system, tmp_path_factory.mktemp(network), backend=backend)


@pytest.fixture(scope="module", params=backend_names())
def backend(request):
    """The name of one backend."""
    return request.param


def rates(system, t):
    """The rate of every trained parameter at time t."""
    return {p.name: float(p.rate.subs(TIME, t)) for p in system.parameters if not p.is_frozen}


def test_a_solver_has_every_part(case):
    """What decides whether an object is a solver comes from the protocol."""
    _, solver = case
    assert missing_parts(solver) == ()
    assert set(PARTS) == {"layout", "sample", "forward", "velocity", "step", "march", "predict", "memory"}


def test_the_layout_is_the_systems(case):
    """Axes of parameters and fields, measures with their widths, and sizes."""
    system, solver = case
    expected = layout_of(system)
    for name in ("parameters", "frozen", "populations", "measures", "sizes", "fields"):
        assert getattr(solver.layout, name) == getattr(expected, name), name
    assert list(solver.layout.parameters) == [p.name for p in draw_noise(system).parameters]


def test_a_sample_has_the_layouts_shapes_and_follows_the_seed(case):
    """Names and shapes, equal weights, the precision that was asked for; a seed is a draw."""
    _, solver = case
    layout = solver.layout
    state, again, other = solver.sample(5, seed=3), solver.sample(5, seed=3), solver.sample(5, seed=4)
    size = layout.sizes | {axis: len(weights) for axis, weights in state["p"].items()}
    assert set(state) == {*layout.parameters, "p"} and set(state["p"]) == set(layout.measures)
    for name, axes in layout.parameters.items():
        assert state[name].shape == tuple(size[axis] for axis in axes)
        assert np.array_equal(state[name], again[name])
    assert any(not np.array_equal(state[name], other[name]) for name in layout.parameters)
    assert all(np.all(weights == 1 / len(weights)) for weights in state["p"].values())
    single = solver.sample(dict.fromkeys(layout.measures, 3), edges="mean", dtype=np.float32)
    assert {single[name].dtype for name in layout.parameters} == {np.dtype(np.float32)}


def test_forward_has_every_field(case):
    """Every forward field that needs no y, with the interpreter's values; yhat is among them."""
    system, solver = case
    state, x, y, weights = weighted_case(solver)
    fields = solver.forward(state, x)
    values, magnitudes = interpret(system, state, x, y, weights)
    roles = {field.name: field.role for field in system.fields}
    known = {name for name, role in roles.items() if role in (Role.FORWARD, Role.FROZEN)}
    assert "yhat" in fields and set(fields) <= known and known - set(fields) == {"loss"}
    for name, value in fields.items():
        scale = max(magnitudes[name].max(), 1e-300)
        assert value.shape == values[name].shape, name
        assert np.abs(value - values[name]).max() <= TOLERANCE * scale, name


@pytest.mark.parametrize("t", [0.0, 0.7])
def test_velocity_is_the_interpreters(case, t):
    """Unequal weights of nodes (one is 0) and of samples; zeros where a parameter is frozen."""
    system, solver = case
    given = weighted_case(solver)
    speed = solver.velocity(*given[:3], t=t, weights=given[3])
    assert set(speed) == set(solver.layout.parameters)
    assert worst_error(system, speed, rates(system, t), given) < TOLERANCE
    assert all(not np.any(speed[name]) for name in solver.layout.frozen)


def test_a_step_is_state_plus_velocity(case):
    """As a new state and in place; a new state leaves the old one alone."""
    _, solver = case
    state, x, y, weights = weighted_case(solver)
    before = cast(state, np.float64)
    speed = solver.velocity(state, x, y, t=0.2, weights=weights)
    new = solver.step(state, x, y, 0.2, 0.1, weights=weights)
    assert all(np.array_equal(state[name], before[name]) for name in solver.layout.parameters)
    assert solver.step(state, x, y, 0.2, 0.1, out=state, weights=weights) is state
    for name in solver.layout.parameters:
        scale = np.abs(before[name]) + 0.1 * np.abs(speed[name]).max()
        assert np.all(np.abs(new[name] - before[name] - 0.1 * speed[name]) <= TOLERANCE * scale), name
        assert np.array_equal(state[name], new[name]), name


def test_a_march_is_steps_in_a_row(case):
    """Batches of different sizes and weights, rates that change."""
    _, solver = case
    state, x, y, weights = weighted_case(solver)
    moves = [(x, y, 0.0, 0.1, weights, 1), (x, y, 0.1, 0.2, weights, 2), (x[:2], y[:2], 0.3, 0.1, None, 3)]
    expected = cast(state, np.float64)
    for a, b, t, alpha, own, k in moves:
        expected = solver.step(expected, a, b, t, alpha, weights=own, k=k)
    assert solver.march(state, iter(moves)) is state
    for name in solver.layout.parameters:
        scale = max(np.abs(expected[name]).max(), 1e-300)
        assert np.abs(state[name] - expected[name]).max() <= TOLERANCE * scale, name


def batches_of_one_size(x, y):
    """The same batch twice, fresh arrays, single precision, and one array whose values change."""
    yield from ((x, y), (x, y), (0.5 * x, 2.0 * y), (x.astype(np.float32), y))
    changing = x.copy()
    for factor in (0.25, -1.0):
        changing *= factor
        yield changing, y
    yield x, np.array(y, order="F")


def test_a_march_reads_every_batch(case):
    """Batches of one size go through the same arrays: what stood in them before is not seen again."""
    _, solver = case
    state, x, y, weights = weighted_case(solver)
    expected = cast(state, np.float64)
    for k, (a, b) in enumerate(batches_of_one_size(x, y), 1):
        expected = solver.step(expected, a, b, 0.1 * k, 0.05 * k, weights=weights, k=k)
    moves = ((a, b, 0.1 * k, 0.05 * k, weights, k) for k, (a, b) in enumerate(batches_of_one_size(x, y), 1))
    given = x.copy()
    solver.march(state, moves)
    assert np.array_equal(x, given)  # a caller's batch is never written into
    for name in solver.layout.parameters:
        scale = max(np.abs(expected[name]).max(), 1e-300)
        assert np.abs(state[name] - expected[name]).max() <= TOLERANCE * scale, name


def test_velocities_follow_the_state(case):
    """Where a solver has them: those of the values that stand in the arrays by then, at every t."""
    _, solver = case
    if not hasattr(solver, "velocities"):
        pytest.skip("optional")
    state, x, y, weights = weighted_case(solver)
    at = solver.velocities(state, x, y, weights)
    for t in (0.0, 0.7):
        found, expected = at(t), solver.velocity(cast(state, np.float64), x, y, t=t, weights=weights)
        for name in solver.layout.parameters:
            assert np.array_equal(found[name], expected[name]), name
            if name not in solver.layout.frozen:
                state[name] += 0.1 * found[name]
    name = next(iter(solver.layout.parameters))
    with pytest.raises(ValueError, match="contiguous"):
        solver.velocities(state | {name: np.repeat(state[name], 2, axis=-1)[..., ::2]}, x, y, weights)


def test_predictions_follow_the_state(case):
    """Where a solver has them: yhat of the values that stand in the arrays by then."""
    _, solver = case
    if not hasattr(solver, "predictions"):
        pytest.skip("optional")
    state, x, _, _ = weighted_case(solver)
    at = solver.predictions(state, x)
    for factor in (1.0, 0.7):
        for name in solver.layout.parameters:
            state[name] *= factor
        assert np.array_equal(at(), solver.predict(cast(state, np.float64), x))
    name = next(iter(solver.layout.parameters))
    with pytest.raises(ValueError, match="contiguous"):
        solver.predictions(state | {name: np.repeat(state[name], 2, axis=-1)[..., ::2]}, x)


def test_a_step_is_that_of_the_learning_rule(backend):
    """Memories and fresh noise, step 3: the interpreter's numbers, to rounding (linear: quickly compiled)."""
    network = mf.load(
        {
            "format": 1,
            "data": {"kind": "teacher", "dimension": 2, "target": "x1"},
            "loss": {"kind": "squared"},
            "layers": [{"name": "h1", "from": "x", "weight": "normal(0, 1)"}],
            "output": {"from": "h1", "weight": "1"},
            "training": {"learning_rate": 0.1, "steps": 1, "batch_size": 5, "noise": 0.1}
            | {"optimizer": {"kind": "heavy-ball", "gamma": 2}},
        }
    )
    system = mf.derive(network)
    solver = mf.generate(system, backend=backend)
    assert solver.layout.memories == layout_of(system).memories != ()
    state, (x, y) = solver.sample(4, seed=1), network.source.batch(1, 5)
    for name in solver.layout.memories:
        state[name] += 0.25
    expected, sizes = interpret_step(system, state, x, y, Moment(0.5, 0.1, k=3, seed=7))
    found = solver.step(state, x, y, 0.5, 0.1, k=3, seed=7)
    for name, values in expected.items():
        assert np.abs(found[name] - values).max() <= TOLERANCE * max(sizes[name].max(), 1e-300), name


def test_predict_is_forwards_yhat(case):
    """All samples at once and in pieces that do not divide their number."""
    _, solver = case
    state, x, _, _ = weighted_case(solver, samples=7)
    expected = solver.forward(state, x)["yhat"]
    for piece in (None, 3, 100):
        yhat = solver.predict(state, x, piece)
        assert yhat.shape == expected.shape
        assert np.abs(yhat - expected).max() <= TOLERANCE * np.abs(expected).max()


def test_memory_is_positive_and_grows(case):
    """With nodes, samples, precision and copies; it covers the state and its copy."""
    _, solver = case
    least = solver.memory(5, 4)
    state = solver.sample(5)
    assert isinstance(least, int)
    assert least > 2 * sum(state[name].nbytes for name in solver.layout.parameters)
    more = dict.fromkeys(solver.layout.measures, 6)
    assert solver.memory(more, 4) > least and solver.memory(5, 8) > least
    assert solver.memory(5, 4, np.float32) < least < solver.memory(5, 4, copies=3)


def test_wrong_arrays_raise(case):
    """Arrays that do not fit are a ValueError, not a broadcast."""
    _, solver = case
    state, x, y, weights = weighted_case(solver)
    name = next(iter(solver.layout.parameters))
    for call in (
        lambda: solver.velocity(state, x[..., :-1], y),
        lambda: solver.velocity(state, x, y[:-1]),
        lambda: solver.velocity(state, x, y, weights=weights[:-1]),
        lambda: solver.velocity(state | {name: state[name][..., :-1]}, x, y),
        lambda: solver.sample(0),
        lambda: solver.sample(5, edges="other"),
    ):
        with pytest.raises(ValueError):
            call()


def test_missing_arrays_raise(case):
    """A parameter, the weights, those of one population, y or an array to write into: always a ValueError."""
    _, solver = case
    state, x, y, _ = weighted_case(solver)
    name = next(iter(solver.layout.parameters))
    population = next(iter(solver.layout.measures))
    left = {key: value for key, value in state["p"].items() if key != population}
    for lacking in (
        {key: value for key, value in state.items() if key != name},
        {key: value for key, value in state.items() if key != "p"},
        {},
        state | {"p": left},
        state | {"p": state["p"] | {population: 1.0}},
        state | {"p": [1.0]},
    ):
        for call in (
            lambda lacking=lacking: solver.forward(lacking, x),
            lambda lacking=lacking: solver.velocity(lacking, x, y),
            lambda lacking=lacking: solver.step(lacking, x, y, 0.0, 0.1),
            lambda lacking=lacking: solver.march(lacking, [(x, y, 0.0, 0.1, None, 1)]),
            lambda lacking=lacking: solver.predict(lacking, x),
        ):
            with pytest.raises(ValueError, match="state"):
                call()
    for call, says in (
        (lambda: solver.velocity(state, x, None), "y has shape"),
        (lambda: solver.step(state, x, None, 0.0, 0.1), "y has shape"),
        (
            lambda: solver.march(state, [(x, y, 0.0, 0.1, None, 1), (x, None, 0.1, 0.1, None, 2)]),
            "y has shape",
        ),
        (lambda: solver.predict(state, 3.0), "x has shape"),
        (lambda: solver.velocity(state, 3.0, y), "x has shape"),
        (lambda: solver.velocity(state, x, y, weights=0.5), "weights"),
        (lambda: solver.step(state, x, y, 0.0, 0.1, out={"p": state["p"]}), "out"),
        (lambda: solver.step(state, x, y, 0.0, 0.1, out=state | {name: state[name].tolist()}), "out"),
    ):
        with pytest.raises(ValueError, match=says):
            call()


def test_the_registry_names_its_rows():
    """A backend is found by its name; another name is refused with the names that exist."""
    assert "numba" in backend_names()
    assert [find_backend(name).name for name in backend_names()] == list(backend_names())
    with pytest.raises(mf.MfError, match="numba"):
        mf.generate(limit("two_layer"), backend="number")


def test_what_is_no_solver_lacks_parts():
    """An object with some of the parts is told which ones it lacks."""

    class Half:
        layout = sample = forward = velocity = step = predict = memory = None

    assert missing_parts(Half()) == ("march",)
    assert missing_parts(None) == PARTS

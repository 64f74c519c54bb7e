"""What cannot be solved, or makes no sense, says so in one message, before it takes time or memory."""

import time

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra import arguments
from mfderive.errors import ArgumentError, DivergenceError, MfError, ResourceError, SpecError, StateError
from mfderive.format.reader import parse_document
from mfderive.solution.options import resolve_options

HUGE = 10**12


def network(activation="tanh", **keys):
    layer = {"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": activation} | keys
    reader = {"name": "h2", "from": "h1", "weight": "normal(0, 1)", "activation": "tanh"}
    return mf.load(
        {
            "format": 1,
            "data": {"kind": "isotropic-gaussians", "dimension": 3, "separation": 0.4},
            "loss": {"kind": "squared"},
            "layers": [layer, reader],
            "output": {"from": "h2", "weight": "normal(0, 1)"},
            "training": {"learning_rate": 0.1, "steps": 2, "batch_size": 4},
        }
    )


@pytest.mark.parametrize("options", [{"nodes": 8}, {"reduce": False, "widths": 8}])
def test_a_start_that_is_not_finite(options):
    with pytest.raises(DivergenceError, match=r"where it starts .*'h1\.out' of layer 'h1' asks for log\(-"):
        mf.solve(network("log(h)"), **options)


def test_more_memory_than_there_is_is_refused_at_once():
    cases = [
        (network(), {"nodes": HUGE}),
        (network(), {"widths": HUGE, "reduce": False}),
        (network(), {"evaluation": HUGE, "nodes": 8}),
        (network(size=HUGE), {}),
        (network(size=HUGE), {"reduce": False, "widths": 8}),
    ]
    for net, options in cases:
        start = time.perf_counter()
        with pytest.raises(ResourceError, match="GB are free"):
            mf.solve(net, **options)
        # Generous for a machine at work: drawing or listing so many numbers would take minutes.
        assert time.perf_counter() - start < 10


# ------------------------------------------------------------------ arguments of public functions


@pytest.fixture(scope="module")
def net():
    return network()


@pytest.fixture(scope="module")
def limit(net):
    return mf.derive(net)


@pytest.fixture(scope="module")
def path(net):
    return mf.solve(net, nodes=8, evaluation=10)


WRONG = ["5", -1, 0, 2.5, True, float("nan"), float("inf"), np.ones((2, 3)), [1], 1j, object(), 10**400]


def wrong_values(name):
    """WRONG without the values that an option of this name can have (as text: arrays have no truth)."""
    good = {
        "horizon": ["2.5"],
        "tolerance": ["2.5"],
        "progress": ["True"],
        "reduce": ["True"],
        "seed": ["0"],
        "first_seed": ["0"],
        "seeds": ["[1]"],
        "widths": ["[1]"],
    }.get(name, [])
    return [value for value in WRONG if repr(value) not in good]


@pytest.mark.parametrize(
    "name",
    [
        "horizon",
        "steps",
        "seed",
        "method",
        "precision",
        "edges",
        "evaluation",
        "reduce",
        "nodes",
        "rule",
        "data",
        "data_nodes",
        "tolerance",
        "initial",
        "resume",
        "system",
        "solver",
        "checkpoints",
        "observations",
        "progress",
    ],
)
def test_solve_refuses_values_that_an_option_cannot_have(net, name):
    for value in wrong_values(name):
        with pytest.raises(MfError, match=name):
            mf.solve(net, **{name: value})


@pytest.mark.parametrize(
    "name", ["steps", "horizon", "precision", "initial", "evaluation", "first_seed", "seeds"]
)
def test_simulate_refuses_values_that_an_option_cannot_have(net, name):
    for value in wrong_values(name):
        with pytest.raises(MfError, match="state" if name == "initial" else name):
            mf.simulate(net, 4, **{name: value})


@pytest.mark.parametrize(
    "name",
    [
        "effort",
        "widths",
        "seeds",
        "first_seed",
        "steps",
        "horizon",
        "evaluation",
        "nodes",
        "precision",
        "tolerance",
        "system",
        "progress",
    ],
)
def test_check_refuses_values_that_an_option_cannot_have(net, name):
    for value in wrong_values(name):
        with pytest.raises(MfError, match=name):
            mf.check(net, **{name: value})


def test_what_is_no_network_no_limit_and_no_path(limit):
    wrong = ["specs/three_layer.toml", None, 3, {"format": 1}, np.ones(3), limit]
    calls = [mf.derive, mf.solve, mf.check, mf.forward_system, lambda value: mf.simulate(value, 4)]
    for value in wrong:
        for call in calls:
            with pytest.raises(ArgumentError, match=r"a network is needed, found .*mfderive\.load"):
                call(value)
    for value in ["specs/three_layer.toml", None, 3, network()]:
        for call in (mf.reduce, mf.generate):
            with pytest.raises(ArgumentError, match=r"a limit is needed, found .*mfderive\.derive"):
                call(value)
    for value in [None, 3, True, b"x", [1], ""]:
        for call in (mf.load, mf.Trajectory.load, mf.load_solver):
            with pytest.raises(MfError, match="path"):
                call(value)
    with pytest.raises(ArgumentError, match="ConnectionKind"):
        mf.register_kind("dense")


def test_systems_and_solvers_of_other_networks(net):
    other = mf.reduce(mf.derive(network_with(data={"kind": "teacher", "dimension": 2, "target": "x1"})))
    deeper = mf.generate(mf.derive(network(bias="0")))
    with pytest.raises(ArgumentError, match="limit of another network"):
        mf.solve(net, system=other)
    with pytest.raises(ArgumentError, match="generated from another limit: its parameters differ"):
        mf.solve(net, solver=deeper)


def test_a_solver_of_another_limit_with_the_same_parameters(net):
    """The activation, a law or a rate differs: the same arrays, other equations; the right one is taken."""
    for change in (
        {"layers": {"h2": {"activation": "sin"}}},
        {"layers": {"h2": {"weight": "normal(1, 1)"}}},
        {"output": {"weight": {"law": "normal(0, 1)", "rate": "exp(-t)"}}},
    ):
        with pytest.raises(ArgumentError, match="another limit: its equations or laws differ"):
            mf.solve(net, nodes=8, solver=mf.generate(mf.reduce(mf.derive(net.replace(**change)))))
    frozen = net.replace(output={"weight": {"law": "normal(0, 1)", "rate": 0}})
    with pytest.raises(ArgumentError, match="another limit: its frozen parameters differ"):
        mf.solve(net, nodes=8, solver=mf.generate(mf.reduce(mf.derive(frozen))))
    own = mf.generate(mf.reduce(mf.derive(net)))
    assert np.array_equal(mf.solve(net, nodes=8, solver=own).loss, mf.solve(net, nodes=8).loss)


def test_a_whole_limit_that_weighted_nodes_do_not_carry(net, limit):
    """Its reduction is solved, or its nodes are drawn; without noise nodes carry it."""
    with pytest.raises(ArgumentError, match=r"'noise h2\.weight'.*system=reduce\(system\).*reduce=False"):
        mf.solve(net, system=limit, nodes=8)
    drawn = mf.solve(net, system=limit, reduce=False, widths=8)
    assert np.array_equal(drawn.loss, mf.solve(net, reduce=False, widths=8).loss)
    given = mf.solve(net, system=limit, initial=drawn.at(0.0))
    assert np.array_equal(given.loss, drawn.loss)
    assert mf.solve(net, system=mf.reduce(limit).system, nodes=8).loss[-1] == mf.solve(net, nodes=8).loss[-1]


def test_a_network_whose_data_is_not_read_yet(net):
    with pytest.raises(SpecError):
        mf.derive(parse_document(net.document))


def test_options_that_nothing_would_read(net, path, tmp_path):
    """Two ends, and nodes, rules and steps of what is not solved; the message says which argument to use."""
    state = path.at()
    for options, says in [
        ({"widths": 8}, "Give nodes, .*or reduce=False"),
        ({"widths": {"h1": 8, "h2": 8}}, "Give nodes"),
        ({"edges": "mean"}, "reduce=False"),
        ({"rule": "sobol", "reduce": False}, "rule"),
        ({"widths": 8, "nodes": 8, "reduce": False}, "nodes and widths cannot both"),
        ({"horizon": 0.1, "steps": 2}, "horizon and steps cannot both"),
        ({"step": 0.1}, "rk4"),
        ({"initial": state, "nodes": 8}, "nodes chooses .* Leave one of them out"),
        ({"resume": path, "nodes": 8}, r"nodes chooses .*\(resume\), and it has its nodes"),
        ({"resume": path, "widths": 8}, "widths chooses .*it has its nodes"),
        ({"resume": path, "rule": "sobol"}, "rule chooses .*it has its nodes"),
        ({"resume": path, "seed": 3}, "seed draws the start.*nothing is drawn"),
        ({"resume": path, "options": mf.SolveOptions(seed=3)}, "seed draws the start"),
        ({"resume": path, "reduce": False}, "reduce says .*the system on which it lives"),
        ({"resume": path, "reduce": False, "edges": "mean"}, "reduce says"),
        ({"resume": path, "edges": "mean"}, "edges says .*it has its weights"),
        ({"resume": path, "tolerance": 0.1}, "tolerance chooses"),
        ({"initial": state, "seed": 3}, r"seed draws .*\(initial\), and nothing is drawn"),
        ({"initial": state, "reduce": False}, "reduce says .*the system on which it lives"),
        ({"initial": dict(state), "edges": "mean"}, "edges says"),
        ({"initial": state, "resume": path}, "initial and resume cannot both"),
        ({"data_nodes": 8}, "sobol"),
    ]:
        with pytest.raises(ArgumentError, match=says):
            mf.solve(net, **options)
    with pytest.raises(ArgumentError, match="horizon and steps cannot both"):
        mf.simulate(net, 4, horizon=0.1, steps=2)
    both = network_with(solver={"horizon": 0.1, "steps": 2})
    with pytest.raises(SpecError, match="horizon and steps both say when to stop"):
        mf.solve(both, nodes=8)


def network_with(**tables):
    return mf.load({**network().document, **tables})


def test_options_that_do_not_exist(net):
    """What was found, the nearest name, and what is allowed; keys of other tables are no options."""
    for name, near in {"node": "nodes", "precison": "precision", "sytem": "system"}.items():
        with pytest.raises(
            ArgumentError, match=f"no option '{name}'. Did you mean '{near}'. Allowed: .*horizon"
        ):
            mf.solve(net, **{name: 8})
    with pytest.raises(ArgumentError, match="no option 'separation'"):
        mf.solve(net, separation=0.4)
    for wrong in ({"nodes": 8}, "rk4", True, [1]):
        with pytest.raises(ArgumentError, match="options: a SolveOptions is needed, found"):
            mf.solve(net, wrong)


def test_options_as_an_object(net):
    """The object replaces [solver]; changes go before it; both are checked alike."""
    spec = network_with(solver={"nodes": 4, "seed": 3, "steps": 1})
    options = mf.SolveOptions(nodes={"h1": np.int64(8), "h2": 5}, steps=2, evaluation=5)
    assert resolve_options(spec).seed == 3 and resolve_options(spec, options).seed == 0
    path = mf.solve(spec, options, checkpoints=2)
    assert path.notes["nodes"] == {"h1": 8, "h2": 5} and path.steps[-1] == 2 and len(path.checkpoints) == 2
    same = mf.solve(spec, nodes={"h1": 8, "h2": 5}, seed=0, steps=2, evaluation=5)
    assert np.array_equal(path.loss, same.loss)
    assert mf.solve(spec, options, horizon=0.3).steps[-1] == 3
    with pytest.raises(ArgumentError, match="reduce=False"):
        mf.solve(net, mf.SolveOptions(widths=8))
    with pytest.raises(ArgumentError, match="horizon and steps cannot both"):
        mf.SolveOptions(horizon=1.0, steps=2)
    with pytest.raises(ArgumentError, match="horizon is given twice"):
        mf.solve(net, 0.5, horizon=1.0)
    with pytest.raises(ArgumentError, match=r"nodes\['h1'\] is 0"):
        mf.SolveOptions(nodes={"h1": 0})
    with pytest.raises(ArgumentError, match="seed is None"):
        mf.SolveOptions(seed=None)


def test_an_end_that_is_given_replaces_the_specs():
    """steps given win over the spec's horizon, and the other way round (learning rate 0.1)."""
    ends = network_with(solver={"horizon": 0.5})
    assert mf.solve(ends, steps=2, nodes=4, evaluation=5).times[-1] == pytest.approx(0.2)
    steps = network_with(solver={"steps": 7})
    assert mf.solve(steps, 0.3, nodes=4, evaluation=5).steps[-1] == 3


def test_nodes_mean_the_same_without_the_reduction(net):
    path = mf.solve(net, nodes=6, reduce=False, steps=1, evaluation=5)
    assert path.notes["nodes"] == {"h1": 6, "h2": 6}


def test_finite_velocity_refuses_what_is_no_state_and_no_batch(net):
    solver = mf.generate(mf.derive(net))
    state = solver.sample(5, seed=1)
    x, y = net.source.batch(1, 3)
    holes = np.where(np.arange(x.size).reshape(x.shape) == 4, np.nan, x)
    p = state["p"]

    def weighted(weights):
        return {**state, "p": {**p, "h1": weights}}

    for given, says in [
        ((state, holes, y), r"x is nan at \[1, 1\]"),
        ((state, x, y * np.inf), "y is "),
        ((state, x[:0], y[:0]), "no samples"),
        ((state, x, y[:2]), "3 samples, y has 2"),
        ((state, x[:, :2], y), "x has shape"),
        ((state, "data", y), "x has entries of type"),
        ((state, [[1.0, 2.0, 3.0], [1.0]], y), "rows differ"),
        ((state, x * 1j, y), "complex"),
        ((None, x, y), "a state"),
        (("state", x, y), "a state"),
        (({**state, "p": 3}, x, y), "is missing"),
        (({**state, "p": {}}, x, y), "'h1' are missing"),
        ((weighted(np.full(4, 0.25)), x, y), r"shape \(5, 3\), expected \(4, 3\)"),
        ((weighted([0.5, 0.5, 0.5, 0.5, -1]), x, y), "negative"),
        ((weighted([0.5, 0.5, 0.5, 0.5, 0.5]), x, y), "sum to 1"),
        ((weighted([1.0, 0, 0, 0, 0]), x, y), "not all 1/5"),
        ((weighted([np.nan] * 5), x, y), "nan"),
        (({**state, "h1.weight": state["h1.weight"] * np.nan}, x, y), "nan"),
        (({**state, "h1.weight": [[1.0], [1.0, 2.0]]}, x, y), "rows differ"),
        (({**state, "h9.weight": 1.0}, x, y), "no parameter 'h9.weight'"),
    ]:
        with pytest.raises(ArgumentError, match=says):
            mf.finite_velocity(net, *given)
    with pytest.raises(ArgumentError, match="t is nan"):
        mf.finite_velocity(net, state, x, y, t=float("nan"))
    with pytest.raises(ArgumentError, match="method is 3"):
        mf.finite_velocity(net, state, x, y, method=3)
    equal = {name: value for name, value in state.items() if name != "p"}
    given, left_out = (mf.finite_velocity(net, own, x, y) for own in (state, equal))
    assert all(np.array_equal(given[name], left_out[name]) for name in given)


def test_questions_to_a_trajectory_that_have_no_answer(path, tmp_path):
    x = np.zeros((2, 3))
    for call, says in [
        (lambda: path.predict(x * np.nan), "x is nan"),
        (lambda: path.predict("x"), "real numbers"),
        (lambda: path.predict(None), "real numbers"),
        (lambda: path.predict(x[:0]), "at least one sample"),
        (lambda: path.predict(x[0]), "x has shape"),
        (lambda: path.observe(3, x), "no field 3"),
        (lambda: path.observe("h7", x), "no field 'h7'"),
        (lambda: path.observe("h2.weight", x), r"no field .*It is a parameter: \.at\(t\)\['h2\.weight'\]"),
        (lambda: path.at("end"), "t is 'end'"),
        (lambda: path.sample("8"), "whole number"),
        (lambda: path.sample({"h1": 3}), "no width for population 'h2'"),
        (lambda: path.sample(4, seed=-1), "seed is -1"),
        (lambda: path.save(None), "folder is None"),
        (lambda: path.save(tmp_path, "a/b"), "without its folder"),
        (lambda: mf.Trajectory.load(path.save(tmp_path), data=3), "pair of arrays"),
    ]:
        with pytest.raises(ArgumentError, match=says):
            call()
    for width in (0, -3, 2.5, True, None, [4], 10**400):
        with pytest.raises(MfError, match="width"):
            path.sample(width)
    with pytest.raises(StateError, match="outside"):
        path.at(1e9)
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(MfError, match=r"the folder .* cannot be made"):
            path.save(folder)


def test_data_and_seeds_of_load(net):
    for data in (3, "xy", (np.ones((2, 3)),), ("x", "y"), (np.ones((2, 3)), np.ones(3)), (3.0, np.ones(1))):
        with pytest.raises(MfError):
            mf.load(net.document, data=data)
    for seed in ("1", 2.5, -1, True, float("nan")):
        with pytest.raises(MfError, match="seed"):
            mf.load(net.document, seed=seed)
    for size in (0, 2.5, "some", None, 10**14):
        with pytest.raises(MfError, match="batch"):
            net.source.batch(1, size)


def test_messages_stay_short_whatever_was_found():
    class Silent:
        def __repr__(self):
            raise RuntimeError

    for value in ("x" * 10**6, {k: k for k in range(10**4)}, Silent(), np.ones((10, 10))):
        with pytest.raises(ArgumentError) as caught:
            arguments.whole_number("steps", value)
        assert len(str(caught.value)) < 200 and "\n" not in str(caught.value)

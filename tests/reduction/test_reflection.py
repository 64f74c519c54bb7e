"""Samples x and -x that do the same: found in law, equations and functions, exact against both samples."""

import numpy as np
import pytest
import sympy as sp

import mfderive as mf
from mfderive.algebra.findings import FindingKind
from mfderive.algebra.functions import FUNCTIONS, call
from mfderive.algebra.parity import Parity, parity_of
from mfderive.reduction.reduce import by_symmetry, reduced_by
from mfderive.solution.feed import make_feed
from mfderive.tensor.clock import Moment
from mfderive.tensor.interpreter import interpret_step
from tests.reduction.test_rotation import document

ODD = {"kind": "teacher", "dimension": 3, "inputs": "uniform(-1, 1)", "target": "x1 + x2**3 - sin(x3)"}
EVEN = {**ODD, "target": "x1 * x2 + cos(x3)"}
INDEX = {"kind": "teacher", "dimension": 6, "target": "tanh(0.6 * x1 - 0.8 * x3)"}
MIXTURE = {
    "kind": "gaussian-mixture",
    "means": [[1, 2], [-1, -2]],
    "deviations": [0.5, 0.5],
    "labels": [1, -1],
}
ZERO = {"bias": "0"}
HIDDEN = [{"weight": "normal(0.5, 0.2)", "activation": "erf", "bias": "0"}]
SQUARE = {"activation": "h**2", "bias": None}
MOMENTUM = {"optimizer": {"kind": "momentum", "mu": 0.5}, "weight_decay": 0.1, "clip": 0.5}


def spec(data=ODD, first=ZERO, layers=(), output=ZERO, **training):
    made = document(None, data, first, layers, output, **training)
    made["layers"][0] = {key: value for key, value in made["layers"][0].items() if value is not None}
    return made


def reflections(reduced):
    return [finding for finding in reduced.findings if finding.kind == FindingKind.REFLECTION]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_are_odd_and_even_where_the_table_says_so(name):
    """At numbers of both signs, and at a kink in 0; what the table leaves open is neither."""
    row = FUNCTIONS[name]
    x, others = np.array([0.0, 0.2, 0.7, 1.5, 4.0]), [0.8] * (row.arity - 1)
    with np.errstate(all="ignore"):
        here, there = row.real(x, *others), row.real(-x, *others)
    holds = [sign for sign in (1, -1) if np.allclose(here, sign * there, rtol=1e-12)]
    assert holds == ([row.parity] if row.parity else [])


def test_parities_of_expressions():
    odd, even, zero = sp.symbols("odd even zero")
    known = {odd: Parity.ODD, even: Parity.EVEN, zero: Parity.ZERO}
    cases = {
        odd * even: Parity.ODD,
        odd**2 + 1: Parity.EVEN,
        odd + 1: None,
        odd + zero: Parity.ODD,
        1 / odd: Parity.ODD,
        call("sqrt", odd): None,
        call("tanh", odd + zero) * odd: Parity.EVEN,
        call("relu", odd): None,
        call("max", odd, even): None,
        call("cos", zero): Parity.EVEN,
        call("exp", odd**2): Parity.EVEN,
        even**odd: None,
    }
    assert {case: parity_of(case, known) for case in cases} == cases


FOUND = [
    (spec(), -1, ("h1.bias", "output.bias")),
    (spec(layers=HIDDEN), -1, ("h1.bias", "h2.bias", "output.bias")),
    (spec(layers=HIDDEN, **MOMENTUM), -1, ("h1.bias", "h2.bias", "output.bias")),
    (spec(EVEN, SQUARE, HIDDEN, {"bias": "0.3"}), 1, ()),
    (spec(INDEX), -1, ("h1.bias", "output.bias")),
    (spec(MIXTURE, layers=HIDDEN), -1, ("h1.bias", "h2.bias", "output.bias")),
]


@pytest.mark.parametrize(("document", "targets", "still"), FOUND, ids=range(len(FOUND)))
def test_a_step_on_half_of_the_data_is_that_on_both_halves(document, targets, still):
    """Exactly, so within 1e-12 of the largest entry: sums over twice as many samples in another order."""
    reduced = reduced_by(mf.derive(mf.load(document)), ("closure", "exchangeability", "reflection"))
    (finding,) = reflections(reduced)
    assert (finding.facts["targets"], finding.subjects) == (targets, still)
    assert any("do the same to every neuron" in str(entry) for entry in reduced.log)
    check_step(reduced, finding)


def check_step(reduced, finding):
    whole, rng = mf.reduce(reduced.full).system, np.random.default_rng(0)
    still, sign = set(finding.subjects), finding.facts["targets"]
    sizes = {a.name: a.size or 4 for a in whole.axes}
    state = {v.name: rng.uniform(0.3, 1.0, [sizes[a] for a in v.axes]) for v in whole.variables}
    state |= {v.name: np.zeros_like(state[v.name]) for v in whole.variables if {v.name, v.of} & still}
    # What starts at 0 and is frozen stays there, too.
    frozen = [v for v in whole.variables if v.is_frozen and v.law.is_deterministic and v.law.mean.is_number]
    state |= {v.name: np.full_like(state[v.name], float(v.law.mean)) for v in frozen}
    state["p"] = {axis.name: rng.dirichlet(np.ones(4)) for axis in whole.node_axes}
    x, y = rng.standard_normal((5, sizes["inputs"])), rng.standard_normal((5, sizes["outputs"]))
    moment = Moment(0.3, 0.1)
    found, _ = interpret_step(reduced.system, state, x, y, moment)
    both = np.concatenate([x, -x]), np.concatenate([y, sign * y])
    expected, _ = interpret_step(whole, state, *both, moment)
    for variable in whole.variables:
        scale = max(np.abs(expected[variable.name]).max(initial=0), 1e-3)
        error = np.abs(expected[variable.name] - found[variable.name]).max(initial=0)
        assert error < 1e-12 * scale, variable.name


ACTIVATIONS = ["tanh", "erf", "sin(h)", "h", "h**3", "h**2", "abs", "cos(h)", "exp(-h**2)", "h + 0.2"]
CENTRED = "(h - mean(h)) / sqrt(0.1 + mean((h - mean(h))**2))"


def drawn_document(seed):
    """A network that may or may not be odd or even."""
    rng = np.random.default_rng(seed)

    def part(source, activation):
        made = {"from": source, "weight": "normal(0.4, 0.3)", "activation": activation}
        bias = rng.choice(["0", "0.3", "none", "frozen"], p=[0.5, 0.1, 0.2, 0.2])
        if "h" not in activation.replace("tanh", "") and bias != "none":
            made["bias"] = {"law": "0", "rate": 0} if bias == "frozen" else str(bias)
        return made

    first = {"name": "h1", **part("x", str(rng.choice(ACTIVATIONS)))}
    layers, previous = [first], "h1"
    for name in ["h2", "h3"][: rng.integers(0, 3)]:
        layers.append({"name": name, **part(previous, str(rng.choice([*ACTIVATIONS, CENTRED])))})
        previous = name
    targets = ["x1 - x2**3", "x1 * x2", "tanh(x1) + sin(x2)", "abs(x1) * cos(x2)", "x1 * abs(x3)"]
    many = [str(t) for t in rng.choice(targets, rng.integers(1, 3), replace=False)]
    rules = [{}, MOMENTUM, {"weight_decay": 0.1, "clip": 0.3}, {"noise": 0.1}]
    return {
        "format": 1,
        "data": {**ODD, "target": many},
        "loss": {"kind": str(rng.choice(["squared", "huber"]))},
        "layers": layers,
        "output": {"from": previous, "weight": "normal(1, 0.3)", "bias": str(rng.choice(["0", "0", "0.2"]))},
        "training": {"learning_rate": 0.01, "steps": 20, "batch_size": 10, **rules[rng.integers(0, 4)]},
    }


@pytest.mark.study
def test_steps_of_random_networks():
    """As above, on those of 600 random networks to which x and -x are the same."""
    found = {1: 0, -1: 0}
    for seed in range(600):
        limit = mf.derive(mf.load(drawn_document(seed)))
        reduced = reduced_by(limit, ("closure", "exchangeability", "reflection"))
        for finding in reflections(reduced):
            check_step(reduced, finding)
            found[finding.facts["targets"]] += 1
    print(found)
    assert min(found.values()) > 20, found  # so that it says something of both


def test_rules_that_divide_leave_0_at_0():
    """Adam's step of a G that is 0 is 0; that of rounding errors is not, so steps are not compared."""
    (finding,) = reflections(by_symmetry(mf.derive(mf.load(spec(optimizer={"kind": "adam"})))))
    assert finding.subjects == ("h1.bias", "output.bias")


NOT_FOUND = [
    spec({**ODD, "target": "x1 + x2**2"}),
    spec({**ODD, "inputs": "uniform(-1, 2)"}),
    spec({**ODD, "samples": 20}),
    spec({**MIXTURE, "deviations": [0.5, 1.0]}),
    spec(first={"bias": "0.1"}),
    spec(first={"bias": "normal(0, 0.1)"}),
    spec(first={"activation": "relu", "bias": "0"}),
    spec(first={"activation": "tanh(h + 0.1)", "bias": None}),
    spec(output={"bias": "0.1"}),
    spec(noise=0.1),
    spec(EVEN),
    spec(EVEN, {"activation": "softplus", "bias": "0"}),
]


@pytest.mark.parametrize("document", NOT_FOUND, ids=range(len(NOT_FOUND)))
def test_what_only_looks_symmetric_is_left_alone(document):
    """Every one differs in one thing from a limit to which x and -x are the same."""
    assert not reflections(by_symmetry(mf.derive(mf.load(document))))


OPTIONS = {"method": "rk4", "step": 0.05, "data": "quadrature", "evaluation": 64, "stated_error": False}


@pytest.mark.parametrize(
    ("data", "count"), [(INDEX, 8 * 8), (MIXTURE, 2 * 8 * 8)], ids=["teacher", "mixture"]
)
def test_gauss_nodes_are_halved_and_the_solution_stays(data, count):
    """Half of the nodes, and of a mixture's components that are mirror images; predictions to rounding.

    Beside the solution in all other symmetries (a single-index teacher's lengths and angles among them), on
    all nodes; an odd network predicts the opposite at -x.
    """
    net = mf.load(spec(data))
    reduced = by_symmetry(mf.derive(net))
    without = reduced_by(reduced.full, [name for name in reduced.names if name != "reflection"])
    nodes = {axis.name: 8 if axis.part else 27 for axis in reduced.system.node_axes}
    feeds = [make_feed(net, each, "quadrature", 64) for each in (without, reduced)]
    assert [feed.samples for feed in feeds] == [count, count // 2]
    paths = [
        mf.solve(net, 0.2, system=each, data_nodes=64, nodes=nodes, **OPTIONS) for each in (without, reduced)
    ]
    x = np.random.default_rng(0).standard_normal((7, net.input_shape[0]))
    one, other = (path.predict(x) for path in paths)
    assert np.allclose(one, other, rtol=1e-9, atol=1e-12) and np.abs(one).max() > 1e-3
    assert np.allclose(paths[1].predict(-x), -other, rtol=1e-9, atol=1e-12)
    assert (paths[1].sample(10)["h1.bias"] == 0).all()


def test_parameters_that_stay_at_0_must_be_there():
    limit = mf.derive(mf.load(spec()))
    reduced = by_symmetry(limit)
    state = dict(mf.solve(mf.load(spec()), steps=1, reduce=False, widths=6).at(0))
    assert (reduced.restrict(state)["h1.bias"] == 0).all()
    with pytest.raises(mf.StateError, match=r"'h1.bias' at 0.*--no-symmetry"):
        reduced.restrict(state | {"h1.bias": np.full(6, 0.1)})

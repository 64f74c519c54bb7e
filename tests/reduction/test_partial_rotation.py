"""Rotations about a few directions: found in laws and equations, exact against the system in all coordinates.

As in :mod:`tests.reduction.test_rotation` the exact test uses that averages need the law of the angle alone.
Parts of x and of the vectors of neurons across the directions lie on coordinate axes there, both signs: in e
dimensions cosines are 1, -1 and 0, with weights 1/2e, 1/2e and 1 - 1/e. Parts along are any numbers.
"""

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.findings import FindingKind
from mfderive.algebra.reduced import DrawnNetwork
from mfderive.analysis.rotations import Break
from mfderive.reduction import angles
from mfderive.reduction.reduce import by_symmetry, reduced_by
from mfderive.samples.frame import Frame
from mfderive.state.ensembles import ensemble_state, plan_ensembles
from mfderive.tensor.clock import Moment
from mfderive.tensor.interpreter import interpret_step
from tests.reduction.test_rotation import crosses, document, integral, is_rotated, rotated


def teacher(dimension, target, **more):
    return {"kind": "teacher", "dimension": dimension, "target": target, **more}


def directions_of(reduced):
    return next(f.facts["directions"] for f in reduced.findings if f.kind == FindingKind.ALIGNED)


# ---------------------------------------------------------------------------------------- exact

INDEX = "tanh(0.6 * x1 - 0.8 * x3)"
DATA = [
    teacher(4, "x2"),
    teacher(7, INDEX),
    teacher(6, [INDEX, "x2 * x4 - x1"][:1], inputs="normal(0, 2)"),
    teacher(9, ["sin(x1 + x2)", "relu(x3 - x5)"]),
    teacher(5, "1 + (x1 + 2*x2)**2", inputs="sphere(1.5)", noise=0.1),
    teacher(6, "abs(x3)", inputs="normal(0.5, 1)"),
    {"kind": "gaussian-mixture", "means": [[1, 2, 0, -1], [-1, -2, 0, 1]], "labels": [1, -1]},
    {
        "kind": "gaussian-mixture",
        "means": [[1, 0, 1, 1, 0], [0, 1, 0, 2, 0], [0, 0, 0, 0, 0]],
        "deviations": [0.5, 1.0, 2.0],
        "labels": [[1, 0], [0, 1], [-1, 1]],
    },
]
RULES = [{}, {"optimizer": {"kind": "momentum", "mu": 0.5}}, {"weight_decay": 0.1}, {"clip": 0.5}]
RATE = {"weight": {"law": "normal(0, 0.5)", "rate": "1 / (1 + t)"}}
FIRST = [{}, {"activation": "relu"}, RATE, {"activation": "sin(h + 0.3)", "bias": None}]


def random_document(seed):
    rng = np.random.default_rng(seed)
    layers = [
        {"weight": "normal(0.5, 0.2)", "activation": "softplus", "bias": "normal(0, 0.1)"}
        for _ in range(rng.integers(0, 3))
    ]
    first = FIRST[seed // 2 % len(FIRST)]
    made = document(None, DATA[seed % len(DATA)], first, layers, **RULES[seed // 3 % len(RULES)])
    made["layers"][0] = {key: value for key, value in made["layers"][0].items() if value is not None}
    return made


def drawn_document(seed):
    """A network on data with one or two random directions."""
    rng = np.random.default_rng(seed)
    dimension, count = int(rng.integers(4, 25)), int(rng.integers(1, 3))
    forms = [
        " + ".join(f"{rng.normal():.3f} * x{k + 1}" for k in rng.choice(dimension, 3, replace=False))
        for _ in range(count)
    ]
    functions = ["tanh({})", "relu({} + 0.3)", "({})**2", "sin({}) / 2"]
    target = " + ".join(rng.choice(functions).format(form) for form in forms)
    means = rng.standard_normal((3, count)) @ rng.standard_normal((count, dimension))
    mixture = {"kind": "gaussian-mixture", "means": means.tolist(), "labels": rng.normal(size=3).tolist()}
    inputs = str(rng.choice(["normal(0, 1)", "normal(0, 0.5)", "sphere(2)"]))
    made = random_document(seed)
    made["data"] = mixture if rng.random() < 0.4 else teacher(dimension, target, inputs=inputs)
    return made


@pytest.mark.parametrize("seed", range(16))
def test_a_step_is_that_of_all_coordinates(seed, monkeypatch):
    """Exactly, so within 1e-12 of the largest entry: sums over 2e times as many nodes in another order."""
    check_step(random_document(seed), seed, monkeypatch)


@pytest.mark.study
@pytest.mark.parametrize("seed", range(200))
def test_a_step_is_that_of_all_coordinates_about_any_directions(seed, monkeypatch):
    """As above."""
    check_step(drawn_document(seed), seed, monkeypatch)


def check_step(spec, seed, monkeypatch):
    monkeypatch.setattr(angles, "_LEAST_DIMENSION", 10**9)  # angles at nodes that the test may choose
    reduced = rotated(spec)
    assert is_rotated(reduced), reduced.log
    rng = np.random.default_rng(seed)
    whole, turned = mf.reduce(reduced.full).system, reduced.system
    frame = Frame(directions_of(reduced))
    crossed = crosses(frame.dimension - frame.along)
    small, large = states(turned, whole, frame, rng)
    outputs = whole.axis["outputs"].size
    x, y = rng.uniform(0.5, 2, (4, frame.along + 1)), rng.standard_normal((4, outputs))
    moment = Moment(0.3, 0.1)
    found, _ = interpret_step(turned, small, x, y, moment)
    wide = np.repeat(x, len(crossed), axis=0)
    samples = frame.back(np.concatenate([wide[:, :-1], wide[:, -1:] * np.tile(crossed, (4, 1))], axis=1))
    assert np.allclose(reduced.encode(samples)[0], wide, rtol=1e-12)
    expected, _ = interpret_step(whole, large, samples, np.repeat(y, len(crossed), axis=0), moment)
    back = expanded(turned, whole, frame, found)
    for variable in whole.variables:
        scale = max(np.abs(expected[variable.name]).max(initial=0), 1e-3)
        error = np.abs(expected[variable.name] - back[variable.name]).max(initial=0)
        assert error < 1e-12 * scale, variable.name


def states(turned, whole, frame, rng):
    """A random state of the reduced system on cosines 1, -1, 0, and the same in all coordinates."""
    across = frame.dimension - frame.along
    nodes = {axis.name: 3 for axis in turned.node_axes}
    sizes = nodes | {axis.name: axis.size for axis in turned.axes if axis.size}
    small = {v.name: rng.uniform(0.3, 1.0, [sizes[a] for a in v.axes]) for v in turned.variables}
    small["cos h1"] = np.array([1.0, -1.0, 0.0])
    small["p"] = {name: rng.dirichlet(np.ones(3)) for name in nodes}
    small["p"]["angle h1"] = np.array([0.5 / across, 0.5 / across, 1 - 1 / across])
    large = expanded(turned, whole, frame, small)
    large["p"] = {n: w for n, w in small["p"].items() if n != "angle h1"}
    large["p"]["h1"] = np.repeat(small["p"]["h1"], 2 * across) / (2 * across)
    return small, large


def expanded(turned, whole, frame, arrays):
    """Arrays of the reduced system with the neurons of h1 in every direction across."""
    crossed = crosses(frame.dimension - frame.along)
    found = {}
    for variable in whole.variables:
        if "inputs" in variable.axes:
            along, length = (np.asarray(arrays[f"{variable.name} {part}"]) for part in ("along", "across"))
            along, length = (np.repeat(each, len(crossed), axis=0) for each in (along, length))
            turns = np.tile(crossed, (len(along) // len(crossed), 1))
            found[variable.name] = frame.back(np.concatenate([along, length * turns], axis=1))
        elif "h1" in variable.axes:
            found[variable.name] = np.repeat(arrays[variable.name], len(crossed), variable.axes.index("h1"))
        else:
            found[variable.name] = np.asarray(arrays[variable.name])
    return found


# ---------------------------------------------------------------------------------------- the law of the data


@pytest.mark.parametrize("data", DATA, ids=str)
def test_the_law_in_fewer_numbers_is_the_law(data):
    """Samples of it, encoded, have the law of encoded samples: means of functions to 5 standard errors."""
    net = mf.load(document(None, data))
    reduced = by_symmetry(mf.derive(net))
    law = reduced.integrate(net.source.law)
    along = len(directions_of(reduced))
    assert len(law.kinds) == along + 1 + net.outputs * bool(data.get("noise"))
    rng, count = np.random.default_rng(0), 20_000
    component = rng.choice(len(law.odds), count, p=np.array(law.odds) / sum(law.odds))
    standard = rng.standard_normal((count, len(law.kinds)))
    parts = [law.values(k, standard[component == k]) for k in range(len(law.odds))]
    fewer = reduced.encode(*(np.concatenate(each) for each in zip(*parts, strict=True)))
    drawn = reduced.encode(*net.source.batch(1, count))
    directions = rng.standard_normal((along + 1 + net.outputs, 12))
    one, other = (np.cos(0.7 * np.concatenate(pair, axis=1) @ directions + 0.3) for pair in (fewer, drawn))
    error = np.sqrt((one.var(axis=0) + other.var(axis=0)) / count)
    assert (np.abs(one.mean(axis=0) - other.mean(axis=0)) < 5 * error).all()


# ---------------------------------------------------------------------------------------- kinks


@pytest.mark.parametrize("dimension", [4, 6, 33])
def test_nodes_follow_the_kink(dimension):
    """E relu(a v + r u z + b) over the cosine u of the angle across, by scipy's quadrature split at its kink.

    Relative to the largest of them (a neuron that is never above its kink has 0). As for all of x: 48 nodes
    must be far better than 24 where these are not yet at rounding.
    """
    first = {"activation": "relu", "weight": f"normal(0, {dimension**-0.5})"}
    net = mf.load(document(None, teacher(dimension, "x1 - x2"), first))
    density = angles._density(dimension - 1)
    errors = []
    for count in (24, 48):
        reduced = by_symmetry(mf.derive(net))
        nodes = {"h1": 8, "angle h1": count}
        state = ensemble_state(reduced.system, plan_ensembles(reduced.system, nodes), 0)
        x = np.array([[-0.5, 0.7], [0.4, 1.0], [2.0, 2.0]]) * [1, np.sqrt(dimension)]
        fields = mf.generate(reduced).forward(state, x)
        found = np.einsum("zca,zca,a->zc", fields["h1.out"], fields["share h1"], state["p"]["angle h1"])
        vectors = (state["h1.weight along"][:, 0], state["h1.weight across"][:, 0])
        own = list(zip(*vectors, state["h1.bias"], strict=True))
        expected = [[integral(density, dimension - 1, r * z, a * v + b) for a, r, b in own] for v, z in x]
        errors.append(np.abs(found - expected).max() / np.max(expected))
    assert errors[0] < 1e-4 and errors[1] < max(errors[0] / 20, 1e-9), errors


# ---------------------------------------------------------------------------------------- there and back

SINGLE = teacher(5, INDEX)


def test_predictions_and_networks_live_in_all_coordinates(tmp_path):
    """predict stays when x is turned about the direction of the data, and not when it is turned otherwise.

    A drawn network has vectors in all directions across and predicts alike: its outputs at width 2000 differ
    by Monte Carlo: six standard errors of eight networks.
    """
    net = mf.load(
        document(None, SINGLE, layers=[{"weight": "normal(0.7, 0.1)", "activation": "tanh", "bias": "0"}])
    )
    options = {"method": "rk4", "step": 0.05, "data": "quadrature", "data_nodes": 64, "stated_error": False}
    path = mf.solve(net, 0.3, nodes={"h1": 64, "angle h1": 8}, **options)
    rng = np.random.default_rng(0)
    x, frame = rng.standard_normal((6, 5)), Frame(directions_of(path.reduced))
    assert np.allclose(np.abs(frame.directions), [[0.6, 0, 0.8, 0, 0]])
    turned = frame.into(x)
    turned[:, 1:] = turned[:, 1:] @ np.linalg.qr(rng.standard_normal((4, 4)))[0]
    assert np.allclose(path.predict(x), path.predict(frame.back(turned)), rtol=1e-12)
    assert not np.allclose(path.predict(x), path.predict(x[:, [1, 0, 2, 3, 4]]), rtol=1e-3)
    found = []
    for seed in range(8):
        state = path.sample(2000, seed=seed)
        weight = state["h1.weight"]
        assert weight.shape == (2000, 5)
        across = frame.into(weight)[:, 1:]
        assert np.abs(across.mean(axis=0)).max() < 5 * across.std() / np.sqrt(2000)
        h = np.tanh(x @ weight.T + state["h1.bias"])
        g = np.tanh(h @ state["h2.weight"].T / 2000 + state["h2.bias"])
        found.append(g @ state["output.weight"].T / 2000 + state["output.bias"])
    error = np.std(found, axis=0, ddof=1) / np.sqrt(8)
    assert (np.abs(np.mean(found, axis=0) - path.predict(x)) < 6 * error + 1e-9).all()
    path.save(tmp_path / "path.npz")
    again = mf.Trajectory.load(tmp_path / "path.npz")
    assert np.array_equal(again.predict(x), path.predict(x))
    on = mf.solve(net, 0.4, resume=again, **options)
    assert np.array_equal(on.predict(x, 0.3), path.predict(x))
    # Of other directions it knows nothing, though the arrays would fit.
    other = mf.load(document(None, {**SINGLE, "target": "x1"}, layers=net.document["layers"][1:]))
    for given in ({"initial": path.at()}, {"resume": path}):
        with pytest.raises(mf.ArgumentError, match=r"not those of this network's data.*path.sample"):
            mf.solve(other, 0.4, **given, **options)
    with pytest.raises(mf.ArgumentError, match=r"expected \[sample, 5\]"):
        path.reduced.encode(np.ones((3, 4)))


def test_states_of_networks_go_along_and_across():
    """Alignment alone loses nothing: what it restricts lifts to what it was."""
    net = mf.load(document(None, SINGLE))
    reduced = reduced_by(mf.derive(net), ("closure", "exchangeability", "alignment"))
    state = mf.solve(net, steps=1, reduce=False, widths=10).at(0)
    parts = reduced.restrict(state)
    assert parts["h1.weight along"].shape == (10, 1) and parts["h1.weight across"].shape == (10, 4)
    arrays = {name: values for name, values in parts.items() if name != "p"}
    drawn = DrawnNetwork(arrays, {}, {"h1": 10}, np.random.default_rng)
    assert np.allclose(reduced.lift(drawn).state["h1.weight"], state["h1.weight"], rtol=1e-12, atol=1e-12)


def test_what_is_found_is_said():
    log = "\n".join(map(str, rotated(document(None, SINGLE)).log))
    assert "1 direction of its own in 5 dimensions" in log
    assert "h1.weight are written along it (1 number) and across (4)" in log
    assert "rotations of the 4 coordinates of x across" in log and "in lengths" not in log
    text = str(rotated(document(None, SINGLE)))
    assert "x_∥" in text and "what x and the vector of a neuron are across" in text


# ------------------------------------------------------------------------------------ what only looks like it

CONNECTION = {"from": "x", "weight": "normal(0, 1)"}
ALL = " + ".join(f"abs(x{k})" for k in range(1, 6))
LOOKS = [
    ({"data": {**SINGLE, "inputs": "uniform(-1, 1)"}}, None),
    ({"data": {**SINGLE, "target": ALL}}, None),
    ({"data": {**SINGLE, "target": "max(max(x1, x2), max(x3, x4)) * x5"}}, None),
    ({"data": {**SINGLE, "y": "x"}}, None),
    ({"data": {**SINGLE, "samples": 50}}, None),
    ({"data": {**SINGLE, "target": "x1 * x2 + x3"}}, Break.DIRECTIONS),
    ({"first": {"weight": "uniform(-1, 1)"}}, Break.LAW),
    ({"first": {"weight": "rademacher(1)"}}, Break.LAW),
    ({"first": {"weight": "normal(0.1, 1)"}}, Break.LAW),
    ({"first": {"weight": "sphere(1)"}}, Break.SPHERE),
    ({"first": {"weight": "normal(0, exp(target.bias))"}}, Break.SIZE),
    ({"first": {"connections": [CONNECTION, CONNECTION], "from": None, "weight": None}}, Break.TWO_VECTORS),
    ({"output": {"weight": "normal(source.w[0], 0.1)"}}, Break.READ),
    ({"first": {"operation": "w * tanh(u)"}}, Break.ENTRYWISE),
    ({"optimizer": {"kind": "adam"}}, Break.ENTRYWISE),
    ({"noise": 0.1}, Break.NOISE),
]


@pytest.mark.parametrize(("change", "reason"), LOOKS, ids=str)
def test_what_only_looks_invariant_is_refused(change, reason):
    """Every one differs in one thing from a limit that stays under rotations about a direction."""
    spec = document(**{"data": SINGLE, **change})
    spec["layers"][0] = {k: v for k, v in spec["layers"][0].items() if v is not None}
    reduced = rotated(spec)
    kinds = {finding.kind for finding in reduced.findings}
    assert not kinds & {FindingKind.ROTATION, FindingKind.ALIGNED}
    broken = [finding for finding in reduced.findings if finding.kind == FindingKind.NO_ROTATION]
    assert [finding.facts["reason"] for finding in broken] == ([reason] if reason else [])
    assert reason is None or any("is rotated about " in str(entry) for entry in reduced.log)


def test_all_rotations_go_before_those_about_directions():
    """A law that all rotations leave as it is is not aligned with anything."""
    kinds = {finding.kind for finding in rotated(document()).findings}
    assert FindingKind.ROTATION in kinds and FindingKind.ALIGNED not in kinds

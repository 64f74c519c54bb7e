"""Rotations as a reduction: found in equations and laws, exact against the system in all coordinates.

The exact test uses that averages over directions need two things of them only: that the angle between a
sample and a neuron has its law for every sample and for every neuron. Vectors of neurons and samples along
the coordinate axes, both signs, have them: cosines are 1, -1 and 0, with weights 1/2d, 1/2d and 1 - 1/d.
So the system in all coordinates on 2d times as many nodes has the velocity of the reduced one, to rounding.
"""

import numpy as np
import pytest
from scipy.integrate import quad

import mfderive as mf
from mfderive.algebra.findings import FindingKind
from mfderive.analysis.rotations import Break
from mfderive.network.solve_options import SolveOptions
from mfderive.reduction import angles
from mfderive.reduction.reduce import by_symmetry, reduced_by
from mfderive.solution.solve import limit_to_solve
from mfderive.solution.stepping import Problem
from mfderive.solution.tolerance import Refinement
from mfderive.tensor.clock import Moment
from mfderive.tensor.interpreter import interpret_step

WEIGHT = {"weight": "normal(1, 0.3)", "bias": "0"}


def document(dimension=5, data=None, first=None, layers=(), output=None, loss="squared", **training):
    first = {"weight": "normal(0, 0.5)", "bias": "normal(0, 0.2)", "activation": "tanh", **(first or {})}
    names = ["h1", *(f"h{k}" for k in range(2, 2 + len(layers)))]
    return {
        "format": 1,
        "data": data or {"kind": "isotropic-gaussians", "dimension": dimension, "separation": 0.4},
        "loss": {"kind": loss},
        "layers": [
            {"name": "h1", "from": "x", **first},
            *({"from": names[k], "name": names[k + 1], **own} for k, own in enumerate(layers)),
        ],
        "output": {"from": names[-1], **WEIGHT, **(output or {})},
        "training": {"learning_rate": 0.01, "steps": 20, "batch_size": 10, **training},
    }


def rotated(spec):
    return by_symmetry(mf.derive(mf.load(spec)))


def is_rotated(reduced):
    return any(finding.kind == FindingKind.ROTATION for finding in reduced.findings)


# ---------------------------------------------------------------------------------------- exact


def random_document(seed):
    rng = np.random.default_rng(seed)
    acts = ["tanh", "relu", "sigmoid", "softplus", "abs", "h**2", "sin(h + 0.3)", "leaky_relu"]
    rules = [{}, {"optimizer": {"kind": "momentum", "mu": 0.5}}, {"weight_decay": 0.1}, {"clip": 0.5}]
    dimension = int(rng.choice([2, 3, 7, 20, 50]))
    layers = [
        {"weight": "normal(0.5, 0.2)", "activation": str(rng.choice(acts[:4])), "bias": "normal(0, 0.1)"}
        for _ in range(rng.integers(0, 3))
    ]
    activation = str(rng.choice(acts))
    first = {"activation": activation}
    if "(h" in activation or activation.startswith("h"):
        first["bias"] = None
    if rng.random() < 0.3:
        first["weight"] = "sphere(0.7)"
    made = document(dimension, None, first, layers, **rules[seed % len(rules)])
    made["layers"][0] = {key: value for key, value in made["layers"][0].items() if value is not None}
    if rng.random() < 0.3:  # a mixture around 0 with several outputs
        made["data"] = {
            "kind": "gaussian-mixture",
            "means": [[0.0] * dimension] * 3,
            "deviations": [0.5, 1.0, 1.7],
            "labels": [[1, 0], [0, 1], [-1, 1]],
        }
    return made


def without_bias(**first):
    made = document(3, None, first)
    del made["layers"][0]["bias"]
    return made


CENTRED = "(h - mean(h)) / sqrt(0.1 + mean((h - mean(h))**2))"
OWN = {"parameters": {"b": "normal(0, 0.3)"}}
# A derivative along a mean of all neurons, which has a part without any angle; a sum over the entries of x
# in which a part has none of them.
WITHOUT_ANGLE = {
    "layer norm": without_bias(activation=f"tanh({CENTRED} + b)", **OWN),
    "a constant for each entry": without_bias(activation="tanh(h + b)", operation="w * u + 1/5", **OWN),
}


@pytest.mark.parametrize("case", [*range(12), *WITHOUT_ANGLE])
def test_a_step_is_that_of_all_coordinates(case, monkeypatch):
    """Exactly, so within 1e-12 of the largest entry: sums over 2d times as many nodes in another order."""
    monkeypatch.setattr(angles, "_LEAST_DIMENSION", 10**9)  # angles at nodes that the test may choose
    seed = case if isinstance(case, int) else 0
    reduced = rotated(WITHOUT_ANGLE[case] if case in WITHOUT_ANGLE else random_document(seed))
    assert is_rotated(reduced), reduced.log
    rng = np.random.default_rng(seed)
    whole, turned = mf.reduce(reduced.full).system, reduced.system
    small, large, crossed = states(turned, whole, rng)
    dimension, outputs = whole.axis["inputs"].size, whole.axis["outputs"].size
    lengths, y = rng.uniform(0.5, 2, 4), rng.standard_normal((4, outputs))
    x = (lengths[:, None, None] * crossed).reshape(-1, dimension)
    moment = Moment(0.0, 0.1)
    found, _ = interpret_step(turned, small, lengths[:, None], y, moment)
    expected, _ = interpret_step(whole, large, x, np.repeat(y, 2 * dimension, axis=0), moment)
    compare(whole, expanded(turned, whole, found, crossed), expected)


def crosses(dimension):
    return np.concatenate([np.eye(dimension), -np.eye(dimension)])


def states(turned, whole, rng):
    """A random state of the reduced system on cosines 1, -1, 0, and the same in all coordinates."""
    dimension = whole.axis["inputs"].size
    nodes = {axis.name: 3 for axis in turned.node_axes}
    sizes = nodes | {axis.name: axis.size for axis in turned.axes if axis.size}
    small = {v.name: rng.uniform(0.3, 1.0, [sizes[a] for a in v.axes]) for v in turned.variables}
    small["cos h1"] = np.array([1.0, -1.0, 0.0])
    small["p"] = {name: rng.dirichlet(np.ones(3)) for name in nodes}
    small["p"]["angle h1"] = np.array([0.5 / dimension, 0.5 / dimension, 1 - 1 / dimension])
    crossed = crosses(dimension)
    large = expanded(turned, whole, small, crossed)
    large["p"] = {n: w for n, w in small["p"].items() if n != "angle h1"}
    large["p"]["h1"] = np.repeat(small["p"]["h1"], 2 * dimension) / (2 * dimension)
    return small, large, crossed


def expanded(turned, whole, arrays, crossed):
    """Arrays of the reduced system at every direction of the neurons of h1."""
    found = {}
    for variable in whole.variables:
        if variable.name not in arrays:
            continue
        values = np.asarray(arrays[variable.name])
        if "h1" in variable.axes:
            place = variable.axes.index("h1")
            values = np.repeat(values, len(crossed), axis=place)
            if "inputs" in variable.axes:
                assert place == 0
                values = values * np.tile(crossed, (values.shape[0] // len(crossed), 1))
        found[variable.name] = values
    return found


def compare(whole, expected, found):
    for variable in whole.variables:
        if variable.name in found:
            scale = max(np.abs(expected[variable.name]).max(initial=0), 1e-3)
            assert np.abs(expected[variable.name] - found[variable.name]).max(initial=0) < 1e-12 * scale


# ---------------------------------------------------------------------------------------- kinks


@pytest.mark.parametrize("dimension", [3, 5, 32, 784])
def test_nodes_follow_the_kink(dimension):
    """E relu(r u + b) over the cosine u of an angle, for kinks anywhere, by scipy's quadrature split there.

    Legendre nodes on either side of a kink converge geometrically (in many dimensions; as a high power of
    their number in few), so that 48 nodes must be far better than 24 where these are not yet at rounding.
    """
    spec = document(dimension, first={"activation": "relu", "weight": f"normal(0, {dimension**-0.5})"})
    reduced = rotated(spec)
    solver = mf.generate(reduced)
    density = angles._density(dimension)
    errors = []
    for count in (24, 48):
        nodes = {axis.name: count if axis.part else 3 for axis in reduced.system.node_axes}
        path = mf.solve(mf.load(spec), 0.01, method="rk4", step=0.01, data="quadrature", nodes=nodes)
        state = path.at(0).arrays
        x = np.array([[0.7], [1.0], [2.0]]) * np.sqrt(dimension)
        fields = solver.forward(state, x)
        found = np.einsum("zca,zca,a->zc", fields["h1.out"], fields["share h1"], state["p"]["angle h1"])
        scale, offsets = state["h1.weight"][:, 0], state["h1.bias"]
        expected = np.array(
            [
                [integral(density, dimension, r * z, b) for r, b in zip(scale, offsets, strict=True)]
                for z in x[:, 0]
            ]
        )
        errors.append(np.abs(found / expected - 1).max())
    assert errors[0] < 1e-4 and errors[1] < max(errors[0] / 20, 1e-9), errors


def integral(density, dimension, slope, offset):
    kink = min(max(-offset / slope, -1), 1)

    def value(u):
        return density * (1 - u * u) ** ((dimension - 3) / 2) * (slope * u + offset)

    width = min(1, 9 / np.sqrt(dimension))
    end = max(kink, width) if kink > width else width
    return quad(value, kink, end, epsabs=1e-14, epsrel=1e-12)[0] if kink < width else 0.0


def test_a_sample_without_length_has_no_kink():
    """x = 0: h is the bias alone, whatever the angle."""
    net = mf.load(document(4, first={"activation": "relu", "bias": "0"}))
    path = mf.solve(net, 0.02, method="rk4", step=0.01, data="quadrature")
    assert np.isfinite(path.predict(np.zeros((2, 4)))).all()


# ---------------------------------------------------------------------------------------- closed forms


def test_quadratic_classification_follows_its_closed_equations():
    """yhat = c + E <w, x>^2 on two isotropic Gaussians: c' and m' of theory E2 (loss (yhat - y)^2, so twice).

    E2 is for the loss (y - yhat)^2/2 and output weights held at 1. Polynomials of degree 4 in length and
    angle are integrated by the rules to 1e-8 or so, and RK4 at h = 0.0005 errs by less than 1e-9.
    """
    d, separation, steps, h = 6, 0.4, 100, 0.0005
    spec = document(d, first={"activation": "h**2", "weight": "normal(0, 0.3)"})
    spec["layers"][0].pop("bias")
    spec["output"] = {"from": "h1", "weight": {"law": "1", "rate": 0}, "bias": "0"}
    nodes = {"h1": 24}
    path = mf.solve(
        mf.load(spec),
        steps * h,
        method="rk4",
        step=h,
        data="quadrature",
        nodes=nodes,
        data_nodes=64,
        observations=5,
    )
    assert is_rotated(path.reduced)
    up, down = (1 + separation) ** 2, (1 - separation) ** 2
    s1, s2 = (up + down) / 2, (up**2 + down**2) / 2

    def speed(state):
        c, m = state
        dc = c + m * d * s1
        dm = c * s1 + m * (d + 2) * s2 - (up - down) / 2
        return 2 * np.array([-dc, -4 * m * dm])

    state = np.array([0.0, 0.09])
    for _ in range(steps):
        k1 = speed(state)
        k2 = speed(state + h / 2 * k1)
        k3 = speed(state + h / 2 * k2)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + speed(state + h * k3))
    x = np.array([[1.0, 0, 0, 0, 0, 0], [0, 2.0, 1.0, 0, 0, 0]])
    expected = state[0] + state[1] * (x**2).sum(axis=1)
    assert np.abs(path.predict(x)[:, 0] - expected).max() < 1e-6


# ---------------------------------------------------------------------------------------- there and back


def test_predictions_and_networks_live_in_all_coordinates(tmp_path):
    """predict turns with x; a drawn network has vectors in all directions and predicts alike.

    Its outputs at width 4000 differ by Monte Carlo: five standard errors of eight networks.
    """
    net = mf.load(document(5, layers=[{"weight": "normal(0.7, 0.1)", "activation": "tanh", "bias": "0"}]))
    path = mf.solve(net, 0.1, method="flow", nodes=8)
    rng = np.random.default_rng(0)
    x, rotation = rng.standard_normal((6, 5)), np.linalg.qr(rng.standard_normal((5, 5)))[0]
    assert np.allclose(path.predict(x), path.predict(x @ rotation.T), rtol=1e-12)
    found = []
    for seed in range(8):
        state = path.sample(2000, seed=seed)
        assert state["h1.weight"].shape == (2000, 5)
        assert np.abs(state["h1.weight"].mean(axis=0)).max() < 5 * state["h1.weight"].std() / np.sqrt(2000)
        h = np.tanh(x @ state["h1.weight"].T + state["h1.bias"])
        g = np.tanh(h @ state["h2.weight"].T / 2000 + state["h2.bias"])
        found.append(g @ state["output.weight"].T / 2000 + state["output.bias"])
    error = np.std(found, axis=0, ddof=1) / np.sqrt(8)
    assert (np.abs(np.mean(found, axis=0) - path.predict(x)) < 6 * error + 1e-9).all()
    path.save(tmp_path / "path.npz")
    again = mf.Trajectory.load(tmp_path / "path.npz")
    names = ("closure", "exchangeability", "reflection", "alignment", "rotation", "orbits")
    assert again.passes == names
    assert np.array_equal(again.predict(x), path.predict(x))
    # It goes on where the law is integrated only: on a batch, directions count.
    go_on = [{"initial": path.at()}, {"resume": path}, {"system": path.reduced}]
    for given in go_on:
        for options in ({}, {"method": "rk4"}, {"method": "rk4", "data": "sample"}):
            with pytest.raises(mf.ArgumentError, match=r"lengths and angles.*Set data to quadrature"):
                mf.solve(net, 0.2, **given, **options)
        with pytest.raises(mf.ArgumentError, match="symmetry=False asks for x as it is"):
            mf.solve(net, 0.2, method="flow", symmetry=False, **given)
    for spec, said in ((document(4), "shape"), (document(data=SPARSE), "path.sample")):
        for given in go_on[:2]:
            with pytest.raises(mf.ArgumentError, match=f"lengths and angles.*{said}"):
                mf.solve(mf.load(spec), 0.2, method="flow", **given)
    with pytest.raises(mf.ArgumentError, match="given whole"):
        mf.solve(net, 0.2, method="flow", system=path.reduced.system)


def test_where_it_is_used():
    """Steps that take batches have their directions; a law that is integrated has none."""
    net = mf.load(document())

    def passes(**options):
        return limit_to_solve(net, SolveOptions(**options)).names

    assert "rotation" not in passes()
    assert "rotation" not in passes(method="rk4")
    assert "rotation" in passes(method="flow")
    assert "rotation" in passes(data="quadrature")
    assert "rotation" in passes(data="sobol")
    assert "rotation" not in passes(data="sobol", symmetry=False)
    assert "rotation" not in passes(data="sample")


def test_a_tolerance_begins_with_samples_of_the_length():
    """32 equally spaced nodes of one number for each of two classes, and 64 of it: not of five numbers."""
    net = mf.load(document())
    options = SolveOptions(data="quadrature", tolerance=0.1)
    reduced = limit_to_solve(net, options)
    work = Refinement(Problem(net, reduced, mf.generate(reduced), options), False)
    assert [work.data_nodes(doublings) for doublings in (0, 1)] == [32, 64]


def test_printed_equations_say_what_nodes_are():
    smooth, kinked = (str(rotated(document(first={"activation": name}))) for name in ("tanh", "relu"))
    assert "φ is the angle" in smooth and "φ is the angle" in kinked
    assert "follows a kink" in kinked and "follows a kink" not in smooth


def test_a_drawn_state_has_directions():
    net = mf.load(document())
    reduced = rotated(document())
    state = mf.solve(net, steps=1, reduce=False, widths=10).at(0)
    with pytest.raises(mf.StateError, match="--no-symmetry"):
        reduced.restrict(state)
    assert reduced.encode([[1, 2, 2, 4, 0]])[0] == 5
    with pytest.raises(mf.ArgumentError, match=r"expected \[sample, 5\]"):
        reduced.encode(np.ones((3, 4)))
    assert reduced_by(reduced.full, reduced.names) is reduced


# ------------------------------------------------------------------------------------ what is not invariant

TEACHER = {"kind": "teacher", "dimension": 5, "inputs": "normal(0, 1)"}
SPARSE = {**TEACHER, "target": "x1"}
UNIFORM = {**TEACHER, "inputs": "uniform(-1, 1)", "target": "1"}
MASKED = {**TEACHER, "target": "abs(x1) + abs(x2) + abs(x3) + abs(x4) + abs(x5)"}
SHIFTED = {"kind": "gaussian-mixture", "means": [[1, 0, 0], [-1, 0, 0]], "labels": [1, -1]}
CONNECTION = {"from": "x", "weight": "normal(0, 1)"}
LOOKS = [
    ({"data": {**TEACHER, "target": "x1 * x2 * x3 * x4"}}, None),
    ({"data": UNIFORM}, None),
    ({"data": MASKED}, None),
    ({"data": {**SHIFTED, "means": [[1, 0, 0], [0, 1, 0]]}}, None),
    ({"data": {**TEACHER, "target": "1", "y": "x"}}, "any"),
    ({"first": {"weight": "uniform(-1, 1)"}}, Break.LAW),
    ({"first": {"weight": "rademacher(1)"}}, Break.LAW),
    ({"first": {"weight": "normal(0.1, 1)"}}, Break.LAW),
    ({"first": {"weight": "normal(0, exp(target.bias))"}}, Break.SIZE),
    ({"first": {"weight": "normal(target.bias, 1)"}}, Break.LAW),
    (
        {
            "first": {
                "weight": "normal(0, exp(target.b1))",
                "bias": None,
                "parameters": {"b1": "normal(0, 1)"},
            }
        },
        "any",
    ),
    ({"output": {"weight": "normal(source.w[0], 0.1)"}}, "any"),
    ({"layers": [{"weight": "normal(source.w[1], 0.1)", "activation": "tanh"}]}, "any"),
    ({"optimizer": {"kind": "adam"}, "batch_size": 10}, Break.ENTRYWISE),
    ({"noise": 0.1}, Break.NOISE),
]


@pytest.mark.parametrize(("change", "reason"), LOOKS, ids=str)
def test_what_only_looks_invariant_is_refused(change, reason):
    """Every one differs from an invariant limit in one thing, and the reason names it."""
    spec = document(**change)
    spec["layers"][0] = {k: v for k, v in spec["layers"][0].items() if v is not None}
    reduced = rotated(spec)
    assert not is_rotated(reduced)
    broken = [finding for finding in reduced.findings if finding.kind == FindingKind.NO_ROTATION]
    if reason is None:
        assert not broken
    elif isinstance(reason, Break):
        assert [finding.facts["reason"] for finding in broken] == [reason]
        assert any("the limit does not" in str(entry) for entry in reduced.log)

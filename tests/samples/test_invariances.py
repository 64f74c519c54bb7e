"""Every kind of data states its law, and what is listed of its symmetries holds for its samples."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.data_law import Invariance, Motion, TargetMotion

SPECS = Path(__file__).parents[2] / "specs"
ROTATION, SIGNS, REFLECTION, EXCHANGE = Motion
KEPT, NEGATED, CARRIED = TargetMotion


def law_of(data, loss="squared", given=None, **output):
    document = {
        "format": 1,
        "data": data,
        "loss": {"kind": loss},
        "layers": [{"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "tanh"}],
        "output": {"from": "h1", "weight": "normal(1, 1)", **output},
        "training": {"learning_rate": 0.1, "steps": 1, "batch_size": 4},
    }
    network = mf.load(document, data=given)
    limit = mf.derive(network)
    assert limit.data_law == mf.reduce(limit).system.data_law
    return network, limit.data_law


def about(*directions):
    everything = tuple(range(len(directions[0])))
    return Invariance(ROTATION, everything, about=tuple(map(tuple, directions)))


ISOTROPIC = {"kind": "isotropic-gaussians", "dimension": 3, "separation": 0.4}
MIXTURE = {"kind": "gaussian-mixture", "means": [[1, 0, 0], [-1, 0, 0]], "labels": [1, -1]}
TEACHER = {"kind": "teacher", "dimension": 4, "target": "x1 * x2"}
UNIFORM = {"inputs": "uniform(-1, 1)"}

CASES = [
    (ISOTROPIC, [Invariance(ROTATION, (0, 1, 2))]),
    ({**ISOTROPIC, "y": "x"}, [Invariance(ROTATION, (0, 1, 2), CARRIED)]),
    (
        MIXTURE,
        [
            Invariance(ROTATION, (1, 2)),
            Invariance(REFLECTION, (0, 1, 2), NEGATED),
            Invariance(REFLECTION, (0,), NEGATED),
        ],
    ),
    (
        {**MIXTURE, "labels": [2, 2]},
        [Invariance(ROTATION, (1, 2)), Invariance(REFLECTION, (0, 1, 2)), Invariance(REFLECTION, (0,))],
    ),
    ({**MIXTURE, "weights": [1, 2]}, [Invariance(ROTATION, (1, 2))]),
    ({**MIXTURE, "deviations": [1, 2]}, [Invariance(ROTATION, (1, 2))]),
    ({**MIXTURE, "labels": [1, 0]}, [Invariance(ROTATION, (1, 2))]),
    ({**MIXTURE, "means": [[0, 0, 0], [0, 0, 0]]}, [Invariance(ROTATION, (0, 1, 2))]),
    (
        TEACHER,
        [
            Invariance(ROTATION, (2, 3)),
            Invariance(REFLECTION, (0,), NEGATED),
            Invariance(REFLECTION, (1,), NEGATED),
        ],
    ),
    ({**TEACHER, "target": "x1**2 * x3", "noise": 0.1, **UNIFORM}, None),
    ({**TEACHER, "target": ["x1 * x2 * x3", "x4"], "dimension": 4}, None),
    (
        {**TEACHER, "target": "x1 * x2 + x3 * x4"},
        [
            Invariance(REFLECTION, (0, 1, 2, 3)),
            Invariance(REFLECTION, (0, 1)),
            *(Invariance(REFLECTION, own, NEGATED) for own in ((0, 2), (0, 3), (1, 2), (1, 3))),
            Invariance(REFLECTION, (2, 3)),
        ],
    ),
    ({**TEACHER, "target": "x1 + max(x2 - 40, 0)"}, None),
    ({**TEACHER, "inputs": "normal(1, 1)"}, []),
    ({**TEACHER, "inputs": "normal(1, 1)", "target": "1"}, [about([0.5, 0.5, 0.5, 0.5])]),
    (
        {**TEACHER, "target": ["tanh(3 * x1 - 4 * x3)", "abs(4 * x3 - 3 * x1) + 1"], "noise": 0.1},
        [
            Invariance(ROTATION, (1, 3)),
            about([0.6, 0.0, -0.8, 0.0]),
        ],
    ),
    (
        {**TEACHER, "target": "sin((x1 + x2) / 2 + (x3 + x4) / 2)", "inputs": "sphere(2)"},
        [about([0.5, 0.5, 0.5, 0.5]), Invariance(REFLECTION, (0, 1, 2, 3), NEGATED)],
    ),
    (
        {**MIXTURE, "means": [[0, 3, 0, 4], [0, -6, 0, -8], [0, 0, 0, 0]], "labels": [1, 2, 3]},
        [Invariance(ROTATION, (0, 2)), about([0.0, 0.6, 0.0, 0.8])],
    ),
    ({**TEACHER, **UNIFORM, "y": "x"}, [Invariance(SIGNS, (0, 1, 2, 3), CARRIED)]),
]


@pytest.mark.parametrize(("data", "expected"), CASES)
def test_what_is_known_of_a_law(data, expected):
    _, law = law_of(data)
    dimension = data.get("dimension") or len(data["means"][0])
    assert (law.kind, law.dimension, law.rows) == (data["kind"], dimension, None)
    if expected is not None:
        found = [rounded(each) for each in law.invariances if each.motion is not EXCHANGE]
        assert found == expected


def rounded(invariance):
    """Directions to 15 digits: which way their lengths are rounded is no matter."""
    digits = tuple(tuple(round(number, 15) for number in each) for each in invariance.about)
    return replace(invariance, about=digits)


@pytest.mark.parametrize("data", [data for data, _ in CASES])
def test_invariances_hold_for_samples(data):
    """Means of a few functions of (x, y), moved and not moved, over 200,000 samples: to 5 standard errors."""
    check_samples(*law_of(data))


def check_samples(network, law):
    x, y = network.source.batch(1, 200_000)
    rng = np.random.default_rng(3)
    for invariance in law.invariances:
        moved_x, moved_y = moved(invariance, x, y, rng)
        one, other = rng.standard_normal((x.shape[1], 12)), rng.standard_normal((y.shape[1], 12))
        pairs = ((x, y), (moved_x, moved_y))
        before, after = (np.cos(0.7 * a @ one + b @ other + 0.3) for a, b in pairs)
        error = np.sqrt((before.var(axis=0) + after.var(axis=0)) / len(x))
        assert np.all(np.abs(before.mean(axis=0) - after.mean(axis=0)) < 5 * error), invariance


def moved(invariance, x, y, rng):
    """The samples after one random motion of an invariance."""
    places = list(invariance.coordinates)
    if invariance.motion is ROTATION:
        matrix = np.linalg.qr(rng.standard_normal((len(places), len(places))))[0]
        if invariance.about:
            matrix = rotation_about(np.array(invariance.about), rng)
    elif invariance.motion is SIGNS:
        matrix = np.diag(np.where(np.arange(len(places)) % 2, 1.0, -1.0))
    elif invariance.motion is EXCHANGE:
        matrix = np.roll(np.eye(len(places)), len(places) // 2, axis=0)
    else:
        matrix = -np.eye(len(places))
    new = x.copy()
    new[:, places] = x[:, places] @ matrix.T
    y = y[:, list(invariance.columns)] if invariance.columns else y
    return new, {KEPT: y, NEGATED: -y, CARRIED: new}[invariance.targets]


def rotation_about(directions, rng):
    """A random orthogonal matrix that leaves directions where they are."""
    count, dimension = directions.shape
    basis = np.linalg.qr(np.vstack([directions, rng.standard_normal((dimension - count, dimension))]).T)[0]
    across = basis[:, count:]
    other = across @ np.linalg.qr(rng.standard_normal((dimension - count,) * 2))[0]
    return directions.T @ directions + other @ across.T


def test_class_labels_are_not_numbers():
    """Labels that are written out as columns have no sign."""
    means = [[1, 0, 0], [-1, 0, 0], [0, 2, 0], [0, -2, 0]]
    for labels, columns in ([0, 0, 1, 1], ()), ([0, 1, 0, 1], (1, 0)):
        _, law = law_of({**MIXTURE, "means": means, "labels": labels}, "cross-entropy", outputs=2)
        whole = [i for i in law.invariances if i.motion is REFLECTION and len(i.coordinates) == 3]
        assert [(i.targets, i.columns) for i in whole] == [(KEPT, columns)]


AT_AXES = {"kind": "gaussian-mixture", "means": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "labels": [0, 1, 2]}
COLUMNS = [
    (AT_AXES, 3, [((0, 1), (1, 0, 2)), ((1, 2), (0, 2, 1))]),
    ({**AT_AXES, "labels": [2, 0, 1]}, 3, [((0, 1), (2, 1, 0)), ((1, 2), (1, 0, 2))]),
    ({**AT_AXES, "labels": [0, 1, 1]}, 2, [((1, 2), ())]),
    ({**AT_AXES, "weights": [1, 2, 2]}, 3, [((1, 2), (0, 2, 1))]),
    ({**AT_AXES, "labels": [[1, 0], [0, 1], [5, 5]]}, None, [((0, 1), (1, 0))]),
    ({**TEACHER, "dimension": 2, "target": ["x1**2 + x2", "x1 + x2**2"]}, None, [((0, 1), (1, 0))]),
    ({**TEACHER, "dimension": 2, "target": ["x1", "x2", "x1 * x2"]}, None, [((0, 1), (1, 0, 2))]),
    ({**TEACHER, "dimension": 2, "target": ["x1", "2 * x2"]}, None, []),
    (
        {**TEACHER, "target": ["x1 * x2**3", "x3 * x4**3"], "noise": 0.1},
        None,
        [((0, 1, 2, 3), (1, 0))],
    ),
]


@pytest.mark.parametrize(("data", "classes", "expected"), COLUMNS)
def test_columns_that_change_places_with_coordinates(data, classes, expected):
    """Classes, labels with several numbers and targets; samples bear them out."""
    loss, output = ("cross-entropy", {"outputs": classes}) if classes else ("squared", {})
    network, law = law_of(data, loss, **output)
    assert [(i.coordinates, i.columns) for i in law.invariances if i.motion is EXCHANGE] == expected
    check_samples(network, law)


SPARSE = {"kind": "gaussian-mixture", "means": [[1, 0], [-1, 0], [0, 1], [0, -1]], "labels": [1, 1, -1, -1]}
BLOCKS = {
    "kind": "gaussian-mixture",
    "means": [[1, 0.5, 0, 0], [0.2, 1, 0, 0], [0, 0, 1, 0.5], [0, 0, 0.2, 1]],
    "labels": [1, 1, -1, -1],
}
EXCHANGES = [
    ({**TEACHER, **UNIFORM}, [((0, 1), KEPT), ((2, 3), KEPT)]),
    ({**TEACHER, "target": "x1**2 - x2**2", **UNIFORM}, [((0, 1), NEGATED), ((2, 3), KEPT)]),
    (
        {**TEACHER, "target": "x1*x2 + x2*x3 + x1*x3", "inputs": "uniform(0, 1)"},
        [((0, 1), KEPT), ((1, 2), KEPT)],
    ),
    ({**TEACHER, "target": ["x1 + x2", "x1 - x2"]}, [((2, 3), KEPT)]),
    ({**TEACHER, "target": "x1 + 2*x2 + x3 * x4**2"}, []),
    ({**TEACHER, "target": "x1 * x2**2 + x3 * x4**2"}, [((0, 1, 2, 3), KEPT)]),
    ({**TEACHER, "target": "cos(x1) * x2 - cos(x3) * x4"}, [((0, 1, 2, 3), NEGATED)]),
    (
        {**TEACHER, "target": "x1 * x2 + sin(x3 + x4)", **UNIFORM},
        [((0, 1), KEPT), ((2, 3), KEPT)],
    ),
    (
        {**TEACHER, "target": "x1 * x2 + x3 * x4"},
        [((0, 1), KEPT), ((2, 3), KEPT), ((0, 1, 2, 3), KEPT)],
    ),
    (
        {**TEACHER, "dimension": 6, "target": ["x1 + x3**2 * x5", "x2 + x4**2 * x6"]},
        [((0, 2, 4, 1, 3, 5), KEPT)],
    ),
    (
        {**TEACHER, "dimension": 6, "target": "x1 * x2**2 * x3**3 + x4 * x5**2 * x6**3"},
        [((0, 1, 2, 3, 4, 5), KEPT)],
    ),
    (BLOCKS, [((0, 1, 2, 3), NEGATED)]),
    (SPARSE, [((0, 1), NEGATED)]),
    ({**SPARSE, "weights": [1, 1, 2, 2]}, []),
    ({**SPARSE, "labels": [1, 2, 1, 2]}, [((0, 1), KEPT)]),
]


@pytest.mark.parametrize(("data", "expected"), EXCHANGES)
def test_coordinates_that_may_change_places(data, expected):
    """Those that targets or means do not tell apart, each pair once; samples bear them out."""
    _, law = law_of(data)
    found = [(i.coordinates, i.targets) for i in law.invariances if i.motion is EXCHANGE]
    assert found == expected
    test_invariances_hold_for_samples(data)


def test_samples_are_their_own_law(tmp_path):
    """Fixed samples, drawn, read or given: their size, and no symmetry."""
    x, y = np.arange(12.0).reshape(4, 3) / 12, np.array([1.0, -1, 1, -1])
    _, law = law_of({"kind": "arrays"}, given=(x, y))
    assert (law.kind, law.dimension, law.rows, law.invariances) == ("given", 3, 4, ())
    _, law = law_of({**ISOTROPIC, "samples": 7})
    assert (law.kind, law.dimension, law.rows, law.invariances) == ("isotropic-gaussians", 3, 7, ())
    kinds = {mf.derive(mf.load(path)).data_law.kind for path in SPECS.glob("*.toml")}
    assert {"isotropic-gaussians", "gaussian-mixture", "teacher", "digits"} <= kinds


def test_motions_are_told_apart():
    """The check of samples would see what does not hold."""
    network, _ = law_of(MIXTURE)
    x, y = network.source.batch(1, 50_000)
    for motion, targets in product((ROTATION, REFLECTION), (KEPT, NEGATED)):
        invariance = Invariance(motion, (0, 1, 2), targets)
        moved_x, moved_y = moved(invariance, x, y, np.random.default_rng(1))
        before, after = (np.cos(a[:, 0] + b[:, 0] + 0.3).mean() for a, b in ((x, y), (moved_x, moved_y)))
        holds = motion is REFLECTION and targets is NEGATED
        assert bool(abs(before - after) < 0.02) is holds, invariance

"""Signs and places of coordinates: found in laws and equations, exact against all images, refused."""

from itertools import product

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.findings import FindingKind
from mfderive.algebra.signed_permutations import SignedPermutation, generated
from mfderive.analysis.orbits import OrbitBreak
from mfderive.notation.document import latex
from mfderive.reduction.cost import cost
from mfderive.reduction.reduce import by_symmetry
from mfderive.samples.orbit_images import OrbitFold
from mfderive.solution.feed import make_feed
from mfderive.state.ensembles import ensemble_state, plan_ensembles
from tests.reduction.specs import document, layer

XOR = {"kind": "teacher", "dimension": 2, "inputs": "uniform(-1, 1)", "target": "3 * x1 * x2"}
SQUARES = {**XOR, "dimension": 3, "target": "x1**2 + x2**2 + x3**2"}
# An even number of Gauss nodes for each number has none at 0, so that no node is its own image by signs.
CORNERS = {
    "kind": "gaussian-mixture",
    "means": [[1, 0], [-1, 0], [0, 1], [0, -1]],
    "deviations": [0.3] * 4,
    "labels": [1, 1, -1, -1],
}
PAIR = {"kind": "gaussian-mixture", "means": [[1, 0.2], [0.2, 1]], "deviations": [0.4] * 2, "labels": [0, 1]}
FIRST = layer("h1", "x", "normal(0, 1)", bias="0")
OUT = {"from": "h1", "weight": "normal(0, 1)", "bias": "0"}
TWO = {**OUT, "outputs": 2}
# Its flow divides by |G| + eps, which makes rounding as much larger as eps is small.
ADAM = {"optimizer": {"kind": "adam", "eps": 0.01}}
MOMENTUM = {"optimizer": {"kind": "momentum", "mu": 0.5}, "weight_decay": 0.1, "clip": 0.5}


def spec(data=XOR, first=None, layers=(), output=OUT, loss="squared", **training):
    rules = {"learning_rate": 0.05, "steps": 20, "batch_size": 20, **training}
    tables = {"data": data, "loss": {"kind": loss} if isinstance(loss, str) else loss, "training": rules}
    own = {key: value for key, value in {**FIRST, **(first or {})}.items() if value is not None}
    return document([own, *layers], output, **tables)


def second(**keys):
    return [layer("h2", "h1", "normal(1, 0.5)", **{"bias": "0.1", **keys})]


def reduced(document):
    return by_symmetry(mf.derive(mf.load(document)))


def findings(document, kind=FindingKind.ORBITS):
    return [finding for finding in reduced(document).findings if finding.kind == kind]


def both(document, **options):
    """The solution on one node of each orbit, and that on all nodes."""
    network = mf.load(document)
    given = {
        "method": "rk4",
        "data": "quadrature",
        "data_nodes": 36,
        "nodes": 64,
        "horizon": 0.6,
        "step": 0.1,
    }
    given |= {"observations": 3, "evaluation": 50, "stated_error": False, **options}
    return tuple(mf.solve(network, symmetry=symmetry, **given) for symmetry in (True, False))


CASES = {
    "xor": (spec(), 8),
    "even": (spec({**XOR, "dimension": 1, "target": "x1**2"}, {"bias": "0.2"}), 2),
    "two layers": (spec(first={"bias": "0.3"}, layers=second(), output={**OUT, "from": "h2"}), 4),
    "squares": (spec(SQUARES, {"activation": "erf", "bias": "0.3"}, output={**OUT, "weight": "1"}), 48),
    "places alone": (spec({**SQUARES, "inputs": "uniform(0, 1)"}, output={**OUT, "weight": "1"}), 6),
    "not centred": (spec(first={"weight": "normal(0.4, 1)"}), 2),
    "corners": (spec(CORNERS), 8),
    "free": (
        spec(
            {**SQUARES, "target": "x1**4 + x2**4"}, {"activation": "softplus"}, output={**OUT, "weight": "1"}
        ),
        16,
    ),
    "noise": (spec({**XOR, "noise": 0.2}), 8),
    "classes": (
        spec(
            {**CORNERS, "labels": [0, 0, 1, 1]},
            {"bias": "0.3"},
            second(),
            {**OUT, "from": "h2", "outputs": 2},
            "cross-entropy",
        ),
        4,
    ),
    "adam": (spec(first={"bias": "0.3"}, output={**OUT, "weight": "1"}, **ADAM), 4),
    "momentum": (spec(**MOMENTUM), 8),
    "two values": (spec({**XOR, "inputs": "rademacher(1)"}, {"weight": "rademacher(0.7)"}), 8),
    "two classes": (spec(PAIR, {"bias": "0.3"}, output={**TWO, "weight": "1"}, loss="cross-entropy"), 2),
    "three classes": (
        spec(
            {
                **PAIR,
                "means": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
                "deviations": [0.4] * 3,
                "labels": [0, 1, 2],
            },
            {"bias": "0.3"},
            output={**TWO, "weight": "1", "outputs": 3},
            loss="cross-entropy",
        ),
        6,
    ),
    "classes by signs": (
        spec(
            {**PAIR, "means": [[1, 0], [-1, 0]]},
            output={**TWO, "weight": "1"},
            loss="cross-entropy",
            **MOMENTUM,
        ),
        4,
    ),
    "labels of two numbers": (
        spec({**PAIR, "labels": [[1, 0], [0, 1]]}, {"bias": "0.3"}, output={**OUT, "weight": "0.5"}, **ADAM),
        2,
    ),
    "two targets": (
        spec(
            {**XOR, "target": ["x1**2 + x2", "x1 + x2**2"]},
            {"bias": "0.3"},
            output={**OUT, "weight": "0.5", "bias": "0.2"},
            **MOMENTUM,
        ),
        2,
    ),
    "random weights of both outputs": (
        spec(
            {**XOR, "target": ["x1 + x2**3", "x2 + x1**3"], "noise": 0.1},
            {"weight": "rademacher(0.7)", "bias": "0.3"},
            output={**OUT, "weight": "normal(0.3, 1)"},
        ),
        2,
    ),
    "beside a second layer": (
        spec(
            {**XOR, "target": ["x1**2 + x2", "x1 + x2**2"]},
            {"bias": "0.3"},
            second(),
            {
                "bias": "0",
                "connections": [{"from": "h1", "weight": "0.5"}, {"from": "h2", "weight": "0.7"}],
            },
        ),
        2,
    ),
    "blocks": (
        spec(
            {**XOR, "dimension": 4, "target": "x1 * x2**2 + x3 * x4**2"},
            {"weight": "rademacher(0.7)", "bias": "0"},
            output={**OUT, "weight": "1"},
        ),
        16,
    ),
    "gain": (
        spec(
            first={"activation": "tanh(g * h + 0.3)", "parameters": {"g": "uniform(0, 1)"}, "bias": None},
            output={**OUT, "weight": "1"},
        ),
        4,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_of_each_orbit_does_what_all_do(name):
    """Gauss nodes have all their images among them, so both solutions are one but for rounding."""
    document, images = CASES[name]
    (found,) = findings(document)
    assert len(found.facts["motions"]) == images
    folded, whole = both(document)
    assert np.abs(folded.loss - whole.loss).max() < 1e-12 * whole.loss.max()
    x = np.random.default_rng(1).uniform(-1, 1, (6, mf.load(document).input_shape[0]))
    assert np.allclose(folded.predict(x), whole.predict(x), rtol=0, atol=1e-11)
    assert np.abs(np.diff(whole.loss)).max() > 1e-4, "nothing moved"
    nodes = [len(path.at().arrays["p"]["h1"]) for path in (folded, whole)]
    assert nodes[0] < nodes[1]


TARGETS = [
    "x1 * x2 * x3",
    "x1**2 + cos(x2) + cos(x3)",
    "abs(x1) + abs(x2) + abs(x3)",
    "x1 + x2 + x3",
]
INPUTS = ["uniform(-1, 1)", "uniform(0, 2)", "rademacher(1)"]


@pytest.mark.parametrize("seed", range(6))
def test_random_networks(seed):
    """Whatever is found among random specs is exact (1e-11 of the loss: rounding, which rules add up)."""
    rng = np.random.default_rng(seed)
    act = rng.choice(["tanh", "erf", "softplus", "h**2", "sigmoid"])
    data = {**SQUARES, "target": str(rng.choice(TARGETS)), "inputs": str(rng.choice(INPUTS))}
    first = {"activation": str(act), "bias": None if act == "h**2" else str(rng.choice(["0", "0.4"]))}
    first["weight"] = str(rng.choice(["normal(0, 0.8)", "uniform(-1, 1)", "normal(0.3, 0.5)"]))
    rule = [{}, MOMENTUM, {"optimizer": {"kind": "heavy-ball", "gamma": 0.3}}][rng.integers(3)]
    if rng.random() < 0.5:
        layers = [layer("h2", "h1", "normal(1, 0.5)", activation="tanh", bias="0.2")]
        document = spec(data, first, layers, {**OUT, "from": "h2"}, **rule)
    else:
        document = spec(data, first, output={**OUT, "weight": "0.7"}, **rule)
    assert findings(document)
    folded, whole = both(document, data_nodes=8, nodes={"h1": 64}, horizon=0.3)
    assert np.abs(folded.loss - whole.loss).max() < 1e-11 * whole.loss.max()


@pytest.mark.parametrize("seed", range(6))
def test_random_networks_of_several_outputs(seed):
    """Classes and targets that change places, with random rules: 1e-11 of the loss."""
    rng = np.random.default_rng(seed)
    act = str(rng.choice(["tanh", "erf", "softplus", "sigmoid"]))
    first = {"activation": act, "bias": str(rng.choice(["0", "0.4"]))}
    first["weight"] = str(rng.choice(["normal(0, 0.8)", "uniform(-1, 1)", "normal(0.3, 0.5)"]))
    rule = [{}, MOMENTUM, ADAM, {"optimizer": {"kind": "heavy-ball", "gamma": 0.3}}][rng.integers(4)]
    output = {**OUT, "weight": "0.7", "bias": str(rng.choice(["0", "0.3"]))}
    if rng.random() < 0.5:
        means = 0.2 * np.ones((3, 3)) + rng.choice([0.8, -1.1]) * np.eye(3)
        data = {**PAIR, "means": means.tolist(), "deviations": [0.5] * 3, "labels": [1, 2, 0]}
        document = spec(data, first, (), {**output, "outputs": 3}, "cross-entropy", **rule)
    else:
        target = [["x1 + x2**2", "x2 + x1**2"], ["x1", "x2", "x1 * x2"]][rng.integers(2)]
        noise = float(rng.choice([0.0, 0.3]))
        document = spec({**XOR, "target": target, "noise": noise}, first, (), output, **rule)
    (found,) = findings(document)
    assert any(motion.columns for motion in found.facts["motions"])
    folded, whole = both(document, data_nodes=9, horizon=0.3)
    assert np.abs(folded.loss - whole.loss).max() < 1e-11 * whole.loss.max()


FREE = {**OUT, "from": "h2"}
REFUSED = {
    "weights that are not centred": (
        spec({**XOR, "target": "x1**2"}, {"weight": "normal(0.3, 1)"}),
        OrbitBreak.SIGNS,
    ),
    "functions that are not odd": (
        spec({**XOR, "dimension": 1, "target": "x1**3"}, {"bias": "0.3"}, second(), FREE),
        OrbitBreak.SIGNS,
    ),
    "sampled labels": (spec(first={"bias": "normal(0, 1)"}), OrbitBreak.SAMPLED),
    "many coordinates": (spec({**SQUARES, "dimension": 8, "target": "x1 * x2"}), OrbitBreak.SAMPLED),
    "outputs with weights of their own": (
        spec(PAIR, {"bias": "0.3"}, second(), {**TWO, "from": "h2"}, "cross-entropy"),
        OrbitBreak.OUTPUTS,
    ),
    "outputs that no neuron with a vector reaches": (
        spec(PAIR, {"bias": "0.3"}, second(), {**TWO, "from": "h2", "weight": "1"}, "cross-entropy"),
        OrbitBreak.OUTPUTS,
    ),
    "a head whose numbers are compared with y": (
        {
            **spec(
                {**XOR, "target": ["x1 * x2**2", "x2 * x1**2"]},
                {"bias": "0.3"},
                [{"name": "guess", "from": "h1", "size": 2, "weight": "0.5"}],
                {**OUT, "weight": "0.5"},
            ),
            "losses": [{"from": "guess", "kind": "squared", "weight": 0.5}],
        },
        OrbitBreak.OUTPUTS,
    ),
    "a loss that tells outputs apart": (
        spec(
            {**XOR, "target": ["x1**2 + x2", "x1 + x2**2"]},
            {"bias": "0.3"},
            output={**OUT, "weight": "0.5"},
            loss={"kind": "expression", "expression": "(y[0] - yhat[0])**2 + 2*(y[1] - yhat[1])**2"},
        ),
        OrbitBreak.OUTPUTS,
    ),
    "fresh noise": (spec(noise=0.1), OrbitBreak.NOISE),
    "a law that reads an entry": (
        spec(
            layers=[layer("h2", "h1", "normal(source.v[0], 1)")],
            output=FREE,
            first={"weight": {"law": "normal(0, 1)", "name": "v"}},
        ),
        OrbitBreak.READ,
    ),
    "two layers that read x": (
        spec(
            layers=[
                {
                    "name": "h2",
                    "activation": "tanh",
                    "connections": [{"from": "h1", "weight": "normal(1, 0.5)"}, {"from": "x", "weight": "1"}],
                }
            ],
            output=FREE,
        ),
        OrbitBreak.POPULATIONS,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_only_looks_invariant_stays_as_it_is(name):
    """The law of the data has motions, and the limit has none that are made use of; the log says why."""
    document, reason = REFUSED[name]
    found = reduced(document)
    (finding,) = [f for f in found.findings if f.kind == FindingKind.NO_ORBITS]
    assert finding.facts["reason"] == reason and not findings(document)
    assert found.names[-1] == "orbits" and "orbits" not in found.system.passes
    assert any("signs or places" in entry.text for entry in found.log if entry.pass_name == "orbits")


@pytest.mark.parametrize(
    "data",
    [
        {**XOR, "target": "x1 + 2 * x2 * x1**2 + x1**2"},
        {**XOR, "inputs": "uniform(0, 1)", "target": "x1 - 2 * x2"},
        {**CORNERS, "labels": [1, 2, 3, 4]},
        {**CORNERS, "means": [[1, 0.1], [-1, 0], [0, 1], [0, -1]]},
    ],
)
def test_laws_without_motions_are_left_alone(data):
    """A preferred axis, a target that tells coordinates apart, components that differ: nothing there."""
    kinds = {finding.kind for finding in reduced(spec(data)).findings}
    assert not kinds & {FindingKind.ORBITS, FindingKind.NO_ORBITS}


def test_batches_have_no_symmetry():
    """What holds on average over the law is not made use of on batches."""
    path = mf.solve(mf.load(spec()), nodes=64, stated_error=False, evaluation=50)
    assert "orbits" not in path.passes
    with pytest.raises(mf.ArgumentError, match="batches"):
        mf.solve(mf.load(spec()), system=reduced(spec()), steps=3)


# ---------------------------------------------------------------------------------------- what it saves


def fixed(motion, signs):
    """How many of the points of a grid without 0 a motion leaves where they are."""
    grid = np.array(list(product([-3, -1, 1, 3], repeat=len(motion.places))))
    return len(signs) * int((motion(grid) == grid).all(axis=1).sum()) if motion.target > 0 else 0


def test_as_many_nodes_are_left_as_there_are_orbits():
    """Burnside: the mean over the motions of how many nodes each leaves where they are.

    Samples are on 4 x 4 nodes, labels on 4 x 4 x 4: w and u, which changes its sign with y or w does.
    """
    document = spec()
    (found,) = findings(document)
    motions = found.facts["motions"]
    network = mf.load(document)
    samples = make_feed(network, reduced(document), "quadrature", 16).samples
    orbits = {
        tuple(sorted({tuple(m(np.array(x))) for m in motions})) for x in product([-3, -1, 1, 3], repeat=2)
    }
    assert samples == len(orbits) == 3
    relu = spec(first={"activation": "softplus"})  # u alone changes its sign with y
    folded, whole = both(relu)
    nodes = [len(path.at().arrays["p"]["h1"]) for path in (folded, whole)]
    assert nodes[1] == 64
    assert nodes[0] == sum(fixed(motion, range(4)) for motion in motions) / len(motions)
    assert np.isclose(folded.at().arrays["p"]["h1"].sum(), 1, rtol=1e-14)


@pytest.mark.parametrize(
    ("name", "nodes", "data_nodes"), [("xor", 1000, 1024), ("corners", 1000, 256), ("squares", 1000, 512)]
)
def test_work_is_saved(name, nodes, data_nodes):
    """Operations of a step fall as nodes, samples and motions say: |X| |C| / (|X/G| |C/G| |G|).

    Signs of y and the copies of x come on top, less than 30 % of what there is for each sample and neuron.
    """
    document, images = CASES[name]
    network = mf.load(document)
    work, sizes = [], []
    for found in (reduced(document), mf.reduce(mf.derive(network))):
        plans = plan_ensembles(found.system, nodes)
        state = found.fold(ensemble_state(found.system, plans, 0))
        own = {axis: len(weights) for axis, weights in state["p"].items()}
        samples = make_feed(network, found, "quadrature", data_nodes).samples
        work.append(cost(found.system, own).work * samples)
        sizes.append(samples * own["h1"])
    saved = work[1] / work[0]
    assert saved > max(sizes[1] / (sizes[0] * images) / 1.3, 5)


def test_the_log_says_what_was_found_and_what_it_saves():
    found = reduced(spec({**XOR, "target": "x1**2 + 2 * x2**2"}, {"bias": "0.3"}, second(), FREE))
    texts = [entry.text for entry in found.log if entry.pass_name == "orbits"]
    assert texts[0] == (
        "x -> (-x1, x2), x -> (x1, -x2) and x -> (-x1, -x2) change nothing in the law of the data and the "
        "limit, together with h1.weight: a neuron of h1 stands for its 4 images, and so does a sample, "
        "which leaves 64 "
        "of 256 nodes of h1, and as small a part of symmetric rules for the data"
    )
    assert " before, " in texts[1]


# ---------------------------------------------------------------------------------------- motions


def test_groups_are_closed_and_moved_samples_are_folded_alike():
    """All products are there; one stands for a sample and its images, with the y that belongs to it."""
    swap, flip = SignedPermutation((1, 0, 2), (1, 1, 1)), SignedPermutation((0, 1, 2), (1, 1, -1), -1)
    turn = SignedPermutation((1, 2, 0), (1, 1, 1))
    group = generated([swap, flip, turn], 3, 64)
    assert len(group) == 48 and {a.after(b) for a in group for b in group} == set(group)
    assert len(generated([swap, flip, turn], 3, 12)) == 4  # turns would make it too large
    classes = [
        SignedPermutation((1, 0, 2), (1, 1, 1), 1, (1, 0, 2)),
        SignedPermutation((1, 2, 0), (1, 1, 1), 1, (1, 2, 0)),
    ]
    moved = generated(classes, 3, 64)
    assert len(moved) == 6 and {a.after(b) for a in moved for b in moved} == set(moved)
    assert all(m.columns == (m.places if m.moves else ()) for m in moved)
    x = np.random.default_rng(0).standard_normal((20, 3))
    for motion in moved:  # the classes of the largest entries move with them
        own, label = OrbitFold(moved)(motion(x), motion.of_target(np.eye(3)[x.argmax(axis=1)]))
        assert np.array_equal(label, np.eye(3)[own.argmax(axis=1)])
    y = np.prod(np.sign(x), axis=1, keepdims=True)
    fold = OrbitFold(group)
    first, label = fold(x, y)
    for motion in group:
        assert np.allclose(motion(x[0]), SignedPermutation((0, 1, 2), (1, 1, 1))(motion(x))[0])
        moved, own = fold(motion(x), motion.target * y)
        assert np.array_equal(moved, first) and np.array_equal(own, label)


# ---------------------------------------------------------------------------------------- there and back


def test_predictions_and_networks_live_in_all_coordinates(tmp_path):
    """predict turns with x and y, a drawn network has neurons of all orbits, and predicts alike.

    Its outputs at width 4000 differ by Monte Carlo: five standard errors of eight networks.
    """
    network = mf.load(spec())
    path = mf.solve(network, 3.0, method="flow", data="quadrature", nodes=216)
    assert path.passes[-1] == "orbits" and len(path.at().arrays["p"]["h1"]) < 100
    x = np.random.default_rng(0).uniform(-1, 1, (6, 2))
    (found,) = findings(spec())
    for motion in found.facts["motions"]:
        assert np.allclose(path.predict(motion(x)), motion.target * path.predict(x), rtol=0, atol=1e-13)
    outputs = []
    for seed in range(8):
        state = path.sample(4000, seed=seed)
        w, u = state["h1.weight"], state["output.weight"]
        assert np.abs(w.mean(axis=0)).max() < 5 / np.sqrt(4000) * w.std()
        outputs.append(np.tanh(x @ w.T + state["h1.bias"]) @ u.T / 4000 + state["output.bias"])
    error = np.std(outputs, axis=0, ddof=1) / np.sqrt(8)
    assert (np.abs(np.mean(outputs, axis=0) - path.predict(x)) < 6 * error).all()
    assert np.abs(path.predict(x)).max() > 20 * error.max()
    path.save(tmp_path / "path.npz")
    assert np.array_equal(mf.Trajectory.load(tmp_path / "path.npz").predict(x), path.predict(x))
    further = mf.solve(network, 1.5, method="flow", data="quadrature", initial=path.at(1.0))
    assert further.passes == path.passes
    with pytest.raises(mf.StateError, match="all of their images"):
        path.reduced.restrict(path.sample(10))
    with pytest.raises(mf.ArgumentError, match="shape"):
        path.predict(np.zeros((2, 3)))


def test_classes_that_change_places_live_in_all_coordinates(tmp_path):
    """Moved samples have the outputs of moved classes; drawn networks predict alike (6 standard errors)."""
    document, images = CASES["three classes"]
    network = mf.load(document)
    path = mf.solve(network, 8.0, method="flow", data="quadrature", nodes=216)
    (found,) = findings(document)
    assert path.passes[-1] == "orbits" and len(found.facts["motions"]) == images
    x = np.random.default_rng(0).uniform(-1, 1, (6, 3))
    yhat = path.predict(x)
    assert np.ptp(yhat, axis=1).max() > 0.1
    for motion in found.facts["motions"]:
        assert np.allclose(path.predict(motion(x)), motion.of_target(yhat), rtol=0, atol=1e-13)
    outputs = []
    for seed in range(8):
        state = path.sample(4000, seed=seed)
        w, u = state["h1.weight"], state["output.weight"]
        outputs.append(np.tanh(x @ w.T + state["h1.bias"]) @ u.T / 4000 + state["output.bias"])
    error = np.std(outputs, axis=0, ddof=1) / np.sqrt(8)
    assert (np.abs(np.mean(outputs, axis=0) - yhat) < 6 * error).all()
    path.save(tmp_path / "path.npz")
    assert np.array_equal(mf.Trajectory.load(tmp_path / "path.npz").predict(x), yhat)
    texts = [entry.text for entry in path.reduced.log if entry.pass_name == "orbits"]
    assert "x -> (x2, x1, x3) with y -> (y2, y1, y3)" in texts[0]


def test_steps_of_classes_that_change_places():
    """SGD on nodes of the law, by Euler and in strides, is that of all neurons."""
    network = mf.load(CASES["two classes"][0])
    options = {"data": "quadrature", "data_nodes": 36, "nodes": 64, "evaluation": 50, "stated_error": False}
    for method, allowed in (("euler", 1e-13), ("strides", 1e-3)):
        folded = mf.solve(network, method=method, **options)
        whole = mf.solve(network, method="euler", symmetry=False, **options)
        assert folded.passes[-1] == "orbits" and np.abs(folded.loss - whole.loss).max() < allowed


@pytest.mark.parametrize("name", ["xor", "two targets", "three classes", "beside a second layer"])
def test_equations_of_orbits_are_written(name):
    """As text, LaTeX and MathML: images of x have subscripts of their own beside those of their entries."""
    found = reduced(CASES[name][0])
    assert "x₁_{g," in str(found) and "<math" in found._repr_html_()
    assert "{x_{1}}_{g," in latex(found.system)


def test_plain_arrays_of_one_neuron_of_each_orbit_are_not_taken_for_all():
    """They have a whole network's names and shapes: refused by weights, unless one says what they are."""
    network = mf.load(spec())
    path = mf.solve(network, method="flow", stated_error=False)
    arrays, options = path.at().arrays, {"method": "flow", "horizon": 0.01, "stated_error": False}
    with pytest.raises(mf.StateError, match=r"unequal weights.*initial=path\.at\(t\).*system=path\.reduced"):
        mf.solve(network, initial=arrays, **options)
    for told in ({"initial": path.at()}, {"initial": arrays, "system": path.reduced}):
        np.testing.assert_allclose(mf.solve(network, **told, **options).loss[0], path.loss[-1], rtol=1e-12)
    assert mf.solve(network, initial=arrays, system=mf.derive(network), **options).passes == ()


def test_unequal_weights_elsewhere_are_no_orbits():
    """Nodes of a layer without orbits may weigh what they want: the state is that of all neurons."""
    network = mf.load(spec(layers=second(), output={**OUT, "from": "h2"}))
    state = mf.generate(mf.derive(network)).sample(widths=6, seed=0)
    state["p"]["h2"] = np.arange(1.0, 7.0) / 21
    path = mf.solve(network, method="flow", horizon=0.01, stated_error=False, initial=state)
    assert path.passes == () and findings(spec(layers=second(), output={**OUT, "from": "h2"}))


def test_kinks_beside_all_nodes():
    """To rounding, as for smooth functions: a bias keeps pre-activations off the kink."""
    data = {"kind": "teacher", "dimension": 2, "target": "-1*x1**2 - x2**2", "inputs": "uniform(-1, 1)"}
    first = {"weight": "normal(0, 1)", "activation": "relu", "bias": "0.1234"}
    network = mf.load(spec(data, first, output={"from": "h1", "weight": "normal(1, 0.1)"}))
    options = {"method": "rk4", "step": 0.25, "data": "quadrature", "data_nodes": 64, "nodes": 64}
    found, whole = (
        mf.solve(network, 1.0, symmetry=symmetry, stated_error=False, **options) for symmetry in (True, False)
    )
    x = np.random.default_rng(0).uniform(-1, 1, (5, 2))
    assert found.passes[-1] == "orbits"
    np.testing.assert_allclose(found.predict(x), whole.predict(x), rtol=0, atol=1e-13)

"""Channels of x that change places and signs: found, exact against all images, refused for positions."""

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.data_law import Invariance, Motion, TargetMotion
from mfderive.algebra.findings import FindingKind
from mfderive.algebra.signed_permutations import SignedPermutation, generated, motions_of
from mfderive.analysis.orbits import OrbitBreak
from mfderive.notation.document import latex
from mfderive.samples.orbit_images import OrbitFold
from mfderive.solution.feed import make_feed
from tests.reduction.specs import layer
from tests.reduction.test_orbits import ADAM, MOMENTUM, OUT, both, findings, reduced, spec

# Two channels at two positions: x1, x2 and x3, x4.
PRODUCT = {
    "kind": "teacher",
    "dimension": 4,
    "shape": [2, 2],
    "target": "x1*x3 + 2*x2*x4",
    "inputs": "uniform(-1, 1)",
}
PLACES = {**PRODUCT, "inputs": "uniform(0, 1)", "target": "x1 + x2**2 + x3 + x4**2"}
DEEP = {**PRODUCT, "dimension": 6, "shape": [2, 3], "target": "x1*x4 + x2*x5 + 2*x3*x6"}
MEANS = {
    "kind": "gaussian-mixture",
    "shape": [2, 2],
    "means": [[1, 0.5, 0, 0], [0, 0, 1, 0.5]],
    "deviations": [0.4] * 2,
    "labels": [0, 1],
}
ONE = {**OUT, "weight": "1"}
POOL = {"name": "p1", "from": "h1", "kind": "average-pool", "window": "all"}
# Numbers of two values each, for four others are too many for Gauss nodes.
TAPS = {"kernel": [2], "weight": "rademacher(0.7)"}


def images(data=PRODUCT, first=None, layers=(), output=ONE, loss="squared", **training):
    """A spec whose first layer is a convolution, with one tap and a bias unless said."""
    own = {"kind": "convolution", "kernel": [1], "bias": "0.3", **(first or {})}
    return spec(data, own, layers, output, loss, **training)


def behind(source, **keys):
    """An output with random weights that reads a layer."""
    return {**OUT, "from": source, **keys}


CASES = {
    "one tap": (images(), 4),
    "pooled": (images(layers=[POOL], output=behind("p1")), 8),
    "two taps": (images(first=TAPS), 4),
    "two taps at two positions": (images(DEEP, TAPS, output=behind("h1")), 8),
    "places alone": (images(PLACES), 2),
    "weights that are not centred": (images(first={"weight": "normal(0.4, 1)"}), 2),
    "zeros beside": (images(first={**TAPS, "padding": "same"}, output=behind("h1")), 8),
    "circular": (images(first={**TAPS, "padding": "circular"}, **MOMENTUM), 4),
    "strides": (images(DEEP, {"stride": [2]}, **ADAM), 4),
    "the largest position": (
        images(
            {**MEANS, "labels": [1, 1]},
            layers=[{**POOL, "kind": "max-pool", "activation": "tanh"}],
            output=behind("p1"),
        ),
        2,
    ),
    "two axes of positions": (
        images({**DEEP, "shape": [2, 1, 3], "noise": 0.1}, {**TAPS, "kernel": [1, 2]}),
        4,
    ),
    "two convolutions": (
        images(
            layers=[layer("h2", "h1", "normal(1, 0.5)", kind="convolution", kernel=[2], bias="0.1")],
            output=behind("h2"),
        ),
        4,
    ),
    "turned round": (
        images(first={**TAPS, "kind": "transposed-convolution"}, layers=[POOL], output=behind("p1")),
        8,
    ),
    "statistics over positions": (
        images(PLACES, {"activation": "tanh(h - mean(h, positions) + 0.2)", "bias": None}),
        2,
    ),
    "rotations": (
        images({"kind": "isotropic-gaussians", "dimension": 4, "shape": [2, 2], "separation": 0.4}),
        8,
    ),
    "attention": (
        images(
            layers=[
                layer("asked", "h1", "normal(0.5, 2)", kind="convolution", kernel=[1]),
                layer("answers", "h1", "normal(0.5, 2)", kind="convolution", kernel=[1], neurons="asked"),
                {
                    "name": "mixed",
                    "neurons": "h1",
                    "activation": "tanh",
                    "connections": [
                        {"from": "h1", "kind": "dot-attention", "queries": "asked", "keys": "answers"},
                        {"from": "h1", "kind": "skip"},
                    ],
                },
            ],
            output=behind("mixed", weight="1"),
        ),
        4,
    ),
    "three channels": (
        images({**PLACES, "dimension": 6, "shape": [3, 2], "target": "x1*x2 + x3*x4 + x5*x6"}, **ADAM),
        6,
    ),
    "channels of one target that changes its sign": (
        images(
            {**PLACES, "target": "x1*x2 - x3*x4"}, layers=[POOL], output=behind("p1", weight="normal(0, 1)")
        ),
        2,
    ),
    "classes": (images(MEANS, output={**ONE, "outputs": 2}, loss="cross-entropy"), 2),
    "two targets": (images({**PRODUCT, "target": ["x1 + x2**2", "x3 + x4**2"]}, **MOMENTUM), 2),
    "a head": (
        {
            **images(PLACES, layers=[{"name": "guess", "from": "h1", "size": 1, "weight": "0.5"}]),
            "losses": [{"from": "guess", "kind": "squared", "weight": 0.5}],
        },
        2,
    ),
    "a dense connection beside": (
        images(
            PRODUCT,
            {
                "from": None,
                "kind": None,
                "kernel": None,
                "weight": None,
                "connections": [
                    {"from": "x", "weight": "rademacher(0.7)", "kind": "convolution", "kernel": [1]},
                    {"from": "x", "weight": "rademacher(0.5)"},
                ],
            },
        ),
        4,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_of_each_orbit_does_what_all_do(name):
    """Gauss nodes have all their images among them, so both solutions are one but for rounding."""
    document, count = CASES[name]
    (found,) = findings(document)
    assert len(found.facts["motions"]) == count and found.facts["positions"] > 1
    shape = mf.load(document).input_shape
    folded, whole = both(document, data_nodes=2 ** int(np.prod(shape)), nodes=64, horizon=0.3)
    assert np.abs(folded.loss - whole.loss).max() < 1e-12 * whole.loss.max()
    x = np.random.default_rng(1).uniform(-1, 1, (6, *shape))
    assert np.allclose(folded.predict(x), whole.predict(x), rtol=0, atol=1e-11)
    assert np.abs(np.diff(whole.loss)).max() > 1e-4, "nothing moved"
    nodes = [len(path.at().arrays["p"]["h1"]) for path in (folded, whole)]
    assert nodes[0] < nodes[1]


REFUSED = {
    "positions alone": (
        images({**PLACES, "target": "x1 + x2 + 2*x3 + 3*x4"}),
        OrbitBreak.CHANNELS,
    ),
    "signs at one position alone": (
        images({**PRODUCT, "target": "x1 + x2 + 2*x3 + x4**2"}),
        OrbitBreak.CHANNELS,
    ),
    "channels in groups": (images(first={"groups": 2}), OrbitBreak.PLACE),
    "a layer beside": (
        images(
            layers=[
                {
                    "name": "h2",
                    "activation": "tanh",
                    "connections": [{"from": "h1", "weight": "normal(1, 0.5)"}, {"from": "x", "weight": "1"}],
                }
            ],
            output=behind("h2"),
        ),
        OrbitBreak.POPULATIONS,
    ),
    "a law that reads a channel": (
        images(
            first={"weight": {"law": "normal(0, 1)", "name": "v"}},
            layers=[layer("h2", "h1", "normal(source.v[0, 0], 1)")],
            output=behind("h2"),
        ),
        OrbitBreak.READ,
    ),
    "many taps": (images(first={"kernel": [2]}), OrbitBreak.SAMPLED),
    "fresh noise": (images(noise=0.1), OrbitBreak.NOISE),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_only_looks_invariant_stays_as_it_is(name):
    """The law of the data has motions, and none that are made use of; the log says why."""
    document, reason = REFUSED[name]
    found = reduced(document)
    (finding,) = [f for f in found.findings if f.kind == FindingKind.NO_ORBITS]
    assert finding.facts["reason"] == reason and "orbits" not in found.system.passes
    (text,) = (e.text for e in found.log if e.pass_name == "orbits" and "signs or places" in e.text)
    assert ("no whole channel of x" in text) == (reason is OrbitBreak.CHANNELS)


@pytest.mark.parametrize(
    "data",
    [
        {**PLACES, "target": "x1 + 2*x2 + 3*x3 + 4*x4"},
        {**MEANS, "means": [[1, 0.5, 0.2, 0], [0, 0.3, 2, 1]]},
        {**MEANS, "labels": [1, 3]},
    ],
)
def test_laws_that_prefer_a_channel_are_left_alone(data):
    """A target that tells channels apart, channels of other laws, labels that are no classes: no motion."""
    assert not findings(images(data))


# ---------------------------------------------------------------------------------------- motions


def test_channels_of_large_images_are_asked_for_as_such():
    """All places of 3 channels of 8 x 8 numbers, whose exchanges one by one make 192! products."""
    names = np.array([f"x{k + 1}" for k in range(192)]).reshape(3, 64)
    target = " + ".join(f"{a}*{b}*{c}" for a, b, c in names.T)
    data = {**PRODUCT, "dimension": 192, "shape": [3, 8, 8], "target": target, "inputs": "uniform(0, 1)"}
    law = mf.derive(mf.load(images(data, {"kernel": [2, 2]}))).data_law
    group = generated([m for each in law.invariances for m in motions_of(each, 192, 64)], 3, 64)
    assert len(group) == 6 and not any(m.flips for m in group)
    x = np.random.default_rng(0).uniform(size=(4, 192))
    for motion in group:
        moved = motion.of_blocks(64)(x).reshape(4, 3, 64)
        assert np.array_equal(moved, x.reshape(4, 3, 64)[:, motion.places])


def test_motions_of_coordinates_and_of_blocks():
    """What keeps blocks whole is found, with its y; what moves parts of blocks is left out."""
    swap = Invariance(Motion.EXCHANGE, (0, 1, 4, 5))
    (motion,) = motions_of(swap, 6, 2)
    assert motion == SignedPermutation((2, 1, 0), (1, 1, 1)) and motion.of_blocks(2).by_blocks(2) == motion
    assert motion.of_blocks(2) == motions_of(swap, 6)[0]
    for part in ((0, 1, 5, 4), (0, 4), (1, 2)):
        assert not motions_of(Invariance(Motion.EXCHANGE, part), 6, 2)
    assert not motions_of(Invariance(Motion.REFLECTION, (0, 1, 2)), 6, 2)
    (flip,) = motions_of(Invariance(Motion.REFLECTION, (2, 3), TargetMotion.NEGATED), 6, 2)
    assert flip == SignedPermutation((0, 1, 2), (1, -1, 1), -1)
    turns = motions_of(Invariance(Motion.ROTATION, (0, 1, 3, 4, 5)), 6, 2)  # the block (2, 3) is no whole one
    assert {m.places for m in turns} == {(0, 1, 2), (2, 1, 0)}
    signs = motions_of(Invariance(Motion.SIGNS, tuple(range(6))), 6, 2)
    assert [m.signs for m in signs] == [(-1, 1, 1), (1, -1, 1), (1, 1, -1)]
    odd = Invariance(Motion.SIGNS, tuple(range(6)), TargetMotion.NEGATED)
    assert [{m.target for m in motions_of(odd, 6, size)} for size in (1, 2, 3)] == [{-1}, {1}, {-1}]
    group = generated([*turns, *signs], 3, 64)
    x = np.random.default_rng(0).standard_normal((5, 3, 2))
    fold = OrbitFold(tuple(m.of_blocks(2) for m in group))
    first, y = fold(x, np.ones((5, 1)))
    assert first.shape == x.shape and np.array_equal(y, np.ones((5, 1)))
    for m in group:
        moved = np.moveaxis(m(np.moveaxis(x, 1, -1)), -1, 1)
        assert np.array_equal(fold(moved, y)[0], first)


def test_the_log_says_that_channels_move():
    found = reduced(images(PLACES))
    texts = [entry.text for entry in found.log if entry.pass_name == "orbits"]
    assert texts[0].startswith(
        "x -> (channel 2, channel 1) changes nothing in the law of the data and the limit, together with "
        "h1.weight: a neuron of h1 stands for its 2 images"
    )
    data = {**PLACES, "dimension": 6, "shape": [3, 2], "inputs": "normal(0, 1)"}
    data["target"] = " + ".join(f"x{k}**4 + x{k + 1}**2" for k in (1, 3, 5))
    (text, *_) = (e.text for e in reduced(images(data)).log if e.pass_name == "orbits")
    assert text.startswith("48 motions of x (8 by signs alone, 6 orders of its channels)")


def test_fewer_samples_and_neurons_are_met():
    """Burnside: of 4^4 samples at the Gauss nodes of four numbers, (256 + 16 + 0 + 16) / 4 orbits are left.

    Channels that change places leave the 16 whose channels are alike, with both signs changed those whose
    channels are opposite; both signs alone leave none, for no node is 0. So do the nodes of two taps.
    """
    document = images()
    network = mf.load(document)
    assert make_feed(network, reduced(document), "quadrature", 256).samples == 72
    folded, whole = both(document, data_nodes=256, nodes=64)
    nodes = [len(path.at().arrays["p"]["h1"]) for path in (folded, whole)]
    assert nodes == [(64 + 8 + 0 + 8) / 4, 64]


@pytest.mark.parametrize("name", ["pooled", "two axes of positions", "classes"])
def test_equations_of_channels_are_written(name):
    found = reduced(CASES[name][0])
    assert "x₁_{g," in str(found) and "<math" in found._repr_html_()
    assert "{x_{1}}_{g," in latex(found.system)


# ---------------------------------------------------------------------------------------- there and back


def test_predictions_and_networks_live_in_all_channels(tmp_path):
    """predict turns with the channels of x, a drawn network has neurons of all orbits, and predicts alike.

    Its outputs at width 4000 differ by Monte Carlo: six standard errors of eight networks.
    """
    document = images({**PRODUCT, "target": "3*x1*x3 + 3*x2*x4"}, layers=[POOL], output=behind("p1"))
    network = mf.load(document)
    options = {"method": "rk4", "step": 0.5, "data": "quadrature", "data_nodes": 81, "stated_error": False}
    path = mf.solve(network, 6.0, nodes=64, evaluation=50, **options)
    assert path.passes[-1] == "orbits" and len(path.at().arrays["p"]["h1"]) < 40
    x = np.random.default_rng(0).uniform(-1, 1, (6, 2, 2))
    yhat = path.predict(x)
    (found,) = findings(document)
    for motion in found.facts["motions"]:
        moved = x[:, list(motion.places)] * np.array(motion.signs)[:, None]
        assert np.allclose(path.predict(moved), motion.target * yhat, rtol=0, atol=1e-13)
    outputs = []
    for seed in range(8):
        state = path.sample(4000, seed=seed)
        w, u, b = state["h1.weight"][..., 0], state["output.weight"], state["h1.bias"]
        assert np.abs(w.mean(axis=0)).max() < 5 / np.sqrt(4000) * w.std()
        hidden = np.tanh(np.einsum("scp,nc->spn", x, w) + b).mean(axis=1)
        outputs.append(hidden @ u.T / 4000 + state["output.bias"])
    error = np.std(outputs, axis=0, ddof=1) / np.sqrt(8)
    assert (np.abs(np.mean(outputs, axis=0) - yhat) < 6 * error).all()
    path.save(tmp_path / "path.npz")
    assert np.array_equal(mf.Trajectory.load(tmp_path / "path.npz").predict(x), yhat)
    further = mf.solve(network, 1.0, initial=path.at(1.0), evaluation=50, **options)
    assert further.passes == path.passes
    assert np.allclose(further.predict(x), path.predict(x, 2.0), rtol=0, atol=1e-12)
    with pytest.raises(mf.StateError, match="all of their images"):
        path.reduced.restrict(path.sample(10))
    with pytest.raises(mf.ArgumentError, match="shape"):
        path.predict(np.zeros((3, 4)))

"""Batches and evaluation samples: pure functions of (seed, k), with the laws that the spec states."""

from __future__ import annotations

import numpy as np
import pytest

import mfderive as mf
from mfderive.errors import DataError, ResourceError, SpecError
from mfderive.samples.resolve import resolve
from mfderive.samples.sources import BATCH, generator

from .networks import network

GAUSSIANS = {"dimension": 32, "separation": 0.4}
MIXTURE = {"means": [[0.0, 1.0], [2.0, -1.0]], "deviations": [0.5, 1.5], "weights": [1.0, 3.0]}


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1, 2**32, 2**70 + 3])
def test_generators_are_numpys(seed):
    """Seeds of one word and of several: bit for bit what ``default_rng`` gives for the list."""
    for k in (1, 2**32 - 1, 2**32 + 5):
        expected = np.random.default_rng([seed, BATCH, k])
        assert np.array_equal(generator(seed, BATCH, k).standard_normal(5), expected.standard_normal(5))


def test_isotropic_gaussians_have_their_moments():
    """20,000 samples, each statistic within 5 standard errors.

    Odds: sqrt(1/4n); a class's mean square relative to (1 + 0.4 y)^2: sqrt(2/(m d)); its mean: its deviation
    over sqrt(m d).
    """
    source = resolve(network("isotropic-gaussians", **GAUSSIANS)).source
    x, y = source.batch(1, 20_000)
    assert x.shape == (20_000, 32)
    assert y.shape == (20_000, 1)
    assert x.dtype == y.dtype == np.float64
    assert set(np.unique(y)) == {-1.0, 1.0}
    assert abs(np.mean(y == 1) - 0.5) < 5 * np.sqrt(0.25 / 20_000)
    for sign in (-1.0, 1.0):
        part = x[y[:, 0] == sign]
        assert abs(np.mean(part**2) / (1 + 0.4 * sign) ** 2 - 1) < 5 * np.sqrt(2 / part.size)
        assert abs(part.mean()) < 5 * (1 + 0.4 * sign) / np.sqrt(part.size)


def test_mixture_has_its_moments():
    """Odds 1:3; per component mean and deviation within 5 standard errors."""
    net = resolve(network("gaussian-mixture", **MIXTURE, labels=[[1.0, 5.0], [-1.0, 7.0]]))
    x, y = net.source.batch(3, 40_000)
    assert net.outputs == 2
    first = y[:, 0] == 1
    assert np.array_equal(np.unique(y[first], axis=0), [[1.0, 5.0]])
    assert abs(first.mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 40_000)
    for rows, mean, deviation in ((first, [0, 1], 0.5), (~first, [2, -1], 1.5)):
        part = x[rows]
        assert np.all(np.abs(part.mean(axis=0) - mean) < 5 * deviation / np.sqrt(len(part)))
        assert np.all(np.abs(part.std(axis=0) / deviation - 1) < 5 / np.sqrt(2 * len(part)))


def test_teacher_computes_its_targets():
    options = {"dimension": 3, "inputs": "uniform(-1, 1)", "target": ["x1 * x3", "tanh(x2)", "2"]}
    x, y = resolve(network("teacher", **options)).source.batch(1, 500)
    assert np.abs(x).max() <= 1
    assert np.allclose(
        y, np.stack([x[:, 0] * x[:, 2], np.tanh(x[:, 1]), np.full(500, 2.0)], axis=1), rtol=1e-15
    )


def test_teacher_noise_is_added_to_the_same_inputs():
    """2,000 residuals of deviation 0.3: within 5/sqrt(2n)."""
    clean = resolve(network("teacher", dimension=2, target="x1 + x2")).source.batch(1, 2000)
    noisy = resolve(network("teacher", dimension=2, target="x1 + x2", noise=0.3)).source.batch(1, 2000)
    assert np.array_equal(clean[0], noisy[0])
    assert abs((noisy[1] - clean[1]).std() / 0.3 - 1) < 5 / np.sqrt(4000)


def test_inputs_on_a_sphere():
    x, _ = resolve(network("teacher", dimension=4, inputs="sphere(2)", target="x1")).source.batch(1, 50)
    assert np.allclose((x**2).sum(axis=1), 4, rtol=1e-14)


@pytest.mark.parametrize(
    "net",
    [
        network("isotropic-gaussians", **GAUSSIANS),
        network("isotropic-gaussians", **GAUSSIANS, samples=60, test=0.25),
        network("digits", "cross-entropy", test=100),
    ],
)
def test_batches_are_functions_of_seed_and_number(net):
    first, again, other = (
        resolve(net, seed=4).source,
        resolve(net, seed=4).source,
        resolve(net, seed=5).source,
    )
    first.batch(1, 7)  # what was asked before changes nothing
    for ours, theirs in zip(first.batch(9, 7), again.batch(9, 7), strict=True):
        assert np.array_equal(ours, theirs)
    assert not np.array_equal(first.batch(9, 7)[0], first.batch(10, 7)[0])
    assert not np.array_equal(first.batch(9, 7)[0], other.batch(9, 7)[0])
    assert np.array_equal(first.evaluation(20)[0], again.evaluation(20)[0])
    assert not np.array_equal(first.evaluation(20)[0], other.evaluation(20)[0])
    assert not np.array_equal(first.evaluation(7)[0], first.batch(1, 7)[0])


def test_the_data_seed_of_the_spec_is_the_default():
    from dataclasses import replace

    net = replace(network("isotropic-gaussians", **GAUSSIANS), solver=(("data_seed", 4),))
    assert resolve(net).source.seed == 4
    assert resolve(net, seed=2).source.seed == 2


def test_a_fixed_sample_is_its_empirical_law():
    source = resolve(network("isotropic-gaussians", **GAUSSIANS, samples=50)).source
    x, y = source.batch(1, "all")
    assert source.rows == 50
    assert x.shape == (50, 32)
    rows = {row.tobytes() for row in x}
    assert {row.tobytes() for row in source.batch(3, 400)[0]} <= rows
    assert np.array_equal(source.evaluation(1000)[0], x)
    assert {row.tobytes() for row in source.evaluation(10)[0]} <= rows
    assert len(source.evaluation(10)[0]) == 10
    with pytest.raises(ValueError, match="read-only"):
        y[0] = 3


def test_held_out_rows_are_never_trained_on():
    net = resolve(network("digits", "cross-entropy", test=0.2, samples=900))
    source = net.source
    assert source.rows == 900
    test, _ = source.evaluation(10**6)
    assert len(test) == round(0.2 * 1797)
    train, _ = source.evaluation(10**6, split="train")
    assert np.array_equal(train, source.batch(1, "all")[0])
    both = {row.tobytes() for row in test} & {row.tobytes() for row in train}
    images = resolve(network("digits", "cross-entropy")).source.x
    assert len(both) <= len(images) - len({row.tobytes() for row in images})  # equal images only


def test_fractions_count_all_rows_for_laws_too():
    source = resolve(network("isotropic-gaussians", **GAUSSIANS, samples=80, test=0.2)).source
    assert source.rows == 80
    assert len(source.evaluation(10**6)[0]) == 20


def test_digits_are_shaped_rescaled_and_written_out():
    net = resolve(network("digits", "cross-entropy", shape=[1, 8, 8], range=[-1.0, 1.0]))
    assert net.input_shape == (1, 8, 8)
    assert net.outputs == 10
    assert net.loss.error == "argmax"
    x, y = net.source.batch(1, "all")
    plain, _ = resolve(network("digits", "cross-entropy")).source.batch(1, "all")
    assert np.array_equal(x, plain.reshape(-1, 1, 8, 8) / 8 - 1)
    assert np.array_equal(y.sum(axis=1), np.ones(1797))
    assert y[:10].argmax(axis=1).tolist() == list(range(10))


def test_targets_follow_the_loss():
    assert set(np.unique(resolve(network("digits", "logistic")).source.y)) == {-1.0, 1.0}
    assert set(np.unique(resolve(network("digits", "squared")).source.y)) == {0.0, 1.0}
    assert resolve(network("digits", "squared", outputs=1)).source.y.max() == 9


def test_an_autoencoder_has_its_flat_input_for_a_target():
    net = resolve(network("digits", y="x", shape=[1, 8, 8], range=[0.0, 1.0]))
    x, y = net.source.batch(1, 5)
    assert net.outputs == 64
    assert np.array_equal(y, x.reshape(5, 64))
    assert net.loss.error is None


def test_the_error_follows_loss_and_data_unless_it_is_stated():
    from dataclasses import replace

    assert resolve(network("isotropic-gaussians", **GAUSSIANS)).loss.error == "sign"
    assert resolve(network("teacher", dimension=1, target="x1")).loss.error is None
    assert resolve(network("digits")).loss.error == "argmax"
    silent = replace(network("digits"), document={"loss": {"kind": "squared", "error": "none"}})
    assert resolve(silent).loss.error is None


def test_given_arrays_take_the_place_of_files():
    x, y = np.arange(12.0).reshape(6, 2), [0, 2, 1, 0, 2, 1]
    net = resolve(network("arrays", "cross-entropy"), data=(x, y))
    assert (net.input_shape, net.outputs) == ((2,), 3)
    assert np.array_equal(net.source.batch(1, "all")[0], x)
    x[0] = 99  # the caller's array stays the caller's
    assert net.source.batch(1, "all")[0][0, 0] == 0
    net = resolve(network("arrays", range=[0.0, 1.0], y="x"), data=(x[:, 0], None))
    assert net.input_shape == (1,)
    assert net.source.y.max() == 1.0


@pytest.mark.parametrize(
    ("net", "data", "message"),
    [
        (network("arrays"), (np.ones((3, 2)), np.ones(4)), "3 rows of x, but 4 of y"),
        (network("arrays"), (np.ones((0, 2)), np.ones(0)), "no rows"),
        (network("arrays"), (np.array([[1.0], [np.nan]]), np.ones(2)), r"x is nan at \[1, 0\]"),
        (network("arrays"), (np.array([["a"]]), np.ones(1)), "real numbers"),
        (network("arrays"), ([[1.0, 2.0], [3.0]], np.ones(2)), "rows of unequal length"),
        (
            network("arrays", "cross-entropy", 3),
            (np.ones((3, 2)), [0, 1, 3]),
            "label of row 2 is 3.*outputs - 1 = 2",
        ),
        (network("arrays", "cross-entropy"), (np.ones((3, 2)), [0, 1, 0.5]), "whole numbers"),
        (network("arrays", "cross-entropy"), (np.ones((1, 2)), [[0.5, 0.6]]), "sum to 1"),
        (network("arrays", "logistic"), (np.ones((3, 2)), [0, 1, 1]), r"\+1 or -1"),
        (network("arrays", shape=[3, 3]), (np.ones((3, 8)), np.ones(3)), "shape.*must be 8"),
        (network("arrays", range=[0.0, 1.0]), (np.ones((3, 8)), np.ones(3)), "every entry of x is 1"),
        (network("arrays", samples=9), (np.ones((8, 8)), np.ones(8)), "At most 8"),
        (network("arrays"), None, "no data"),
        (network("digits", test=1797), None, "no training rows"),
        (network("isotropic-gaussians", test=0.1, **GAUSSIANS), None, "fixed sample"),
        (
            network("isotropic-gaussians", "cross-entropy", 2, **GAUSSIANS),
            None,
            "output, key .outputs.: the label -1 was drawn",
        ),
        (network("gaussian-mixture", labels=[1.0], **MIXTURE), None, "1 entries for 2 components"),
        (network("teacher", dimension=2, target="log(x1)"), None, "target 0 is nan"),
    ],
)
def test_bad_data_is_one_clear_error(net, data, message):
    with pytest.raises(DataError, match=message) as caught:
        resolve(net, data=data)
    assert str(caught.value).startswith(("data", "output, key 'outputs'"))


def test_outputs_must_agree():
    with pytest.raises(SpecError, match="outputs = 3, but the data has 1"):
        resolve(network("isotropic-gaussians", outputs=3, **GAUSSIANS))


def test_all_rows_of_a_law_are_refused_at_once():
    from dataclasses import replace

    net = network("isotropic-gaussians", **GAUSSIANS)
    with pytest.raises(DataError, match=r"^some.toml, training.*batch_size.*samples = n"):
        resolve(replace(net, file="some.toml", training=replace(net.training, batch_size="all")))


@pytest.mark.parametrize("dimension", [10**8, 10**18])
@pytest.mark.parametrize("kind", [{"separation": 0.1}, {"target": "x1"}])
def test_inputs_larger_than_memory_are_refused(kind, dimension):
    name = "teacher" if "target" in kind else "isotropic-gaussians"
    with pytest.raises(ResourceError, match=f"dimension {dimension} .*GB"):
        resolve(network(name, dimension=dimension, **kind))


def test_labels_that_stand_for_more_classes_than_memory_holds():
    with pytest.raises(ResourceError, match=r"200000 classes .*GB"):
        resolve(network("arrays", "cross-entropy"), data=(np.ones((200_000, 1)), np.arange(200_000)))


def test_a_sample_larger_than_memory_is_refused():
    with pytest.raises(ResourceError, match=r"GB.*fewer samples"):
        resolve(network("isotropic-gaussians", dimension=10**6, separation=0.1, samples=10**7))


def test_fewer_samples_than_components_of_inputs_that_are_their_own_targets() -> None:
    """Components of which no sample is drawn are no samples, scaled or not."""
    data = {"kind": "gaussian-mixture", "means": [[1.0, 0.0], [-1.0, 0.5], [0.0, 2.0]], "deviations": 0.3}
    spec = {
        "format": 1,
        "data": {**data, "labels": [0, 1, 2], "y": "x"},
        "loss": {"kind": "squared"},
        "layers": [{"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "tanh"}],
        "output": {"from": "h1", "weight": "normal(0, 1)"},
        "training": {"learning_rate": 0.1, "steps": 1},
    }
    x, y = mf.load(spec).source.evaluation(1)
    assert x.shape == (1, 2) and (x == y).all()

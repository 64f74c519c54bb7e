"""When a loss grew beyond reason: the rule, what is kept, and no false alarm where training is healthy."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.findings import FindingKind
from mfderive.errors import DivergenceError, DivergenceWarning
from mfderive.format.reader import parse_document
from mfderive.runs.divergence import divergence, run_sentences
from mfderive.runs.trajectory import Trajectory
from mfderive.samples.resolve import resolve

from .test_trajectory import DOCUMENT, path

SPECS = Path(__file__).parents[2] / "specs"
NETWORK = path().network
TARGETS = np.array([[1.0], [-1.0]])  # squared loss of outputs of 0: 1
DIVERGED, EXPLODED = FindingKind.LOSS_DIVERGED, FindingKind.LOSS_EXPLODED


def kinds(loss, precision="float64", y=TARGETS):
    times = np.arange(len(loss), dtype=float)
    return [finding.kind for finding in divergence(NETWORK, times, np.array(loss), y, precision)]


@pytest.mark.parametrize(
    ("loss", "found"),
    [
        ([2.0, 2e4, 5e28, 1e72], [DIVERGED]),
        ([2.9, 2.6e29, 6e32, 2e100, 2.9], [EXPLODED]),
        ([2.0, 150.0, 230.0], [DIVERGED]),  # above 100 times the start, growing
        ([2.0, 1900.0, 900.0], []),  # high, and coming down
        ([2.0, 2100.0, 1.0], [EXPLODED]),  # above 1000 times the start on the way
        ([2.0, 1e20, 1e9], [DIVERGED]),  # came down, but not back
        ([1.0, 2.0, 4.0, 1.0, 0.1], []),  # a healthy rise
        ([1.0, 2.0, 2.0], []),
        ([1.0, 60.0, 1.0, 0.2], []),  # a catapult
        ([1e-9, 0.5, 0.9], []),  # held against outputs of 0, not against a lucky start
        ([1e-9, 5.0, 300.0], [DIVERGED]),
        ([1.0], []),
        ([-5.0, -1e9], []),  # a loss without a bound below
    ],
)
def test_the_rule(loss, found):
    assert kinds(loss) == found


def test_near_the_largest_number_of_the_precision():
    """Squares of 2e19 are infinite in float32; in their own units large losses have not grown."""
    huge = 1e9 * TARGETS
    assert kinds([1e18, 3e19, 2e19], "float32", huge) == [DIVERGED]
    assert kinds([1e18, 3e19, 2e19], "float64", huge) == []
    assert kinds([1e20, 1.1e20, 9e19], "float32", huge) == []
    finding = divergence(NETWORK, np.arange(3.0), np.array([1e18, 3e19, 2e19]), huge, "float32")[0]
    assert finding.facts["limit"] == pytest.approx(math.sqrt(3.4e38), rel=1e-2)
    assert "beyond 1.8e+19, above which squares are infinite" in run_sentences([finding])[0]


def test_sentences_name_the_numbers_and_what_to_do():
    for loss, says in (
        ([2.0, 1e9, 1e72], "began at 2 and ends at 1e+72 (t = 2), still growing"),
        ([2.0, 1e9, 3.0], "began at 2, was 1e+09 at t = 1 and ends at 3 (t = 2)"),
        ([2.0, 1e20, 1e9], "ends at 1e+09 (t = 2), was 1e+20 at t = 1"),
    ):
        text = run_sentences(divergence(NETWORK, np.arange(3.0), np.array(loss), TARGETS, "float64"))[0]
        assert says in text and "What to do: a smaller learning rate, or smaller initial values" in text


def teacher(**more):
    return {"kind": "teacher", "dimension": 2, "target": "x1", **more}


X = np.array([[1.0, 2.0], [3.0, 5.0]])
SIZES = {
    "Gaussians": (DOCUMENT["data"], "squared", None, ""),
    "teacher": (teacher(), "squared", None, " (inputs, target in [data]),"),
    "fixed sample of a teacher": (teacher(samples=4), "squared", None, " (inputs, target in [data]),"),
    "mixture": (
        {"kind": "gaussian-mixture", "means": [[0, 1], [1, 0]], "labels": [0, 1]},
        "squared",
        None,
        " (means, deviations, labels in [data]),",
    ),
    "arrays in the place of a law": (teacher(), "squared", (X, X[:, 0]), ""),
    "arrays": (
        {"kind": "arrays"},
        "squared",
        (X, X[:, 0]),
        ' (scale = "standardize", scale_y = "standardize" in [data]),',
    ),
    "scaled inputs": (
        {"kind": "arrays", "scale": "unit"},
        "squared",
        (X, X[:, 0]),
        ' (scale_y = "standardize" in [data]),',
    ),
    "classes": ({"kind": "arrays"}, "cross-entropy", (X, [0, 1]), ' (scale = "standardize" in [data]),'),
    "images": ({"kind": "digits", "samples": 20}, "cross-entropy", None, " (range = [-1, 1] in [data]),"),
    "all of it": ({"kind": "arrays", "scale": "unit", "scale_y": "unit"}, "huber", (X, X[:, 0]), ""),
}


@pytest.mark.parametrize("name", SIZES)
def test_what_is_advised_exists_for_such_data(name):
    """A law has no key scale; what is scaled already, and labels of classes, need none."""
    data, loss, arrays, keys = SIZES[name]
    document = {**DOCUMENT, "data": data, "loss": {"kind": loss}}
    network = resolve(parse_document(document), data=arrays)
    text = run_sentences(divergence(network, np.arange(3.0), np.array([2.0, 1e9, 1e72]), TARGETS, "float64"))
    assert len(text) == 1
    assert text[0].endswith(
        f"a smaller learning rate,{' inputs and targets of size 1' if keys else ''}{keys} or smaller initial "
        "values"
    )


def test_a_solution_that_diverges_says_so_and_keeps_it(tmp_path):
    network = mf.load(SPECS / "three_layer.toml")
    with pytest.warns(DivergenceWarning, match="the loss diverged: it began at 2.56"):
        solved = mf.solve(network, learning_rate=1000, steps=40)
    assert [finding.kind for finding in solved.findings] == [DIVERGED]
    back = Trajectory.load(solved.save(tmp_path))
    assert back.findings == solved.findings
    assert back.findings[0].facts["end"] == solved.loss[-1] > 1e20


def diabetes():
    """Regression on columns as they are, and targets of some thousands."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True, scaled=False)
    return x, 10 * y


SPEC = """\
format = 1
title = "diabetes"
[data]
kind = "arrays"
[loss]
kind = "squared"
[[layers]]
name = "h1"
from = "x"
weight = "normal(0, 1)"
activation = "relu"
bias = "0"
[output]
from = "h1"
weight = "normal(0, 1)"
bias = "0"
[training]
learning_rate = {rate}
batch_size = 50
steps = 200
"""


def solved_diabetes(tmp_path, rate):
    file = tmp_path / "diabetes.toml"
    file.write_text(SPEC.format(rate=rate))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mf.solve(mf.load(file, data=diabetes()))


def test_a_loss_that_comes_back_is_said(tmp_path):
    solved = solved_diabetes(tmp_path, 1e-4)
    assert solved.loss.max() > 1e5 * solved.loss[0] and solved.loss[-1] < 2 * solved.loss[0]
    assert [finding.kind for finding in solved.findings] == [EXPLODED]


def test_what_was_solved_before_values_left_the_finite_numbers(tmp_path):
    with pytest.raises(DivergenceError, match=r"diverged by t = .*step") as caught:
        solved_diabetes(tmp_path, 1e-2)
    solved = caught.value.path
    assert np.isfinite(solved.loss).all() and solved.loss.max() > 1e100 and len(solved.checkpoints) > 1
    assert [finding.kind for finding in solved.findings] == [FindingKind.NOT_FINITE]
    saved = solved.save(tmp_path / "kept")
    with pytest.raises(mf.errors.DataError, match="given its data as arrays"):
        Trajectory.load(saved)
    assert Trajectory.load(saved, data=diabetes()).findings == solved.findings


def test_networks_that_diverge_say_so():
    network = mf.load(SPECS / "three_layer.toml")
    with pytest.warns(DivergenceWarning, match=r"network of width 8 .*seed 1 and 1 more of 2"):
        paths = mf.simulate(network, 8, 2, steps=6, precision="float64", learning_rate=300)
    assert all({finding.kind for finding in each.findings} <= {DIVERGED, EXPLODED} for each in paths)
    assert all(each.findings for each in paths)


FEWER = {
    "cnn_nguyen_table1": {"nodes": 4, "steps": 2},
    "cnn_small": {"nodes": 32},
    "five_layer_parameters": {"nodes": 32},
}


# What takes seconds to compile is tried in the study.
QUICK = (
    "autoencoder_tied",
    "five_layer_gaussians",
    "gated",
    "layer_norm",
    "residual",
    "three_layer",
    "two_layer",
)


def all_specs():
    for spec in sorted(SPECS.glob("*.toml")):
        yield pytest.param(spec, id=spec.stem, marks=() if spec.stem in QUICK else pytest.mark.study)


@pytest.mark.parametrize("spec", list(all_specs()))
def test_no_shipped_spec_is_called_diverged(spec):
    """Their own learning rates and batches, on short runs; fewer nodes where a step takes long."""
    fewer = FEWER.get(spec.stem, {})
    with warnings.catch_warnings():
        warnings.simplefilter("error", DivergenceWarning)
        assert mf.solve(mf.load(spec), evaluation=100, **{"steps": 12, **fewer}).findings == ()

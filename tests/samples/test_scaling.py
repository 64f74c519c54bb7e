"""Units of columns: scales found on training rows, predictions in the units of the data, warnings, splits."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.findings import FindingKind
from mfderive.errors import DataError, StateError
from mfderive.samples.data_findings import data_findings
from mfderive.samples.data_sentences import fact_lines, finding_text
from mfderive.samples.resolve import resolve

from .networks import network

RNG = np.random.default_rng(3)
X = RNG.standard_normal((40, 3)) * [1.0, 200.0, 0.01] + [0.0, 1500.0, 2.0]
Y = X @ [1.0, 0.02, 30.0] + 100.0


def spec(weight="normal(0, 1)", loss="squared", **data):
    return {
        "format": 1,
        "data": {"kind": "arrays", **data},
        "loss": {"kind": loss},
        "layers": [{"name": "h1", "from": "x", "weight": weight, "activation": "tanh"}],
        "output": {"from": "h1", "weight": "normal(0, 1)"},
        "training": {"learning_rate": 0.1, "steps": 4, "batch_size": "all"},
        "solver": {"nodes": 32},
    }


@pytest.mark.parametrize(
    ("scale", "mean", "deviation", "low", "high"),
    [("standardize", 0, 1, None, None), ("unit", None, None, 0, 1), ([-2.0, 3.0], None, None, -2, 3)],
)
def test_scales_are_those_of_the_training_rows(scale, mean, deviation, low, high):
    """Test rows are moved by the same numbers, which they had no part in."""
    source = resolve(network("arrays", scale=scale, scale_y=scale, test=0.25), data=(X, Y)).source
    for column in (*source.x.T, source.y[:, 0]):
        if mean is not None:
            assert column.mean() == pytest.approx(mean, abs=1e-12)
            assert column.std() == pytest.approx(deviation, rel=1e-12)
        else:
            assert (column.min(), column.max()) == (
                pytest.approx(low, abs=1e-9),
                pytest.approx(high, rel=1e-9),
            )
    x, y = source.evaluation(100, "test")
    raw = source.facts.scale.invert(x)
    assert {tuple(row) for row in np.round(raw, 6)} <= {tuple(row) for row in np.round(X, 6)}
    plain = resolve(network("arrays", test=0.25), data=(X, Y)).source
    assert np.allclose(raw, plain.test[0], rtol=1e-12)
    assert np.allclose(source.facts.decode(y), plain.test[1], rtol=1e-12)
    if scale == "standardize":
        assert np.allclose(x, (plain.test[0] - plain.x.mean(axis=0)) / plain.x.std(axis=0), rtol=1e-9)


def test_constant_columns_stay_finite():
    x = np.column_stack([np.full(5, 0.1), np.arange(5.0)])
    for scale, value in (("standardize", 0.0), ("unit", 0.0), ([-1.0, 1.0], -1.0)):
        source = resolve(network("arrays", scale=scale), data=(x, np.arange(5.0))).source
        assert np.allclose(source.x[:, 0], value, atol=1e-12)


@pytest.mark.parametrize("run", ["solve", "simulate"])
def test_predict_takes_and_gives_the_units_of_the_data(run):
    """The same as scaling by hand: predictions of the limit and of a network."""
    with pytest.warns(match="differ in size by a factor of"):
        mf.load(spec(), data=(X, Y))
    scaled = mf.load(spec(scale="standardize", scale_y="standardize"), data=(X, Y))
    by_hand = mf.load(spec(), data=((X - X.mean(0)) / X.std(0), (Y - Y.mean()) / Y.std()))

    def path(net):
        return mf.solve(net) if run == "solve" else mf.simulate(net, width=30, seeds=1)[0]

    ours, theirs = path(scaled), path(by_hand)
    assert np.allclose(ours.loss, theirs.loss, rtol=1e-9)
    new = X[:7] * 1.1
    expected = theirs.predict((new - X.mean(0)) / X.std(0)) * Y.std() + Y.mean()
    assert np.allclose(ours.predict(new), expected, rtol=1e-9)
    # Fields are those of the network, at inputs in its units.
    assert np.allclose(ours.observe("yhat", scaled.source.x), theirs.predict(by_hand.source.x), rtol=1e-9)
    with pytest.raises(StateError, match=r"expected \[sample, 3\]"):
        ours.predict(new[:, :2])
    with pytest.raises(StateError, match="not finite"):
        ours.predict(new * np.nan)


def test_an_autoencoder_is_scaled_back_with_its_input():
    net = mf.load(spec(scale="standardize", y="x"), data=(X, None))
    assert np.array_equal(net.source.x, net.source.y)
    assert np.allclose(net.source.facts.decode(net.source.y), X, rtol=1e-12)


def test_shape_and_scale(tmp_path):
    """Images are scaled entry by entry; predict takes either form."""
    images = RNG.uniform(0, 9, (20, 1, 2, 3))
    source = resolve(network("arrays", scale="unit", shape=[1, 2, 3]), data=(images, np.ones(20))).source
    assert source.x.shape == (20, 1, 2, 3)
    assert np.array_equal(source.facts.encode(images), source.x)
    assert np.array_equal(source.facts.encode(images.reshape(20, -1)), source.x)


@pytest.mark.parametrize(
    ("options", "loss", "y", "words"),
    [
        ({"scale_y": "unit"}, "cross-entropy", np.arange(40) % 2, "cross-entropy loss are classes"),
        ({"scale_y": "unit"}, "logistic", np.arange(40) % 2 * 2.0 - 1, "logistic loss are classes"),
        ({"scale_y": "unit", "y": "x"}, "squared", None, "'scale' scales both"),
    ],
)
def test_targets_without_a_scale(options, loss, y, words):
    with pytest.raises(DataError, match=words):
        resolve(network("arrays", loss, **options), data=(X, y))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"kind": "digits", "range": [0, 1], "scale": "unit"}, "'range' beside 'scale'"),
        ({"kind": "arrays", "range": [0, 1], "one_hot": [0]}, "'range' beside 'one_hot'"),
        ({"kind": "digits", "scale": [1, 0]}, r"the range \[1, 0\] is empty"),
        ({"kind": "digits", "scale": "standard"}, "'standardize' or 'unit'"),
        (
            {"kind": "isotropic-gaussians", "dimension": 2, "separation": 0.1, "scale": "unit"},
            "the law itself",
        ),
    ],
)
def test_keys_that_do_not_go_together(data, words):
    with pytest.raises(mf.MfError, match=words):
        mf.load({**spec(), "data": data})


# --- what is said ----------------------------------------------------------------------------------------


def test_uneven_columns_are_named(tmp_path):
    rows = "\n".join(",".join(f"{value:.6f}" for value in (*row, y)) for row, y in zip(X, Y, strict=True))
    (tmp_path / "a.csv").write_text(f"age,income,rate,y\n{rows}\n")
    document = spec(file=str(tmp_path / "a.csv"))
    with pytest.warns(match=r"the standard deviation is large in income .*small in rate .*scale = \"stand"):
        net = mf.load(document)
    finding = next(f for f in data_findings(net) if f.kind is FindingKind.UNEVEN_COLUMNS)
    assert finding.subjects[0] == "income"
    assert finding.facts["factor"] == pytest.approx(20_000, rel=0.4)


def test_scaled_and_even_columns_are_not_warned_of(recwarn):
    mf.load(spec(scale="standardize"), data=(X, Y))
    mf.load(spec(), data=(RNG.standard_normal((40, 3)) * [1, 4, 0.5], Y))
    one_hot = np.column_stack([RNG.integers(0, 2, 40), RNG.standard_normal(40)])
    mf.load(spec(one_hot=[0]), data=(one_hot, Y))
    assert not recwarn.list


def test_first_pre_activations_are_measured():
    """E h^2 by hand: 8 entries of mean 0.5 and deviation 2, a bias apart; inputs of size 30."""
    x = RNG.standard_normal((500, 8)) * 30
    finding = large(spec("normal(0.5, 2)"), x)
    assert finding.subjects == ("h1",)
    assert finding.facts["expected"] == pytest.approx(np.sqrt(8 * (4 + 0.25)), rel=0.02)
    draws = 0.5 + 2 * RNG.standard_normal((8, 2000))
    assert finding.facts["got"] == pytest.approx(np.sqrt(((x @ draws) ** 2).mean()), rel=0.05)
    assert "scale" in finding_text(finding)
    assert large(spec("normal(0, 0.03)"), x) is None  # weights that are made for such inputs


def large(document, x):
    """What is found about the size of the first pre-activations."""
    with warnings.catch_warnings(action="ignore"):
        net = mf.load(document, data=(x, np.ones(len(x))))
    return next((f for f in data_findings(net) if f.kind is FindingKind.LARGE_INPUTS), None)


@pytest.mark.parametrize("form", ["flat", "image"])
def test_images_of_0_to_255_get_a_hint_at_range(form):
    """The law normal(0, sqrt(2/d)) gives sqrt(2) for inputs of size 1, and as many times more for these."""
    pixels = RNG.integers(0, 256, (60, 64)).astype(np.uint8)
    if form == "flat":
        finding = large(spec("normal(0, sqrt(2/d))"), pixels)
    else:
        document = spec("normal(0, sqrt(2/fan_in))")
        document["layers"][0] |= {"kind": "convolution", "kernel": [3, 3]}
        finding = large(document, pixels.reshape(60, 1, 8, 8))
    assert finding.facts["expected"] == pytest.approx(np.sqrt(2), rel=0.05)
    assert finding.facts["got"] == pytest.approx(np.sqrt(2 * (pixels.astype(float) ** 2).mean()), rel=0.05)
    assert "range = [-1, 1]" in finding_text(finding)
    assert "0 to 255" in finding_text(finding)


def test_digits_without_range_are_warned_of_and_with_range_not(recwarn):
    document = {**spec("normal(0, sqrt(2/64))", "cross-entropy"), "data": {"kind": "digits"}}
    mf.load({**document, "data": {"kind": "digits", "range": [-1, 1]}})
    assert not recwarn.list
    with pytest.warns(match=r"first pre-activations \(h1\) are about .*range = \[-1, 1\]"):
        mf.load(document)


# --- splits ----------------------------------------------------------------------------------------------


def test_every_class_has_its_share_of_the_test_rows():
    labels = np.array(["a"] * 50 + ["b"] * 30 + ["c"] * 20)
    x = np.arange(100.0)[:, None]
    for seed in range(5):
        source = resolve(network("arrays", "cross-entropy", test=0.2), data=(x, labels), seed=seed).source
        assert source.test[1].sum(axis=0).tolist() == [10, 6, 4]
        assert source.rows == 80
        assert set(source.x[:, 0]) | set(source.test[0][:, 0]) == set(x[:, 0])
        assert np.array_equal(source.x[:, 0], np.sort(source.x[:, 0]))
    assert "80 for training, 20 for testing (each class has its share)" in fact_lines(source.facts)[-1]
    again = resolve(network("arrays", "cross-entropy", test=0.2), data=(x, labels), seed=4).source
    assert np.array_equal(again.x, source.x)
    other = resolve(network("arrays", "cross-entropy", test=0.2), data=(x, labels), seed=5).source
    assert not np.array_equal(other.x, source.x)


def test_shares_are_rounded_and_small_classes_keep_a_training_row():
    labels = ["a"] * 7 + ["b"] * 2 + ["c"]
    source = resolve(
        network("arrays", "cross-entropy", test=0.5, samples=4), data=(np.arange(10.0)[:, None], labels)
    ).source
    assert source.test[1].sum(axis=0).tolist() == [4, 1, 0]
    assert source.rows == 4
    everything = resolve(network("arrays", "cross-entropy", test=9), data=(np.arange(10.0)[:, None], labels))
    assert everything.source.rows == 1


def test_signs_are_stratified_and_numbers_are_not():
    signs = np.array([1.0] * 30 + [-1.0] * 10)
    x = np.arange(40.0)[:, None]
    source = resolve(network("arrays", "logistic", test=0.25), data=(x, signs)).source
    counts = np.unique(source.test[1], return_counts=True)[1].tolist()
    assert counts in ([2, 8], [3, 7])  # 2.5 and 7.5, rounded
    assert not resolve(network("arrays", test=0.25), data=(x, x[:, 0])).source.facts.split.stratified

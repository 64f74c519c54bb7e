"""Arrays and frames from Python. Neither pandas nor polars is needed: a frame is what behaves like one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mfderive as mf
from mfderive.errors import DataError, StateError
from mfderive.samples.resolve import resolve

from .networks import network


class Frame:
    """What a frame of pandas or polars shows: ``columns`` and ``to_numpy``."""

    def __init__(self, **columns):
        self.table = columns
        self.columns = list(columns)

    def to_numpy(self):
        return np.stack([np.array(values, dtype=object) for values in self.table.values()], axis=1)


class Series:
    """What a series shows: ``name`` and ``to_numpy``."""

    def __init__(self, values, name=None):
        self.values, self.name = values, name

    def to_numpy(self):
        return np.asarray(self.values)


FRAME = Frame(age=[30, 40, 50], sex=["m", "f", "m"], income=[1.5, 2.5, None])
LABELS = Series(["no", "yes", "no"], "bought")


def test_frames_keep_the_names_of_their_columns():
    options = {"one_hot": ["sex"], "missing": "drop"}
    net = resolve(network("arrays", "cross-entropy", **options), data=(FRAME, LABELS))
    assert net.source.x.tolist() == [[30, 0, 1, 1.5], [40, 1, 0, 2.5]]
    assert net.classes == ("no", "yes")
    assert net.source.facts.inputs.names == ("age", "sex = f", "sex = m", "income")
    assert net.source.facts.targets == ("bought",)
    assert net.source.facts.dropped == 1


@pytest.mark.parametrize(
    ("options", "loss", "words"),
    [
        (
            {"one_hot": ["sex"]},
            "cross-entropy",
            r"1 of 3 rows of x has missing .* row 2, column 3 \('income'\) \(rows counted from 0\)",
        ),
        ({"missing": "drop"}, "cross-entropy", r"column 2 \('sex'\) of x has words.*one_hot = \[\"sex\"\]"),
        ({"one_hot": ["sex"], "missing": "drop"}, "squared", "column 'bought' .* has words"),
        ({"one_hot": ["gender"], "missing": "drop"}, "squared", "Used: age, sex, income, bought"),
    ],
)
def test_messages_name_the_columns_of_frames(options, loss, words):
    with pytest.raises(DataError, match=words):
        resolve(network("arrays", loss, **options), data=(FRAME, LABELS))


@pytest.mark.parametrize("kind", [np.float32, np.int8, np.uint64, np.float16, bool, object])
def test_numbers_of_any_sort(kind):
    x = np.array([[0, 1], [1, 1], [1, 0]]).astype(kind)
    net = resolve(network("arrays"), data=(x, x[:, 0]))
    assert net.source.x.dtype == net.source.y.dtype == np.float64
    assert net.source.x.tolist() == [[0, 1], [1, 1], [1, 0]]


def test_targets_may_be_a_frame_of_several_columns():
    net = resolve(network("arrays"), data=(Frame(a=[1, 2]), Frame(p=[0.5, 1.5], q=[2, 3])))
    assert net.source.y.tolist() == [[0.5, 2], [1.5, 3]]


def test_integer_tokens_are_written_out():
    tokens = np.array([[5, 0], [2, 1], [5, 1]])
    net = resolve(network("arrays", one_hot=[0, 1]), data=(tokens, np.ones(3)))
    assert net.source.x.tolist() == [[0, 1, 1, 0], [1, 0, 0, 1], [0, 1, 0, 1]]
    assert net.source.facts.inputs.names == ("column 1 = 2", "column 1 = 5", "column 2 = 0", "column 2 = 1")


def test_predict_takes_frames_and_raw_columns(tmp_path):
    """Written out and scaled as the training rows were; values that were never seen are refused."""
    document = {
        "format": 1,
        "data": {"kind": "arrays", "one_hot": ["sex"], "scale": "standardize", "missing": "drop"},
        "loss": {"kind": "cross-entropy"},
        "layers": [{"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "tanh"}],
        "output": {"from": "h1", "weight": "normal(0, 1)"},
        "training": {"learning_rate": 0.1, "steps": 2, "batch_size": "all"},
        "solver": {"nodes": 16},
    }
    path = mf.solve(mf.load(document, data=(FRAME, LABELS)))
    x = path.network.source.x
    assert x[:, 0].tolist() == [-1, 1]  # ages 30 and 40
    assert x[:, 1:3].tolist() == [[0, 1], [1, 0]]  # one-hot columns are not scaled
    expected = path.observe("yhat", x)
    same = Frame(income=[1.5, 2.5], sex=["m", "f"], age=[30, 40])
    assert np.allclose(path.predict(same), expected, rtol=1e-12)
    raw = np.array([[30, "m", 1.5], [40, "f", 2.5]], dtype=object)
    assert np.allclose(path.predict(raw), expected, rtol=1e-12)
    again = mf.Trajectory.load(path.save(tmp_path), data=(FRAME, LABELS))
    assert np.allclose(again.predict(raw), expected, rtol=1e-12)
    with pytest.raises(DataError, match="not those that this run was given"):
        mf.Trajectory.load(tmp_path, data=(FRAME, Series(["yes", "yes", "no"], "bought")))
    with pytest.raises(StateError, match="sex is 'x', which the data never was: 'f', 'm'"):
        path.predict(np.array([[30, "x", 1.5]], dtype=object))
    with pytest.raises(StateError, match="x has 2 columns; expected 3: age, sex, income"):
        path.predict(raw[:, :2])
    with pytest.raises(StateError, match="no column 'sex'"):
        path.predict(Frame(age=[1], income=[2]))
    with pytest.raises(StateError, match="income has entries that are no numbers"):
        path.predict(np.array([[30, "m", "much"]], dtype=object))


def test_columns_of_one_name_keep_their_places():
    """By its name a frame would give the first of two columns for both; they are taken in their order."""
    frame = Frame(a=[1.0, 2.0, 4.0], b=[3.0, 5.0, 4.0])
    frame.columns = ["a", "a"]
    source = resolve(network("arrays", scale="unit"), data=(frame, [0.0, 1.0, 2.0])).source
    assert source.facts.inputs.labels == ("a (column 1)", "a (column 2)")
    assert source.facts.encode(frame).tolist() == source.x.tolist() == [[0, 0], [1 / 3, 1], [1, 0.5]]


class Sparse:
    """A sparse matrix of scipy shows this."""

    def toarray(self):
        return np.eye(2)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (Sparse(), r"x is a sparse matrix.*x\.toarray\(\)"),
        (np.ma.masked_array([[1.0], [2.0]], [[False], [True]]), r"x is nan at \[1, 0\]"),
        (np.array([[1j], [2]]), "complex numbers, not real"),
        (np.array([["2020-01-01"], ["2020-01-02"]], dtype="datetime64[D]"), "x holds dates, not real"),
        (np.array([[1, "a"], [2, "b"]], dtype=object), "real numbers"),
        (Frame(when=[np.datetime64("2020-01-01"), 3]), "column 1 .'when'. of x holds"),
    ],
)
def test_what_is_no_number_is_said(x, words):
    with pytest.raises(DataError, match=words):
        resolve(network("arrays"), data=(x, np.ones(2)))


def test_words_of_an_npz_are_labels(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.eye(3), y=np.array(["b", "a", "b"]))
    net = replace(network("arrays", "cross-entropy", file="a.npz"), file=str(tmp_path / "net.toml"))
    assert resolve(net).classes == ("a", "b")


class Indexed(Series):
    """A series whose rows have names, as those of pandas have."""

    def __init__(self, values, index):
        super().__init__(values)
        self.index = index


def test_rows_that_are_named_in_another_order_are_refused():
    """x shuffled, y not: rows went together by their place, without a word."""
    x, y = Indexed([[1.0], [2.0], [3.0]], ["a", "b", "c"]), Indexed([1, 2, 3], ["c", "a", "b"])
    with pytest.raises(
        DataError, match=r"row 0 .* is 'a' in the index of x, 'c' in that of y.*y.loc\[x.index"
    ):
        resolve(network("arrays"), data=(x, y))
    for index in (["a", "b", "c"], [0, 1, 2]):  # the same order; numbered anew
        net = resolve(network("arrays"), data=(x, Indexed([1, 2, 3], index)))
        assert net.source.y[:, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ((None, [1]), r"x is None\. Give data=\(x, y\)"),
        (([[1.0]], None), "key 'y': y is None"),
        ((np.zeros((2, 0)), [1, 2]), r"x has shape \(2, 0\): no columns"),
        (([[1.0], [2.0]], np.array([3, 4], dtype="M8[ns]")), "y holds dates, not real numbers"),
        (([[1.0], [2.0]], np.array([3, 4], dtype="m8[s]")), "y holds times"),
        ((Frame(a=[1, 2]), Series([1.0, None], "cost")), r"row 1, y \('cost'\) \(rows counted from 0\)"),
        ((np.zeros(2, dtype=[("a", "f8"), ("b", "f8")]), [1, 2]), "x holds records"),
    ],
)
def test_what_cannot_be_data_is_called_what_it_is(data, words):
    with pytest.raises(DataError, match=words):
        resolve(network("arrays"), data=data)


def test_predict_finds_columns_by_name_in_any_spec():
    """Without ``scale`` and ``one_hot`` a frame was taken by the place of its columns."""
    rng = np.random.default_rng(0)
    table = {name: rng.normal(size=6) for name in ("a", "b", "c")}
    frame = Frame(**table)
    net = mf.load(
        {
            "format": 1,
            "data": {"kind": "arrays"},
            "loss": {"kind": "squared"},
            "layers": [{"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "relu"}],
            "output": {"from": "h1", "weight": "normal(0, 1)"},
            "training": {"learning_rate": 0.1, "steps": 1, "batch_size": 2},
        },
        data=(frame, table["a"]),
    )
    facts = net.source.facts
    assert np.array_equal(
        facts.encode(Frame(c=table["c"], z=table["a"], b=table["b"], a=table["a"])), net.source.x
    )
    with pytest.raises(
        StateError, match=r"x has no column 'a'; its columns: A, b, c\. The network was trained on"
    ):
        facts.encode(Frame(A=table["a"], b=table["b"], c=table["c"]))
    numbered = Frame(**{str(k): table[name] for k, name in enumerate("abc")})
    assert np.array_equal(facts.encode(numbered), net.source.x)
    array = np.zeros((2, 3))
    assert facts.encode(array) is array

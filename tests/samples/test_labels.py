"""Labels of classes as people have them: numbered from 1, with gaps, words, truth values."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.findings import FindingKind
from mfderive.errors import DataError, DataWarning
from mfderive.samples.data_findings import data_findings
from mfderive.samples.data_sentences import fact_lines, finding_text
from mfderive.samples.resolve import resolve

from .networks import network

GAP, SINGLE, IDLE = FindingKind.LABEL_GAP, FindingKind.SINGLE_CLASS, FindingKind.IDLE_OUTPUTS


def spec(loss="cross-entropy", output="", **data):
    """A network of one layer over a table."""
    return {
        "format": 1,
        "data": {"kind": "arrays", **data},
        "loss": {"kind": loss},
        "layers": [{"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "tanh"}],
        "output": {"from": "h1", "weight": "normal(0, 0.001)", **({"outputs": output} if output else {})},
        "training": {"learning_rate": 0.1, "steps": 3, "batch_size": "all"},
        "solver": {"nodes": 16},
    }


def table(folder, labels, name="a.csv"):
    rows = "\n".join(f"{k},{k % 2},{label}" for k, label in enumerate(labels))
    (folder / name).write_text(f"first,second,label\n{rows}\n", encoding="utf-8")


def given(labels, loss="cross-entropy", outputs=None, **options):
    """The source of a network over labels that are handed over in Python."""
    net = network("arrays", loss, outputs, **options)
    return resolve(net, data=(np.arange(2.0 * len(labels)).reshape(-1, 2), labels)).source


def kinds(source):
    return [finding.kind for finding in source.facts.findings if finding.kind in (GAP, SINGLE, IDLE)]


def test_labels_from_1_are_three_classes(tmp_path, monkeypatch):
    """The issue's case: the loss starts at ln 3, and the mapping is kept."""
    monkeypatch.chdir(tmp_path)
    table(tmp_path, [1, 2, 3] * 4)
    net = mf.load(spec(file="a.csv", y="label"))
    assert (net.outputs, net.classes) == (3, (1, 2, 3))
    assert net.source.y.argmax(axis=1).tolist() == [0, 1, 2] * 4
    path = mf.solve(net)
    assert path.loss[0] == pytest.approx(np.log(3), abs=1e-3)
    assert "1 → 0, 2 → 1, 3 → 2" in " ".join(fact_lines(net.source.facts))
    answers = path.predict(net.source.x).argmax(axis=1)
    assert set(np.array(net.classes)[answers]) <= {1, 2, 3}
    assert path.network.classes == (1, 2, 3)
    again = mf.Trajectory.load(path.save(tmp_path / "kept"))
    assert again.network.classes == (1, 2, 3)


def test_words_are_classes_in_the_order_of_the_alphabet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table(tmp_path, ["dog", "cat", "dog", "emu"])
    net = mf.load(spec(file="a.csv", y="label"))
    assert (net.outputs, net.classes) == (3, ("cat", "dog", "emu"))
    assert net.source.y.argmax(axis=1).tolist() == [1, 0, 1, 2]
    assert net.loss.error == "argmax"


@pytest.mark.parametrize(
    ("labels", "classes", "targets"),
    [
        ([10, 2, 10, 2], (2, 10), [1, 0, 1, 0]),
        (["10", "2", "10", "2"], ("10", "2"), [0, 1, 0, 1]),  # words in Python stay words
        (np.array([1.0, 3.0, 2.0], dtype=np.float32), (1, 2, 3), [0, 2, 1]),
        (np.array([7, 7, 9], dtype=np.uint8), (7, 9), [0, 0, 1]),
        ([True, False, True], (False, True), [1, 0, 1]),
        (np.array(["b", "a"], dtype=object), ("a", "b"), [1, 0]),
        (np.array([b"b", b"a"]), ("a", "b"), [1, 0]),
        (np.array([[2], [1]]), (1, 2), [1, 0]),
        (np.array([["x"], ["w"]]), ("w", "x"), [1, 0]),
        ([-1, 1], (-1, 1), [0, 1]),
    ],
)
def test_labels_of_any_sort(labels, classes, targets):
    source = given(labels)
    assert source.facts.classes.labels == classes
    assert [type(label) for label in source.facts.classes.labels] == [type(label) for label in classes]
    assert source.y.argmax(axis=1).tolist() == targets
    assert source.y.sum() == len(targets)


def test_labels_0_to_k_stay_what_they_are():
    source = given([2, 0, 1])
    assert source.facts.classes.labels == (0, 1, 2)
    assert not source.facts.classes.renamed
    assert kinds(source) == []
    assert fact_lines(source.facts) == []


def test_probabilities_are_no_labels():
    source = given(np.array([[0.25, 0.75], [1.0, 0.0]]))
    assert source.facts.classes is None
    assert np.array_equal(source.y, [[0.25, 0.75], [1.0, 0.0]])


@pytest.mark.parametrize(
    ("labels", "outputs", "expected", "words"),
    [
        ([0, 2, 5], None, [GAP], "never occur"),
        ([1, 2, 4], None, [GAP], "run from 1 to 4, but 3 never occurs: the network has 3 outputs"),
        ([0, 2], None, [GAP], "1 never occurs"),
        ([10, 20, 30], None, [], ""),  # names, not numbers that were counted up
        ([-1, 1], None, [], ""),
        ([5, 5], None, [SINGLE], "Every label is 5"),
        (["cat"], None, [SINGLE], "Every label is cat"),
        ([0, 1, 3], 5, [IDLE], r"outputs = 5, but the labels show 3 classes \(0, 1, 3\): outputs 2, 4"),
        (["a", "b"], 3, [IDLE], "output 2 .* never occurs"),
        ([1, 2, 3], 3, [], ""),
    ],
)
def test_gaps_and_single_classes_are_said(labels, outputs, expected, words):
    source = given(labels, outputs=outputs)
    assert kinds(source) == expected
    if expected:
        with pytest.warns(match=words) as caught:
            mf.load(spec(output=outputs), data=(np.arange(2.0 * len(labels)).reshape(-1, 2), labels))
        assert issubclass(caught[0].category, DataWarning)


def test_whole_numbers_below_outputs_keep_their_place():
    """outputs = 5: label 3 is output 3, as whoever wrote the 5 counts."""
    source = given([0, 1, 3], outputs=5)
    assert source.y.argmax(axis=1).tolist() == [0, 1, 3]
    assert source.facts.classes.labels == (0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("labels", "outputs", "words"),
    [
        (
            [1, 2, 3],
            2,
            r"output, key .outputs.: .*labels of y are of 3 classes \(1, 2, 3\).*outputs = 3",
        ),
        (["a", "b", "c"], 2, r"3 classes \(a, b, c\)"),
        ([0, 1, 2], 2, "output, key .outputs.: outputs = 2, but the label of row 2 is 2.*outputs - 1 = 1"),
        ([0, 0.5], None, "label of row 1 is 0.5 .rows counted from 0.*whole numbers or words"),
        (np.array(["a", 3, None], dtype=object), None, "the word 'a' beside 3"),
        (["a", ""], None, "1 of 2 entries of y are missing, first entry 1"),
        (np.array([None, 1.0, 2.0], dtype=object), None, "missing"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), None, "date"),
    ],
)
def test_labels_that_contradict(labels, outputs, words):
    with pytest.raises(DataError, match=words):
        given(labels, outputs=outputs)


def test_words_for_a_loss_of_numbers(tmp_path):
    """The message says that the column has words, and both ways on; one_hot takes the second."""
    table(tmp_path, ["dog", "cat", "dog"])
    net = replace(network("arrays", file="a.csv", y="label"), file=str(tmp_path / "net.toml"))
    with pytest.raises(DataError, match=r"'label' .* has words \('dog', 'cat'\).*cross-entropy.*one_hot = "):
        resolve(net)
    options = {"file": "a.csv", "y": "label", "one_hot": ["label"]}
    hot = resolve(replace(network("arrays", **options), file=net.file))
    assert np.array_equal(hot.source.y, [[0, 1], [1, 0], [0, 1]])
    assert hot.classes == ("cat", "dog")
    assert hot.loss.error == "argmax"


@pytest.mark.parametrize("labels", [["no", "yes", "no"], [False, True, False]])
def test_two_words_are_signs_for_a_loss_of_signs(labels):
    source = given(labels, "logistic")
    assert source.y[:, 0].tolist() == [-1, 1, -1]
    assert len(source.facts.classes.labels) == 2
    assert "→ -1" in fact_lines(source.facts)[0]


def test_three_words_are_three_columns_of_signs():
    assert np.array_equal(given(["a", "c", "b"], "logistic").y, [[1, -1, -1], [-1, -1, 1], [-1, 1, -1]])


def test_truth_values_are_numbers_for_a_loss_of_numbers():
    assert given([True, False], "squared").y[:, 0].tolist() == [1, 0]


def test_labels_of_a_law_are_mapped_too():
    options = {"means": [[0.0], [1.0], [2.0]], "labels": [1.0, 2.0, 3.0]}
    net = resolve(network("gaussian-mixture", "cross-entropy", **options))
    assert (net.outputs, net.classes) == (3, (1, 2, 3))
    _, y = net.source.batch(1, 50)
    assert np.array_equal(y.sum(axis=1), np.ones(50))


def test_classes_of_images_are_seen_in_the_test_files_too():
    """Digits show ten classes; nothing is said of them."""
    net = resolve(network("digits", "cross-entropy", range=[0.0, 1.0]))
    assert net.classes == tuple(range(10))
    assert data_findings(net) == ()


def test_every_finding_of_data_has_a_sentence():
    source = given([1, 2, 4])
    assert all(finding_text(finding).endswith(".") for finding in source.facts.findings)


def test_labels_that_hardly_occur_twice_are_said():
    """A column of numbers or of names as y gave an output for each row, without a word."""
    x = np.zeros((30, 1))
    with pytest.warns(DataWarning, match="30 different labels in y for 30 rows.*take a loss like squared"):
        mf.load(spec(), data=(x, np.arange(30)))
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        assert len(mf.load(spec(), data=(x, np.arange(30) % 15)).classes) == 15

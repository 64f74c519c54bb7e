"""Verdicts of small cases: a right limit, wrong ones, and what a verdict leaves behind."""

import csv
import io
import json

import pytest

import mfderive as mf
from mfderive.advice.sentences import SENTENCES
from mfderive.algebra.findings import Finding, FindingKind
from mfderive.report.verdict_section import verdict_section, write_verdict_figures
from mfderive.verdict import instability, reason_sentences
from mfderive.verdict.instability import fall
from mfderive.verdict.judge import judge_rows
from mfderive.verdict.measurements import measure
from mfderive.verdict.verdict import judge

from .wrong import WRONG, network, recurrent_document, scaled, settings


@pytest.fixture(scope="module")
def right():
    """A measurement of the right limit: eight seeds, four widths, fewer ensembles than usual."""
    net = network()
    made = settings(net, seeds=8, ensembles=3, random_ensembles=12)
    return net, made, measure(net, made)


def test_the_right_limit_is_not_refused(right):
    verdict = judge(right[2])
    assert verdict.status == "agrees" and verdict.agrees is True and verdict.exit_code == 0
    assert verdict.text.startswith("agrees: at infinite width")
    assert max(row.bound / row.scale for row in verdict.rows if row.tolerance) < 0.1


@pytest.mark.parametrize("name", ["velocity of h3's weights twice too large", "first-layer law 5 % too wide"])
def test_a_wrong_limit_is_refused(right, name):
    """Against the same networks; the reason says which test refused."""
    net, made, trained = right
    verdict = judge(measure(net, made, WRONG[name](), trained=trained))
    assert verdict.agrees is False and verdict.exit_code == 1
    assert "label" in verdict.reasons[0] and verdict.findings[0].kind == FindingKind.APART


@pytest.fixture(scope="module")
def recurrent():
    """A measurement of a recurrent network with a gate, ten steps."""
    net = mf.load(recurrent_document())
    made = settings(net, steps=10, ensembles=3, random_ensembles=8)
    return net, made, measure(net, made)


@pytest.mark.parametrize(
    ("field", "seen"), [pytest.param("r.step2", "r ", marks=pytest.mark.study), ("g.gate", "g.gate ")]
)
def test_a_wrong_step_or_gate_is_refused(recurrent, field, seen):
    """A forward equation that is 5 % off shows in the moments of its own field, by name."""
    net, made, trained = recurrent
    assert judge(trained).status != "disagrees"
    wrong = scaled(mf.reduce(mf.derive(net)).system, field, 1.05)
    verdict = judge(measure(net, made, wrong, trained=trained))
    assert verdict.agrees is False
    assert any(finding.subjects[0].startswith(seen) for finding in verdict.findings)
    assert verdict.data["findings"][0]["subjects"] == list(verdict.findings[0].subjects)


def test_rates_are_fitted_to_all_widths(right):
    """On a small case only the sign of the slope is sure: distances fall."""
    rates = {rate.name: rate for rate in judge(right[2]).rates}
    assert set(rates) == {"outputs", "outputs, limit on own labels", "mean loss"}
    assert rates["outputs"].expected == 0.5 and 0.3 < rates["outputs"].slope < 1.2
    assert rates["outputs, limit on own labels"].slope > rates["outputs"].slope - 0.1


def test_errors_are_told_apart(right):
    errors = judge(right[2]).errors
    assert errors.dominating in errors.parts and min(errors.parts.values()) > 0
    assert errors.bias <= errors.width and errors.ensemble < errors.width
    assert errors.flow >= max(errors.step, errors.data)


def test_a_verdict_is_saved_and_drawn(right, tmp_path):
    verdict = judge(right[2])
    path = verdict.save(tmp_path)
    data = json.loads(path.read_text(encoding="utf-8"))
    assert data["status"] == verdict.status and len(data["table"]) == len(verdict.rows)
    lines = list(csv.DictReader(io.StringIO((tmp_path / "verdict.csv").read_text(encoding="utf-8"))))
    widths = {line["width"] for line in lines if line["observable"] == "outputs"}
    assert widths == {"16", "32", "64", "128"}
    for row in verdict.rows:
        own = [line for line in lines if line["observable"] == row.name]
        assert own and {float(line["at infinity"]) for line in own} == {row.estimate}
        assert {float(line["bound"]) for line in own} == {row.bound} and row.estimate <= row.bound
    assert [row["at_infinity"] for row in data["table"]] == [row.estimate for row in verdict.rows]
    drawn = write_verdict_figures(data, tmp_path)
    assert drawn == ["verdict_spread", "verdict_distance"]
    figures = {name: (tmp_path / f"{name}.svg").read_text(encoding="utf-8") for name in drawn}
    section = verdict_section(data, figures)
    assert section.count("<svg") == 2 and "Agrees" in section
    assert verdict_section(None, {}) == ""


def test_two_widths_cannot_decide():
    verdict = mf.check(network(), "quick", widths=[8, 16], seeds=2, steps=4, nodes=32, evaluation=20)
    assert verdict.agrees is None and verdict.exit_code == 3 and "three widths" in verdict.reasons[0]


def test_the_command_leaves_a_folder_and_the_verdicts_exit_code(tmp_path, monkeypatch, capsys):
    """Two widths are undecided, exit code 3; wrong use is 2, before anything is trained."""
    from mfderive.cli import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(
        'format = 1\n[data]\nkind = "isotropic-gaussians"\ndimension = 2\nseparation = 0.4\n'
        '[loss]\nkind = "squared"\n[[layers]]\nname = "h1"\nfrom = "x"\nweight = "normal(0, 1)"\n'
        'activation = "tanh"\n[output]\nfrom = "h1"\nweight = "normal(1, 0.5)"\n'
        "[training]\nlearning_rate = 0.1\nsteps = 4\nbatch_size = 5\n"
    )
    words = ["check", "tiny.toml", "--effort", "quick", "--widths", "4,8", "--seeds", "2", "--quiet"]
    assert main([*words, "--json"]) == 3
    data = json.loads(capsys.readouterr().out)
    assert data["status"] == "undecided" and data["settings"]["seeds"] == 2
    files = {path.name for path in (tmp_path / "runs/tiny-check").iterdir()}
    assert {
        "verdict.json",
        "verdict.csv",
        "verdict_distance.svg",
        "verdict_spread.png",
        "index.html",
    } <= files
    assert main(["check", "tiny.toml", "--effort", "great"]) == 2
    assert "quick" in capsys.readouterr().err


def test_a_saddle_that_fluctuations_leave_is_undecided():
    """Zero-mean outputs behind a bottleneck start at a saddle: widths are too small, not the limit wrong."""
    net = mf.load("specs/bottleneck.toml")
    verdict = mf.check(net, "quick", widths=[16, 32, 64], seeds=6, steps=40, nodes=256, evaluation=40)
    assert verdict.agrees is None
    waiting = {FindingKind.UNSTABLE_LABELS, FindingKind.OUT_OF_RANGE, FindingKind.COARSE_EXTRAPOLATION}
    assert waiting & {finding.kind for finding in verdict.findings}
    assert any("own labels" in reason or "wider" in reason for reason in verdict.reasons)


def collapsing_norm():
    """A layer norm over neurons that are all equal in the limit, whose deviation is 0 there: every finite
    network divides noise by noise, and learns what the limit cannot.
    """
    norm = "tanh((h - mean(h)) / sqrt(mean((h - mean(h))**2) + 0.001))"
    return {
        "format": 1,
        "title": "collapsing norm",
        "data": {"kind": "teacher", "dimension": 2, "target": "tanh(x1)"},
        "loss": {"kind": "squared"},
        "layers": [
            {"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "tanh"},
            {"name": "h2", "from": "h1", "weight": "normal(1, 0.3)", "activation": norm},
        ],
        "output": {"from": "h2", "weight": "1"},
        "training": {"learning_rate": 0.1, "batch_size": 20, "steps": 5},
        "check": {"widths": [8, 16, 32, 64], "nodes": 64, "evaluation": 60},
    }


@pytest.fixture(scope="module")
def collapsing():
    """A measurement of the collapsing layer norm, whose own limit stands still."""
    net = mf.load(collapsing_norm())
    made = settings(net, ensembles=3, random_ensembles=8)
    return net, made, measure(net, made)


def test_a_norm_of_vanishing_deviation_is_undecided_and_says_why(collapsing):
    """At t = 0 the distance falls, after five steps it is the same at every width: not a wrong equation."""
    measured = collapsing[2]
    raw = {row.name: row for row in judge_rows(measured)}
    assert raw["outputs"].status == "disagrees" and raw["outputs at t = 0"].status == "consistent"
    assert fall(measured, "outputs at t = 0") > 0.5 and abs(fall(measured, "outputs")) < 0.1
    verdict = judge(measured)
    assert verdict.agrees is None and verdict.exit_code == 3
    assert any("before training" in reason for reason in verdict.reasons)
    starts = instability.unstable_starts(collapsing[0])
    assert starts and verdict.findings[-len(starts) :] == starts


def test_without_a_warning_the_same_distances_are_refused(collapsing, monkeypatch):
    """Distances that do not fall are what a wrong limit shows: only the warning makes them undecided."""
    monkeypatch.setattr(instability, "advise", lambda *_: ())
    assert judge(collapsing[2]).agrees is False


def test_the_verdict_reads_kinds_and_no_words(collapsing, monkeypatch):
    """However the warnings are worded, what they are about makes the distances undecided."""
    before = judge(collapsing[2])
    for kind in SENTENCES:
        monkeypatch.setitem(reason_sentences._SENTENCES, kind, lambda _: "...")
    after = judge(collapsing[2])
    assert (after.status, after.agrees) == (before.status, before.agrees) == ("undecided", None)
    assert "..." in after.reasons


def test_findings_that_name_a_mechanism():
    """Deviations of 0, and what fluctuations lead out of; a state that they do not leave is none."""
    held = {"moving": (), "all_shown": True, "cause": None, "zero": (), "sampled": False}
    still = Finding.of(FindingKind.STATIONARY, "w", **held, fluctuations=())
    left = Finding.of(FindingKind.STATIONARY, "w", **held, fluctuations=("w",))
    divided = Finding.of(FindingKind.ZERO_VARIANCE, "h", epsilon=0.1, always=True)
    idle = Finding.of(FindingKind.IDLE_DEVIATION, "w")
    unstable = [instability.is_unstable(each) for each in (still, left, divided, idle)]
    assert unstable == [False, True, True, False]


def test_a_wrong_start_is_refused_in_spite_of_the_warning(collapsing):
    """A first-layer law 20 % too wide shows in the labels at t = 0, where nothing is unstable yet."""
    net, made, trained = collapsing
    document = collapsing_norm()
    document["layers"][0]["weight"] = "normal(0, 1.2)"
    wrong = mf.reduce(mf.derive(mf.load(document)))
    assert judge(measure(net, made, wrong, trained=trained)).agrees is False


def test_both_kinds_of_unstable_starts_are_known(collapsing):
    """Advice on a norm over equal neurons, and on neurons that centred weights hold."""
    starts = instability.unstable_starts(collapsing[0])
    assert [each.kind for each in starts] == [FindingKind.STATIONARY, FindingKind.ZERO_VARIANCE]
    stands, divides = reason_sentences.reasons(starts)
    assert "stationary" in stands and "variance" in divides


@pytest.mark.parametrize("name", ["five_layer_tanh", "layer_norm", "recurrent_elman", "gated"])
def test_shipped_specs_have_no_unstable_start(name):
    """So the rule about instabilities takes no power from their checks (only `bottleneck` has one)."""
    assert instability.unstable_starts(mf.load(f"specs/{name}.toml")) == ()


def test_the_calibrated_network_has_no_unstable_start():
    assert instability.unstable_starts(network()) == ()

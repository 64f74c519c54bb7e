"""'Agrees' needs a limit that the nodes of solve reproduce, and losses that stayed in reason."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.findings import Finding, FindingKind
from mfderive.format.reader import parse_document
from mfderive.samples.resolve import resolve
from mfderive.verdict.estimates import DIRECT
from mfderive.verdict.measurements import measure
from mfderive.verdict.reason_sentences import reasons
from mfderive.verdict.resolution import confirmed, default_solution, unlike_default
from mfderive.verdict.settings import resolve_settings
from mfderive.verdict.verdict import judge


def network(deviation, activation="exp(exp(h))"):
    """One layer whose weights stay: with exp(exp(h)) their expectation is infinite, for any deviation."""
    document = {
        "format": 1,
        "title": "Tails",
        "data": {"kind": "isotropic-gaussians", "dimension": 3, "separation": 0.5},
        "loss": {"kind": "squared"},
        "layers": [
            {
                "name": "h1",
                "from": "x",
                "weight": {"law": f"normal(0, {deviation})", "rate": 0},
                "activation": activation,
            }
        ],
        "output": {"from": "h1", "weight": "0"},
        "training": {"learning_rate": 0.05, "batch_size": 10, "steps": 20},
    }
    return resolve(parse_document(document))


def measured(net):
    made = resolve_settings(net, "quick", widths=(100, 200, 400))
    return measure(net, made)


@pytest.fixture(scope="module")
def tails():
    return measured(network(0.08))


@pytest.fixture(scope="module")
def tame():
    return measured(network(0.3, "tanh(h)"))


def test_an_expectation_that_is_infinite_is_undecided(tails):
    """Networks and the check's points miss the tail that Gauss nodes see: they agree with one another."""
    assert judge(tails).status == "agrees" and np.abs(tails.limit.loss).max() < 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert default_solution(tails).loss.max() > 10
        verdict = confirmed(judge(tails))
    assert verdict.status == "undecided" and verdict.exit_code == 3 and verdict.agrees is None
    assert "needs a limit that other nodes reproduce: " in verdict.reasons[0]
    assert "an expectation is infinite" in verdict.text


def test_a_limit_that_other_nodes_reproduce_still_agrees(tame):
    assert unlike_default(tame) is None
    assert confirmed(judge(tame)).status == "agrees"
    # The same numbers with a tolerance below what the nodes leave open.
    strict = replace(tame, settings=replace(tame.settings, tolerance=1e-9))
    unlike = unlike_default(strict)
    assert unlike.kind == FindingKind.OTHER_NODES and unlike.facts["distance"] > unlike.facts["tolerance"]
    (said,) = reasons([unlike])
    assert "on the nodes that solve takes (h1: 1000) and on this check's (h1: 1024) are" in said


def exploded(path):
    facts = {"start": 1.0, "reference": 1.0, "peak": 1e9, "peak_time": 0.5, "end": 1.0, "end_time": 1.0}
    from mfderive.runs.divergence import noted

    finding = Finding.of(FindingKind.LOSS_EXPLODED, **facts, limit=None)
    return replace(path, notes={**path.notes, **noted([finding])})


def test_losses_that_exploded_agree_with_nothing(tame):
    limit, paths = exploded(tame.limit), tuple(tuple(map(exploded, group)) for group in tame.paths)
    for wild in (
        replace(tame, limit=limit),
        replace(tame, paths=paths),
        replace(tame, limit=limit, paths=paths),
    ):
        verdict = confirmed(judge(wild))
        assert verdict.status == "undecided" and "exploded on the way" in verdict.reasons[0]
    # A limit that alone exploded is contradicted by networks that did not; where all did, nothing is.
    apart = Finding.of(FindingKind.APART, "outputs", test=DIRECT, least=1.0)
    wrong = replace(judge(replace(tame, limit=limit)), status="disagrees", findings=(apart,))
    assert confirmed(wrong).status == "disagrees"
    wrong = replace(wrong, measured=replace(tame, limit=limit, paths=paths))
    assert confirmed(wrong).status == "undecided" and confirmed(wrong).findings[-1] == apart
    assert confirmed(wrong).reasons[-1].startswith("outputs: networks do not approach the limit: ")


def test_check_asks_for_it():
    verdict = mf.check(network(0.08), "quick", widths=(100, 200, 400))
    assert verdict.status == "undecided" and "other nodes reproduce" in verdict.reasons[0]

"""The sentences of a verdict are made of its findings, kind by kind."""

import pytest

from mfderive.algebra.findings import Finding, FindingKind
from mfderive.verdict.estimates import LABELS
from mfderive.verdict.reason_sentences import reasons, row_reason

OUT_OF_RANGE = "wider networks: these are not in the range that can be extrapolated"
SAID = {
    Finding.of(FindingKind.APART, "loss", test=LABELS, least=0.1234): "loss: the limit's ensemble is not a "
    "sample of the labels that networks draw: at infinite width they are at least 0.12 apart",
    Finding.of(FindingKind.OUT_OF_RANGE, "loss"): f"loss: needs: {OUT_OF_RANGE}",
    Finding.of(FindingKind.COARSE_EXTRAPOLATION, "loss", left=0.2, tolerance=0.1): "loss: needs: wider "
    "networks: the extrapolation leaves 0.2, tolerance 0.1",
    Finding.of(FindingKind.NOISY, "loss", times=4): "loss: needs: about 4 times the seeds",
    Finding.of(FindingKind.NOISY, "loss", times=None): "loss: needs: wider networks: their fluctuations are "
    "far above the tolerance",
    Finding.of(FindingKind.FEW_WIDTHS, least=3): "needs: at least three widths",
}


@pytest.mark.parametrize("finding", SAID, ids=lambda finding: finding.kind)
def test_a_finding_becomes_its_sentence(finding):
    assert reasons([finding]) == (SAID[finding],)


@pytest.mark.parametrize("kind", [FindingKind.UNSTABLE_LABELS, FindingKind.UNSTABLE_START])
def test_instabilities_ask_for_less_time_or_more_width(kind):
    (said,) = reasons([Finding.of(kind, "outputs")])
    assert said.startswith("outputs: needs: a shorter time or much wider networks: ")


def test_a_limit_that_diverges_on_other_nodes_is_said_with_its_run():
    run = Finding.of(FindingKind.NOT_FINITE, reason="h1 overflowed")
    (said,) = reasons([Finding.of(FindingKind.WILD_NODES, run=run)])
    assert "on the nodes that solve takes, h1 overflowed. " in said
    assert reasons([run]) == ("h1 overflowed",)


def test_rows_say_their_reason_without_their_name():
    assert row_reason(Finding.of(FindingKind.OUT_OF_RANGE, "loss")) == OUT_OF_RANGE
    assert row_reason(None) == ""

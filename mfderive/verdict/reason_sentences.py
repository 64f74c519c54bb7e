"""Why a verdict is what it is, in words: of findings about observables, about the limit and about runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from ..advice.sentences import SENTENCES as ADVICE
from ..algebra.findings import Finding, FindingKind, sentence_of
from ..runs.divergence import SENTENCES as RUNS
from .estimates import DIRECT, LABELS, PAIRS

_REJECTED = {
    PAIRS: "networks do not approach the limit solved on their own labels",
    LABELS: "the limit's ensemble is not a sample of the labels that networks draw",
    DIRECT: "networks do not approach the limit",
}
_TAILS = (
    "Points and networks may miss tails of the initial laws over which an expectation is infinite: look at "
    "what activations are at large arguments, or take smaller initial values"
)


def reasons(findings: Iterable[Finding]) -> tuple[str, ...]:
    """One sentence for each finding that a verdict rests on, in their order."""
    return tuple(sentence_of(_SENTENCES, each, "verdict/reason_sentences.py")(each) for each in findings)


def row_reason(finding: Finding | None) -> str:
    """Why one observable disagrees, or what it needs, without its name; "" where nothing is to be said."""
    if finding is None:
        return ""
    return sentence_of(_OF_ROWS, finding, "verdict/reason_sentences.py")(finding.facts)


# ---------------------------------------------------------------------------------------- of observables


def _apart(facts: Mapping[str, Any]) -> str:
    return f"{_REJECTED[facts['test']]}: at infinite width they are at least {facts['least']:.2g} apart"


def _out_of_range(_: Mapping[str, Any]) -> str:
    return "wider networks: these are not in the range that can be extrapolated"


def _coarse(facts: Mapping[str, Any]) -> str:
    return f"wider networks: the extrapolation leaves {facts['left']:.2g}, tolerance {facts['tolerance']:.2g}"


def _noisy(facts: Mapping[str, Any]) -> str:
    if facts["times"] is None:
        return "wider networks: their fluctuations are far above the tolerance"
    return f"about {facts['times']} times the seeds"


def _unstable_labels(_: Mapping[str, Any]) -> str:
    return (
        "a shorter time or much wider networks: on their own labels networks agree with the limit, but the "
        "labels' fluctuations have grown in training beyond what these widths can extrapolate"
    )


def _unstable_start(_: Mapping[str, Any]) -> str:
    return (
        "a shorter time or much wider networks: distances fall with the width before training and not after "
        "it, as where fluctuations lead networks out of a state that the limit stays in"
    )


# All but the first say what would decide.
_OF_ROWS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    FindingKind.APART: _apart,
    FindingKind.OUT_OF_RANGE: _out_of_range,
    FindingKind.COARSE_EXTRAPOLATION: _coarse,
    FindingKind.NOISY: _noisy,
    FindingKind.UNSTABLE_LABELS: _unstable_labels,
    FindingKind.UNSTABLE_START: _unstable_start,
}


def _of_row(finding: Finding) -> str:
    needs = "" if finding.kind == FindingKind.APART else "needs: "
    return f"{', '.join(finding.subjects)}: {needs}{row_reason(finding)}"


# ---------------------------------------------------------------------------------------- of the limit


def _few_widths(finding: Finding) -> str:
    return f"needs: at least {_NUMBERS[finding.facts['least']]} widths"


_NUMBERS = {3: "three"}


def _other_nodes(finding: Finding) -> str:
    facts = finding.facts
    said = "the loss" if facts["loss"] else "outputs"
    return (
        f"needs a limit that other nodes reproduce: {said} on the nodes that solve takes "
        f"({_counts(facts['default'])}) and on this check's ({_counts(facts['own'])}) are "
        f"{facts['distance']:.2g} apart, tolerance {facts['tolerance']:.2g}. {_TAILS}"
    )


def _counts(nodes: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in nodes)


def _wild_nodes(finding: Finding) -> str:
    (said,) = reasons([finding.facts["run"]])
    return f"needs a limit that other nodes reproduce: on the nodes that solve takes, {said}. {_TAILS}"


def _of_run(make: Callable[[Mapping[str, Any]], str], finding: Finding) -> str:
    return make(finding.facts)


_SENTENCES: dict[str, Callable[[Finding], str]] = {
    **dict.fromkeys(_OF_ROWS, _of_row),
    FindingKind.FEW_WIDTHS: _few_widths,
    FindingKind.OTHER_NODES: _other_nodes,
    FindingKind.WILD_NODES: _wild_nodes,
    **{kind: partial(_of_run, make) for kind, make in RUNS.items()},
    **ADVICE,
}

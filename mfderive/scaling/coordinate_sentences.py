"""The sentences of coordinate checks, made of findings at the end: which factor is wrong, and why."""

from __future__ import annotations

from collections.abc import Callable

from ..advice.sentences import listed, verb
from ..algebra.findings import Finding, sentence_of
from .factor_faults import Fault


def fault_sentence(finding: Finding) -> str:
    """The sentence of a fault."""
    return sentence_of(_SENTENCES, finding, "scaling/coordinate_sentences.py")(finding)


def _exponent(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"the exponent over the width is {facts['slope']:+.2f} (between {facts['low']:+.2f} and "
        f"{facts['high']:+.2f}) beside that of a right network, expected {facts['expected']:g}"
    )


def _deviation(finding: Finding) -> str:
    return (
        f"{listed(finding.subjects)}: the entries start with a wrong power of the width: "
        f"{_exponent(finding)}. What it changes behind it is not judged."
    )


def _forward(finding: Finding) -> str:
    field = finding.facts["field"]
    who = listed(finding.subjects) or f"what is summed into {field}"
    return (
        f"{who}: the sum into {field} has a wrong factor: {_exponent(finding)}, while everything that it "
        "reads is right. What it changes behind it, and gradients, are not judged."
    )


def _rate(finding: Finding) -> str:
    return (
        f"{listed(finding.subjects)}: the learning rate has a wrong power of the width: {_exponent(finding)} "
        "in the first step, while values at the start are right, so its gradient is."
    )


def _all_rates(finding: Finding) -> str:
    return (
        f"All parameters move with the same wrong power of the width: {_exponent(finding)} in the first "
        "step. It is the learning rate or the loss as a whole (a sum instead of a mean), not a factor of one."
    )


def _still(finding: Finding) -> str:
    names = finding.subjects
    return f"{listed(names)} {verb(names, 'do', 'does')} not move in the first step, though it should."


def _unfinished(finding: Finding) -> str:
    return f"{listed(finding.subjects)}: values leave the finite numbers at some width."


def _unclear(finding: Finding) -> str:
    fields = finding.facts["fields"]
    return (
        f"Several first steps are off, but {listed(fields)} {verb(fields, 'scatter')} too much to tell "
        "whether a factor of a sum is wrong. Let train return the batch of the first step as x and y, or "
        "take more seeds."
    )


_SENTENCES: dict[str, Callable[[Finding], str]] = {
    Fault.DEVIATION: _deviation,
    Fault.FORWARD: _forward,
    Fault.RATE: _rate,
    Fault.ALL_RATES: _all_rates,
    Fault.STILL: _still,
    Fault.UNFINISHED: _unfinished,
    Fault.UNCLEAR: _unclear,
}

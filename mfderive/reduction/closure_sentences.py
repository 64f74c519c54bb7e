"""What closure found, in words: weights that are replaced by their means, and those that keep their noise."""

from __future__ import annotations

from ..algebra.findings import Finding, FindingKind
from ..algebra.system import LimitSystem
from ..analysis.dependencies import field_words
from .pass_words import Sentences


def _closed(system: LimitSystem, finding: Finding) -> str:
    return (
        f"{', '.join(finding.subjects)}: random entries are replaced by their mean given their two neurons, "
        f"{finding.facts['mean']}, because every equation is affine in them; their deviation does not matter "
        "in the limit"
    )


def _constant(system: LimitSystem, finding: Finding) -> str:
    return f"{', '.join(finding.subjects)}: constant given the two neurons, so there is no noise to average"


def _kept_noise(system: LimitSystem, finding: Finding) -> str:
    facts, (weight,) = finding.facts, finding.subjects
    others = facts["others"]
    where = f"is multiplied with {others[0]} on the same pair" if others else "does not enter affinely"
    return (
        f"{weight}: its entries keep their own noise, as a quadrature axis, because it {where} in "
        f"the equation of {field_words(system, facts['equation'])}: {facts['expression']}"
    )


CLOSURE_SENTENCES: Sentences = {
    FindingKind.CLOSED: _closed,
    FindingKind.CONSTANT: _constant,
    FindingKind.KEPT_NOISE: _kept_noise,
}

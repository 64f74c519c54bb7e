"""The conditions of global convergence as text, LaTeX and plain data."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any

from ..algebra.findings import Finding
from .condition_kinds import Answer, Condition, ConditionKind, ConditionRows, Source
from .condition_sentences import condition_sentence
from .sentences import listed

WIDTH = 110


def conclusion(found: ConditionRows) -> list[str]:
    """What the answers come to, in sentences."""
    kinds = {answer: [str(each.kind) for each in found.needed if each.answer is answer] for answer in Answer}
    course = found.condition[ConditionKind.CONVERGENCE]
    if found.answer is Answer.NO:
        told = [f"The theorems do not apply: {'; '.join(kinds[Answer.NO])}."]
        told.append("That says nothing against convergence: the conditions suffice, and are not necessary.")
    elif found.answer is Answer.OPEN:
        told = [f"No condition is seen to fail, but some are not decidable: {'; '.join(kinds[Answer.OPEN])}."]
    elif course.answer is Answer.NO:
        told = ["All conditions on the start hold, but the weights cannot converge, as the theorems assume."]
    else:
        reached = found.condition[ConditionKind.TARGET].answer is Answer.YES
        least = "0" if reached else "the least that a function of x has"
        given = "" if course.answer is Answer.YES else "if the weights converge as t grows, "
        told = [f"All conditions on the start hold: {given}the loss of the limit goes to {least}."]
    if found.collapsed:
        names = listed(found.collapsed)
        told.append(f"In the limit all neurons of {names} are equal: the start is degenerate.")
    return told


def text_of(found: ConditionRows) -> str:
    """The conclusion, then every condition with its reasons."""
    lines = [f"Global convergence of {found.title}", ""]
    lines += [fill(told, WIDTH) for told in conclusion(found)]
    lines.append("")
    for condition in found.conditions:
        mark = {Source.READ: "", Source.MEMORY: " [from memory]", Source.DERIVED: " [derived here]"}
        lines.append(f"{condition.answer}: {condition.kind}{mark[condition.source]}")
        for told in _sentences(condition):
            lines.append(fill(told, WIDTH, initial_indent="  - ", subsequent_indent="    "))
    return "\n".join(lines)


def _sentences(condition: Condition) -> list[str]:
    """What a condition's answer rests on; where it is not yes, only what stands in its way."""
    return [condition_sentence(finding) for finding in telling(condition)]


def telling(condition: Condition) -> tuple[Finding, ...]:
    """The findings that decide an answer."""
    if condition.answer is Answer.YES:
        return condition.findings
    return tuple(each for each in condition.findings if each.facts["answer"] is condition.answer)


_TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{sign: f"\\{sign}" for sign in "#$%&_{}"},
    }
)


def latex_of(found: ConditionRows) -> str:
    """The conclusion and one tabular: condition, answer, why."""
    lines = [rf"\paragraph{{Global convergence of {found.title.translate(_TEX)}}}"]
    lines += [told.translate(_TEX) for told in conclusion(found)]
    lines += ["", r"\begin{tabular}{lp{0.14\textwidth}p{0.55\textwidth}}", r"\toprule"]
    lines += [r"condition & answer & why \\", r"\midrule"]
    for condition in found.conditions:
        why = ". ".join(_sentences(condition)).translate(_TEX)
        lines.append(rf"{str(condition.kind).translate(_TEX)} & {condition.answer} & {why} \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def data_of(found: ConditionRows) -> dict[str, Any]:
    """Everything as plain data: kinds, subjects, facts and sentences."""
    return {
        "title": found.title,
        "hidden_layers": found.layers,
        "answer": str(found.answer),
        "conclusion": conclusion(found),
        "collapsed": list(found.collapsed),
        "conditions": [
            {
                "condition": str(condition.kind),
                "answer": str(condition.answer),
                "source": str(condition.source),
                "findings": [_finding(finding) for finding in condition.findings],
            }
            for condition in found.conditions
        ],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "kind": str(finding.kind),
        "subjects": list(finding.subjects),
        "evidence": {name: _plain(value) for name, value in finding.evidence},
        "text": condition_sentence(finding),
    }


def _plain(value: Any) -> Any:
    """Evidence as JSON can hold it: infinities as words."""
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "infinity" if value > 0 else "-infinity"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, str) else value

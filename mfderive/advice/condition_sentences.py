"""The sentences of the conditions of global convergence, made of their findings at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..algebra.findings import Finding, sentence_of
from ..analysis.function_facts import Answer, Why
from ..analysis.law_facts import LawWhy
from .chain import Fork
from .condition_kinds import Ground
from .sentences import listed, verb


def condition_sentence(finding: Finding) -> str:
    """Why a finding answers as it does."""
    return sentence_of(_SENTENCES, finding, "advice/condition_sentences.py")(finding)


# ---------------------------------------------------------------------------------------- form

_FORKS = {
    Fork.SOURCES: "is a sum of several parts, not of one average alone",
    Fork.OPERATION: "is not an average of weight times value",
    Fork.AXES: "has positions, or reads or belongs to a layer that is not infinitely wide",
    Fork.STATISTICS: "is no function of its neuron's own pre-activation and parameters alone",
    Fork.SHARED: "is a weight that is used more than once",
    Fork.LOSSES: "reads an inner layer",
}


def _fork(finding: Finding) -> str:
    return (
        f"{finding.subjects[0]} {_FORKS[finding.facts['why']]}. The theorems are about layers that form a "
        "fully connected chain: each pre-activation one average of weight times value over the layer before"
    )


def _is_chain(finding: Finding) -> str:
    names = finding.subjects
    count = len(names) + 1
    return f"{listed(names)} and the output form a chain with {count} layers of weights"


def _else(finding: Finding) -> str:
    names = finding.subjects
    return (
        f"{listed(names)} {verb(names, 'are', 'is')} beyond what the theorems state: weights, and a bias of "
        "the first layer (x extended by a constant coordinate)"
    )


def _none_else(finding: Finding) -> str:
    if finding.facts["bias"]:
        return "Besides weights there is a bias of the first layer alone: x extended by a constant coordinate"
    return "There are no parameters but weights"


def _rates(finding: Finding) -> str:
    parts = [f"{listed(names)} {rate}" for rate, names in finding.facts["rates"]]
    return f"The theorems are stated for equal, constant rates greater than 0; here: {'; '.join(parts)}"


# ---------------------------------------------------------------------------------------- functions

_WHAT = {
    "": "",
    "slope": "its derivative ",
    "lipschitz": "the slope of its derivative ",
    "zero": "its derivative ",
    "convex": "its second derivative ",
}


def number(value: float) -> str:
    """A number as sentences say it."""
    if math.isinf(value):
        return "infinity" if value > 0 else "minus infinity"
    return f"{value:.4g}"


def _function(finding: Finding) -> str:
    facts = finding.facts
    where = [low if low == high else f"{low} to {high}" for low, high in facts.get("where", ())]
    given = f" at y = {', '.join(map(_plain, where))}" if where else ""
    parts = [_fact(*told) for told in facts["facts"]]
    return f"{finding.subjects[0]}: {facts['function']}{given}: {'; '.join(parts)}"


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _fact(what: str, answer: Answer, why: Why, at: Sequence[float]) -> str:
    subject = _WHAT[what]
    if why == Why.RANGE:
        low, high = map(number, at)
        same = f"is {low}" if low == high else f"lies between {low} and {high}"
        end = ", and never is 0" if what == "zero" and low != high else ""
        return f"{subject or 'it '}{same}{end}"
    if why == Why.GROWS:
        return f"{subject or 'it '}grows without bound towards {number(at[0])}"
    if why == Why.KINK:
        return "its derivative jumps"
    if why == Why.ZERO:
        place = f"at h = {number(at[0])}" if len(at) == 1 else f"from h = {number(at[0])} to {number(at[1])}"
        return f"{subject}is 0 {place}"
    if why == Why.SIGN:
        return f"{subject}changes its sign between {number(at[0])} and {number(at[1])}"
    if what == "convex":
        return "its form does not show whether it is convex, or whether it has stationary points above 0"
    return f"its form does not show bounds of {'it' if not subject else subject.strip()}"


def _stuck(finding: Finding) -> str:
    low, high = finding.facts["between"]
    return (
        f"For y = {finding.facts['y']:g} the derivative changes its sign between yhat = {number(low)} and "
        f"{number(high)}, where the loss is at least {number(finding.facts['least'])}: a stationary point at "
        "which it is not 0"
    )


# ---------------------------------------------------------------------------------------- data and laws


def _data(finding: Finding) -> str:
    rows = finding.facts["rows"]
    return f"a fixed sample of {rows} rows" if rows is not None else f"the law '{finding.facts['data']}'"


def _inputs(finding: Finding) -> str:
    answer = finding.facts["answer"]
    if answer == Answer.OPEN:
        return f"Of {_data(finding)} no bound of x is known"
    return f"x follows {_data(finding)}, which is {'bounded' if answer == Answer.YES else 'unbounded'}"


def _target(finding: Finding) -> str:
    answer = finding.facts["answer"]
    if answer == Answer.OPEN:
        return f"Of {_data(finding)} it is not known whether y is a function of x"
    if answer == Answer.YES:
        return f"In {_data(finding)} y is a function of x, so that a function of x fits it"
    return f"In {_data(finding)} one x comes with different y, so that no function of x fits it"


def _law(finding: Finding) -> str:
    facts, name = finding.facts, finding.subjects[0]
    reasons = {
        LawWhy.FULL: "any number",
        LawWhy.POINT: "one number",
        LawWhy.BOUNDED: "bounded",
        LawWhy.TIED: "fixed by other initial values of the same neuron",
        LawWhy.TAILS: "sub-Gaussian"
        if facts["degree"] <= 1
        else f"grows as a polynomial of degree {facts['degree']:g} of normal numbers",
        LawWhy.OPEN: "its form does not show it",
    }
    return f"{name} ({facts['law']}): {reasons[facts['why']]}"


_FAMILIES = {
    "polynomial": "it is a polynomial, whose neurons span polynomials of its degree alone",
    "no shift": "there is no bias (nor a constant coordinate of x), so the usual theorems do not apply",
    "even": "there is no bias, and its even part is a polynomial: where x and -x have one law, even "
    "functions of x are out of reach",
    "odd": "there is no bias, and its odd part is a polynomial: where x and -x have one law, odd "
    "functions of x are out of reach",
    "open": "its form does not show that it is no polynomial",
    "bounded": "it is bounded and not constant, and has a bias: dense for every law of x (Hornik 1991)",
    "bounded inputs": "it is no polynomial, has a bias, and x is bounded: dense (Leshno and others 1993)",
    "poles": "it is no polynomial, but nothing shows that it is bounded on bounded intervals",
    "unbounded": "it is no polynomial, but neither it nor x is bounded, and no theorem is known to us",
}


def _family(finding: Finding) -> str:
    return f"{finding.subjects[0]}: {finding.facts['function']}: {_FAMILIES[finding.facts['why']]}"


def _reach(finding: Finding) -> str:
    facts, name = finding.facts, finding.subjects[0]
    told = f"{name} ({facts['law']}): "
    if facts["targets"] is None:
        return f"{told}its mean is no sum of products of the two ends, and nothing shows how far it reaches"
    if not facts["targets"] and not facts["sources"]:
        return f"{told}its mean is the same for all pairs of neurons, so that no neurons differ by it"
    return (
        f"{told}as a function of the source neuron its mean varies in at most {facts['targets']} dimensions "
        f"with the target neuron, as a function of the target in at most {facts['sources']} with the source; "
        "the theorem asks for all of L2"
    )


# ---------------------------------------------------------------------------------------- course


def _start(finding: Finding) -> str:
    facts, name = finding.facts, finding.subjects[0]
    if "reason" in facts:
        return f"{name}: not examined: {facts['reason']}"
    losses = (
        f"the loss starts at {facts['loss']:.4g}, that of the output 0 is {facts['of_zero']:.4g} (their "
        f"difference known within {facts['error']:.1g})"
    )
    if facts["answer"] == Answer.YES:
        return f"{name}: {losses}, and the loss never grows along the flow"
    return f"{name}: {losses}; they could shrink to 0, where a flow may rest"


def _names(finding: Finding) -> str:
    names = finding.subjects
    law = "law" if len(names) == 1 else "laws"
    return f"The {law} of {listed(names)} {verb(names, 'name')} other initial values"


def _still(finding: Finding) -> str:
    names = finding.subjects
    if not names:
        return "Nothing is trained"
    if finding.facts["answer"] == Answer.YES:
        return f"{listed(names)} never {verb(names, 'move')} from the start, so they converge"
    return f"{listed(names)} {verb(names, 'start', 'starts')} at 0 and never {verb(names, 'move')}"


_SENTENCES: dict[str, Callable[[Finding], str]] = {
    Ground.FORK: _fork,
    Ground.IS_CHAIN: _is_chain,
    Ground.NO_CHAIN: lambda _: "It is a condition on the layers of a chain, and the network is none",
    Ground.ONE: lambda _: "One output",
    Ground.SEVERAL: lambda f: f"{f.facts['count']} outputs; the theorems are stated for one",
    Ground.ELSE: _else,
    Ground.NONE_ELSE: _none_else,
    Ground.PLAIN: lambda _: "SGD, whose limit for small rates is the gradient flow",
    Ground.RULE: lambda f: f"The rule is {f.subjects[0]}; the theorems are about SGD and its gradient flow",
    Ground.DECAY: lambda f: f"Weight decay on {listed(f.subjects)} adds a term to the flow",
    Ground.NOISE: lambda f: f"Noise on {listed(f.subjects)} adds a term to the flow",
    Ground.CLIP: lambda f: f"Gradients are clipped at {f.facts['clip']:g}",
    Ground.EQUAL_RATES: lambda f: f"All parameters learn at the rate {f.facts['rates'][0][0]}",
    Ground.RATES: _rates,
    Ground.FUNCTION: _function,
    Ground.LOSS_FORM: lambda _: "The loss is not one expression in y and one output, and is not examined",
    Ground.STUCK: _stuck,
    Ground.INPUTS: _inputs,
    Ground.LAW: _law,
    Ground.INDEPENDENT: lambda _: "No law names other initial values",
    Ground.NAMES: _names,
    Ground.FAMILY: _family,
    Ground.REACH: _reach,
    Ground.START: _start,
    Ground.STILL: _still,
    Ground.ASSUMED: lambda _: (
        "The theorems assume of the solution that all weights converge as t grows; no start decides it. "
        "Solve, and look"
    ),
    Ground.NO_MINIMUM: lambda _: (
        "The derivative of the loss is 0 nowhere and y is a function of x: if the weights converged, the "
        "theorem would make it 0"
    ),
    Ground.TARGET: _target,
}

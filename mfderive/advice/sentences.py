"""The sentences of the advice about a limit: what, why and what to do, made of findings at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..algebra.findings import Finding, FindingKind, sentence_of
from .advise import Gap


def sentences(findings: Iterable[Finding]) -> tuple[str, ...]:
    """One warning for each finding, in their order."""
    return tuple(sentence_of(SENTENCES, each, "advice/sentences.py")(each) for each in findings)


def listed(parts: Sequence[str]) -> str:
    """Names as a sentence lists them: "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def verb(names: Sequence[str], many: str, one: str = "") -> str:
    """A verb that fits a number of names: "move" or "moves"."""
    return many if len(names) != 1 else one or f"{many}s"


# ---------------------------------------------------------------------------------------- collapse


def _unexamined(finding: Finding) -> str:
    return f"The initial state could not be examined: {finding.facts['reason']}"


def _equal_neurons(finding: Finding) -> str:
    names = finding.subjects
    return (
        f"{listed(names)}: in the limit all neurons of "
        f"{'this layer' if len(names) == 1 else 'such a layer'} are equal, so it computes what one "
        "neuron computes, however wide it is. Why: initial values are independent, and averages over "
        "neurons forget them (Nguyen & Pham 2020). What to do if neurons should differ: a "
        'random bias (bias = "normal(0, 0.5)"), or initial weights that depend on the neurons at '
        'their ends (weight = "normal(1 + target.b, 0.1)").'
    )


def _idle_deviation(finding: Finding) -> str:
    return (
        f"{listed(finding.subjects)}: the deviation of the initial weights does not matter in the limit, "
        "only their mean does. Why: every equation is affine in them, so their noise averages out. "
        "It shows in finite networks only, and fades as they grow wider. Laws of first-layer "
        "weights, biases and output weights do matter."
    )


def _equal_outputs(finding: Finding) -> str:
    remedy = "What to do: train the output weights (rate other than 0), or give the output a trained bias."
    if not finding.facts["trained"]:
        return (
            "All outputs are equal in the limit, and nothing is trained. Why: every parameter has rate 0, "
            f"and averages of independent output weights do not differ from output to output. {remedy}"
        )
    return (
        "All outputs stay equal for ever in the limit. Why: nothing that is trained differs from "
        f"output to output, and averages of independent output weights do not either. {remedy}"
    )


def _zero_variance(finding: Finding) -> str:
    epsilon = finding.facts["epsilon"]
    when = "at all times" if finding.facts["always"] else "at the start (training makes them differ)"
    if epsilon > 0:
        approach = (
            f"They approach this limit only where that is small beside epsilon = {epsilon:g}: for widths "
            f"well above {1 / epsilon:,.0f}"
        )
    else:
        approach = "Nothing is added to it (epsilon = 0), so they do not approach this limit"
    return (
        f"{listed(finding.subjects)}: normalises over neurons that are all equal in the limit, {when}, so it "
        "divides by a variance of 0. Why: a layer norm divides by the deviation over neurons; finite "
        f"networks have a variance of order 1/width there. {approach}. What to do: make the neurons differ "
        '(bias = "normal(0, 0.5)" on the layer that is normalised), or leave the normalisation out.'
    )


# ---------------------------------------------------------------------------------------- theorems


def _kinks(names: Sequence[str]) -> str:
    return f"the derivative{'s' * (len(names) > 1)} of {listed(names)} must be Lipschitz"


_GAPS: dict[Gap, Callable[[Sequence[str]], str]] = {
    Gap.KINKS: _kinks,
    Gap.OWN_LOSS: lambda _: "the loss's derivative must be bounded, which a loss of your own may not have",
    Gap.LOSS: lambda names: (
        f"the derivative of the {names[0]} loss must be bounded (it grows with the residual)"
    ),
    Gap.CHAIN: lambda _: "layers must form a fully connected chain",
    Gap.OUTPUTS: lambda _: "one output (this network has several)",
    Gap.STATISTICS: lambda _: "no statistics over neurons inside activations",
    Gap.AFFINE: lambda _: "weights enter affinely",
}


def _no_theorem(finding: Finding) -> str:
    gaps = "; ".join(_GAPS[gap](names) for gap, names in finding.facts["gaps"])
    return (
        "No published theorem covers this network word for word; the equations are formal, and "
        f"`check` tests them. Not met: {gaps}. Nguyen & Pham 2020 (arXiv:2001.11443, "
        "Theorems 7 and 15) assume a fully connected chain with one output, smooth activations and a "
        "bounded loss derivative; Pham & Nguyen 2021 (ICLR, Theorem 3) the same with two hidden "
        "layers."
    )


# ---------------------------------------------------------------------------------------- what stands still


def _unread(finding: Finding) -> str:
    return (
        f"{listed(finding.subjects)}: trained, but the loss does not depend on it, so it never moves. "
        "Use it in an activation or operation, or set its rate to 0."
    )


def _stationary(finding: Finding) -> str:
    still, moving = finding.subjects, finding.facts["moving"]
    if moving:
        start, end = "partly stationary", f"; only {listed(moving)} {verb(moving, 'do', 'does')}."
    else:
        start, end = "stationary", ", so nothing is learned." if finding.facts["all_shown"] else "."
    never = f"{listed(still)} never {verb(still, 'move')} in the limit{end}"
    return f"The initial state is {start}: {never} {_why(finding)}"


def _unseen(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"The initial state seems to be {'partly ' * bool(facts['moving'])}stationary: "
        f"{listed(finding.subjects)} did not "
        f"move on {facts['nodes']} nodes of a population and {facts['samples']} samples of the data. "
        f"Motion that is rarer than that cannot be excluded. {_why(finding)}"
    )


def _why(finding: Finding) -> str:
    """What holds them; of what was only not seen to move, no more than the nodes that were looked at show."""
    cause, shown = finding.facts["cause"], finding.kind != FindingKind.UNSEEN
    where = "" if shown else "on these nodes and samples "
    if cause is None:
        why = (
            f"{where}every product in their evolution has a factor 0 (slopes that vanish, averages that "
            "cancel)"
        )
        remedy = "change initial values or activations"
    else:
        why = f"{'; '.join(_reasons(cause))}. So {where}every product in their evolution has a factor 0"
        whom = "all of them" if set(finding.subjects) == set(cause["woken"]) else listed(cause["woken"])
        remedy = f"{_remedy(cause)}, which moves {whom}"
    return f"Why: {why}{_zero(finding)}. {_chance(finding)}What to do: {remedy}."


def _reasons(cause: Mapping[str, Any]) -> list[str]:
    """How the parameters that hold the others start, those alike together."""
    centred, reasons = cause["centred"], []
    if centred:
        start = f"{listed(centred)} {verb(centred, 'start')} with mean 0"
        reasons.append(f"{start}, and in the limit only means are felt")
    for value, frozen, names in cause["starts"]:
        start = f"{listed(names)} {verb(names, 'start')}"
        if value:
            stay = f" and {verb(names, 'stay')} frozen" if frozen else ""
            reasons.append(f"{start} at {value}{stay}")
        else:
            reasons.append(f"{start} with a symmetric law, so that averages over it cancel")
    return reasons


def _remedy(cause: Mapping[str, Any]) -> str:
    random, fixed = cause["random"], cause["fixed"]
    one = "one of " if cause["each"] and len(random) + len(fixed) > 1 else ""
    parts = []
    if random:
        parts.append(f'give {one}{listed(random)} a mean, as in weight = "normal(1, 0.1)"')
    if fixed:
        parts.append(f"start {one}{listed(fixed)} elsewhere")
    return (", or " if one else " and ").join(parts)


def _zero(finding: Finding) -> str:
    names = finding.facts["zero"]
    if not names:
        return ""
    return f" ({listed(names)} {verb(names, 'are', 'is')} 0, because positive and negative values cancel)"


def _chance(finding: Finding) -> str:
    """What leaves the state by chance: finite networks, and nodes that are sampled."""
    text, moved = "", finding.facts["fluctuations"]
    if moved:
        whom = "them" if set(moved) == set(finding.subjects) else listed(moved)
        if finding.kind == FindingKind.UNSEEN:
            text = f"Finite networks move {whom}, through fluctuations that shrink with their width. "
        else:
            text = (
                "Wide networks leave this state through fluctuations of order 1/sqrt(width) alone, which "
                f"move {whom}. "
            )
    if finding.facts["sampled"]:
        text += "So do sampled nodes (sobol, monte-carlo), through their sampling error. "
    return text


def _random_limit(finding: Finding) -> str:
    names = finding.subjects
    quiet = ", ".join(f'"{name}" = 0' for name in names)
    return (
        f"{listed(names)}: fresh noise here makes the limit itself random. Why: noise of neurons averages "
        "out over them, but what belongs to no neuron is felt by all of them alike, at every width. A "
        "solution is the limit for the path of the noise that its seed draws, and networks of other seeds "
        f"follow other paths. What to do if one limit is wanted: noise = {{ {quiet}, default = ... }}."
    )


SENTENCES: dict[str, Callable[[Finding], str]] = {
    FindingKind.UNEXAMINED: _unexamined,
    FindingKind.UNREAD: _unread,
    FindingKind.STATIONARY: _stationary,
    FindingKind.UNSEEN: _unseen,
    FindingKind.EQUAL_OUTPUTS: _equal_outputs,
    FindingKind.ZERO_VARIANCE: _zero_variance,
    FindingKind.EQUAL_NEURONS: _equal_neurons,
    FindingKind.IDLE_DEVIATION: _idle_deviation,
    FindingKind.RANDOM_LIMIT: _random_limit,
    FindingKind.NO_THEOREM: _no_theorem,
}

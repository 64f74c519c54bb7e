"""The sentences of scalings, made of findings at the end: why a factor, which regime, what changes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..advice.sentences import listed, verb
from ..algebra.findings import Finding, sentence_of
from .factor_reasons import Reason
from .parameter_readings import Part
from .parameter_scaling import Refusal
from .regimes import Change, RegimeKind


def scaling_sentence(finding: Finding) -> str:
    """The sentence of a finding about factors, regimes or conventions."""
    return sentence_of(_SENTENCES, finding, "scaling/scaling_sentences.py")(finding)


# ---------------------------------------------------------------------------------------- factors

_PARTS = {
    Part.INPUT: "leads from a finite set of values to the neurons of {0}",
    Part.HIDDEN: "stands between neurons: {0}",
    Part.OUTPUT: "leads from the neurons of {0} to a finite set of values",
    Part.BIAS: "belongs to single neurons of {0}",
    Part.FINITE: "belongs to no neuron, so no width enters",
}


def _part(finding: Finding) -> str:
    facts = finding.facts
    told = [_PARTS[Part(part)].format(" and ".join(facts["infinite"])) for part in facts["parts"]]
    where = f" (read in {listed(facts['layers'])})" if facts["layers"] else ""
    infinite = facts["infinite"]
    entries = (
        f"; infinite axes: {listed(infinite)}, so that {facts['entries']} entries share its effect"
        if infinite
        else ""
    )
    return f"{finding.subjects[0]} {' and '.join(told)}{where}{entries}."


def _sum(finding: Finding) -> str:
    facts = finding.facts
    summed = listed(facts["populations"])
    if not facts["moved"]:
        return (
            f"The sum over {summed} in {facts['layer']} has {facts['factor']} in front: training moves its "
            "summands together, so that the sum grows like their number."
        )
    left = "nothing" if facts["factor"] == "1" else facts["factor"]
    return (
        f"Of the factor of the sum over {summed} in {facts['layer']}, {facts['moved']} stands in the "
        f"parameter and {left} in front of the sum."
    )


def _stays(finding: Finding) -> str:
    facts = finding.facts
    why = (
        "the parameter has no entry for each of its summands"
        if facts["linear"]
        else "the operation is not a multiple of the parameter"
    )
    return (
        f"The sum over {listed(facts['populations'])} in {facts['layer']} is divided by its length in every "
        f"convention: {why}, so no factor can stand in the parameter instead."
    )


def _carried(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"In {facts['layer']} it stands in a sum over {listed(facts['populations'])} whose factor belongs to "
        f"{facts['carrier']}: none of its own."
    )


def _no_sum(finding: Finding) -> str:
    facts = finding.facts
    if facts["factor"] == "1":
        return f"In {facts['layer']} nothing is summed over a population with it: no factor."
    return (
        f"In {facts['layer']} nothing is summed over a population with it; {facts['factor']} makes up for "
        "the factor that stands in the parameter."
    )


def _form(facts: Any) -> str:
    return "" if facts["shown"] == facts["size"] else f", which is {facts['shown']} with its factor in it"


def _order_one(finding: Finding) -> str:
    return f"Entries start at the law's own deviation, of order 1 for every width{_form(finding.facts)}."


def _cancels(finding: Finding) -> str:
    facts = finding.facts
    sums = f"the sum over {listed(facts['forward'])}"
    if facts["backward"]:
        sums += f" and the backward sum over {listed(facts['backward'])}"
    only = "" if facts["backward"] else ", which is the only one that this convention looks at"
    return (
        f"Centred independent entries cancel in {sums}{only}; divided by the number of summands they stay of "
        f"order 1 for entries up to {facts['size']}{_form(facts)}."
    )


def _bound(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"Entries start at order 1 ({facts['shown']} with their factor in them): in the sum over "
        f"{listed(facts['forward'])} they would cancel, but the derivative that each neuron gets from "
        f"{facts['layer']} is a single entry, and larger ones would let it grow."
    )


def _share(finding: Finding) -> str:
    facts = finding.facts
    own = (
        "is an average over nothing" if not facts["infinite"] else f"is shared by {facts['entries']} entries"
    )
    size = "of order 1" if facts["speed"] == "1" else f"of size {facts['speed']} at this start"
    moved = f" and {facts['moved']} stands in the entry" if facts["moved"] != "1" else ""
    return (
        f"The derivative of the loss by the whole parameter is {size} and {own}{moved}, so that the plain "
        f"gradient of one entry is of size {facts['gradient']}."
    )


def _linear(finding: Finding) -> str:
    facts = finding.facts
    lazy = (
        " With the large entries of this start its layer itself moves by less: this is the lazy regime."
        if facts["lazy"]
        else ""
    )
    rules = facts["rules"]
    return (
        f"{listed(rules)}: the update is proportional to the gradient; the rate times {facts['rate']} makes "
        f"every entry move by {_size(facts['change'])}, and the output by order 1.{lazy}"
    )


def _power(finding: Finding) -> str:
    facts = finding.facts
    law = (
        "the update has the size of the rate, however small the gradient is"
        if facts["power"] == "0"
        else f"the update goes like the gradient to the power {facts['power']}"
    )
    return (
        f"{listed(facts['rules'])}: {law}; the rate times {facts['rate']} makes every entry move by "
        f"{_size(facts['change'])}, and the output by order 1."
    )


def _size(product: str) -> str:
    return "order 1" if product == "1" else product


def _constant(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"{listed(facts['rules'])}: {facts['constant']} is compared with gradients of size "
        f"{facts['gradient']}, so it is multiplied by {facts['factor']}."
    )


def _coupled(finding: Finding) -> str:
    facts = finding.facts
    why = (
        "rate times decay is to be of order 1"
        if facts["linear"]
        else "decay times entry is to be of the size of the gradient that it is added to"
    )
    return f"{listed(facts['rules'])}: decay added to the gradient is multiplied by {facts['factor']}: {why}."


def _decoupled(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"{listed(facts['rules'])}: decay beside the rule is multiplied by {facts['factor']}, one over the "
        "rate's factor, as frameworks multiply it by the rate."
    )


def _uneven(finding: Finding) -> str:
    return (
        f"{listed(finding.facts['rules'])}: the update follows no power of the gradient, so no factor of the "
        "rate makes up for the size of the gradient. Give the rule the gradient times the number of entries "
        "instead, as mfderive does."
    )


def _frozen(finding: Finding) -> str:
    return "It is not trained (rate 0): it has no learning rate."


def _unread(finding: Finding) -> str:
    return "The loss does not depend on it: it has no learning rate."


# ---------------------------------------------------------------------------------------- regimes


def _mean_field(finding: Finding) -> str:
    names, centred = finding.subjects, finding.facts["centred"]
    rest = f" ({listed(centred)} {verb(centred, 'start', 'starts')} with mean 0.)" if centred else ""
    return (
        f"Mean field with non-centred weights: {listed(names)} {verb(names, 'have', 'has')} a mean other "
        "than 0, so values pass through averages from the start and every layer that is trained learns at "
        f"order 1 while its random part averages out.{rest}"
    )


def _centred(finding: Finding) -> str:
    names, moving = finding.subjects, finding.facts["moving"]
    return (
        f"Mean field with centred weights: {listed(names)} {verb(names, 'start', 'starts')} with mean 0 and "
        f"carr{verb(names, 'y', 'ies')} nothing at first in the limit, but {listed(moving)} "
        f"{verb(moving, 'move')} all the same."
    )


def _stationary(finding: Finding) -> str:
    names, facts = finding.subjects, finding.facts
    why = (
        f"{listed(facts['centred'])} {verb(facts['centred'], 'have', 'has')} mean 0 and averages cancel"
        if facts["centred"]
        else "the initial values leave the derivatives at 0"
    )
    rest = (
        f" Only {listed(facts['moving'])} {verb(facts['moving'], 'move')}."
        if facts["moving"]
        else " Nothing moves."
    )
    return (
        f"Stationary start: {listed(names)} {verb(names, 'do', 'does')} not move in the limit, because {why}."
        f"{rest} Networks of finite width leave it by their fluctuations, the later the wider they are."
    )


def _common(finding: Finding) -> str:
    return (
        "Mean field and muP at once: no weight stands between two populations, and only there the two start "
        "differently. Features move at order 1."
    )


def _finite(finding: Finding) -> str:
    return "No layer is infinitely wide: no width enters, every factor is 1, and the limit is the network."


def _lazy(finding: Finding) -> str:
    names, fixed = finding.subjects, finding.facts["fixed"]
    return (
        f"Lazy: what the loss reads is an affine function of everything that moves ({listed(names)}), since "
        f"{listed(fixed)} {verb(fixed, 'stay', 'stays')} as {verb(fixed, 'they start', 'it starts')}. This "
        "is a kernel method with fixed features."
    )


def _untrained(finding: Finding) -> str:
    return "Nothing is trained: every parameter has rate 0, or the loss depends on none."


def _centre(finding: Finding) -> str:
    names = finding.subjects
    return (
        f"A mean of 0 for {listed(names)} would take away what passes through averages: a stationary start, "
        "unless biases or skips still move something."
    )


def _uncentre(finding: Finding) -> str:
    names = finding.subjects
    return (
        f"A mean other than 0 for {listed(names)}, for example normal(1, 0.1), makes it mean field with "
        "non-centred weights."
    )


def _widen(finding: Finding) -> str:
    names, sizes = finding.subjects, finding.facts["sizes"]
    return (
        f"Centred entries of size {listed(sizes)} for {listed(names)} make it muP: another limit, whose "
        "pre-activations are Gaussian processes with memory. No law of a spec names the width."
    )


def _widen_output(finding: Finding) -> str:
    names, facts = finding.subjects, finding.facts
    also = " as well" if facts["also"] else ""
    return (
        f"Centred entries of size {listed(facts['sizes'])} for {listed(names)}{also} make it lazy (the "
        "neural tangent kernel): the output then moves by order 1 before the features do."
    )


def _first_step(finding: Finding) -> str:
    return (
        "A first step with a rate that grows with the width leaves it, too (Hajjar, Chizat and Giraud, "
        "arXiv:2110.15596)."
    )


def _unfreeze(finding: Finding) -> str:
    names = finding.subjects
    if not names:
        return "A trained parameter that the loss depends on would change that."
    moves = verb(names, "they move", "it moves")
    return f"Training {listed(names)} (rate other than 0, a start from which {moves}) would change that."


def _unsize(finding: Finding) -> str:
    return "A layer without a size of its own is a population, whose width goes to infinity."


# ---------------------------------------------------------------------------------------- refusals


def _torn(finding: Finding) -> str:
    names = finding.subjects
    return (
        f"{listed(names)} {verb(names, 'are', 'is')} read by sums of different lengths, and this convention "
        "divides a sum by the root of its length: no single deviation fits. Untie the weight, or use muP."
    )


def _grows(finding: Finding) -> str:
    return f"Its factors cannot be told: {finding.facts['what']}."


_SENTENCES: dict[str, Callable[[Finding], str]] = {
    Reason.PART: _part,
    Reason.SUM: _sum,
    Reason.STAYS: _stays,
    Reason.CARRIED: _carried,
    Reason.NO_SUM: _no_sum,
    Reason.ORDER_ONE: _order_one,
    Reason.CANCELS: _cancels,
    Reason.BOUND: _bound,
    Reason.SHARE: _share,
    Reason.LINEAR: _linear,
    Reason.POWER: _power,
    Reason.CONSTANT: _constant,
    Reason.COUPLED: _coupled,
    Reason.DECOUPLED: _decoupled,
    Reason.UNEVEN: _uneven,
    Reason.FROZEN: _frozen,
    Reason.UNREAD: _unread,
    RegimeKind.MEAN_FIELD: _mean_field,
    RegimeKind.CENTRED: _centred,
    RegimeKind.STATIONARY: _stationary,
    RegimeKind.COMMON: _common,
    RegimeKind.LAZY: _lazy,
    RegimeKind.FINITE: _finite,
    RegimeKind.UNTRAINED: _untrained,
    Change.CENTRE: _centre,
    Change.UNCENTRE: _uncentre,
    Change.WIDEN: _widen,
    Change.WIDEN_OUTPUT: _widen_output,
    Change.FIRST_STEP: _first_step,
    Change.UNFREEZE: _unfreeze,
    Change.UNSIZE: _unsize,
    Refusal.TORN: _torn,
    Refusal.GROWS: _grows,
}

"""Gradients that are 0 in the limit, and rules that make steps of their fluctuations which do not vanish.

A network of width n has fluctuations of such a gradient, and a rule whose update grows like the power q of
the gradient makes steps of them whose exponent is q times theirs. For q = 1 (SGD, momentum) these vanish as
the width grows. For q = 0 (Adam, as long as the gradient is large beside its eps) they do not: every step is
as large as any other, so that what the limit says of sizes after the first step is reached only at widths
where fluctuations are small beside the constants of the rule. Which q holds is measured: by the steps that
the rule itself makes of these gradients, and of gradients twice as large.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .limit_sizes import Prediction
from .network_sizes import Measure, Quantity
from .network_steps import NetworkSteps

# What a network is asked for after steps: all that the first steps of other parameters may change.
AFTER = (Measure.CHANGE, Measure.UPDATE, Measure.FROM_WEIGHTS, Measure.FROM_INPUTS)
# Steps of a lower power than this fall visibly more slowly with the width than fluctuations do.
LEAST_POWER = 0.9


@dataclass(frozen=True)
class BlownUp:
    """Parameters whose gradient is 0 in the limit, with the ``power`` q of the rule ``rule`` there."""

    parameters: tuple[str, ...] = ()
    rule: str = ""
    power: float = 1.0


def blown_up(
    predicted: Mapping[Quantity, Prediction], training: NetworkSteps, widths: Sequence[int], seed: int
) -> tuple[dict[Quantity, Prediction], BlownUp]:
    """Predictions without those that such steps overtake at the largest width, and which parameters do it.

    ``seed``: of the network whose gradients are looked at.
    """
    learning = training.finite.system.learning
    still = [
        quantity.name
        for quantity, own in predicted.items()
        if quantity.measure is Measure.FIRST and (own.vanishes or own.hidden)
    ]
    if learning.is_plain or not still:
        return dict(predicted), BlownUp()
    powers = training.powers(widths[-1], seed, still)
    found = {name: power for name, power in powers.items() if power < LEAST_POWER}
    if not found:
        return dict(predicted), BlownUp()
    kept = {
        quantity: replace(own, overtaken=quantity.measure in AFTER or quantity.name in found)
        if quantity.measure in (*AFTER, Measure.FIRST)
        else own
        for quantity, own in predicted.items()
    }
    return kept, BlownUp(tuple(found), learning.rule, max(found.values()))

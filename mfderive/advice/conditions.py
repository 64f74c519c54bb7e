"""The conditions of the theorems of global convergence, one by one, for a network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..algebra.arguments import NETWORK, instance
from ..algebra.showing import Shown, words
from ..limit.derive import derive
from ..network.network import Network
from ..reduction.reduce import reduce
from . import condition_checks as checks
from . import condition_course as course
from . import condition_laws as laws
from .condition_checks import Check, Setting, on_chain
from .condition_kinds import Answer, Condition, ConditionKind, ConditionRows
from .condition_tables import data_of, latex_of, text_of

# Every condition but that on the course of training, which asks for the answers to all others.
_CHECKS: dict[ConditionKind, Check] = {
    ConditionKind.CHAIN: checks.is_chain,
    ConditionKind.OUTPUT: checks.one_output,
    ConditionKind.PARAMETERS: on_chain(checks.weights_alone),
    ConditionKind.RULE: checks.plain_rule,
    ConditionKind.RATES: checks.equal_rates,
    ConditionKind.BOUNDED: on_chain(checks.bounded_activations),
    ConditionKind.SMOOTH: on_chain(checks.smooth_activations),
    ConditionKind.SLOPES: on_chain(checks.slopes),
    ConditionKind.LOSS_SLOPE: checks.loss_slope,
    ConditionKind.LOSS_SHAPE: checks.loss_shape,
    ConditionKind.INPUTS: laws.bounded_inputs,
    ConditionKind.TAILS: laws.light_tails,
    ConditionKind.INDEPENDENT: laws.independent,
    ConditionKind.SUPPORT: on_chain(laws.support),
    ConditionKind.UNIVERSAL: on_chain(laws.universal),
    ConditionKind.DIVERSITY: on_chain(laws.diversity),
    ConditionKind.OUTPUT_STAYS: on_chain(course.output_stays),
}
_DEEP = 3  # hidden layers, from which on bidirectional diversity takes the place of independence


@dataclass(frozen=True, eq=False, repr=False)
class Conditions(ConditionRows, Shown):
    """The conditions of the theorems of global convergence (Nguyen and Pham 2020) for one network.

    ``conditions`` in the order in which they are told; ``layers``: the number of hidden layers of the chain
    (0: the network is no chain); ``collapsed``: hidden layers all of whose neurons are equal in the limit.
    """

    @property
    def text(self) -> str:
        """The conclusion, and every condition with its answer and reasons, as plain text."""
        return text_of(self)

    @property
    def latex(self) -> str:
        """The conclusion and a tabular of conditions as LaTeX (package booktabs)."""
        return latex_of(self)

    @property
    def data(self) -> dict[str, Any]:
        """Everything as plain data, what JSON can hold."""
        return data_of(self)

    def to_json(self) -> str:
        """Everything as JSON text."""
        return json.dumps(self.data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def __str__(self) -> str:
        return self.text

    def _summary(self) -> Iterator[str]:
        yield f"Conditions of global convergence for '{words(self.title)}': {self.answer}"
        for answer in Answer:
            kinds = [str(each.kind) for each in self.conditions if each.answer is answer]
            if kinds:
                yield f"  {answer}: {words('; '.join(kinds), 100)}"
        yield "  print(...) says why"


def conditions(network: Network) -> Conditions:
    """The conditions under which the loss of the limit is proved to reach its least value, one by one.

    The theorems are those of Nguyen and Pham 2020 (arXiv:2001.11443) and Pham and Nguyen 2021 (ICLR, Theorem
    8), with two, three and more layers of weights; docs/convergence.md says what they state and what is from
    memory. Answers follow from the equations, the laws of initial values and the data; the initial loss is
    evaluated on some nodes and samples, nothing is trained. Raises ArgumentError for what is no network, and
    what :func:`mfderive.derive` raises.
    """
    network = instance(network, Network, "a network", NETWORK)
    limit = derive(network)
    setting = Setting(network, limit, reduce(limit).system)
    layers = 0 if setting.chain is None else len(setting.chain.links)
    found = [
        Condition(kind, tuple(check(setting)))
        for kind, check in _CHECKS.items()
        if kind not in _not_asked(layers)
    ]
    target = Condition(ConditionKind.TARGET, tuple(laws.targets(setting)))
    last = Condition(ConditionKind.CONVERGENCE, tuple(course.convergence(setting, (*found, target))))
    equal = () if setting.chain is None else laws.collapsed(setting, setting.chain)
    return Conditions(network.title, layers, (*found, last, target), equal)


def _not_asked(layers: int) -> frozenset[ConditionKind]:
    """Conditions that a network of so many hidden layers need not meet."""
    if layers >= _DEEP:
        return frozenset({ConditionKind.INDEPENDENT})
    none = {ConditionKind.DIVERSITY}
    return frozenset(none | {ConditionKind.SLOPES}) if layers == 1 else frozenset(none)

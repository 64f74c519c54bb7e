"""The conditions of the convergence theorems as data: kinds, what answers rest on, where they come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from ..algebra.findings import Finding
from ..algebra.showing import Shown
from ..analysis.function_facts import Answer, all_of

__all__ = ["SOURCES", "Answer", "Condition", "ConditionKind", "ConditionRows", "Ground", "Source", "found"]


class ConditionKind(StrEnum):
    """The conditions, in the order in which they are told."""

    CHAIN = "fully connected chain"
    OUTPUT = "one output"
    PARAMETERS = "weights and first biases alone"
    RULE = "plain gradient flow"
    RATES = "equal learning rates"
    BOUNDED = "bounded activations"
    SMOOTH = "smooth activations"
    SLOPES = "slopes without zeros"
    LOSS_SLOPE = "bounded, Lipschitz derivative of the loss"
    LOSS_SHAPE = "no bad stationary point of the loss"
    INPUTS = "bounded inputs"
    TAILS = "initial values with light tails"
    INDEPENDENT = "independent initial values"
    SUPPORT = "full support of the first layer's law"
    UNIVERSAL = "universal approximation"
    DIVERSITY = "bidirectional diversity"
    OUTPUT_STAYS = "output weights that do not vanish"
    CONVERGENCE = "convergence of the weights"
    TARGET = "targets that are a function of the inputs"


class Source(StrEnum):
    """Where a condition comes from."""

    READ = "read"  # in the text of Pham and Nguyen (2021, ICLR), Theorems 3 and 8, or the abstract of 2020
    MEMORY = "memory"
    DERIVED = "derived"  # here, from the statement of the theorem


SOURCES = {
    ConditionKind.CHAIN: Source.READ,
    ConditionKind.OUTPUT: Source.READ,
    ConditionKind.PARAMETERS: Source.MEMORY,
    ConditionKind.RULE: Source.READ,
    ConditionKind.RATES: Source.MEMORY,
    ConditionKind.BOUNDED: Source.MEMORY,
    ConditionKind.SMOOTH: Source.READ,
    ConditionKind.SLOPES: Source.MEMORY,
    ConditionKind.LOSS_SLOPE: Source.READ,
    ConditionKind.LOSS_SHAPE: Source.MEMORY,
    ConditionKind.INPUTS: Source.MEMORY,
    ConditionKind.TAILS: Source.MEMORY,
    ConditionKind.INDEPENDENT: Source.READ,
    ConditionKind.SUPPORT: Source.READ,
    ConditionKind.UNIVERSAL: Source.READ,
    ConditionKind.DIVERSITY: Source.MEMORY,
    ConditionKind.OUTPUT_STAYS: Source.DERIVED,
    ConditionKind.CONVERGENCE: Source.READ,
    ConditionKind.TARGET: Source.MEMORY,
}


class Ground(StrEnum):
    """What an answer rests on; kinds of findings, whose facts condition_sentences.py says."""

    IS_CHAIN = "is-chain"
    NO_CHAIN = "no-chain"  # of a condition that speaks about a chain
    FORK = "fork"
    ONE = "one"
    SEVERAL = "several"
    NONE_ELSE = "none-else"
    ELSE = "else"  # further parameters
    PLAIN = "plain"
    RULE = "rule"
    DECAY = "decay"
    NOISE = "noise"
    CLIP = "clip"
    EQUAL_RATES = "equal-rates"
    RATES = "rates"
    FUNCTION = "function"  # facts of a function of one variable
    LOSS_FORM = "loss-form"  # the loss is no single expression
    STUCK = "stuck"  # the loss has a stationary point where it is not 0
    INPUTS = "inputs"
    LAW = "law"
    INDEPENDENT = "independent"
    NAMES = "names"  # laws that name other initial values
    FAMILY = "family"  # the family of first-layer functions
    REACH = "reach"
    START = "start"  # the loss at the start against that of the output 0
    STILL = "still"
    ASSUMED = "assumed"
    NO_MINIMUM = "no-minimum"
    TARGET = "target"


@dataclass(frozen=True, repr=False)
class Condition(Shown):
    """One condition: its kind and the findings that answer it, each with the fact ``answer``."""

    kind: ConditionKind
    findings: tuple[Finding, ...]

    @property
    def answer(self) -> Answer:
        """Yes, no or not decidable: no if one finding says no, yes if all say yes."""
        return all_of(finding.facts["answer"] for finding in self.findings)

    @property
    def source(self) -> Source:
        """Where the condition comes from."""
        return SOURCES[self.kind]

    def _summary(self) -> Iterator[str]:
        yield f"Condition '{self.kind}': {self.answer}"
        yield from (f"  {finding.kind}" for finding in self.findings[:3])


@dataclass(frozen=True, eq=False, repr=False)
class ConditionRows:
    """The conditions of one network, as tables read them."""

    title: str
    layers: int
    conditions: tuple[Condition, ...]
    collapsed: tuple[str, ...] = ()

    @cached_property
    def condition(self) -> dict[str, Condition]:
        """Conditions by their kinds."""
        return {str(each.kind): each for each in self.conditions}

    @property
    def needed(self) -> tuple[Condition, ...]:
        """What the theorems need: all but that a loss of 0 is possible, and the assumed convergence."""
        apart = (ConditionKind.TARGET, ConditionKind.CONVERGENCE)
        return tuple(each for each in self.conditions if each.kind not in apart)

    @property
    def answer(self) -> Answer:
        """Whether everything that a start can decide holds: no if one condition fails."""
        return all_of(each.answer for each in self.needed)

    @property
    def failing(self) -> tuple[ConditionKind, ...]:
        """The conditions that do not hold."""
        return tuple(each.kind for each in self.conditions if each.answer is Answer.NO)


def found(ground: str, answer: Answer | bool | None, *subjects: str, **facts: object) -> Finding:
    """A finding with its answer; True and False are yes and no, None is not decidable."""
    if answer is None or isinstance(answer, bool):
        answer = Answer.OPEN if answer is None else Answer.YES if answer else Answer.NO
    return Finding.of(ground, *subjects, answer=answer, **facts)

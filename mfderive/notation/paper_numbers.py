"""The numbers of the equations of Nguyen (2019), for the paper's own networks (the rows of docs/paper.md).

The paper's own networks are recognised by their equations: chains of wide layers in which a pre-activation is
a mean of weights times the activations below. With two layers, no other parameters and one activation they
are those of section 2; with parameters per neuron, or more layers, those of section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import sympy as sp

from ..algebra.system import LimitSystem, draw_noise
from ..algebra.terms import Access, AxisKind, Index, Role, Term
from .alphabet import Alphabet, Manner
from .dependence import has_vectors
from .tree import TreeBuilder


class Notation(StrEnum):
    """The two notations."""

    EMBEDDING = "embedding"
    MEASURE = "measure"


class Quantity(StrEnum):
    """What an equation states about its subject."""

    VALUE = "value"
    DELTA = "delta"
    EVOLUTION = "evolution"


class Subject(StrEnum):
    """What an equation is about."""

    OUTPUT = "output"
    PREACTIVATION = "pre-activation"
    WEIGHT = "weight"  # into a layer
    OUTPUT_WEIGHT = "output weight"
    PARAMETER = "parameter"  # of one neuron: a bias, a gain


@dataclass(frozen=True)
class PaperEquation:
    """A numbered equation of the paper: where it is printed, and what it is in the program.

    It stands for the layers ``first`` to ``last`` (None: to the last one), counted from 1.
    """

    number: int
    manner: Manner
    notation: Notation
    quantity: Quantity
    subject: Subject
    first: int = 1
    last: int | None = None


_SMALL, _GROUPED = Manner.SMALL, Manner.GROUPED
_EMBEDDING, _MEASURE = Notation.EMBEDDING, Notation.MEASURE
_VALUE, _DELTA, _EVOLUTION = Quantity.VALUE, Quantity.DELTA, Quantity.EVOLUTION

PAPER_EQUATIONS = (
    # Section 2.2
    PaperEquation(16, _SMALL, _MEASURE, _VALUE, Subject.PREACTIVATION, 2, 2),
    PaperEquation(17, _SMALL, _MEASURE, _DELTA, Subject.OUTPUT_WEIGHT),
    PaperEquation(18, _SMALL, _MEASURE, _DELTA, Subject.PREACTIVATION, 2, 2),
    PaperEquation(19, _SMALL, _MEASURE, _DELTA, Subject.WEIGHT, 2, 2),
    PaperEquation(20, _SMALL, _MEASURE, _DELTA, Subject.PREACTIVATION, 1, 1),
    PaperEquation(21, _SMALL, _MEASURE, _DELTA, Subject.WEIGHT, 1, 1),
    PaperEquation(22, _SMALL, _MEASURE, _EVOLUTION, Subject.WEIGHT, 1, 1),
    PaperEquation(23, _SMALL, _MEASURE, _EVOLUTION, Subject.WEIGHT, 2, 2),
    PaperEquation(24, _SMALL, _MEASURE, _EVOLUTION, Subject.OUTPUT_WEIGHT),
    # Section 2.3
    PaperEquation(34, _SMALL, _EMBEDDING, _EVOLUTION, Subject.OUTPUT_WEIGHT),
    PaperEquation(35, _SMALL, _EMBEDDING, _EVOLUTION, Subject.WEIGHT, 2, 2),
    PaperEquation(36, _SMALL, _EMBEDDING, _EVOLUTION, Subject.WEIGHT, 1, 1),
    # Section 3.2, and appendix A
    PaperEquation(39, _GROUPED, _MEASURE, _VALUE, Subject.OUTPUT),
    PaperEquation(53, _GROUPED, _MEASURE, _EVOLUTION, Subject.WEIGHT, 2, 2),
    PaperEquation(48, _GROUPED, _EMBEDDING, _EVOLUTION, Subject.WEIGHT, 1, 1),
    PaperEquation(49, _GROUPED, _EMBEDDING, _EVOLUTION, Subject.WEIGHT, 2, 2),
    PaperEquation(50, _GROUPED, _EMBEDDING, _EVOLUTION, Subject.WEIGHT, 3),
    PaperEquation(51, _GROUPED, _EMBEDDING, _EVOLUTION, Subject.PARAMETER, 1, 1),
    PaperEquation(52, _GROUPED, _EMBEDDING, _EVOLUTION, Subject.PARAMETER, 2),
    PaperEquation(52, _GROUPED, _EMBEDDING, _EVOLUTION, Subject.OUTPUT_WEIGHT),
)


class PaperNumbers:
    """The numbers of the equations of one system: none where it is no network of the paper's."""

    def __init__(self, system: LimitSystem) -> None:
        self.system = draw_noise(system)
        self.builder = TreeBuilder(self.system)
        self.letters = self.builder.letters

    def of(self, notation: Notation, quantity: Quantity, field: str) -> int | None:
        """The number of the equation of a quantity of a field (a parameter's evolution, its Delta)."""
        if self.manner is None or (quantity is Quantity.EVOLUTION and not self._has_unit_rates):
            return None
        found = self._subject(field)
        if found is None:
            return None
        subject, layer = found
        for row in PAPER_EQUATIONS:
            here = row.first <= layer <= (row.last or layer)
            if here and (row.manner, row.notation, row.quantity, row.subject) == (
                self.manner, notation, quantity, subject,
            ):  # fmt: skip
                return row.number
        return None

    def _subject(self, name: str) -> tuple[Subject, int] | None:
        """What a field is in a network of the paper's, and its layer; None for what the paper has not."""
        if name == "yhat":
            return Subject.OUTPUT, len(self.letters.number)
        field = self.system.field.get(name)
        if field is None:
            return None
        if field.role is not Role.PARAMETER:
            number = self.letters.number.get(field.owner)
            return None if number is None else (Subject.PREACTIVATION, number)
        slots = self.system.population_slots(name)
        if not slots:
            return None
        number = self.letters.number[slots[0]]
        if self.letters.is_output_weight(name):
            return Subject.OUTPUT_WEIGHT, number
        return (Subject.WEIGHT if self.letters.is_inner_weight(name) else Subject.PARAMETER), number

    # ------------------------------------------------------------------ whether it is one

    @cached_property
    def manner(self) -> Manner | None:
        """Section 2 (small) or section 3.2 (grouped); None: no network of the paper's."""
        if not self.system.evolution or self.system.passes or len(self.letters.number) < 2:
            return None
        if len(self.system.populations) != len(self.letters.number) or not has_vectors(self.system):
            return None
        if not all(map(self._is_papers_layer, self.letters.layers)) or not self._is_papers_output():
            return None
        manner = next((m for m in (_SMALL, _GROUPED) if Alphabet(self.builder, m).fits()), None)
        if manner is Manner.SMALL and len(self._functions) != 1:
            return None  # section 2 has one sigma
        return manner

    @cached_property
    def _functions(self) -> set[str | None]:
        return {shape.function for shape in self.builder.activations.values()}

    @property
    def _has_unit_rates(self) -> bool:
        """Whether all parameters of neurons learn by SGD at rate 1; by other rules there are no numbers."""
        return self.system.learning.is_plain and all(
            p.rate == 1 for p in self.system.parameters if self.system.population_slots(p.name)
        )

    def _is_papers_layer(self, layer: str) -> bool:
        """Whether H is one mean (or sum) of weights times values, and its activation reads H alone."""
        if not self.letters.preactivation(layer):
            return False
        terms = self.system.equation_of[self.letters.preactivation(layer)].terms
        named = [name for name in self.builder.activations if self.letters.owner(name) == layer]
        if len(terms) != 1 or not self._is_product(terms[0]) or len(named) != 1:
            return False
        read = self.system.equation_of[named[0]].reads
        return {n for n in read if not self._is_parameter(n)} == {self.letters.preactivation(layer)}

    def _is_papers_output(self) -> bool:
        """Whether yhat is one mean of activations, with or without output weights, and perhaps a bias."""
        terms = self.system.equation_of["yhat"].terms
        values = [t for t in terms if any(not self._is_parameter(a.field) for _, a in t.accesses)]
        rest = [t for t in terms if t not in values]
        biases = all(t.expression.is_Symbol and t.is_pointwise for t in rest)
        return len(values) == 1 and (self._is_product(values[0]) or self._is_average(values[0])) and biases

    def _is_parameter(self, name: str) -> bool:
        return self.system.field[name].role is Role.PARAMETER

    def _is_average(self, term: Term) -> bool:
        """Whether a term is the mean of one value over its neurons."""
        return bool(term.expression.is_Symbol) and self._reads_plainly(term, term.accesses[0][1])

    def _is_product(self, term: Term) -> bool:
        """Whether a term is the mean (or sum) over what is read of a weight times a value."""
        symbols = [symbol for symbol, _ in term.accesses]
        values = [a for _, a in term.accesses if not self._is_parameter(a.field)]
        weights = [a for _, a in term.accesses if self._is_parameter(a.field)]
        return (
            len(weights) == len(values) == 1
            and bool(term.expression == sp.Mul(*symbols))
            and self._reads_plainly(term, values[0])
            and set(weights[0].indices) == {i for i in term.indices if not self._is_data(i)}
        )

    def _reads_plainly(self, term: Term, value: Access) -> bool:
        """Whether exactly the neurons (or inputs) of the value that is read are reduced."""
        below = tuple(i for i in value.indices if not self._is_data(i))
        slots = (*value.slots, *term.target)
        return len(below) == 1 and term.reduced == below and all(isinstance(slot, Index) for slot in slots)

    def _is_data(self, index: Index) -> bool:
        return self.system.axis[index.axis].kind is AxisKind.DATA

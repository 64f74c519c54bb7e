"""Statistics inside an activation become fields of their own: means over neurons, and mean, sum, max and
softmax over the positions or the steps of a layer."""

from __future__ import annotations

from typing import Protocol

import sympy as sp

from ..algebra.functions import call
from ..algebra.parser import NEURONS
from ..algebra.terms import Access, Affine, AxisKind, Index, Slot, Term
from ..algebra.visitor import Rewriting
from ..errors import SpecError
from ..network.network import AxisReduction, Layer
from .batch_statistics import BATCH
from .builder import STEPS, Builder
from .local_names import make_term


class StatisticsBuilder(Builder, Protocol):
    """A builder that keeps the statistics of every layer and step, for those that run over the steps."""

    def statistics_of(self, layer: Layer, step: int) -> Statistics:
        """What replaces the statistics in a layer's activation at a step."""


class Statistics(Rewriting):
    """Replaces the statistics in the activation of one layer (at one step) by symbols: call it on that.

    ``reads`` maps names to what they read: the pre-activations and parameters, then the statistics too.
    """

    def __init__(
        self,
        builder: StatisticsBuilder,
        layer: Layer,
        step: int,
        target: tuple[Index, ...],
        local: dict[str, Access],
    ) -> None:
        super().__init__()
        self.builder, self.layer, self.step, self.target = builder, layer, step, target
        self.reads = dict(local)
        self.replacements: dict[sp.Expr, sp.Expr] = {}
        # The fields that hold the values of expressions at all steps.
        self.stacks: dict[sp.Expr, str] = {}

    def other(self, node: sp.Expr) -> sp.Expr:
        """A statistic, as the symbol that reads it; innermost first, so that an outer one reads an inner."""
        if not isinstance(node, AxisReduction):
            return super().other(node)
        operation, inner, axis = node.args
        if node.axis == STEPS:
            return self.over_steps(node.operation, inner)
        own = self(inner)
        key = AxisReduction(operation, own, axis)
        if key not in self.replacements:
            over = self.over(node.operation, node.axis)
            self.replacements[key] = self.statistic(node.operation, own, over, self.target)
        return self.replacements[key]

    def statistic(
        self, operation: str, inner: sp.Expr, over: tuple[Index, ...], full: tuple[Index, ...]
    ) -> sp.Expr:
        """Declare the field of a statistic of ``inner``, a function of ``full``, over some of its indices."""
        rest = tuple(index for index in full if index not in over)
        if operation in ("mean", "sum"):
            count = 1
            for index in over if operation == "mean" else ():
                count *= self.builder.axes[index.axis].size or 1
            return self.field(operation, rest, over, inner / count)
        chosen = self.field("select", full, (), inner, selector=len(over), frozen=True)
        if operation == "max":
            return self.field("max", rest, over, chosen * inner)
        # The largest value is subtracted before the exponential; being frozen it changes no derivative.
        largest = self.field("shift", rest, over, chosen * inner, frozen=True)
        exponential = call("exp", inner - largest)
        total = self.field("total", rest, over, exponential)
        return exponential / total

    def over(self, operation: str, axis: str) -> tuple[Index, ...]:
        """The index variables that an axis name of the spec means in this layer."""
        first = 1 + len(self.builder.shapes[self.layer.name].neuron_axes)
        if axis == BATCH:
            if operation != "mean":
                raise self.error(
                    f"{operation}(e, {BATCH}): only means are taken over a batch", "Write mean(e, batch)"
                )
            return self.target[:1]
        if axis == NEURONS:
            known = self.builder.axes[self.target[1].axis]
            if operation != "mean" or known.kind is not AxisKind.POPULATION:
                raise self.error(
                    f"{operation}(e) over neurons needs a population; '{self.layer.name}' "
                    + ("is a finite layer" if operation == "mean" else "is averaged, not maximised"),
                    "Only mean(e) is defined over the neurons of an infinitely wide layer",
                )
            return self.target[1:first]
        if axis == "positions" and len(self.target) > first:
            return self.target[first:]
        raise self.error(
            f"{operation}(e, {axis}): the layer '{self.layer.name}' has no {axis}",
            "A layer has positions if it is convolutional or skips from a layer that has them",
        )

    # ------------------------------------------------------------------ steps

    def over_steps(self, operation: str, inner: sp.Expr) -> sp.Expr:
        """A statistic over the layer's steps: its values at all steps are laid side by side in one field."""
        first = self.builder.statistics_of(self.layer, 1)
        key = AxisReduction(sp.Symbol(operation), inner, sp.Symbol(STEPS))
        stack, index = first.stacked(inner)
        if key not in first.replacements:
            first.reads[stack.field] = stack
            full = (*self.target, index)
            first.replacements[key] = first.statistic(operation, sp.Symbol(stack.field), (index,), full)
        result = first.replacements[key]
        # softmax is read at this step, the others have no step any more.
        here = sp.Symbol(f"{stack.field} at {self.step}")
        self.reads[here.name] = Access(stack.field, (*self.target, Affine((), self.step - 1)))
        for symbol in result.free_symbols:
            self.reads.setdefault(symbol.name, first.reads[symbol.name])
        return result.xreplace({sp.Symbol(stack.field): here})

    def stacked(self, inner: sp.Expr) -> tuple[Access, Index]:
        """The field of an expression's values at all steps, read over an index of its own."""
        axis = self.builder.finite(f"{self.layer.name}.{STEPS}", self.layer.steps, STEPS)
        index = Index(axis, axis)
        if inner not in self.stacks:
            terms: list[Term] = []
            for step in self.builder.steps(self.layer):
                own = self.builder.statistics_of(self.layer, step)
                slots: tuple[Slot, ...] = (*self.target, Affine((), step - 1))
                terms.append(make_term(slots, (), own(inner), own.reads, own.unknown))
            part = f"stack{len(self.stacks) + 1}"
            name = f"{self.layer.name}.{part}"
            self.builder.equation(name, (*self.target, index), tuple(terms), owner=self.layer.name, part=part)
            self.stacks[inner] = name
        return Access(self.stacks[inner], (*self.target, index)), index

    # ------------------------------------------------------------------ fields and errors

    def field(
        self,
        kind: str,
        target: tuple[Index, ...],
        reduced: tuple[Index, ...],
        expression: sp.Expr,
        *,
        frozen: bool = False,
        selector: int = 0,
    ) -> sp.Symbol:
        """Declare a helper field and return the symbol that reads it."""
        access = self.builder.helper(
            self.layer.name,
            self.step,
            kind,
            target,
            reduced,
            expression,
            self.reads,
            frozen=frozen,
            selector=selector,
            unknown=self.unknown,
        )
        self.reads[access.field] = access
        return sp.Symbol(access.field)

    def unknown(self, name: str) -> SpecError:
        """An expression names what the layer does not have."""
        return self.builder.unknown(self.layer.table, name, self.reads)

    def error(self, problem: str, remedy: str) -> SpecError:
        """An error in the activation."""
        return self.builder.located(problem, self.layer.table, "activation", remedy)

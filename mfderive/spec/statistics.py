"""Statistics inside an activation become fields of their own: mean over neurons, mean, max and softmax
over positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from ..algebra.functions import call
from ..algebra.terms import Access, AxisKind, Index
from ..errors import SpecError
from .network import AxisReduction, Layer
from .terms import make_term

if TYPE_CHECKING:
    from .forward import ForwardBuilder


def replace_statistics(
    builder: ForwardBuilder, layer: Layer, target: tuple[Index, ...], known: dict[str, Access]
) -> sp.Expr:
    """The activation with every statistic replaced by a symbol; ``known`` learns what it reads."""
    return _Statistics(builder, layer, target, known).replaced(layer.activation)


class _Statistics:
    def __init__(
        self,
        builder: ForwardBuilder,
        layer: Layer,
        target: tuple[Index, ...],
        known: dict[str, Access],
    ) -> None:
        self.builder, self.layer, self.target, self.known = builder, layer, target, known
        self.count: dict[str, int] = {}
        self.done: dict[sp.Expr, sp.Symbol] = {}

    def replaced(self, expression: sp.Expr) -> sp.Expr:
        """Innermost statistics first, so that an outer one reads the inner one's field."""
        if not expression.args:
            return expression
        if isinstance(expression, AxisReduction):
            operation, inner, axis = expression.args
            key = AxisReduction(operation, self.replaced(inner), axis)
            if key not in self.done:
                self.done[key] = self.statistic(str(operation), key.args[1], str(axis))
            return self.done[key]
        return expression.func(*(self.replaced(argument) for argument in expression.args))

    def statistic(self, operation: str, inner: sp.Expr, axis: str) -> sp.Expr:
        """Declare the field of one statistic; an expression in symbols that ``known`` has."""
        over = self.over(operation, axis)
        if operation == "mean":
            return self.mean(inner, over)
        if operation == "sum":
            return self.field("sum", self.without(over), over, inner)
        chosen = self.selected(inner, over)
        if operation == "max":
            return self.field("max", self.without(over), over, chosen * inner)
        # The largest value is subtracted before the exponential; being frozen it changes no derivative.
        largest = self.field("shift", self.without(over), over, chosen * inner, frozen=True)
        exponential = call("exp", inner - largest)
        total = self.field("total", self.without(over), over, exponential)
        return exponential / total

    def over(self, operation: str, axis: str) -> tuple[Index, ...]:
        """The index variables that an axis name of the spec means in this layer."""
        if axis == "neurons":
            known = self.builder.axes[self.target[1].axis]
            if operation != "mean" or known.kind is not AxisKind.POPULATION:
                raise self.error(
                    f"{operation}(e) over neurons needs a population; '{self.layer.name}' "
                    + ("is a finite layer" if operation == "mean" else "is averaged, not maximised"),
                    "Only mean(e) is defined over the neurons of an infinitely wide layer",
                )
            return (self.target[1],)
        if axis == "positions" and len(self.target) > 2:
            return self.target[2:]
        raise self.error(
            f"{operation}(e, {axis}): the layer '{self.layer.name}' has no {axis}",
            "A layer has positions if it is convolutional or skips from a layer that has them",
        )

    def mean(self, inner: sp.Expr, over: tuple[Index, ...]) -> sp.Expr:
        count = 1
        for index in over:
            count *= self.builder.axes[index.axis].size or 1
        return self.field("mean", self.without(over), over, inner / count)

    def selected(self, inner: sp.Expr, over: tuple[Index, ...]) -> sp.Symbol:
        return self.field("select", self.target, (), inner, selector=len(over), frozen=True)

    def without(self, over: tuple[Index, ...]) -> tuple[Index, ...]:
        return tuple(index for index in self.target if index not in over)

    def field(
        self,
        kind: str,
        target: tuple[Index, ...],
        reduced: tuple[Index, ...],
        expression: sp.Expr,
        **options: bool | int,
    ) -> sp.Symbol:
        self.count[kind] = self.count.get(kind, 0) + 1
        name = f"{self.layer.name}.{kind}{self.count[kind]}"
        term = make_term(target, reduced, expression, self.known, self.unknown)
        self.known[name] = self.builder.equation(name, target, (term,), **options)
        return sp.Symbol(name)

    def unknown(self, name: str) -> SpecError:
        return self.builder.unknown(self.layer.table, name, self.known)

    def error(self, problem: str, remedy: str) -> SpecError:
        return self.builder.located(problem, self.layer.table, "activation", remedy)

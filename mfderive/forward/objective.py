"""The loss of one sample as equations, the last of the forward equations."""

from __future__ import annotations

import sympy as sp

from ..algebra.losses import EXPRESSION, LOSSES, LossField
from ..algebra.terms import Access, Affine, canonical_indices
from ..network.names import split_name
from ..network.network import Loss
from .builder import Builder
from .local_names import make_term

LOSS = "loss"


def loss_equations(builder: Builder, loss: Loss) -> None:
    """Declare the field ``loss`` (data,) and what it needs, as the loss's row of the table states it."""
    data, outputs = canonical_indices(("data", "outputs"))
    known = {"y": Access("y", (data, outputs)), "yhat": Access("yhat", (data, outputs))}
    if loss.expression is not None:
        known |= _components(builder, loss.expression)
    for row in loss_fields(loss):

        def unknown(name: str) -> Exception:
            return builder.unknown(LOSS, name, known)

        name = row.part if row.part == LOSS else f"{LOSS}.{row.part}"
        target = (data,) if row.part == LOSS or row.summed else (data, outputs)
        term = make_term(target, (outputs,) if row.summed else (), row.expression, known, unknown)
        known[name] = builder.equation(
            name,
            target,
            (term,),
            owner=LOSS,
            part=row.part,
            frozen=row.frozen,
            selector=row.selector,
        )


def loss_fields(loss: Loss) -> tuple[LossField, ...]:
    """The fields of a loss, its constants filled in.

    An expression that names plain y or yhat is summed over the outputs; one in y[k] and yhat[k] alone is not.
    """
    if loss.kind == EXPRESSION:
        if loss.expression is None:
            raise ValueError(f"a loss of kind {EXPRESSION} has no expression")
        plain = any(not split_name(s.name).component for s in loss.expression.free_symbols)
        return (LossField(LOSS, loss.expression, summed=plain),)
    numbers = {sp.Symbol(name): sp.Rational(str(value)) for name, value in loss.constants}
    return tuple(
        LossField(row.part, row.expression.xreplace(numbers), row.summed, row.frozen, row.selector)
        for row in LOSSES[loss.kind].fields
    )


def _components(builder: Builder, expression: sp.Expr) -> dict[str, Access]:
    """The accesses to y[k] and yhat[k] that an expression names."""
    (data,) = canonical_indices(("data",))
    found = {}
    for symbol in sorted(expression.free_symbols, key=str):
        parts = split_name(symbol.name)
        if not parts.component:
            continue
        (number,) = parts.component
        size = builder.size("outputs")
        if not 0 <= number < size:
            raise builder.located(
                f"'{symbol.name}': there are {size} outputs, counted from 0", LOSS, "expression", None
            )
        found[symbol.name] = Access(parts.name, (data, Affine((), number)))
    return found

"""The loss of one sample as equations, the last of the forward equations."""

from __future__ import annotations

import sympy as sp

from ..algebra.local_symbols import base_of, component_of
from ..algebra.losses import EXPRESSION, LOSSES, LossField
from ..algebra.terms import Access, Affine, Term, canonical_indices
from ..network.network import InnerLoss, Loss, Network
from .builder import Builder
from .local_names import make_term

LOSS = "loss"


def loss_equations(builder: Builder, network: Network) -> None:
    """Declare the field ``loss`` (data,), which training descends, and what it needs.

    It is the output's loss, as its row of the table states it, and the weighted losses on inner layers.
    """
    data, outputs = canonical_indices(("data", "outputs"))
    terms = _loss_terms(builder, network.loss, Access("yhat", (data, outputs)), "", LOSS)
    for number, inner in enumerate(network.losses, start=1):
        head = _head(builder, network, inner)
        for term in _loss_terms(builder, inner.loss, head, f"inner{number}.", inner.table):
            terms.append(term.with_expression(sp.Rational(str(inner.weight)) * term.expression))
    builder.equation(LOSS, (data,), tuple(terms), owner=LOSS, part=LOSS)


def _head(builder: Builder, network: Network, inner: InnerLoss) -> Access:
    """The values of an inner layer that a loss compares with y, at its last step."""
    data, outputs = canonical_indices(("data", "outputs"))
    shape, size = builder.shapes[inner.source], builder.size("outputs")
    if shape.positions:
        raise builder.located(
            f"'{inner.source}' has positions, and y has none",
            inner.table,
            "from",
            "Put a layer without positions between: dense, with size = the number of outputs",
        )
    if builder.size(shape.neurons) != size:
        raise builder.located(
            f"'{inner.source}' has {builder.size(shape.neurons)} neurons, but there are {size} outputs",
            inner.table,
            "from",
            f"A head has one neuron for each output: size = {size}",
        )
    return builder.value_access(inner.source, (data, outputs), network.layer[inner.source].steps)


def _loss_terms(builder: Builder, loss: Loss, yhat: Access, prefix: str, table: str) -> list[Term]:
    """The terms of a loss of ``yhat`` (data, outputs); its helping fields are declared."""
    data, outputs = canonical_indices(("data", "outputs"))
    known = {"y": Access("y", (data, outputs)), "yhat": yhat}
    if loss.expression is not None:
        known |= _components(builder, loss.expression, yhat.field, table)

    def unknown(name: str) -> Exception:
        return builder.unknown(table, name, known)

    terms = []
    for row in loss_fields(loss):
        is_loss = row.part == LOSS
        target = (data,) if is_loss or row.summed else (data, outputs)
        term = make_term(target, (outputs,) if row.summed else (), row.expression, known, unknown)
        if is_loss:
            terms.append(term)
            continue
        known[f"{LOSS}.{row.part}"] = builder.equation(
            f"{LOSS}.{prefix}{row.part}",
            target,
            (term,),
            owner=LOSS,
            part=row.part,
            frozen=row.frozen,
            selector=row.selector,
        )
    return terms


def loss_fields(loss: Loss) -> tuple[LossField, ...]:
    """The fields of a loss, its constants filled in.

    An expression that names plain y or yhat is summed over the outputs; one in y[k] and yhat[k] alone is not.
    """
    if loss.kind == EXPRESSION:
        if loss.expression is None:
            raise ValueError(f"a loss of kind {EXPRESSION} has no expression")
        plain = any(not component_of(symbol) for symbol in loss.expression.free_symbols)
        return (LossField(LOSS, loss.expression, summed=plain),)
    numbers = {sp.Symbol(name): sp.Rational(str(value)) for name, value in loss.constants}
    return tuple(
        LossField(row.part, row.expression.xreplace(numbers), row.summed, row.frozen, row.selector)
        for row in LOSSES[loss.kind].fields
    )


def _components(builder: Builder, expression: sp.Expr, yhat: str, table: str) -> dict[str, Access]:
    """The accesses to y[k] and yhat[k] that an expression names."""
    (data,) = canonical_indices(("data",))
    found = {}
    for symbol in sorted(expression.free_symbols, key=str):
        component = component_of(symbol)
        if not component:
            continue
        (number,) = component
        size = builder.size("outputs")
        if not 0 <= number < size:
            raise builder.located(
                f"'{symbol.name}': there are {size} outputs, counted from 0", table, "expression", None
            )
        read = {"y": "y", "yhat": yhat}[base_of(symbol)]
        found[symbol.name] = Access(read, (data, Affine((), number)))
    return found

"""The loss of one sample as equations, the last of the forward equations."""

from __future__ import annotations

import sympy as sp

from ..algebra.functions import call
from ..algebra.terms import Access, Affine, canonical_indices
from ..network.names import split_name
from ..network.network import Loss
from .builder import Builder
from .local_names import make_term

_Y, _YHAT = sp.Symbol("y"), sp.Symbol("yhat")


def loss_equations(builder: Builder, loss: Loss) -> None:
    """Declare the field ``loss`` (data,) and what it needs."""
    if loss.kind == "cross-entropy":
        _cross_entropy(builder)
        return
    _separable(builder, loss_expression(loss))


def loss_expression(loss: Loss) -> sp.Expr:
    """The summand of a loss that is a sum over outputs, in the symbols y and yhat (or y[k], yhat[k])."""
    if loss.kind == "squared":
        return (_YHAT - _Y) ** 2
    if loss.kind == "logistic":
        return call("softplus", -_Y * _YHAT)
    if loss.kind == "huber":
        return call("huber", _YHAT - _Y, sp.Rational(str(loss.delta)))
    if loss.expression is None:
        raise ValueError(f"a loss of kind {loss.kind} has no expression")
    return loss.expression


def _separable(builder: Builder, expression: sp.Expr) -> None:
    data, outputs = canonical_indices(("data", "outputs"))
    known = {"y": Access("y", (data, outputs)), "yhat": Access("yhat", (data, outputs))}
    plain = False
    for symbol in sorted(expression.free_symbols, key=str):
        parts = split_name(symbol.name)
        if not parts.component:
            plain = True
            continue
        (number,) = parts.component
        size = builder.size("outputs")
        if not 0 <= number < size:
            raise builder.located(
                f"'{symbol.name}': there are {size} outputs, counted from 0", "loss", "expression", None
            )
        known[symbol.name] = Access(parts.name, (data, Affine((), number)))

    def unknown(name: str) -> Exception:
        return builder.unknown("loss", name, known)

    reduced = (outputs,) if plain else ()
    term = make_term((data,), reduced, expression, known, unknown)
    builder.equation("loss", (data,), (term,), owner="loss", part="loss")


def _cross_entropy(builder: Builder) -> None:
    """-sum_k y_k log softmax(yhat)_k, shifted by the largest output, which changes no derivative."""
    data, outputs = canonical_indices(("data", "outputs"))
    yhat, y = Access("yhat", (data, outputs)), Access("y", (data, outputs))
    select, shift, total = (sp.Symbol(f"loss.{name}") for name in ("select", "shift", "total"))
    known = {"yhat": yhat, "y": y}

    def declare(
        part: str, reduced: bool, expression: sp.Expr, frozen: bool = False, selector: int = 0
    ) -> None:
        name = part if part == "loss" else f"loss.{part}"
        target = (data,) if reduced else (data, outputs)
        term = make_term(target, (outputs,) if reduced else (), expression, known)
        known[name] = builder.equation(
            name, target, (term,), owner="loss", part=part, frozen=frozen, selector=selector
        )

    declare("select", False, _YHAT, selector=1, frozen=True)
    declare("shift", True, select * _YHAT, frozen=True)
    declare("total", True, call("exp", _YHAT - shift))
    known["loss.total"] = Access("loss.total", (data,))
    declare("loss", True, _Y * (call("log", total) + shift - _YHAT))

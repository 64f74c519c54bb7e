"""The closed table of losses: each is one row.

A row states its equations as data (symbols y, yhat, the loss's own constants, and the helper fields that
stand before), the same formula in plain numpy (by which limit and networks are measured), what its targets
must be and how its classification error is counted. Everything else of the program reads the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import sympy as sp

from .functions import call

Array = Any
Formula = Callable[[Array, Array, Mapping[str, float]], Array]

Y, YHAT = sp.Symbol("y"), sp.Symbol("yhat")


class Targets(StrEnum):
    """What the targets of a loss must be."""

    NUMBERS = "numbers"  # any real numbers
    SIGNS = "signs"  # +1 or -1
    CLASSES = "classes"  # integer labels, or probabilities that sum to 1


@dataclass(frozen=True)
class LossField:
    """One field of a loss: ``part(data[, outputs]) = [Sum over outputs of] expression``.

    The field called "loss" is the loss of a sample. ``summed``: over the outputs. ``frozen`` and
    ``selector``: see :class:`mfderive.algebra.terms.Equation`.
    """

    part: str
    expression: sp.Expr
    summed: bool = True
    frozen: bool = False
    selector: int = 0


@dataclass(frozen=True)
class LossKind:
    """One loss: its equations, the same formula in numpy, and what it asks of its targets.

    ``values(yhat, y, constants)`` is the loss of every sample, [sample], from [sample, outputs].
    ``constants`` are positive numbers with their defaults and a sentence each. ``error`` is how a
    classification error is counted unless the spec says it ("sign", "argmax", or None: by the data).
    ``is_bounded``: whether the derivative with respect to yhat is bounded (published theorems ask for it).
    """

    name: str
    doc: str
    fields: tuple[LossField, ...]
    values: Formula
    constants: tuple[tuple[str, float, str], ...] = ()
    targets: Targets = Targets.NUMBERS
    error: str | None = None
    is_bounded: bool = False


def _log_softmax(yhat: Array) -> Array:
    shifted = yhat - yhat.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _huber(residual: Array, delta: float) -> Array:
    size = np.abs(residual)
    return np.where(size <= delta, 0.5 * residual**2, delta * (size - 0.5 * delta))


def _sum(expression: sp.Expr) -> tuple[LossField, ...]:
    """The loss is the sum of an expression over the outputs."""
    return (LossField("loss", expression),)


# Cross-entropy is shifted by the largest output, which is frozen and changes no derivative.
_SELECT, _SHIFT, _TOTAL = sp.symbols("loss.select loss.shift loss.total")
_CROSS_ENTROPY = (
    LossField("select", YHAT, summed=False, frozen=True, selector=1),
    LossField("shift", _SELECT * YHAT, frozen=True),
    LossField("total", call("exp", YHAT - _SHIFT)),
    LossField("loss", Y * (call("log", _TOTAL) + _SHIFT - YHAT)),
)

_ROWS = (
    LossKind(
        "squared",
        "sum over k of (yhat_k - y_k)^2, without 1/2 (as in Nguyen 2019)",
        _sum((YHAT - Y) ** 2),
        lambda yhat, y, constants: ((yhat - y) ** 2).sum(axis=1),
    ),
    LossKind(
        "cross-entropy",
        "-sum over k of y_k log softmax(yhat)_k, natural logarithm",
        _CROSS_ENTROPY,
        lambda yhat, y, constants: -(y * _log_softmax(yhat)).sum(axis=1),
        targets=Targets.CLASSES,
        error="argmax",
        is_bounded=True,
    ),
    LossKind(
        "logistic",
        "sum over k of log(1 + exp(-y_k yhat_k)), y_k = +1 or -1",
        _sum(call("softplus", -Y * YHAT)),
        lambda yhat, y, constants: np.logaddexp(0.0, -y * yhat).sum(axis=1),
        targets=Targets.SIGNS,
        error="sign",
        is_bounded=True,
    ),
    LossKind(
        "huber",
        "sum over k of huber(yhat_k - y_k, delta): a square up to delta, linear beyond",
        _sum(call("huber", YHAT - Y, sp.Symbol("delta"))),
        lambda yhat, y, constants: _huber(yhat - y, constants["delta"]).sum(axis=1),
        constants=(("delta", 1.0, "where the square ends; default 1"),),
        is_bounded=True,
    ),
)
LOSSES: dict[str, LossKind] = {row.name: row for row in _ROWS}
EXPRESSION = "expression"  # a loss that the spec itself writes down, in y and yhat

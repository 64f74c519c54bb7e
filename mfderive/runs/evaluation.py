"""Loss and classification error of a sample, by plain formulas that limit and networks share."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from ..algebra.evaluate import evaluate_expression
from ..algebra.local_symbols import local_symbol
from ..algebra.losses import EXPRESSION, LOSSES
from ..errors import SpecError, StateError
from ..network.network import Loss, Network

Array = Any


def _expression_loss(loss: Loss, yhat: Array, y: Array) -> Array:
    """An expression in y[k], yhat[k]; one that names plain y or yhat is summed over the outputs."""
    assert loss.expression is not None
    plain: dict[sp.Symbol, Array] = {sp.Symbol("y"): y, sp.Symbol("yhat"): yhat}
    values = dict(plain)
    for name, array in (("y", y), ("yhat", yhat)):
        for k in range(array.shape[1]):
            values[local_symbol(name, component=(k,))] = array[:, k : k + 1]
    symbols = loss.expression.free_symbols
    unknown = sorted(symbol.name for symbol in symbols if symbol not in values)
    if unknown:
        raise SpecError(
            f"the loss reads '{unknown[0]}', but there are {y.shape[1]} outputs, counted from 0",
            table="loss",
            key="expression",
        )
    columns = y.shape[1] if any(symbol in plain for symbol in symbols) else 1
    return np.broadcast_to(evaluate_expression(loss.expression, values), (len(y), columns)).sum(axis=1)


def sample_losses(loss: Loss, yhat: Array, y: Array) -> Array:
    """The loss of every sample, float [sample]; ``yhat`` and ``y`` are [sample, outputs].

    By the plain formula of the loss's row in :mod:`mfderive.algebra.losses`.
    """
    if loss.kind == EXPRESSION:
        return _expression_loss(loss, yhat, y)
    if loss.kind not in LOSSES:
        raise SpecError(f"'{loss.kind}' is not a loss", table="loss", key="kind")
    return LOSSES[loss.kind].values(yhat, y, dict(loss.constants))


def sample_errors(loss: Loss, yhat: Array, y: Array) -> Array | None:
    """1 where a sample is classified wrongly, else 0, [sample]; None where the loss has no meaningful error.

    sign: an output of 0 is wrong, and a sample with several outputs is right only if all are; argmax: the
    first maximum is the answer.
    """
    if loss.error is None:
        return None
    if loss.error == "sign":
        return (~(yhat * y > 0)).any(axis=1).astype(np.float64)
    if loss.error == "argmax":
        return (yhat.argmax(axis=1) != y.argmax(axis=1)).astype(np.float64)
    raise SpecError(f"'{loss.error}' is not a kind of error", table="loss", key="error")


def evaluate_loss_error(network: Network, yhat: Array, y: Array) -> tuple[float, float]:
    """Mean loss and mean classification error of a sample (error nan where none is meaningful).

    ``yhat`` and ``y`` are [sample, outputs]; [sample] is accepted for one output. Computed in float64.
    """
    losses, errors = losses_and_errors(network, yhat, y)
    with np.errstate(over="ignore", invalid="ignore"):
        loss = float(losses.mean())
    return loss, float("nan") if errors is None else float(errors.mean())


def losses_and_errors(network: Network, yhat: Array, y: Array) -> tuple[Array, Array | None]:
    """Loss and classification error of every sample, float64 [sample] (None where none is meaningful)."""
    predicted = np.asarray(yhat, dtype=np.float64)
    wanted = np.asarray(y, dtype=np.float64)
    predicted = predicted[:, None] if predicted.ndim == 1 else predicted
    wanted = wanted[:, None] if wanted.ndim == 1 else wanted
    if predicted.shape != wanted.shape or not len(wanted):
        raise StateError(
            f"yhat has shape {predicted.shape} and y {wanted.shape}; both must be [sample, outputs]"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        losses = sample_losses(network.loss, predicted, wanted)
    return losses, sample_errors(network.loss, predicted, wanted)

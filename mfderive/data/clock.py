"""Time, the steps at which a run is observed, and what is observed: loss and error on a sample.

Time is the sum of the learning rates: t_0 = 0 and t_k = alpha_1 + ... + alpha_k. This file is shared by the
limit and by its witness, and computes the loss by its own plain formulas.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from ..algebra.evaluate import evaluate_expression
from ..errors import SpecError, StateError
from ..spec.network import Loss, Network, Training
from .draw import check_memory

Array = Any

STEP = sp.Symbol("k")


def alphas(training: Training, steps: int | None = None) -> Array:
    """Learning rates alpha_k = learning_rate * schedule(k), k = 1..steps, as float64 [steps].

    ``steps`` defaults to the spec's. Raises SpecError where a rate is not a finite positive number.
    """
    count = training.steps if steps is None else steps
    check_memory(4 * 8 * count, f"The learning rates of {count} steps", "Take fewer steps")
    numbers = np.arange(1, count + 1, dtype=np.float64)
    with np.errstate(all="ignore"):
        schedule = evaluate_expression(training.schedule, {STEP: numbers})
    rates = np.broadcast_to(training.learning_rate * np.asarray(schedule, dtype=np.float64), (count,)).copy()
    bad = np.flatnonzero(~(np.isfinite(rates) & (rates > 0)))
    if bad.size:
        raise SpecError(
            f"the learning rate of step {bad[0] + 1} is {rates[bad[0]]}",
            table="training",
            key="schedule",
            remedy="learning_rate * schedule(k) must be a finite positive number for k = 1, 2, ...",
        )
    return rates


def times(training: Training, steps: int | None = None) -> Array:
    """Times t_0 = 0, t_1, ..., t_steps (t_k = sum of the first k learning rates), float64 [steps + 1]."""
    return np.concatenate([[0.0], np.cumsum(alphas(training, steps))])


def observation_steps(steps: int, count: int) -> Array:
    """At most ``count`` distinct steps from 0 to ``steps``, both included, evenly spaced in log(step), int64.

    Early steps are too close for that: there consecutive steps stand in for equal ratios, so the list
    has exactly min(count, steps + 1) entries (2 at least where ``steps`` is positive).
    """
    if steps < 0 or count < 1:
        raise ValueError(f"steps {steps} and count {count} must not be negative (count: at least 1)")
    wanted = min(max(count, 2), steps + 1)
    chosen = [0]
    while len(chosen) < wanted:
        remaining = wanted - len(chosen)
        last = chosen[-1]
        if last == 0:
            following = 1 if remaining > 1 else steps
        else:
            following = max(last + 1, round(last * (steps / last) ** (1 / remaining)))
        chosen.append(min(following, steps - remaining + 1))
    return np.array(chosen, dtype=np.int64)


def _log_softmax(yhat: Array) -> Array:
    shifted = yhat - yhat.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _huber(residual: Array, delta: float) -> Array:
    size = np.abs(residual)
    return np.where(size <= delta, 0.5 * residual**2, delta * (size - 0.5 * delta))


def _expression_loss(loss: Loss, yhat: Array, y: Array) -> Array:
    """An expression in y[k], yhat[k]; one that names plain y or yhat is summed over the outputs."""
    assert loss.expression is not None
    plain: dict[sp.Symbol, Array] = {sp.Symbol("y"): y, sp.Symbol("yhat"): yhat}
    values = dict(plain)
    for name, array in (("y", y), ("yhat", yhat)):
        for k in range(array.shape[1]):
            values[sp.Symbol(f"{name}[{k}]")] = array[:, k : k + 1]
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

    squared: sum_k (yhat_k - y_k)^2 without 1/2, as in the paper; cross-entropy: -sum_k y_k log softmax_k
    (natural logarithm); logistic: sum_k log(1 + exp(-y_k yhat_k)); huber: sum_k huber(yhat_k - y_k, delta).
    """
    if loss.kind == "squared":
        return ((yhat - y) ** 2).sum(axis=1)
    if loss.kind == "cross-entropy":
        return -(y * _log_softmax(yhat)).sum(axis=1)
    if loss.kind == "logistic":
        return np.logaddexp(0.0, -y * yhat).sum(axis=1)
    if loss.kind == "huber":
        return _huber(yhat - y, loss.delta).sum(axis=1)
    if loss.kind == "expression":
        return _expression_loss(loss, yhat, y)
    raise SpecError(f"'{loss.kind}' is not a loss", table="loss", key="kind")


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
    predicted = np.asarray(yhat, dtype=np.float64)
    wanted = np.asarray(y, dtype=np.float64)
    predicted = predicted[:, None] if predicted.ndim == 1 else predicted
    wanted = wanted[:, None] if wanted.ndim == 1 else wanted
    if predicted.shape != wanted.shape or not len(wanted):
        raise StateError(
            f"yhat has shape {predicted.shape} and y {wanted.shape}; both must be [sample, outputs]"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        loss = float(sample_losses(network.loss, predicted, wanted).mean())
    errors = sample_errors(network.loss, predicted, wanted)
    return loss, float("nan") if errors is None else float(errors.mean())

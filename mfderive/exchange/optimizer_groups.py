"""Parameter groups for optimizers of PyTorch: learning rates and constants with the powers of the width.

With M the product of the widths of a parameter's infinite axes, a step of this package takes M times the
gradient. An optimizer whose update grows with the gradient to the power p takes the same step of the gradient
itself with the rate M^p times as large, and with constants that follow the gradient (Adam's epsilon, a decay
that is added to it) M^-1 times as large (docs/scalings.md, mean field).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..algebra.arguments import number, positive_number
from ..algebra.laws import TIME, Variable
from ..algebra.update_rules import UpdateRule, rule_of
from ..errors import ArgumentError, nearest
from ..finite.numpy_functions import NUMPY_FUNCTIONS, evaluate_expression
from ..finite.rule_step import RuleStep
from ..network.network import Network
from ..runs.schedule import alphas, times
from ..scaling.rule_degrees import rule_degree

Array = Any
Group = dict[str, Any]

# What torch.optim calls constants of the learning rules; betas are a pair there.
_WORDS = {"mu": "momentum"}
_BETAS = ("beta1", "beta2")


def parameter_groups(
    network: Network,
    step: RuleStep,
    parameters: Mapping[str, Any],
    learning_rate: float | None,
    rule: str | None,
    constants: Mapping[str, float],
) -> list[Group]:
    """One group for each trained parameter; see :meth:`FiniteModule.parameter_groups`."""
    learning = step.learning
    row = learning.row if rule is None else rule_of(rule)
    base = network.training.learning_rate
    alpha = base if learning_rate is None else positive_number("learning_rate", learning_rate)
    degree = rule_degree(row)
    if degree.update is None:
        raise ArgumentError(
            f"the update of the learning rule '{row.name}' follows no power of the gradient: no rate has its "
            "factor. Give the optimizer the scaled gradient (the gradient times the widths) instead"
        )
    power = float(degree.update)
    decoupled = learning.decoupled if rule is None else row.decoupled
    values = _constants(row, dict(learning.constants) if rule is None else {}, constants)
    follows = {name: float(own) for name, own in degree.constants}
    groups = []
    for parameter in step.trained:
        width = step.widths[parameter.name]
        multiplier = width**power
        first = alpha * alphas(network.training, 1)[0] / base * _rate(parameter, np.zeros(1))[0]
        group: Group = {
            "params": [parameters[parameter.name]],
            "name": parameter.name,
            "multiplier": multiplier,
            "lr": float(first * multiplier),
            "initial_lr": float(alpha * multiplier),
        }
        if parameter.name in step.decay:
            group["weight_decay"] = step.decay[parameter.name] / (multiplier if decoupled else width)
        own = {name: value / width ** follows.get(name, 0.0) for name, value in values.items()}
        groups.append(group | _in_torch(own))
    return groups


def _constants(row: UpdateRule, spec: Mapping[str, float], given: Mapping[str, float]) -> dict[str, float]:
    """The constants of a rule: what is given, else the spec's, else the defaults; some may be missing."""
    known = {constant.name: constant for constant in row.constants}
    for name, value in given.items():
        if name not in known:
            raise ArgumentError(
                f"the learning rule '{row.name}' has no constant '{name}'. {nearest(name, known)}"
            )
        if not known[name].allows(number(name, value)):
            raise ArgumentError(f"{name} is {value:g}; allowed: {known[name].allowed}")
    defaults = {name: c.default for name, c in known.items() if c.default is not None}
    return {**defaults, **spec, **given}


def _in_torch(constants: Mapping[str, float]) -> Group:
    """Constants under the names of torch.optim."""
    found: Group = {_WORDS.get(n, n): value for n, value in constants.items() if n not in _BETAS}
    if all(name in constants for name in _BETAS):
        found["betas"] = tuple(constants[name] for name in _BETAS)
    return found


def _rate(parameter: Variable, at: Array) -> Array:
    """The rate xi of a parameter at some times."""
    return np.broadcast_to(evaluate_expression(parameter.rate, {TIME: at}, NUMPY_FUNCTIONS), at.shape)


def group_rates(
    network: Network, step: RuleStep, groups: Iterable[Mapping[str, Any]]
) -> list[Callable[[int], float]]:
    """For each group what its ``initial_lr`` is multiplied by after so many steps: schedule times rate."""
    by_name = {parameter.name: parameter for parameter in step.trained}
    return [_course(network, by_name, group) for group in groups]


def _course(
    network: Network, parameters: Mapping[str, Variable], group: Mapping[str, Any]
) -> Callable[[int], float]:
    """What multiplies the learning rate of one group in the step after ``done`` ones."""
    if group.get("name") not in parameters or not {"multiplier", "initial_lr"} <= set(group):
        raise ArgumentError(
            "a group of the optimizer was not made by module.parameter_groups(): it has no 'name', "
            "'multiplier' and 'initial_lr'. Make the optimizer of these groups"
        )
    parameter, training = parameters[group["name"]], network.training
    # Time is the sum of the learning rates, so that it runs faster where the base is larger.
    speed = group["initial_lr"] / group["multiplier"] / training.learning_rate
    known: list[Array] = [np.zeros(0)]

    def factor(done: int) -> float:
        if done >= len(known[0]):
            count = max(training.steps, 2 * (done + 1))
            rates = _rate(parameter, speed * times(training, count)[:-1])
            known[0] = alphas(training, count) / training.learning_rate * rates
        return float(known[0][done])

    return factor

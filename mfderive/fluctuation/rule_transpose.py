"""One step of a learning rule, transposed: from sensitivities after the step to those before it.

A step makes of every entry X = U(values before, G), entry by entry. With lambda' the derivatives of a
functional by the values after the step, those by the values before it are ``direct + (dG)^T u``: ``u`` is the
derivative by G, and both are sums of lambda' times the partial derivatives of U, which are taken of the same
equations that the step is (:mod:`mfderive.limit.apply_rule`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from ..algebra.evaluate import evaluate_expression
from ..algebra.system import LimitSystem
from ..algebra.terms import Equation, Role
from ..errors import MfError
from ..tensor.clock import Moment, clock_values, rate_at

Array = Any
Arrays = dict[str, Any]


@dataclass(frozen=True)
class _Slope:
    """The partial derivative of a next value by one symbol, which reads ``field``."""

    field: str
    symbol: sp.Symbol
    expression: sp.Expr


class RuleTranspose:
    """The transposed steps of one system's learning rule.

    ``reads_gradients``: the partial derivatives depend on the values of G, as those of Adam do. Raises
    MfError for a rule whose step of one entry depends on all others (clipping) or on fresh noise.
    """

    def __init__(self, system: LimitSystem) -> None:
        self.system = system
        _refuse(system)
        self.moves = [e for e in system.motion if system.field[e.field].role is Role.NEXT]
        self.slopes = {e.field: tuple(_slopes(e)) for e in self.moves}
        wanted = {s for rows in self.slopes.values() for row in rows for s in row.expression.free_symbols}
        velocities = set(system.velocity_of.values())
        self.reads_gradients = any(symbol.name in velocities for symbol in wanted)
        self._needs_next = {e.field for e in self.moves} & {symbol.name for symbol in wanted}

    @property
    def is_plain(self) -> bool:
        """Whether a step is the learning rate times G, so that steps may be longer; nothing is remembered."""
        return not self.moves

    def __call__(
        self,
        after: Mapping[str, Array],
        state: Mapping[str, Any],
        speeds: Mapping[str, Array],
        moment: Moment,
    ) -> tuple[Arrays, Arrays]:
        """Sensitivities before a step, without those through G; and the ``u`` of every parameter's G.

        ``after``: the sensitivities of every trained variable after the step; ``state``: values before it;
        ``speeds``: G by parameter, where it is needed.
        """
        values: Arrays = {**state, **clock_values(self.system, moment, state)}
        values |= {self.system.velocity_of[name]: speed for name, speed in speeds.items()}
        self._next_values(values)
        found: Arrays = {}
        for name, sensitivity in after.items():
            into = self.system.next_of.get(name)
            if into is not None:
                _add(found, into, sensitivity)
                continue
            _add(found, name, sensitivity)
            if name not in self.system.velocity_of:
                continue
            factor = moment.alpha * rate_at(self.system.variable[name], moment.t)
            _add(found, self.system.velocity_of[name], factor * sensitivity)
        for equation in reversed(self.moves):
            incoming = found.pop(equation.field, None)
            if incoming is not None:
                self._pass_on(equation, incoming, values, found)
        gradients = {
            name: found.pop(velocity)
            for name, velocity in self.system.velocity_of.items()
            if velocity in found
        }
        return {name: found.get(name, np.zeros_like(after[name])) for name in after}, gradients

    def _next_values(self, values: Arrays) -> None:
        """The next values that partial derivatives read."""
        if self._needs_next:
            for equation in self.moves:
                (term,) = equation.terms
                known = {symbol: values[access.field] for symbol, access in term.accesses}
                values[equation.field] = evaluate_expression(term.expression, known)

    def _pass_on(self, equation: Equation, incoming: Array, values: Arrays, found: Arrays) -> None:
        (term,) = equation.terms
        for slope in self.slopes[equation.field]:
            known = {
                symbol: values[access.field]
                for symbol, access in term.accesses
                if symbol in slope.expression.free_symbols
            }
            with np.errstate(all="ignore"):
                factor = evaluate_expression(slope.expression, known)
            if not np.isfinite(factor).all():
                raise MfError(
                    f"the step of {self.system.learning.rule} has no derivative by {slope.field} where the "
                    "run passes (a square root at 0, for example), so that the fluctuations there cannot be "
                    "linearised. Give the rule a larger eps"
                )
            _add(found, slope.field, factor * incoming)


def _slopes(equation: Equation) -> Iterator[_Slope]:
    (term,) = equation.terms
    for symbol, access in term.accesses:
        slope = sp.diff(term.expression, symbol)
        if slope != 0 and access.slots:  # what has no slots is the clock
            yield _Slope(access.field, symbol, slope)


def _add(found: Arrays, name: str, value: Array) -> None:
    found[name] = found[name] + value if name in found else value


def _refuse(system: LimitSystem) -> None:
    """Raise MfError for what is no step of single entries."""
    learning = system.learning
    if learning.clip is not None:
        raise MfError(
            "fluctuations under clipping by the norm of the gradient are not there yet: a step of one weight "
            "then depends on all others. Leave clip out"
        )
    # Noise that averages out over neurons is no part of the equations any more.
    if any(field.role is Role.DRAW for field in system.fields):
        raise MfError(
            "fluctuations under fresh noise in every step are not there yet: the noise of a neuron is one "
            "more of its labels, and what belongs to no neuron follows another path in every network. Leave "
            "noise out, or to weights between two infinitely wide layers"
        )

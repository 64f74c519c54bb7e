"""Where an expression leaves the finite numbers: the function that left its domain, and what it was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from .evaluate import Evaluation
from .terms import Field, Role

Array = Any


@dataclass(frozen=True)
class Departure:
    """The first operation of an expression whose value is not finite although what it was given is.

    ``name``: of the closed table, or "power", "product", "sum"; ``arguments`` the numbers it was given.
    """

    name: str
    arguments: tuple[float, ...]
    value: float

    @property
    def is_overflow(self) -> bool:
        """Whether the value exists and is only too large (exp(1000)), not outside of a domain (log(0))."""
        if self.name in ("product", "sum"):
            return True
        if self.name == "power":
            base, exponent = self.arguments
            return base > 0 or (base < 0 and float(exponent).is_integer())
        return bool(np.isinf(self.value)) and all(self.arguments)

    @property
    def text(self) -> str:
        """What was asked, and why there is no answer."""
        numbers = tuple(f"{number:.4g}" for number in self.arguments)
        if self.name == "power" and self.arguments[0] == 0:
            return "a division by 0"
        if self.name == "power":
            what = f"({numbers[0]})^{numbers[1]}"
        elif self.name in ("product", "sum"):
            what = f"the {self.name} of {' and '.join(numbers)}"
        else:
            what = f"{self.name}({', '.join(numbers)})"
        if self.is_overflow:
            return f"{what}, which is beyond the largest number"
        return f"{what}, which is {'infinite' if np.isinf(self.value) else 'no real number'}"


class _Watched(Evaluation):
    """The evaluation of an expression that remembers where it first left the finite numbers."""

    departure: Departure | None = None

    def add(self, node: sp.Expr, parts: list[Array]) -> Array:
        """A sum."""
        return self.watched("sum", parts, super().add(node, parts))

    def mul(self, node: sp.Expr, parts: list[Array]) -> Array:
        """A product."""
        return self.watched("product", parts, super().mul(node, parts))

    def power(self, node: sp.Expr, base: Array, exponent: Array) -> Array:
        """A power."""
        return self.watched("power", [base, exponent], super().power(node, np.asarray(base, float), exponent))

    def function(self, node: sp.Expr, name: str, parts: list[Array]) -> Array:
        """A function of the closed table."""
        return self.watched(name, parts, super().function(node, name, parts))

    def watched(self, name: str, parts: list[Array], value: Array) -> Array:
        """Remember the first value that is not finite where all parts are."""
        if self.departure is None:
            shaped = np.broadcast_arrays(value, *parts)
            finite = np.all([np.isfinite(part) for part in shaped[1:]], axis=0)
            places = np.argwhere(~np.isfinite(shaped[0]) & finite)
            if len(places):
                first = tuple(places[0])
                arguments = tuple(float(part[first]) for part in shaped[1:])
                self.departure = Departure(name, arguments, float(shaped[0][first]))
        return value


def departure_of(expression: sp.Expr, values: Mapping[sp.Symbol, Array]) -> Departure | None:
    """Where an expression leaves the finite numbers at some values (arrays that broadcast); None: nowhere."""
    watched = _Watched(values)
    with np.errstate(all="ignore"):
        watched(sp.sympify(expression))
    return watched.departure


def departure_words(field: Field, departure: Departure) -> str:
    """A departure as part of a sentence: what was asked, in which field of which layer."""
    whose = f" of layer '{field.owner}'" if field.owner and field.owner != field.name else ""
    where = {Role.ADJOINT: "the derivative ", Role.VELOCITY: "the motion "}.get(field.role, "")
    return f"{where}'{field.name}'{whose} asks for {departure.text}"


def departure_remedy(departure: Departure) -> str:
    """What to do about a function that left its domain; "" where a value is only too large."""
    if departure.is_overflow:
        return ""
    return (
        "Take a function that is defined for all numbers (sqrt(relu(h) + 0.01), log(1 + h**2)), or laws and "
        "rates that keep its argument inside"
    )

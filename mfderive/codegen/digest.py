"""A canonical text of a system, and its digest."""

from __future__ import annotations

import hashlib

import sympy as sp

from ..algebra.memo import once
from ..algebra.reduced import Reduced
from ..algebra.system import LimitSystem
from ..algebra.terms import Equation, Index, Slot
from ..tensor.ordering import sort_key

# Counted up whenever the generator writes other code for the same system.
GENERATOR = "11"


def _slot(slot: Slot) -> str:
    if isinstance(slot, Index):
        return f"{slot.name}:{slot.axis}"
    parts = " ".join(f"{c}*{i.name}:{i.axis}" for c, i in slot.parts)
    return f"<{parts} {slot.constant}>"


def _slots(slots: tuple[Slot, ...]) -> str:
    return ",".join(map(_slot, slots))


def _expression(expression: sp.Expr) -> str:
    return sort_key(expression, {symbol: symbol.name for symbol in expression.free_symbols})


def _equation(equation: Equation) -> list[str]:
    lines = [f"equation {equation.field}({_slots(equation.target)}) selector {equation.selector}"]
    for term in equation.terms:
        lines.append(
            f"  ({_slots(term.target)}) reduce {_slots(term.reduced)} {_expression(term.expression)}"
        )
        lines += [f"    {s.name} = {a.field}({_slots(a.slots)})" for s, a in sorted(term.accesses, key=str)]
    return lines


def canonical_text(system: LimitSystem) -> str:
    """Everything that code depends on, one fact per line, in an order that no library decides."""
    lines = [f"title {system.title}"]
    lines += [f"axis {a.name} {a.kind.value} {a.size} {a.width!r} {a.drawn}" for a in system.axes]
    lines += [f"field {f.name} {','.join(f.axes)} {f.role.value}" for f in system.fields]
    for parameter in system.variables:
        law = parameter.law
        arguments = " ".join(_expression(argument) for argument in law.arguments)
        lines.append(
            f"parameter {parameter.name} {','.join(parameter.axes)} {parameter.noise} {parameter.dropped} "
            f"rate {_expression(parameter.rate)} law {law.kind} {arguments} {law.text}"
        )
        lines += [f"  {s.name} = {r.end.value} {r.parameter} {r.component}" for s, r in law.references]
    if system.learning.row.flow is None:
        lines.append("no flow")
    for equation in system.equations:
        lines += _equation(equation)
    return "\n".join(lines) + "\n"


@once
def digest(system: LimitSystem) -> str:
    """64 hexadecimal digits that name a system: equal systems have equal digests."""
    return _hash(canonical_text(system))


@once
def layout_digest(reduced: Reduced) -> str:
    """64 hexadecimal digits that name what states live on: the system, and the whole limit behind it.

    A reduction leaves out what its system does not feel, such as the deviations of weights; states that are
    lifted feel them.
    """
    return _hash(f"{digest(reduced.full)} {' '.join(reduced.names)} {digest(reduced.system)}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

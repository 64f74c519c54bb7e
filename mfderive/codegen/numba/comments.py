"""Equations as comments of generated code."""

from __future__ import annotations

import textwrap

from ...algebra.system import LimitSystem
from ...algebra.terms import Affine, Equation, Index, Slot, Term
from ...tensor.factorise import ranks_of
from .expression_code import formula

_WIDTH = 104


def slot_text(slot: Slot) -> str:
    """A slot: an index variable, or ``2*p + k - 1``."""
    if isinstance(slot, Index):
        return slot.name
    text = ""
    for coefficient, index in slot.parts:
        sign = " - " if coefficient < 0 else " + "
        size = "" if abs(coefficient) == 1 else f"{abs(coefficient)}*"
        text += f"{sign if text else sign.strip().replace('+', '')}{size}{index.name}"
    if slot.constant or not text:
        sign = " - " if slot.constant < 0 else " + "
        text += f"{sign if text else sign.strip().replace('+', '')}{abs(slot.constant)}"
    return text


def access_text(field: str, slots: tuple[Slot, ...]) -> str:
    """``field(slots)``."""
    return f"{field}({', '.join(map(slot_text, slots))})" if slots else field


def term_text(system: LimitSystem, term: Term) -> str:
    """A term: ``Mean_{c}[ ... ]``, ``Sum_{i}[ ... ]``."""
    names = {symbol: access_text(access.field, access.slots) for symbol, access in term.accesses}
    text = formula(term.expression, names, ranks_of(term.accesses))
    for word, measure in (("Sum", False), ("Mean", True)):
        indices = [i.name for i in term.reduced if system.axis[i.axis].is_measure is measure]
        if indices:
            text = f"{word}_{{{', '.join(indices)}}}[ {text} ]"
    return text


def equation_text(system: LimitSystem, equation: Equation) -> list[str]:
    """Lines of text of an equation."""
    left = access_text(equation.field, equation.target)
    plain = [t for t in equation.terms if all(isinstance(s, Index) for s in t.target)]
    scattered = [t for t in equation.terms if any(isinstance(s, Affine) for s in t.target)]
    right = " + ".join(term_text(system, t) for t in plain).replace("+ -", "- ")
    if equation.selector:
        right = f"first maximum over the last {equation.selector} indices of {right}"
    lines = []
    if plain or not scattered:
        lines.append(f"{left} = {right or '0'}")
    lines += [f"{access_text(equation.field, t.target)} += {term_text(system, t)}" for t in scattered]
    return [part for line in lines for part in textwrap.wrap(line, _WIDTH, subsequent_indent="    ")]

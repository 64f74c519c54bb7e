"""Conditions of the convergence theorems on the data and on the laws of initial values."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from ..algebra.findings import Finding
from ..analysis.function_facts import Answer, RealFunction, is_polynomial
from ..analysis.law_facts import full_support, reach, tails
from .chain import Chain
from .condition_checks import Setting
from .condition_kinds import Ground, found


def bounded_inputs(setting: Setting) -> Iterator[Finding]:
    """``data``: its kind; ``rows``: the size of a fixed sample."""
    yield found(Ground.INPUTS, setting.inputs.bounded, data=setting.network.data.kind, rows=_rows(setting))


def _rows(setting: Setting) -> int | None:
    rows: int | None = setting.network.source.rows
    return rows


def targets(setting: Setting) -> Iterator[Finding]:
    """Whether y is a function of x, without which no loss of a function of x is 0."""
    yield found(Ground.TARGET, setting.inputs.function, data=setting.network.data.kind, rows=_rows(setting))


def light_tails(setting: Setting) -> Iterator[Finding]:
    """One finding for each parameter; ``why`` is a LawWhy, ``degree`` that of a polynomial of normals."""
    for parameter in setting.read:
        fact = tails(setting.limit, parameter.name)
        facts = _law(setting, fact.parameter, fact.why, fact.degree)
        yield found(Ground.LAW, fact.answer, fact.parameter, **facts)


def _law(setting: Setting, name: str, why: str, degree: float = 0.0) -> dict[str, object]:
    law = setting.limit.parameter[name].law
    return {"law": law.text or str(law.mean), "why": why, "degree": degree}


def independent(setting: Setting) -> Iterator[Finding]:
    """Subjects: parameters whose laws name other initial values."""
    naming = [p.name for p in setting.read if p.law.references]
    yield found(Ground.NAMES if naming else Ground.INDEPENDENT, not naming, *naming)


def support(setting: Setting, chain: Chain) -> Iterator[Finding]:
    """One finding for each parameter of a first-layer neuron."""
    first = chain.links[0]
    shifts = [name for name in first.shifts if name not in setting.nothing]
    for fact in full_support(setting.limit, (first.weight, *shifts, *first.others)):
        yield found(Ground.LAW, fact.answer, fact.parameter, **_law(setting, fact.parameter, fact.why))


# ---------------------------------------------------------------------------------------- approximation


def universal(setting: Setting, chain: Chain) -> Iterator[Finding]:
    """Whether first-layer neurons span all functions of x in L2.

    With a shift (a bias, or a coordinate of x that is constant) a bounded function that is not constant does,
    for every law of x (Hornik 1991), and one that is no polynomial for bounded x (Leshno and others 1993). A
    polynomial does not, where x has infinitely many values; neither does, without a shift and where x and -x
    have the same law, a function whose even or odd part is a polynomial. ``why`` names what it rests on.
    """
    first = chain.links[0]
    function = RealFunction(first.activation, first.pre)
    written = str(first.activation.xreplace({first.pre: sp.Symbol("h")}))
    inputs = setting.inputs
    facts: dict[str, object] = {"function": written, "constant": inputs.constant}
    polynomial, bounded = function.not_polynomial(), function.bounded()
    shifted = bool(set(first.shifts) - setting.nothing) or inputs.constant is not None
    if polynomial.answer is Answer.NO:
        answer = False if inputs.continuous else None
        yield found(Ground.FAMILY, answer, first.name, why="polynomial", **facts)
    elif not shifted:
        half = _poor_half(function) if inputs.symmetric and inputs.continuous else ""
        yield found(Ground.FAMILY, False if half else None, first.name, why=half or "no shift", **facts)
    elif polynomial.answer is Answer.OPEN:
        yield found(Ground.FAMILY, Answer.OPEN, first.name, why="open", **facts)
    elif bounded.answer is Answer.YES:
        yield found(Ground.FAMILY, True, first.name, why="bounded", **facts)
    elif inputs.bounded and function.locally_bounded():
        yield found(Ground.FAMILY, True, first.name, why="bounded inputs", **facts)
    else:
        why = "poles" if inputs.bounded else "unbounded"
        yield found(Ground.FAMILY, Answer.OPEN, first.name, why=why, **facts)


def _poor_half(function: RealFunction) -> str:
    """Which part of a function, even or odd, is a polynomial; "" where none is seen to be."""
    halves = function.halves()
    if halves is None:
        return ""
    for name, part in zip(("even", "odd"), halves, strict=True):
        if is_polynomial(part, function.symbol):
            return name
    return ""


# ---------------------------------------------------------------------------------------- diversity


def diversity(setting: Setting, chain: Chain) -> Iterator[Finding]:
    """One finding for each weight between populations, then one for the layers whose neurons are equal.

    The theorem asks that the functions w_i(., C_i), w_(i+1)(C_i, .) of the neurons around a neuron C_i lie
    everywhere in L2 x L2. ``targets``, ``sources``: in how many dimensions they lie (None: not seen).
    """
    for link in chain.links[1:]:
        far = reach(setting.limit, link.weight)
        answer = Answer.OPEN if far.targets is None else Answer.NO
        law = setting.limit.parameter[link.weight].law
        yield found(Ground.REACH, answer, link.weight, targets=far.targets, sources=far.sources, law=law.text)


def collapsed(setting: Setting, chain: Chain) -> tuple[str, ...]:
    """The hidden layers all of whose neurons are equal in the limit, as the reduction finds them."""
    return tuple(link.name for link in chain.links if not setting.reduced.population_slots(link.field))

"""The updates of a variational posterior as equations: laws with their parameters, as text and LaTeX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from .density_terms import DensityTerm, Statistic, Variables
from .exponential_families import Family

_MEAN = sp.Function("E")
_LATEX_MEAN = sp.Function(r"\operatorname{E}")


@dataclass(frozen=True)
class Conditional:
    """The law of one entry given means over all others: its natural parameters as expressions."""

    entry: Any
    family: Family
    natural: tuple[sp.Expr, ...]

    @property
    def parameters(self) -> dict[str, sp.Expr]:
        """The usual parameters by name."""
        return {name: of(self.natural) for name, of in self.family.parameters.items()}

    @property
    def text(self) -> str:
        """The law and its parameters, one line each."""
        lines = [f"q({self.entry}): {self.family.name}"]
        lines += [f"    {name} = {value}" for name, value in self.parameters.items()]
        return "\n".join(lines)

    @property
    def latex_rows(self) -> list[str]:
        """Rows of an ``align*`` environment."""
        rows = [rf"q({sp.latex(self.entry)}) &: \text{{{self.family.name}}}"]
        for name, value in self.parameters.items():
            words = sp.latex(value.replace(_MEAN, _LATEX_MEAN))
            rows.append(rf"\text{{{name.replace('_', ' ')}}} &= {words}")
        return rows


def conditionals(terms: list[DensityTerm], variables: Variables) -> tuple[Conditional, ...]:
    """The complete conditionals that coordinate ascent uses, one for each variable."""
    return tuple(_conditional(variable, terms, variables) for variable, family in variables.items())


def _conditional(variable: Any, terms: list[DensityTerm], variables: Variables) -> Conditional:
    entry: Any = None
    family = variables[variable]
    parts: list[list[sp.Expr]] = [[] for _ in family.statistics(sp.Symbol("v"))]
    for term in terms:
        for own in term.statistics:
            if own.variable != variable:
                continue
            entry = own.entry if entry is None else entry
            parts[own.place].append(_part(term, own, entry, variables))
    return Conditional(entry, family, tuple(sp.Add(*part) for part in parts))


def _part(term: DensityTerm, own: Statistic, entry: Any, variables: Variables) -> sp.Expr:
    """What a term adds to the natural parameter of one of its statistics, at the indices of ``entry``."""
    wanted = tuple(entry.indices) if isinstance(entry, sp.Indexed) else ()
    names: dict[Any, Any] = dict(zip(own.indices, wanted, strict=True))
    kept = [symbol for symbol, _ in term.sums if symbol not in names]
    taken = set(wanted) | set(kept)
    for symbol in kept:
        if symbol in wanted or isinstance(symbol, sp.Dummy):  # a letter that is taken, or none
            fresh = next(each for each in _letters() if each not in taken)
            names[symbol] = fresh
            taken.add(fresh)
    body = sp.Mul(*term.known)
    for other in term.statistics:
        if other is not own:
            body *= _MEAN(variables[other.variable].statistics(other.entry)[other.place])
    body = body.xreplace(names)
    return _summed(body, [(names.get(s, s), size) for s, size in term.sums if s not in own.indices])


def _summed(body: sp.Expr, sums: list[tuple[Any, sp.Expr]]) -> sp.Expr:
    """The sum over indices; a delta that ties an index to another is carried out."""
    for symbol, size in sums:
        ties = [each for each in sp.Mul.make_args(body) if isinstance(each, sp.KroneckerDelta)]
        tie = next((each for each in ties if symbol in each.args), None)
        if tie is not None:
            other = next(each for each in tie.args[:2] if each != symbol)
            body = body.xreplace({symbol: other})
            continue
        outside, inside = body.as_independent(symbol, as_Add=False)
        body = outside * (sp.Sum(inside, (symbol, 0, size - 1)) if inside != 1 else size)
    return body


def _letters() -> list[sp.Symbol]:
    return [sp.Symbol(letter, integer=True) for letter in "jlmnpqrstuvw"]

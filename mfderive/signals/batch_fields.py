"""Means over the samples of a batch, taken out of the forward equations: what is left reads normalised
values.

With m the mean and r^2 the variance of one neuron's values over a batch, h = m + r z with sum z = 0 and
sum z^2 = batch. An activation of h, m and r that is a function of z alone is batch normalisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sympy as sp

from ..algebra.functions import ClosedFunction
from ..algebra.system import ForwardSystem
from ..algebra.terms import Access, AxisKind, Equation, Field, Index, Role, Term
from ..errors import ArgumentError
from ..forward.batch_statistics import has_batch_statistics
from ..network.network import Network
from .batch import Batch
from .random_fields import UnderivableError
from .scales import ALL

_MEAN, _ROOT, _Z = sp.Symbol("m", real=True), sp.Symbol("r", positive=True), sp.Symbol("z", real=True)


def with_batches(system: ForwardSystem, network: Network) -> tuple[ForwardSystem, Batch | None]:
    """The system without means over the batch, and what is known of these; None where there are none.

    Raises ArgumentError where the size of a batch is not said, UnderivableError where an activation is no
    function of normalised values.
    """
    if not has_batch_statistics(network):
        return system, None
    batch = Batch(_size(network))
    statistics = {e.field: e for e in system.equations if _is_statistic(system, e)}
    known: dict[str, sp.Expr] = {}
    equations: list[Equation] = []
    fields: list[Field] = []
    for equation in system.equations:
        read = equation.reads & set(statistics)
        if equation.field in statistics:
            own = _field_of(system, [equation, *(statistics[name] for name in read)])
            known[equation.field] = _mean(system, equation, own, known)
        elif read:
            own = _field_of(system, [equation, *_all_behind(read, statistics)])
            if own not in batch.between.values():
                made = _normalised(system, own, equation, batch)
                fields += [each for each, _ in made]
                equations += [each for _, each in made]
            equations.append(_rewritten(system, equation, own, known))
        else:
            equations.append(equation)
    return replace(system, fields=(*system.fields, *fields), equations=tuple(equations)), batch


def _size(network: Network) -> float:
    table = {key: dict(pairs) for key, pairs in network.signal}
    if "batch" not in table:
        raise ArgumentError(
            f"'{network.title}' takes means over a batch, and the size of a batch is not given. Write "
            "batch = 32, "
            'or batch = "infinity", in a table [signal]'
        )
    return table["batch"][ALL]


def _is_statistic(system: ForwardSystem, equation: Equation) -> bool:
    reduced = [i for term in equation.terms for i in term.reduced]
    return any(system.axis[i.axis].kind is AxisKind.DATA for i in reduced)


def _all_behind(names: frozenset[str], statistics: dict[str, Equation]) -> list[Equation]:
    """Statistics with those that they read."""
    found: dict[str, None] = dict.fromkeys(sorted(names))
    for name in list(found):
        found |= dict.fromkeys(sorted(statistics[name].reads & set(statistics)))
    return [statistics[name] for name in found]


def _field_of(system: ForwardSystem, equations: Sequence[Equation]) -> str:
    """The one field whose mean and variance equations read. Raises UnderivableError where there are
    several."""
    own = system.field[equations[0].field]
    statistics = {e.field for e in equations}
    found = {}
    for equation in equations:
        for term in equation.terms:
            for _, access in term.accesses:
                if access.field not in statistics and _has_data(system, access):
                    found[access.field] = access
    if len(found) != 1:
        raise UnderivableError(
            f"'{own.owner}' takes means over a batch of {' and '.join(sorted(found)) or 'no field'}; "
            "they are derived of one pre-activation alone. Needed is a layer for each"
        )
    name, access = next(iter(found.items()))
    if len(access.slots) != 2 or not all(isinstance(slot, Index) for slot in access.slots):
        raise UnderivableError(
            f"'{own.owner}' takes means over a batch of a layer with positions, which is not derived: its "
            "values at "
            "different positions are normalised together or apart. Needed is a layer without positions"
        )
    return name


def _has_data(system: ForwardSystem, access: Access) -> bool:
    return any(system.axis[i.axis].kind is AxisKind.DATA for i in access.indices)


def _substituted(system: ForwardSystem, term: Term, own: str, known: dict[str, sp.Expr]) -> sp.Expr:
    """The expression of a term in m, r and z; other values stay as they are."""
    table = {}
    for symbol, access in term.accesses:
        if access.field == own:
            table[symbol] = _MEAN + _ROOT * _Z
        elif access.field in known:
            table[symbol] = known[access.field]
    return term.expression.xreplace(table)


def _mean(system: ForwardSystem, equation: Equation, own: str, known: dict[str, sp.Expr]) -> sp.Expr:
    """The mean over a batch of a polynomial of second degree in z. Raises UnderivableError for others."""
    total = sp.Integer(0)
    for term in equation.terms:
        expression = sp.expand(_substituted(system, term, own, known))
        powers = sp.collect(expression, _Z, evaluate=False)
        for power, factor in powers.items():
            if factor.has(_Z) or power not in (1, _Z, _Z**2):
                raise UnderivableError(
                    f"'{equation.field}' is the mean over a batch of a function of '{own}' that is no "
                    "polynomial "
                    "of second degree. Needed are means of h and of squares of it alone"
                )
            total += 0 if power == _Z else factor
    return total


def _rewritten(system: ForwardSystem, equation: Equation, own: str, known: dict[str, sp.Expr]) -> Equation:
    """An equation that reads means over a batch, as a function of normalised values."""
    terms = []
    normalised = sp.Symbol(normalised_name(own))
    for term in equation.terms:
        expression = _substituted(system, term, own, known)
        if expression.has(_MEAN, _ROOT):
            # The table's root knows no signs; of r > 0 it is sympy's, which cancels.
            roots = {
                f: sp.sqrt(f.args[0]) for f in expression.atoms(ClosedFunction) if f.func.__name__ == "sqrt"
            }
            expression = expression.xreplace({f: root for f, root in roots.items() if root.has(_ROOT)})
        if expression.has(_MEAN):
            raise _refusal(
                system, equation, "the mean of the batch is not subtracted everywhere", "h - mean(h, batch)"
            )
        if expression.has(_ROOT):
            raise _refusal(
                system,
                equation,
                "the deviation of the batch is not divided by, or not without a number that is added to it",
                "a quotient by sqrt(mean((h - mean(h, batch))**2, batch)) alone: the variance of a batch "
                "of random "
                "fields is not 0",
            )
        expression = expression.xreplace({_Z: normalised})
        kept = [
            (symbol, access)
            for symbol, access in term.accesses
            if symbol in expression.free_symbols and access.field != own
        ]
        if expression.has(normalised):
            slots = next(access.slots for _, access in term.accesses if access.field == own)
            kept.append((normalised, Access(normalised.name, slots)))
        terms.append(Term(term.target, term.reduced, expression, tuple(kept)))
    return replace(equation, terms=tuple(terms))


def _refusal(system: ForwardSystem, equation: Equation, what: str, needed: str) -> UnderivableError:
    own = system.field[equation.field]
    return UnderivableError(
        f"the activation of '{own.owner}' reads a batch in another way than by normalised values: {what}. "
        "Needed is "
        f"{needed}"
    )


def normalised_name(name: str) -> str:
    """What the normalised values of a field are called."""
    return f"{name} normalised"


def _normalised(
    system: ForwardSystem, own: str, reader: Equation, batch: Batch
) -> list[tuple[Field, Equation]]:
    """The field between a field and its normalised values, and these, each with the equation of a copy."""
    source = system.field[own]
    between, name = f"{own} over the batch", normalised_name(own)
    batch.source[name], batch.between[name] = own, between
    made = []
    target = reader.target[:2]
    for new, read in ((between, own), (name, between)):
        symbol = sp.Symbol(read)
        term = Term(target, (), symbol, ((symbol, Access(read, target)),))
        each = replace(source, name=new, hidden=True, role=Role.FORWARD, part="normalised")
        made.append((each, Equation(new, target, (term,))))
    return made

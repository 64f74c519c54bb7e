"""Reflections: whether samples x and -x do the same to every neuron.

Where the law of the data stays when all of x changes its sign, y with it or not, and the functions of a
network are odd or even, every field of a sample is odd or even too, and so is what the sample adds to the
motion of a parameter. What is even is the same at both samples; what is odd averages to 0. Parameters that
start at 0 and are moved by nothing but odd averages (biases of a network of odd functions) stay there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ..algebra.data_law import DataLaw, Motion, TargetMotion
from ..algebra.parity import Known, Parity, parity_of_sum
from ..algebra.system import LimitSystem
from ..algebra.terms import AxisKind, Equation, Role, Term
from .charges import odd_averages, term_parity
from .constants import initial_constants, surely_still


@dataclass(frozen=True)
class Reflection:
    """The invariance of a limit under x -> -x, by samples.

    ``targets``: 1 where y stays, -1 where it changes its sign; ``still``: the trained parameters that stay
    at 0; ``odd``: the terms that are averages over the data which are 0, each by the field of its equation
    and its position there.
    """

    targets: int
    still: tuple[str, ...]
    odd: frozenset[tuple[str, int]]


class _UnevenError(Exception):
    """Ends the search at an average over the data that is neither even nor odd."""


def reflection_of(system: LimitSystem) -> Reflection | None:
    """The invariance of a limit under x -> -x; None where law, equations or functions have none."""
    if system.data_law is None or len(system.field["x"].axes) != 2:
        return None
    sign = _target_sign(system.data_law)
    if sign is None:
        return None
    zero = {name: 0.0 for name, value in initial_constants(system).items() if value == 0}
    at_zero = [parameter for parameter in system.parameters if parameter.name in zero]
    frozen = frozenset(parameter.name for parameter in at_zero if parameter.is_frozen)
    still = frozenset(parameter.name for parameter in at_zero) - frozen
    try:
        while True:
            parities = _parities(system, sign, still | frozen)
            motionless = [f.name for f in system.fields if f.role is Role.VELOCITY and parities[f.name] == 0]
            left = surely_still(system, still, zero, motionless)
            if left == still:
                break
            still = left
    except _UnevenError:
        return None
    if parities["loss"] not in (Parity.EVEN, Parity.ZERO):
        return None
    names = tuple(variable.name for variable in system.parameters if variable.name in still)
    return Reflection(sign, names, odd_averages(system, parities, lambda _, term: _is_average(system, term)))


def _target_sign(law: DataLaw) -> int | None:
    """What y does when all of x changes its sign, by invariances that together do it; None where none do."""
    left, sign = set(range(law.dimension)), 1
    for each in sorted(law.invariances, key=lambda each: -len(each.coordinates)):
        if (
            each.motion is Motion.EXCHANGE
            or each.about
            or each.targets is TargetMotion.CARRIED
            or each.columns
        ):
            continue
        if not left.issuperset(each.coordinates):
            continue
        left -= set(each.coordinates)
        sign *= -1 if each.targets is TargetMotion.NEGATED else 1
    return None if left else sign


def _parities(system: LimitSystem, sign: int, still: Collection[str]) -> dict[str, Known]:
    """The parity of every field, where y is even or odd by ``sign`` and some parameters are 0."""
    found: dict[str, Known] = {field.name: Parity.EVEN for field in system.fields}
    found |= {"x": Parity.ODD, "y": Parity(sign)}
    found |= {v.name: Parity.ZERO for v in system.variables if v.name in still or v.of in still}
    for equation in system.equations:
        found[equation.field] = _field_parity(system, equation, found)
    return found


def _field_parity(system: LimitSystem, equation: Equation, parities: dict[str, Known]) -> Known:
    parts = []
    for term in equation.terms:
        part = term_parity(term, parities)
        if _is_average(system, term):
            if part is None:
                raise _UnevenError
            part = Parity.EVEN if part == Parity.EVEN else Parity.ZERO
        parts.append(part)
    whole = parity_of_sum(parts)
    if equation.selector:  # where the first maximum is, stays where values do
        return Parity.EVEN if whole in (Parity.EVEN, Parity.ZERO) else None
    return whole


def _is_average(system: LimitSystem, term: Term) -> bool:
    """Whether a term is averaged over the data."""
    return any(system.axis[index.axis].kind is AxisKind.DATA for index in term.reduced)

"""Which factor of a network is wrong: decided from exponents of its sizes beside those of a right network.

A wrong factor at one parameter changes the sizes of others, too, so what a wrong factor explains is no second
fault. The order of the questions is that of the causes: (1) deviations at the start, which nothing else
changes; (2) pre-activations at the start, in the order of evaluation, behind no field that is off already: a
wrong factor of a sum; (3) the first step of every parameter, whose gradient is right if (1) and (2) found
nothing: a wrong learning rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ..algebra.findings import Finding
from ..algebra.system import LimitSystem
from ..algebra.terms import Role
from .network_sizes import Measure, Quantity
from .parameter_readings import parameter_readings
from .size_slopes import SizeSlope

# Half of the smallest exponent that a wrong factor has (a root of the width).
LEAST = 0.25


class Fault(StrEnum):
    """The kinds of faults. Subjects: the parameters that are named; facts: ``slope``, ``low``, ``high``,
    ``expected`` (exponents of the quantity that shows it) and, of FORWARD, the ``field``."""

    DEVIATION = "deviation"  # how large entries start
    FORWARD = "forward"  # the factor of a sum
    RATE = "rate"  # the learning rate
    ALL_RATES = "all-rates"  # of all parameters alike: the rate or the loss as a whole
    STILL = "still"  # does not move, where it should
    UNCLEAR = "unclear"  # several first steps are off, and a wrong factor of a sum cannot be excluded
    UNFINISHED = "unfinished"  # sizes that are not finite


@dataclass(frozen=True)
class Exponents:
    """The measured exponents of all quantities relative to a right network, and those that are no numbers.

    ``slopes`` should be ``expected`` (0 where nothing is said). ``still``: quantities that are 0 in the
    network and not in a right one; ``broken``: those that are not finite.
    """

    slopes: Mapping[Quantity, SizeSlope]
    still: frozenset[Quantity] = frozenset()
    broken: frozenset[Quantity] = frozenset()

    def is_off(self, quantity: Quantity) -> bool:
        """Whether an exponent is surely not 0, and by as much as a wrong factor makes it."""
        slope = self.slopes.get(quantity)
        return (
            slope is not None
            and slope.value is not None
            and abs(slope.value) > LEAST
            and not slope.holds(0.0)
        )

    def values_of(self, field: str) -> tuple[Quantity, ...]:
        """What a pre-activation is judged by: its terms, where its own parameters and inputs are known."""
        exact = tuple(q for q in self.slopes if q.measure is Measure.SUM and q.name == field)
        return exact or (Quantity(Measure.VALUE, field),)

    def step_of(self, name: str) -> Quantity:
        """What the first step of a parameter is judged by: its own gradient, where that is known."""
        exact = Quantity(Measure.RATE, name)
        return exact if exact in self.slopes else Quantity(Measure.FIRST, name)

    def is_open(self, quantity: Quantity) -> bool:
        """Whether the interval is too wide to tell a wrong factor from a right one."""
        slope = self.slopes.get(quantity)
        return slope is not None and slope.value is not None and (slope.high - slope.low) / 2 > LEAST


def undecided(limit: LimitSystem, exponents: Exponents) -> tuple[str, ...]:
    """The parameters whose first steps scatter too much for anything to be said of their rates."""
    return tuple(p.name for p in limit.parameters if exponents.is_open(exponents.step_of(p.name)))


def faults(limit: LimitSystem, exponents: Exponents) -> tuple[Finding, ...]:
    """The factors that are wrong, as findings; empty where none is found."""
    broken = sorted(
        {quantity.name for quantity in exponents.broken if quantity.measure is not Measure.CHANGE}
    )
    lead = (Finding.of(Fault.UNFINISHED, *broken),) if broken else ()
    deviations = tuple(_deviations(limit, exponents))
    forward = tuple(_forward(limit, exponents, {name for each in deviations for name in each.subjects}))
    if deviations or forward:
        return (*lead, *deviations, *forward)
    return (*lead, *_rates(limit, exponents))


def _fault(kind: Fault, names: tuple[str, ...], slope: SizeSlope, **facts: object) -> Finding:
    return Finding.of(kind, *names, slope=slope.value, low=slope.low, high=slope.high, expected=0.0, **facts)


def _deviations(limit: LimitSystem, exponents: Exponents) -> Iterator[Finding]:
    for parameter in limit.parameters:
        for measure in (Measure.SPREAD, Measure.START):
            quantity = Quantity(measure, parameter.name)
            if exponents.is_off(quantity):
                yield _fault(Fault.DEVIATION, (parameter.name,), exponents.slopes[quantity])
                break


def _forward(limit: LimitSystem, exponents: Exponents, wrong: set[str]) -> Iterator[Finding]:
    """Fields that are off at the start, and behind none that is.

    ``wrong`` parameters explain what reads them, unless sums are judged by the parameters that they have.
    """
    exact = any(quantity.measure is Measure.SUM for quantity in exponents.slopes)
    behind: set[str] = set() if exact else set(wrong)
    for equation in limit.forward:
        off = [quantity for quantity in exponents.values_of(equation.field) if exponents.is_off(quantity)]
        if equation.reads & behind:
            behind.add(equation.field)
        elif off:
            behind.add(equation.field)
            for quantity in off:
                names = (quantity.term,) if quantity.term else _multiplied(limit, exponents, quantity)
                yield _fault(Fault.FORWARD, names, exponents.slopes[quantity], field=equation.field)


def _multiplied(limit: LimitSystem, exponents: Exponents, quantity: Quantity) -> tuple[str, ...]:
    """The parameter whose term of a field has the wrong factor.

    Of several, the one whose first step is farthest off in the same direction: a factor of its term is one of
    its gradient, and what changes behind the field is common to all.
    """
    if quantity.measure is Measure.SUM:
        return ()  # a term without a parameter
    field, readings = quantity.name, parameter_readings(limit)
    names = [name for name, read in readings.items() if any(r.into == field and r.linear for r in read)] or [
        name for name in limit.equation_of[field].reads if limit.field[name].role is Role.PARAMETER
    ]
    slope = exponents.slopes[quantity].value or 0.0

    def lean(name: str) -> float:
        own = exponents.slopes.get(Quantity(Measure.FIRST, name))
        value = own.value if own is not None and own.value is not None else 0.0
        return value if slope > 0 else -value

    return (max(names, key=lean),) if names else ()


def _rates(limit: LimitSystem, exponents: Exponents) -> Iterator[Finding]:
    trained = [p.name for p in limit.parameters if Quantity(Measure.FIRST, p.name) in exponents.slopes]
    off = [name for name in trained if exponents.is_off(exponents.step_of(name))]
    still = [name for name in trained if Quantity(Measure.FIRST, name) in exponents.still]
    if still:
        yield Finding.of(Fault.STILL, *still)
    slopes = {name: exponents.slopes[exponents.step_of(name)] for name in off}
    if len(off) > 1 and len(off) + len(still) == len(trained) and _agree(list(slopes.values())):
        yield _fault(Fault.ALL_RATES, tuple(off), slopes[off[0]])
        return
    values = [quantity for equation in limit.forward for quantity in exponents.values_of(equation.field)]
    if len(off) > 1 and any(exponents.is_open(quantity) for quantity in values):
        yield Finding.of(Fault.UNCLEAR, fields=tuple(q.name for q in values if exponents.is_open(q)))
        return
    for name in off:
        yield _fault(Fault.RATE, (name,), slopes[name])


def _agree(slopes: list[SizeSlope]) -> bool:
    """Whether all exponents are the same as far as their intervals tell, and within a quarter."""
    values = [slope.value for slope in slopes if slope.value is not None]
    return max(values) - min(values) < LEAST

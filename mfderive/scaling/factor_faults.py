"""Which factor of a network is wrong: decided from exponents of its sizes beside those of a right network.

A wrong factor at one parameter changes the sizes of others, too, so what a wrong factor explains is no second
fault. The order of the questions is that of the causes: (1) deviations at the start, which nothing else
changes; (2) pre-activations at the start, in the order of evaluation, behind no field that is off already: a
wrong factor of a sum; (3) the first step of every parameter, whose gradient is right if (1) and (2) found
nothing: a wrong learning rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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

    ``slopes`` should be ``wanted`` (0 where nothing is said). ``still``: quantities that are 0 in the network
    and not in a right one; ``broken``: those that are not finite.
    """

    slopes: Mapping[Quantity, SizeSlope]
    wanted: Mapping[Quantity, float] = field(default_factory=dict)
    still: frozenset[Quantity] = frozenset()
    broken: frozenset[Quantity] = frozenset()

    def is_off(self, quantity: Quantity) -> bool:
        """Whether an exponent is surely not the wanted one, and off by as much as a wrong factor makes it."""
        slope, wanted = self.slopes.get(quantity), self.wanted.get(quantity, 0.0)
        return (
            slope is not None
            and slope.value is not None
            and abs(slope.value - wanted) > LEAST
            and not slope.holds(wanted)
        )

    def fault(self, kind: Fault, names: tuple[str, ...], quantity: Quantity, **facts: object) -> Finding:
        """A finding about parameters, which an exponent shows."""
        slope, wanted = self.slopes[quantity], self.wanted.get(quantity, 0.0)
        return Finding.of(
            kind, *names, slope=slope.value, low=slope.low, high=slope.high, expected=wanted, **facts
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


def _deviations(limit: LimitSystem, exponents: Exponents) -> Iterator[Finding]:
    for parameter in limit.parameters:
        for measure in (Measure.SPREAD, Measure.START):
            quantity = Quantity(measure, parameter.name)
            if exponents.is_off(quantity):
                yield exponents.fault(Fault.DEVIATION, (parameter.name,), quantity)
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
                yield exponents.fault(Fault.FORWARD, names, quantity, field=equation.field)


def _multiplied(limit: LimitSystem, exponents: Exponents, quantity: Quantity) -> tuple[str, ...]:
    """The parameter whose term of a field has the wrong factor.

    Of several, the one whose first step is farthest off in the same direction: a factor of its term is one of
    its gradient, and what changes behind the field is common to all.
    """
    if quantity.measure is Measure.SUM:
        return ()  # a term without a parameter
    into, readings = quantity.name, parameter_readings(limit)
    names = [name for name, read in readings.items() if any(r.into == into and r.linear for r in read)] or [
        name for name in limit.equation_of[into].reads if limit.field[name].role is Role.PARAMETER
    ]
    slope = exponents.slopes[quantity].value or 0.0

    def lean(name: str) -> float:
        own = exponents.slopes.get(Quantity(Measure.FIRST, name))
        value = own.value if own is not None and own.value is not None else 0.0
        return value if slope > 0 else -value

    return (max(names, key=lean),) if names else ()


def _rates(limit: LimitSystem, exponents: Exponents) -> Iterator[Finding]:
    trained = [p.name for p in limit.parameters if exponents.step_of(p.name) in exponents.slopes]
    off = [name for name in trained if exponents.is_off(exponents.step_of(name))]
    still = [name for name in trained if Quantity(Measure.FIRST, name) in exponents.still]
    if still:
        yield Finding.of(Fault.STILL, *still)
    excess = [_excess(exponents, exponents.step_of(name)) for name in off]
    if len(off) > 1 and len(off) + len(still) == len(trained) and max(excess) - min(excess) < LEAST:
        yield exponents.fault(Fault.ALL_RATES, tuple(off), exponents.step_of(off[0]))
        return
    values = [quantity for equation in limit.forward for quantity in exponents.values_of(equation.field)]
    if len(off) > 1 and any(exponents.is_open(quantity) for quantity in values):
        yield Finding.of(Fault.UNCLEAR, fields=tuple(q.name for q in values if exponents.is_open(q)))
        return
    for name in off:
        yield exponents.fault(Fault.RATE, (name,), exponents.step_of(name))


def _excess(exponents: Exponents, quantity: Quantity) -> float:
    """By how much an exponent is off."""
    return (exponents.slopes[quantity].value or 0.0) - exponents.wanted.get(quantity, 0.0)

"""The factors of one parameter in one convention: forward, deviation, learning rates, decay.

Let M be the product of the widths of the parameter's infinite axes, g the size of its evolution G in the
limit's normalisation: the plain gradient of an entry is then of size g/M, and a change of all entries by c in
the direction of the gradient changes the loss by g c. The rates make that change of order 1. Where a factor
stands (in front of the sum, or in the parameter) is a choice that changes no network: :meth:`Factors.moved`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from .rule_degrees import RuleDegree
from .width_product import WidthProduct


@dataclass(frozen=True)
class RuleFactors:
    """What multiplies the numbers of one learning rule for one parameter; None: the rule follows no power.

    ``rate``: its learning rate. ``constants``: (name, factor) of constants that follow the size of the
    gradient (Adam's epsilon). ``coupled``: a weight decay that is added to the gradient; ``decoupled``: one
    that stands beside the rule and is multiplied by its rate (as in PyTorch's AdamW).
    """

    rate: WidthProduct | None
    constants: tuple[tuple[str, WidthProduct], ...]
    coupled: WidthProduct | None
    decoupled: WidthProduct | None


@dataclass(frozen=True)
class Factors:
    """The factors of one parameter in one convention.

    ``forward``: what multiplies the sum of each reading, in the order of the readings. ``deviation``: of the
    entries at the start. ``gradient``: the size of the plain gradient of an entry (None: it is frozen, or
    nothing depends on it). ``change``: the size by which the rates let an entry change, its factors standing
    in the forward pass: below order 1 its layer stays as it was (the lazy regime). ``rules``: by name.
    """

    forward: tuple[WidthProduct, ...]
    deviation: WidthProduct
    gradient: WidthProduct | None
    change: WidthProduct | None
    degrees: tuple[tuple[str, RuleDegree], ...]
    rules: tuple[tuple[str, RuleFactors], ...]

    @cached_property
    def rule(self) -> Mapping[str, RuleFactors]:
        """The factors of each learning rule, by its name."""
        return dict(self.rules)

    def moved(self, factor: WidthProduct) -> Factors:
        """The factors of the parameter times ``factor``, for the same network and the same training."""
        degrees = dict(self.degrees)
        return replace(
            self,
            forward=tuple(each / factor for each in self.forward),
            deviation=self.deviation * factor,
            gradient=self.gradient and self.gradient / factor,
            rules=tuple((name, _moved(rule, factor, degrees[name])) for name, rule in self.rules),
        )


def factors(
    forward: Iterable[WidthProduct],
    deviation: WidthProduct,
    entries: WidthProduct,
    speed: WidthProduct | None,
    degrees: Iterable[tuple[str, RuleDegree]],
) -> Factors:
    """The factors of a parameter whose entries are ``entries`` many and whose G is of size ``speed``.

    With g the size of G, M the number of entries and p the degree of the rule's update in the gradient, a
    step with the plain gradient changes an entry by rate (g/M)^p; this is to be 1/g, so that the rate is
    M^p / g^(p + 1): M for SGD and 1 for Adam where g is of order 1.
    """
    listed = tuple(degrees)
    return Factors(
        tuple(forward),
        deviation,
        speed and speed / entries,
        speed and speed**-1,
        listed,
        tuple((name, _rule_factors(degree, deviation, entries, speed)) for name, degree in listed),
    )


def _rule_factors(
    degree: RuleDegree, deviation: WidthProduct, entries: WidthProduct, speed: WidthProduct | None
) -> RuleFactors:
    power = degree.update
    if power is None or speed is None:
        return RuleFactors(None, (), None, None)
    gradient = speed / entries
    rate = entries**power / speed ** (power + 1)
    # A rule that is linear shrinks by rate times decay; any other compares what is added with the gradient.
    coupled = rate**-1 if power == 1 else gradient / deviation
    constants = tuple((name, gradient**own) for name, own in degree.constants)
    return RuleFactors(rate, constants, coupled, rate**-1)


def _moved(rule: RuleFactors, factor: WidthProduct, degree: RuleDegree) -> RuleFactors:
    """A step in the parameter times f: its gradient is 1/f as large, its change f times as large."""
    if rule.rate is None or rule.coupled is None or degree.update is None:
        return rule
    rate = rule.rate * factor ** (degree.update + 1)
    powers = dict(degree.constants)
    return RuleFactors(
        rate,
        tuple((name, value / factor ** powers[name]) for name, value in rule.constants),
        rule.coupled / factor**2,
        rate**-1,
    )

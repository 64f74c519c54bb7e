"""Conditions of the convergence theorems on form, learning rule, activations and loss of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from ..algebra.evaluate import evaluate_expression
from ..algebra.findings import Finding
from ..algebra.laws import Variable
from ..algebra.losses import LOSSES, Targets
from ..algebra.system import LimitSystem
from ..algebra.update_rules import SGD
from ..analysis.function_facts import Answer, Fact, RealFunction, all_of
from ..analysis.intervals import WHOLE, Interval, point
from ..analysis.jets import interval_of
from ..errors import MfError
from ..network.network import Network
from ..samples.input_facts import InputFacts, input_facts
from .chain import Chain, NoChain, chain_of
from .condition_kinds import Ground, found
from .probe import probe


@dataclass(frozen=True)
class Setting:
    """What conditions look at: the network, its limit and the limit's reduction."""

    network: Network
    limit: LimitSystem
    reduced: LimitSystem

    @cached_property
    def form(self) -> Chain | NoChain:
        """The chain of layers, or why there is none."""
        return chain_of(self.limit)

    @property
    def chain(self) -> Chain | None:
        """The chain of layers, where there is one."""
        return self.form if isinstance(self.form, Chain) else None

    @cached_property
    def inputs(self) -> InputFacts:
        """What is known of the data."""
        return input_facts(self.network)

    @cached_property
    def read(self) -> tuple[Variable, ...]:
        """The parameters that forward equations read; others only say in laws which neuron is which."""
        names = {name for equation in self.limit.forward for name in equation.reads}
        return tuple(p for p in self.limit.parameters if p.name in names - self.nothing)

    @cached_property
    def nothing(self) -> frozenset[str]:
        """Biases that are fixed at 0: a network has none of them."""
        if self.chain is None:
            return frozenset()
        shifts = [name for link in self.chain.links for name in link.shifts]
        shifts += [self.chain.output_bias] if self.chain.output_bias else []
        parameters = [self.limit.parameter[name] for name in shifts]
        return frozenset(
            p.name for p in parameters if p.is_frozen and p.law.is_deterministic and p.law.mean == 0
        )

    @cached_property
    def still(self) -> frozenset[str]:
        """The trained parameters that are shown never to move; none where the start cannot be evaluated."""
        try:
            return probe(self.network, self.reduced).still
        except MfError:
            return frozenset()

    @cached_property
    def loss(self) -> LossFunction | None:
        """The loss as a function of the output."""
        return _loss_function(self)


Check = Callable[[Setting], Iterator[Finding]]


def on_chain(check: Callable[[Setting, Chain], Iterator[Finding]]) -> Check:
    """A check that speaks about a chain: not decidable where there is none."""

    def checked(setting: Setting) -> Iterator[Finding]:
        if setting.chain is None:
            yield found(Ground.NO_CHAIN, Answer.OPEN)
        else:
            yield from check(setting, setting.chain)

    return checked


# ---------------------------------------------------------------------------------------- form


def is_chain(setting: Setting) -> Iterator[Finding]:
    """``why``: a :class:`mfderive.advice.chain.Fork` at the subject."""
    form = setting.form
    if isinstance(form, NoChain):
        yield found(Ground.FORK, False, form.field, why=form.why)
    else:
        yield found(Ground.IS_CHAIN, True, *(link.name for link in form.links))


def one_output(setting: Setting) -> Iterator[Finding]:
    """``count``: how many outputs there are."""
    sizes = [setting.limit.axis[axis].size or 1 for axis in setting.limit.field["yhat"].axes]
    count = int(np.prod(sizes))
    yield found(Ground.ONE if count == 1 else Ground.SEVERAL, count == 1, count=count)


def weights_alone(setting: Setting, chain: Chain) -> Iterator[Finding]:
    """Subjects: parameters that the theorems do not have."""
    first, *later = chain.links
    own, *second = [name for name in first.shifts if name not in setting.nothing] or [""]
    shifts = (*second, *(name for link in later for name in link.shifts))
    more = shifts + ((chain.output_bias,) if chain.output_bias else ())
    others = tuple(name for link in chain.links for name in link.others)
    more = tuple(name for name in more if name not in setting.nothing) + others
    yield found(Ground.ELSE if more else Ground.NONE_ELSE, not more, *more, bias=bool(own))


def plain_rule(setting: Setting) -> Iterator[Finding]:
    """Whatever stands beside a gradient flow, one finding each."""
    learning = setting.limit.learning
    if learning.rule != SGD.rule:
        yield found(Ground.RULE, False, learning.rule)
    decay = [name for name, size in learning.decay if size]
    noise = [name for name, size in learning.noise if size]
    if decay:
        yield found(Ground.DECAY, False, *decay)
    if noise:
        yield found(Ground.NOISE, False, *noise)
    if learning.clip is not None:
        yield found(Ground.CLIP, False, clip=float(learning.clip))
    if learning.rule == SGD.rule and not decay and not noise and learning.clip is None:
        yield found(Ground.PLAIN, True)


def equal_rates(setting: Setting) -> Iterator[Finding]:
    """``rates``: pairs of a rate and the parameters that have it."""
    rates: dict[str, list[str]] = {}
    for parameter in setting.read:
        rates.setdefault(str(parameter.rate), []).append(parameter.name)
    single = len({parameter.rate for parameter in setting.read}) == 1
    rate = setting.read[0].rate
    same = single and bool(rate.is_number) and rate > 0
    listed = tuple((rate, tuple(names)) for rate, names in rates.items())
    yield found(Ground.EQUAL_RATES if same else Ground.RATES, bool(same), rates=listed)


# ---------------------------------------------------------------------------------------- activations


def bounded_activations(setting: Setting, chain: Chain) -> Iterator[Finding]:
    """One finding for each layer, with the facts of its activation."""
    for link in chain.links:
        function = RealFunction(link.activation, link.pre)
        yield of_function(link.name, function, {"": function.bounded()})


def smooth_activations(setting: Setting, chain: Chain) -> Iterator[Finding]:
    """The derivative is bounded and Lipschitz."""
    for link in chain.links:
        function = RealFunction(link.activation, link.pre)
        facts = {"slope": function.slope_bounded(), "lipschitz": function.slope_lipschitz()}
        yield of_function(link.name, function, facts)


def slopes(setting: Setting, chain: Chain) -> Iterator[Finding]:
    """The derivative is 0 nowhere, from the second layer on."""
    for link in chain.links[1:]:
        function = RealFunction(link.activation, link.pre)
        yield of_function(link.name, function, {"zero": function.slope_nonzero()})


def of_function(name: str, function: RealFunction, facts: dict[str, Fact]) -> Finding:
    """A finding about a function; ``facts``: (what, answer, why, numbers) of each."""
    told = tuple((what, fact.answer, fact.why, fact.at) for what, fact in facts.items())
    written = function.expression.xreplace({function.symbol: sp.Symbol("h")})
    answer = all_of(fact.answer for fact in facts.values())
    return found(Ground.FUNCTION, answer, name, function=str(written), facts=told)


# ---------------------------------------------------------------------------------------- loss


@dataclass(frozen=True)
class LossFunction:
    """The loss of a sample as a function of yhat, for each part of the range of y."""

    expression: sp.Expr
    yhat: sp.Symbol
    y: sp.Symbol | None
    parts: tuple[Interval, ...]

    @property
    def functions(self) -> tuple[RealFunction, ...]:
        """The loss as a function of yhat, one for each part of the range of y."""
        if self.y is None:
            return (RealFunction(self.expression, self.yhat),)
        return tuple(RealFunction(self.expression, self.yhat, ((self.y, part),)) for part in self.parts)

    @property
    def never_still(self) -> bool:
        """Whether its derivative is 0 nowhere, whatever y is."""
        return all(f.slope_nonzero().answer is Answer.YES for f in self.functions)


def _loss_function(setting: Setting) -> LossFunction | None:
    """None where several equations make up the loss, or several outputs are summed."""
    terms = setting.limit.equation_of["loss"].terms
    if len(terms) != 1:
        return None
    table = terms[0].access_of
    outputs = [symbol for symbol, access in table.items() if access.field == "yhat"]
    targets = [symbol for symbol, access in table.items() if access.field == "y"]
    if len(outputs) != 1 or len(targets) > 1 or len(table) != len(outputs) + len(targets):
        return None
    row = LOSSES.get(setting.network.loss.kind)
    signs = row is not None and row.targets is Targets.SIGNS
    parts = (point(-1.0), point(1.0)) if signs else (WHOLE,)
    return LossFunction(terms[0].expression, outputs[0], targets[0] if targets else None, parts)


def loss_slope(setting: Setting) -> Iterator[Finding]:
    """The derivative in yhat is bounded and Lipschitz."""
    loss = setting.loss
    if loss is None:
        yield found(Ground.LOSS_FORM, Answer.OPEN)
        return
    for function in loss.functions:
        facts = {"slope": function.slope_bounded(), "lipschitz": function.slope_lipschitz()}
        yield _of_loss(loss, function, facts)


def _of_loss(loss: LossFunction, function: RealFunction, facts: dict[str, Fact]) -> Finding:
    told = tuple((what, fact.answer, fact.why, fact.at) for what, fact in facts.items())
    names = {loss.yhat: sp.Symbol("yhat")} | ({loss.y: sp.Symbol("y")} if loss.y is not None else {})
    where = tuple((part.low, part.high) for _, part in function.ranges if part != WHOLE)
    answer = all_of(fact.answer for fact in facts.values())
    written = str(loss.expression.xreplace(names))
    return found(Ground.FUNCTION, answer, "loss", function=written, facts=told, where=where)


def loss_shape(setting: Setting) -> Iterator[Finding]:
    """Convex, or stationary only where it is 0."""
    loss = setting.loss
    if loss is None:
        yield found(Ground.LOSS_FORM, Answer.OPEN)
        return
    for function in loss.functions:
        fact = function.convex()
        stuck = None if fact.answer is Answer.YES else _stuck(loss, function)
        if stuck is None:
            yield _of_loss(loss, function, {"convex": fact})
        else:
            low, high, target, least = stuck
            yield found(Ground.STUCK, False, "loss", between=(low, high), y=target, least=least)


def _stuck(loss: LossFunction, function: RealFunction) -> tuple[float, float, float, float] | None:
    """Two places of yhat between which the derivative changes its sign and the loss stays above 0.

    Only of a loss whose derivative falls somewhere: one that is convex has no bad stationary point.
    Returns them with the value of y and a bound of the loss from below.
    """
    targets = [0.0] if not function.ranges or function.ranges[0][1] == WHOLE else [function.ranges[0][1].low]
    places = np.linspace(-8.05, 8.0, 215)
    for target in targets:
        values = {loss.yhat: places} | ({loss.y: target} if loss.y is not None else {})
        with np.errstate(all="ignore"):
            slope = np.broadcast_to(evaluate_expression(function.slope, values), places.shape)
        if not np.isfinite(slope).all():
            continue
        size = 1e-9 * float(np.max(np.abs(slope), initial=0.0))
        if not (np.diff(slope) < -size).any():
            continue  # as far as is seen it is convex, and a stationary point is its least value
        for k in np.flatnonzero((slope[:-1] * slope[1:] < 0) & (np.abs(slope[:-1]) > size)):
            low, high = float(places[k]), float(places[k + 1])
            there = {loss.yhat: Interval(low, high)} | ({loss.y: point(target)} if loss.y is not None else {})
            least = interval_of(loss.expression, there)
            if least.low > 0 and abs(slope[k + 1]) > size:
                return low, high, target, least.low
    return None

"""The closed table of learning rules: each is one row, the pointwise update of a parameter.

A row states what one step does to one entry of a parameter, and everything else follows: the equations of
the limit, the generated step, the steps of finite networks, what a reduction may do and what is printed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any, NoReturn

import sympy as sp

from ..errors import ArgumentError, MfError, nearest
from .arguments import flag, found, instance
from .parser import Names, parse_expression
from .showing import Shown, names, words

THETA, GRADIENT = sp.Symbol("theta"), sp.Symbol("g")
ALPHA, XI, NOW, STEP = sp.Symbol("alpha"), sp.Symbol("xi"), sp.Symbol("t"), sp.Symbol("k")

# The fields that every step is given, which belong to no parameter; a person's names have no spaces.
CLOCK = {ALPHA: "clock alpha", STEP: "clock k", NOW: "clock t"}

# What the expressions of a rule may read beside its own memories, constants and earlier lines.
READS = {
    "theta": "the parameter before the step",
    "g": "its scaled gradient: product of widths times the gradient of the batch-mean loss",
    "alpha": "the size of the step in time",
    "xi": "the rate of the parameter at the time of the step",
    "t": "the time before the step",
    "k": "the number of the step, counted from 1",
}

# An assignment (name, expression), in the order in which a step makes them.
Program = tuple[tuple[str, sp.Expr], ...]


@dataclass(frozen=True, repr=False)
class RuleConstant(Shown):
    """A constant of a rule: ``default`` None must be given; bounds are allowed unless ``open`` names them.

    ``open``: "" (both bounds belong to it), "low", "high" or "both".
    """

    name: str
    meaning: str
    default: float | None = None
    low: float = -math.inf
    high: float = math.inf
    open: str = ""

    def allows(self, value: float) -> bool:
        """Whether a number lies within the bounds."""
        above = value > self.low if self.open in ("low", "both") else value >= self.low
        below = value < self.high if self.open in ("high", "both") else value <= self.high
        return math.isfinite(value) and above and below

    @property
    def allowed(self) -> str:
        """The allowed numbers in words: "0 <= mu < 1"."""
        text = self.name
        if self.low > -math.inf:
            text = f"{self.low:g} {'<' if self.open in ('low', 'both') else '<='} {text}"
        if self.high < math.inf:
            text += f" {'<' if self.open in ('high', 'both') else '<='} {self.high:g}"
        return text if text != self.name else "any number"


@dataclass(frozen=True, repr=False)
class UpdateRule(Shown):
    """One learning rule: what a step does to an entry of a parameter and to what is remembered of it.

    ``step``: assignments (name, expression as text) in the order in which they are made; the last one is to
    ``theta``. A name that is assigned is a memory, or a value of this step alone; read after its assignment
    it is the new value. Expressions are in the closed table of functions, in the names of :data:`READS`, the
    memories and the constants. ``memories``: (name, value at the start).
    ``flow``: (name, expression) the derivatives of theta and memories in time t in the limit alpha -> 0 at
    fixed constants, in the same names without alpha and k; memories that it lacks are slaved and do not
    move. None: no flow is known, and only steps are solved. ``flow_needs_all``: the flow holds for full
    batches only. ``decoupled``: whether weight decay stands beside the rule (theta is multiplied by
    1 - alpha xi lambda) unless a spec says otherwise; else lambda theta is added to g.
    ``statement``: which limit this is and what is proved of it, in one or two sentences.
    """

    name: str
    doc: str
    step: tuple[tuple[str, str], ...]
    memories: tuple[tuple[str, float], ...] = ()
    constants: tuple[RuleConstant, ...] = ()
    flow: tuple[tuple[str, str], ...] | None = None
    flow_needs_all: bool = False
    decoupled: bool = False
    statement: str = ""

    def _summary(self) -> Iterator[str]:
        yield f"UpdateRule '{words(self.name)}': {words(self.doc, 80)}"
        yield from (f"  {words(name)} = {words(line, 100)}" for name, line in self.step)
        if self.constants:
            yield f"  constants: {names((constant.allowed for constant in self.constants), 5)}"

    @cached_property
    def program(self) -> Program:
        """``step`` as expressions. Raises MfError for a row that is none."""
        known = {*READS, *dict(self.memories), *(c.name for c in self.constants)}
        lines = []
        for name, text in self.step:
            if name in ("g", "alpha", "xi", "t", "k") or name in {c.name for c in self.constants}:
                self._wrong(f"its step assigns '{name}', which is given")
            lines.append((name, self._parsed(name, text, known)))
            known.add(name)
        if not lines or lines[-1][0] != "theta" or [name for name, _ in lines].count("theta") > 1:
            self._wrong("the last line of its step, and only this one, must assign 'theta'")
        missing = [name for name, _ in self.memories if name not in dict(lines)]
        if missing:
            self._wrong(f"its step never assigns the memory '{missing[0]}'")
        return tuple(lines)

    @cached_property
    def flow_program(self) -> Program | None:
        """``flow`` as expressions; None where no flow is known."""
        if self.flow is None:
            return None
        known = {"theta", "g", "xi", "t", *dict(self.memories), *(c.name for c in self.constants)}
        unknown = [name for name, _ in self.flow if name != "theta" and name not in dict(self.memories)]
        if unknown:
            self._wrong(f"its flow moves '{unknown[0]}', which is neither theta nor a memory")
        return tuple((name, self._parsed(name, text, known)) for name, text in self.flow)

    def _parsed(self, name: str, text: str, known: set[str]) -> sp.Expr:
        try:
            return parse_expression(text, Names(plain=frozenset(known)))
        except MfError as problem:
            self._wrong(f"'{name} = {text}': {problem}", problem)

    def _wrong(self, what: str, cause: Exception | None = None) -> NoReturn:
        raise ArgumentError(f"learning rule '{self.name}': {what}") from cause


@dataclass(frozen=True)
class Learning:
    """How the parameters of a network learn: a rule with its constants, and what stands beside it.

    ``decay`` and ``noise``: (parameter, lambda) and (parameter, temperature T) for every parameter that has
    one; ``decoupled``: see :class:`UpdateRule`. ``clip``: the largest norm of the whole gradient in L2(P)
    (None: not clipped), applied to the gradient of every batch before anything else (theory B.7).
    One step: g <- g min(1, clip / |g|); g <- g + lambda theta (coupled); the rule; theta <- theta -
    alpha xi lambda theta_old (decoupled); theta <- theta + sqrt(2 T alpha xi) * standard normal.
    """

    rule: str = "sgd"
    constants: tuple[tuple[str, float], ...] = ()
    decay: tuple[tuple[str, float], ...] = ()
    decoupled: bool = False
    noise: tuple[tuple[str, float], ...] = ()
    clip: float | None = None

    @property
    def row(self) -> UpdateRule:
        """The rule's row in the table. Raises ArgumentError where it is not registered (any more)."""
        return rule_of(self.rule)

    @cached_property
    def values(self) -> Mapping[sp.Symbol, sp.Expr]:
        """The constants as exact numbers, by their symbols."""
        return {sp.Symbol(name): sp.Rational(repr(float(value))) for name, value in self.constants}

    @cached_property
    def program(self) -> Program:
        """The step of the rule alone, with numbers for its constants."""
        return tuple((name, line.xreplace(dict(self.values))) for name, line in self.row.program)

    @cached_property
    def flow_program(self) -> Program | None:
        """The flow of the rule alone, with numbers for its constants."""
        lines = self.row.flow_program
        return lines and tuple((name, line.xreplace(dict(self.values))) for name, line in lines)

    @property
    def is_plain(self) -> bool:
        """Whether a step adds alpha xi G to every parameter, and nothing else: what SGD does."""
        plain = (("theta", THETA - ALPHA * XI * GRADIENT),)
        return self.program == plain and not self.decay and not self.noise and self.clip is None


# Plain stochastic gradient descent: how parameters learn unless a network says otherwise.
SGD = Learning()


def _beta(name: str, meaning: str, default: float) -> RuleConstant:
    return RuleConstant(name, meaning, default, 0.0, 1.0, "both")


_EPS = RuleConstant("eps", "added to the root of v; relative to the scaled gradient", 1e-8, 0.0, open="low")
_BETAS = (
    _beta("beta1", "memory of the mean of gradients", 0.9),
    _beta("beta2", "memory of their squares", 0.999),
)
_ADAM_STEP = (
    ("m", "beta1*m + (1 - beta1)*g"),
    ("v", "beta2*v + (1 - beta2)*g**2"),
    (
        "theta",
        "theta - alpha*xi*m/(1 - exp(k*log(beta1)))/(sqrt(v/(1 - exp(k*log(beta2)))) + eps)",
    ),
)
_ADAM_LIMIT = (
    "Steps of the limit are those of infinitely wide networks on the same batches. At fixed constants and "
    "alpha -> 0 full-batch Adam becomes d theta/dt = -xi g/(|g| + eps); for mini-batches the limit averages "
    "over the joint law of m and v, and no closed flow is known. Derived, not proved."
)

_ROWS = (
    UpdateRule(
        "sgd",
        "plain stochastic gradient descent",
        (("theta", "theta - alpha*xi*g"),),
        flow=(("theta", "-xi*g"),),
        statement="The mean-field limit is proved for two and three layers, and more (Nguyen and Pham).",
    ),
    UpdateRule(
        "momentum",
        "SGD with momentum mu: m = mu m + g, theta = theta - alpha xi m",
        (("m", "mu*m + g"), ("theta", "theta - alpha*xi*m")),
        memories=(("m", 0.0),),
        constants=(RuleConstant("mu", "how much of m the next step keeps", None, 0.0, 1.0, "high"),),
        flow=(("theta", "-xi*g/(1 - mu)"),),
        statement="At fixed mu and alpha -> 0 this is SGD's flow in the time t/(1 - mu). Derived, standard.",
    ),
    UpdateRule(
        "heavy-ball",
        "the heavy ball theta'' = -gamma theta' + xi G, whose velocity starts at 0",
        (("m", "(1 - gamma*alpha)*m - alpha*xi*g"), ("theta", "theta + alpha*m")),
        memories=(("m", 0.0),),
        constants=(RuleConstant("gamma", "friction", None, 0.0),),
        flow=(("m", "-gamma*m - xi*g"), ("theta", "m")),
        statement="Momentum mu = 1 - gamma alpha at learning rate alpha^2; the kinetic limit is proved for "
        "two and three layers (Wu, Kungurtsev and Mondelli 2022).",
    ),
    UpdateRule(
        "adam",
        "Adam; weight decay is added to the gradient",
        _ADAM_STEP,
        memories=(("m", 0.0), ("v", 0.0)),
        constants=(*_BETAS, _EPS),
        flow=(("theta", "-xi*g/(abs(g) + eps)"),),
        flow_needs_all=True,
        statement=_ADAM_LIMIT,
    ),
    UpdateRule(
        "adamw",
        "Adam; weight decay stands beside it",
        _ADAM_STEP,
        memories=(("m", 0.0), ("v", 0.0)),
        constants=(*_BETAS, _EPS),
        flow=(("theta", "-xi*g/(abs(g) + eps)"),),
        flow_needs_all=True,
        decoupled=True,
        statement=_ADAM_LIMIT,
    ),
)
RULES: dict[str, UpdateRule] = {row.name: row for row in _ROWS}


def rule_of(name: str) -> UpdateRule:
    """The row of a rule. Raises ArgumentError with the nearest name for one that is not in the table."""
    if name not in RULES:
        raise ArgumentError(
            f"there is no learning rule '{name}'; known are {', '.join(RULES)}.{nearest(name, RULES)} A rule "
            "of your own is entered with mfderive.register_rule before a spec that names it is loaded"
        )
    return RULES[name]


def register_rule(rule: UpdateRule) -> UpdateRule:
    """Enter a learning rule of your own, also from outside the package, and return it.

    A spec then names it: ``optimizer = { kind = "signed", c = 0.1 }``. Its expressions are read and tried
    here: ArgumentError says what is wrong with them, and refuses a name that is taken by another rule.
    Source equations: theory B, one row each.
    """
    instance(rule, UpdateRule, "a learning rule", "Make one: mfderive.UpdateRule(name, doc, step, ...)")
    _check_parts(rule)
    if RULES.get(rule.name, rule) != rule:
        raise ArgumentError(f"there is a learning rule '{rule.name}' already; give yours another name")
    _check_names(rule)
    _ = rule.program, rule.flow_program
    RULES[rule.name] = rule
    return rule


_OPEN = ("", "low", "high", "both")
_PAIRS = {
    "step": (str, '(name, expression), as in (("theta", "theta - alpha*xi*g"),)'),
    "flow": (str, '(name, derivative), as in (("theta", "-xi*g"),), or None where no flow is known'),
    "memories": (float, '(name, value at the start), as in (("m", 0.0),)'),
}


def _check_parts(rule: UpdateRule) -> None:
    """Raise ArgumentError for a row whose parts have wrong types."""
    name = rule.name
    if not isinstance(name, str) or not name.replace("-", " ").replace("_", " ").replace(" ", "a").isalnum():
        raise ArgumentError(
            f"name of the learning rule: {found(name)}; it must be a word of letters, digits, '-' and '_'"
        )
    for part in ("doc", "statement"):
        if not isinstance(getattr(rule, part), str):
            raise ArgumentError(f"learning rule '{name}': {part} is {found(getattr(rule, part))}, not a text")
    for part in ("flow_needs_all", "decoupled"):
        flag(f"learning rule '{name}': {part}", getattr(rule, part))
    for part, (kind, words_) in _PAIRS.items():
        given = getattr(rule, part)
        if not (given is None and part == "flow") and not _are_pairs(given, kind):
            raise ArgumentError(
                f"learning rule '{name}': {part} is {found(given)}; it must be a tuple of pairs {words_}"
            )
    if rule.flow is not None:
        moved = [variable for variable, _ in rule.flow]
        if "theta" not in moved or len(set(moved)) < len(moved):
            raise ArgumentError(
                f"learning rule '{name}': its flow must say the derivative of theta, and each one once. "
                "Where no flow is known, leave it out"
            )
    wrong = [each for each in _listed(rule.constants) if not isinstance(each, RuleConstant)]
    if wrong or not isinstance(rule.constants, (tuple, list)):
        given = wrong[0] if wrong else rule.constants
        raise ArgumentError(
            f"learning rule '{name}': constants holds {found(given)}; it must be a tuple of "
            "mfderive.RuleConstant(name, meaning, default, low, high, open)"
        )


def _listed(given: Any) -> Sequence[Any]:
    return given if isinstance(given, (tuple, list)) else ()


def _are_pairs(given: Any, second: type) -> bool:
    """Whether something is a sequence of (name, text) or of (name, finite number)."""
    if not isinstance(given, (tuple, list)):
        return False
    return all(
        isinstance(pair, (tuple, list))
        and len(pair) == 2
        and isinstance(pair[0], str)
        and (isinstance(pair[1], str) if second is str else _is_number(pair[1]))
        for pair in given
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _check_names(rule: UpdateRule) -> None:
    """Raise ArgumentError for memories and constants whose names or values cannot be."""
    taken = [*READS, "kind"]
    for name in (*(memory for memory, _ in rule.memories), *(each.name for each in rule.constants)):
        if not isinstance(name, str) or name in taken or not name.isidentifier():
            raise ArgumentError(
                f"learning rule '{rule.name}': a memory or a constant cannot be called '{name}'; each has a "
                f"name of its own that is none of {', '.join([*READS, 'kind'])}"
            )
        taken.append(name)
    for constant in rule.constants:
        default, bounds = constant.default, (constant.low, constant.high)
        if not all(isinstance(bound, Real) for bound in bounds) or constant.open not in _OPEN:
            raise ArgumentError(
                f"learning rule '{rule.name}': the bounds of {constant.name} are {found(bounds)} and "
                f"{found(constant.open)}; they must be two numbers, and one of {', '.join(map(repr, _OPEN))}"
            )
        if default is not None and not (_is_number(default) and constant.allows(default)):
            raise ArgumentError(
                f"learning rule '{rule.name}': {constant.name} is {default} by default; allowed is "
                f"{constant.allowed}"
            )

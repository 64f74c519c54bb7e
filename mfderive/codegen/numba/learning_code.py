"""Code of a learning rule: one step of it, and its derivatives in time."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from ...algebra.system import LimitSystem
from ...algebra.terms import Access, Index, Role, Term
from ...algebra.update_rules import ALPHA, CLOCK, NOW, STEP
from ...algebra.visitor import Rewriting
from ...tensor.instructions import Loop
from ...tensor.learning_plan import Assignments, Gradient, LearningPlan
from ...tensor.ordering import SortKeys
from .expression_code import array_text
from .loops import Nest, Value
from .sweep import Sweep

ADVANCE = "advance(plan: Plan, out: Fields, t: float, alpha: float, k: int, seed: int)"
FLOW = "flow(plan: Plan, out: Fields, t: float)"


def write_advance(sweep: Sweep, plan: LearningPlan) -> None:
    """The body of ``advance(plan, out, t, alpha, k, seed)``: the variables after a step."""
    alpha = sp.Symbol(CLOCK[ALPHA])
    if not plan.passes and all(_is_plain(sweep.system, g, alpha, 1) for g in plan.gradients):
        sweep.lines += [
            "    scale = {name: float(alpha * rate) for name, rate in rates(t).items()}",
            "    plan.evolve(out, scale, dict.fromkeys(scale, 1.0))",
        ]
        return
    names = {name: f'out["{name}"]' for name in sweep.system.variable}
    _write(sweep, plan, names, {field: names[name] for name, field in sweep.system.next_of.items()})


def write_flow(sweep: Sweep, plan: LearningPlan) -> None:
    """The body of ``flow(plan, out, t)``: out = the derivatives in time."""
    learning = sweep.system.learning
    if learning.row.flow is None:
        sweep.lines.append(
            f'    raise ValueError("the learning rule {learning.rule} has no known flow in time, only steps")'
        )
    elif not plan.passes and all(_is_plain(sweep.system, g, sp.Integer(1), 0) for g in plan.gradients):
        sweep.lines += [
            "    scale = rates(t)",
            "    plan.evolve(out, scale, dict.fromkeys(scale, 0.0))",
        ]
    else:
        # Derivatives are written beside the state, and a G that they read stands where its own will stand.
        of = {g.into: f'out["{g.parameter}"]' for g in plan.gradients if g.into not in sweep.system.variable}
        _write(sweep, plan, of, {field: f'out["{name}"]' for name, field in sweep.system.flow_of.items()})


def _is_plain(system: LimitSystem, gradient: Gradient, factor: sp.Expr, keep: int) -> bool:
    rate = system.parameter[gradient.parameter].rate
    varying = sp.Symbol(system.rate_field(gradient.parameter).name)
    scale = factor * (varying if rate.free_symbols else rate)
    return (gradient.into, gradient.scale, gradient.keep) == (gradient.parameter, scale, keep)


def _write(sweep: Sweep, plan: LearningPlan, names: dict[str, str], written: dict[str, str]) -> None:
    """Gradients, numbers made of them, and passes.

    ``names``: code of arrays that are read and not f[...]; ``written``: of those that passes write.
    """
    read = {access.field for each in plan.passes for _, access in each.accesses}
    _write_given(sweep, read)
    if plan.gradients:
        _write_gradients(sweep, plan.gradients, names)
    sweep.names.update(names)
    for planned in plan.scalars:
        sweep.compute(planned)
    for each in plan.passes:
        _write_pass(sweep, each, written)


def _write_given(sweep: Sweep, read: set[str]) -> None:
    """The rates, and the fresh noise that passes read."""
    sweep.lines += ["    f, nodes, make = plan.fields, plan.nodes, plan.make", "    rate = rates(t)"]
    for field in sweep.system.fields:
        if field.name in read and field.role is Role.DRAW:
            sweep.temporaries.add((field.name, field.axes))
            array = f'make("{field.name}", {sweep.shape(field.axes)})'
            sweep.lines.append(f'    f["{field.name}"] = normal_draws({array}, "{field.of}", seed, k)')


def _write_gradients(sweep: Sweep, gradients: Iterable[Gradient], names: dict[str, str]) -> None:
    lines: dict[str, list[str]] = {"into": [], "scale": [], "keep": []}
    own = []
    for gradient in gradients:
        name = gradient.parameter
        if gradient.into in sweep.system.variable:
            array = f'out["{gradient.into}"]'
        elif gradient.into in names:
            array = names[gradient.into]
        else:
            axes = sweep.system.variable[name].axes
            sweep.temporaries.add((gradient.into, axes))
            array = f'f["{gradient.into}"]'
            own.append(f'    {array} = make("{gradient.into}", {sweep.shape(axes)})')
        lines["into"].append(f'        "{name}": {array},')
        lines["scale"].append(f'        "{name}": {_number(sweep.system, gradient.scale)},')
        lines["keep"].append(f'        "{name}": {_number(sweep.system, gradient.keep)},')
    sweep.lines += own
    for table, rows in lines.items():
        sweep.lines += [f"    {table} = {{", *rows, "    }"]
    sweep.lines.append("    plan.evolve(into, scale, keep)")


def _clock_code(system: LimitSystem) -> dict[sp.Symbol, str]:
    """Code of what a step is given, by the symbols of its fields."""
    names = {sp.Symbol(CLOCK[ALPHA]): "alpha", sp.Symbol(CLOCK[STEP]): "k", sp.Symbol(CLOCK[NOW]): "t"}
    for parameter in system.parameters:
        names[sp.Symbol(system.rate_field(parameter.name).name)] = f'rate["{parameter.name}"]'
    return names


def _number(system: LimitSystem, expression: sp.Expr) -> str:
    """Code of a number made of what a step is given."""
    text = array_text(expression, _clock_code(system))
    return f"float({text})" if expression.free_symbols else text


def _write_pass(sweep: Sweep, each: Assignments, written: dict[str, str]) -> None:
    for _, field, _ in each.values:
        sweep.comment(sweep.system.equation_of[field])
    clock = _clock_code(sweep.system)
    # Arrays are called by their code, so that one which is read and written is passed once.
    accesses = tuple(
        (symbol, Access(sweep.array(a.field), a.slots)) for symbol, a in each.accesses if symbol not in clock
    )
    nest = _Pass(each, accesses, [written[field] for _, field, _ in each.values], frozenset(clock))
    name = sweep.kernels.named(*nest.function())
    sweep.kernels.functions |= nest.functions
    numbers = [f"nodes.dtype.type({array_text(number, clock)})" for number in nest.numbers]
    sweep.lines.append(f"    {name}({', '.join([*nest.arrays, *numbers])})")


class _WithoutClock(Rewriting):
    """Expressions with a symbol for every largest part that is made of the clock alone: ``numbers``."""

    def __init__(self, clock: frozenset[sp.Symbol]) -> None:
        super().__init__()
        self.clock = clock
        self.numbers: dict[sp.Expr, sp.Symbol] = {}

    def __call__(self, expression: sp.Expr) -> sp.Expr:
        """The expression, which is visited where only a part of it reads the clock."""
        own = expression.free_symbols & self.clock
        if not own:
            return expression
        if own == expression.free_symbols:
            return self.numbers.setdefault(expression, sp.Symbol(f"number {len(self.numbers) + 1}"))
        return super().__call__(expression)

    def visit_add(self, node: sp.Expr) -> sp.Expr:
        """A sum, whose summands of the clock alone are one number."""
        alone = [part for part in node.args if part.free_symbols and part.free_symbols <= self.clock]
        rest = [self(part) for part in node.args if part not in alone]
        return node.func(*([self(node.func(*alone))] if alone else []), *rest)

    def visit_mul(self, node: sp.Expr) -> sp.Expr:
        """A product, likewise."""
        return self.visit_add(node)


class _Pass(Nest):
    """Writes one pass over entries: all old values are read, then every new one is stored.

    ``accesses`` read arrays, and ``outs`` are those that the values are stored in. What is made of ``clock``
    alone is a number, which is computed before the pass and in double precision: 1 - beta2^k would lose four
    of the seven digits of single precision in the first steps. ``numbers``: these, in the order of the
    function's last arguments.
    """

    own = ()

    def __init__(
        self,
        each: Assignments,
        accesses: tuple[tuple[sp.Symbol, Access], ...],
        outs: list[str],
        clock: frozenset[sp.Symbol],
    ) -> None:
        self.each, self.outs = each, outs
        without_clock = _WithoutClock(clock)
        self.numbers = without_clock.numbers
        # What is written only needs an array all the same.
        written = tuple((sp.Symbol(f"out {out}"), Access(out, each.target)) for out in outs)
        super().__init__(Loop("", Term(each.target, (), sp.Integer(0), accesses + written), False))
        new = {
            sp.Symbol(field): f"new {self.array_letter[out]}"
            for (_, field, _), out in zip(each.values, outs, strict=True)
        }
        self.values = [without_clock(expression) for _, _, expression in each.values]
        numbers = {symbol: f"s{k}" for k, symbol in enumerate(self.numbers.values(), 1)}
        self.known.update({symbol: Value(text, 0) for symbol, text in numbers.items()})
        self.keys = SortKeys({**self.ranks, **new, **numbers})

    def function(self) -> tuple[str, str]:
        """A name for the function, and its source."""
        stores = []
        for (_, field, _), expression, out in zip(self.each.values, self.values, self.outs, strict=True):
            written = self(expression)
            letter = self.array_letter[out]
            value = self.local(written.text, written.level, f"new_{letter}")
            self.known[sp.Symbol(field)] = value
            subscript = ", ".join(self.letter[index] for index in self.each.target) or "()"
            stores.append(f"{letter}[{subscript}] = {value.text}")
        return "update", self.assemble(len(self.order), stores)

    def arguments(self) -> list[str]:
        """The numbers after the arrays."""
        return [*super().arguments(), *(f"s{k}" for k in range(1, len(self.numbers) + 1))]

    def written(self) -> str:
        """The first array that is written."""
        return self.array_letter[self.outs[0]]

    def docstring(self) -> str:
        """What the pass does."""
        letters = ", ".join(self.array_letter[out] for out in self.outs)
        return f"New values of {letters}, entry by entry."

    def bound(self, index: Index) -> str:
        """The number of values of an index, read off an array that is written."""
        return f"{self.written()}.shape[{self.each.target.index(index)}]"

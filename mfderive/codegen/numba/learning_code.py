"""Code of a learning rule: one step of it, and its derivatives in time."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from ...algebra.system import LimitSystem
from ...algebra.terms import Access, Index, Role, Term
from ...algebra.update_rules import ALPHA, CLOCK, NOW, STEP
from ...tensor.instructions import Loop
from ...tensor.learning_plan import Assignments, Gradient, LearningPlan
from ...tensor.ordering import SortKeys
from .expression_code import array_text
from .loops import Nest, strip
from .sweep import Sweep

ADVANCE = (
    "advance(f: Fields, nodes: Nodes, make: Maker, out: Fields, t: float, alpha: float, k: int, seed: int)"
)
FLOW = "flow(f: Fields, nodes: Nodes, make: Maker, out: Fields, t: float)"


def write_advance(sweep: Sweep, plan: LearningPlan) -> None:
    """The body of ``advance(f, nodes, make, out, t, alpha, k, seed)``: the variables after a step."""
    alpha = sp.Symbol(CLOCK[ALPHA])
    if not plan.passes and all(_is_plain(sweep.system, g, alpha, 1) for g in plan.gradients):
        sweep.lines += [
            "    scale = {name: float(alpha * rate) for name, rate in rates(t).items()}",
            "    evolve(f, nodes, make, out, scale, dict.fromkeys(scale, 1.0))",
        ]
        return
    names = {name: f'out["{name}"]' for name in sweep.system.variable}
    _write(sweep, plan, names, {field: names[name] for name, field in sweep.system.next_of.items()})


def write_flow(sweep: Sweep, plan: LearningPlan) -> None:
    """The body of ``flow(f, nodes, make, out, t)``: out = the derivatives in time."""
    learning = sweep.system.learning
    if learning.row.flow is None:
        sweep.lines.append(
            f'    raise ValueError("the learning rule {learning.rule} has no known flow in time, only steps")'
        )
    elif not plan.passes and all(_is_plain(sweep.system, g, sp.Integer(1), 0) for g in plan.gradients):
        sweep.lines += [
            "    scale = rates(t)",
            "    evolve(f, nodes, make, out, scale, dict.fromkeys(scale, 0.0))",
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
    """What passes read of the step: its clock, rates in time and fresh noise, as fields."""
    code = {CLOCK[ALPHA]: "alpha", CLOCK[STEP]: "k", CLOCK[NOW]: "t"}
    sweep.lines.append("    rate = rates(t)")
    for field in sweep.system.fields:
        if field.name in read and field.role is Role.CLOCK:
            value = f'rate["{field.of}"]' if field.of else code[field.name]
            sweep.lines.append(f'    f["{field.name}"] = np.asarray({value}, nodes.dtype)')
        elif field.name in read and field.role is Role.DRAW:
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
    sweep.lines.append("    evolve(f, nodes, make, into, scale, keep)")


def _number(system: LimitSystem, expression: sp.Expr) -> str:
    """Code of a number made of what a step is given."""
    names = {sp.Symbol(CLOCK[ALPHA]): "alpha", sp.Symbol(CLOCK[STEP]): "k", sp.Symbol(CLOCK[NOW]): "t"}
    for field in system.fields:
        if field.role is Role.CLOCK and field.of:
            names[sp.Symbol(field.name)] = f'rate["{field.of}"]'
    for parameter in system.parameters:
        names.setdefault(sp.Symbol(system.rate_field(parameter.name).name), f'rate["{parameter.name}"]')
    text = array_text(expression, names)
    return f"float({text})" if expression.free_symbols else text


def _write_pass(sweep: Sweep, each: Assignments, written: dict[str, str]) -> None:
    for _, field, _ in each.values:
        sweep.comment(sweep.system.equation_of[field])
    # Arrays are called by their code, so that one which is read and written is passed once.
    accesses = tuple((symbol, Access(sweep.array(a.field), a.slots)) for symbol, a in each.accesses)
    nest = _Pass(each, accesses, [written[field] for _, field, _ in each.values])
    name = sweep.kernels.named(*nest.function())
    sweep.kernels.functions |= nest.functions
    sweep.lines.append(f"    {name}({', '.join(nest.arrays)})")


class _Pass(Nest):
    """Writes one pass over entries: all old values are read, then every new one is stored.

    ``accesses`` read arrays, and ``outs`` are those that the values are stored in.
    """

    own = ()

    def __init__(
        self, each: Assignments, accesses: tuple[tuple[sp.Symbol, Access], ...], outs: list[str]
    ) -> None:
        self.each, self.outs = each, outs
        # What is written only needs an array all the same.
        written = tuple((sp.Symbol(f"out {out}"), Access(out, each.target)) for out in outs)
        super().__init__(Loop("", Term(each.target, (), sp.Integer(0), accesses + written), False))
        new = {
            sp.Symbol(field): f"new {self.array_letter[out]}"
            for (_, field, _), out in zip(each.values, outs, strict=True)
        }
        self.keys = SortKeys({**self.ranks, **new})

    def function(self) -> tuple[str, str]:
        """A name for the function, and its source."""
        stores = []
        for (_, field, expression), out in zip(self.each.values, self.outs, strict=True):
            text, level = self(expression)
            letter = self.array_letter[out]
            value, level = self.local(strip(text), level, f"new_{letter}")
            self.known[sp.Symbol(field)] = value, level
            subscript = ", ".join(self.letter[index] for index in self.each.target) or "()"
            stores.append(f"{letter}[{subscript}] = {value}")
        return "update", self.assemble(len(self.order), stores)

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

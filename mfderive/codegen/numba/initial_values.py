"""Code that draws initial values, and the rates in time."""

from __future__ import annotations

import inspect

import sympy as sp

from ...algebra.evaluate import evaluate_expression
from ...algebra.law_kinds import LAWS, LawKind
from ...algebra.laws import TIME, End, Law, Reference, Variable
from ...algebra.system import LimitSystem
from ...state.draw import draw_order, neuron_axis
from .expression_code import array_text


def draw_functions(system: LimitSystem) -> list[str]:
    """Sources of the functions that draw from the laws of a system, each once, in the order of the table."""
    kinds = {variable.law.kind for variable in system.variables}
    if any(parameter.noise is not None for parameter in system.parameters):
        kinds.add(LawKind.CONSTANT)  # the conditional mean
    return [inspect.getsource(row.draw) for name, row in LAWS.items() if name in kinds]


def law_lines(system: LimitSystem) -> list[str]:
    """The body of ``initial_values``: one assignment per parameter, after those that it refers to.

    The noise of ``system`` is drawn (no noise axes); a parameter still says whether it has noise.
    """
    table = system.parameter
    noisy = {p.name for p in system.parameters if p.noise is not None}
    lines = ['    drawn = edges == "draw"'] if noisy else []
    for parameter in draw_order(system):
        shape = _shape(parameter)
        lines.append(f"    # {parameter.name}: {law_text(parameter.law)}")
        neuron = neuron_axis(system, parameter)
        drawn = _draw(parameter, parameter.law, table, shape, neuron)
        if parameter.name in noisy:
            law = parameter.law
            mean = Law(LawKind.CONSTANT, (law.mean,), law.references, law.text)
            drawn = f"({drawn} if drawn else {_draw(parameter, mean, table, shape, 0)})"
        lines.append(f'    values["{parameter.name}"] = {drawn}')
    return lines


def _shape(parameter: Variable) -> str:
    sizes = ", ".join(f'n["{axis}"]' for axis in parameter.axes)
    return f"({sizes},)" if sizes else "()"


def law_text(law: Law) -> str:
    """A law as one line."""
    return " ".join(law.text.split()) if law.text else law.kind


def _draw(parameter: Variable, law: Law, table: dict[str, Variable], shape: str, neuron: int) -> str:
    names = {
        symbol: _referenced(parameter, reference, table[reference.parameter])
        for symbol, reference in law.references
    }
    arguments = [
        array_text(argument, names)
        if argument.free_symbols
        else repr(float(evaluate_expression(argument, {})))
        for argument in law.arguments
    ]
    generator = f'generator("{parameter.name}", seed)'
    return f"{law.row.draw.__name__}({', '.join([generator, shape, str(neuron), *arguments])})"


def _referenced(parameter: Variable, reference: Reference, other: Variable) -> str:
    """Code for initial values at one end of a connection, shaped to broadcast."""
    component = ", ".join(map(str, reference.component))
    if len(reference.component) == len(other.axes):  # one type: the value has no neuron
        return f'values["{other.name}"][{component or "()"}]'
    # Positions in the layout before reduction; one neuron alone is both ends of what it keeps.
    rank = len(parameter.axes) + len(parameter.dropped)
    position = 0 if reference.end is End.TARGET or rank < 2 else 1
    if position in parameter.dropped:  # the law does not depend on this neuron: any of them will do
        return f'values["{other.name}"][{", ".join(["0", *map(str, reference.component)])}]'
    kept = [k for k in range(rank) if k not in parameter.dropped]
    column = f":, {component}" if component else ":"
    shape = ", ".join("-1" if axis == position else "1" for axis in kept)
    return f'values["{other.name}"][{column}].reshape({shape})'


def rate_lines(system: LimitSystem) -> list[str]:
    """The function ``rates``."""
    lines = [
        "def rates(t: float) -> dict[str, float]:",
        '    """The rate of every trained parameter at time t: d(parameter)/dt = rate * G."""',
    ]
    lines.append("    return {")
    for parameter in system.parameters:
        if not parameter.is_frozen:
            lines.append(f'        "{parameter.name}": {_rate(parameter.rate)},')
    return [*lines, "    }"]


def _rate(rate: sp.Expr) -> str:
    return (
        f"float({array_text(rate, {TIME: 't'})})"
        if rate.free_symbols
        else repr(float(evaluate_expression(rate, {})))
    )

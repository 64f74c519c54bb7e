"""Python code of the sweeps: each equation as a comment, and under it the steps that compute it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..algebra.system import LimitSystem
from ..algebra.terms import AxisKind, Equation
from .comments import equation_text
from .kernels import Kernels
from .plan import plan_equation
from .printer import is_number, number_value
from .steps import Allocate, Each, Loop, Product, Select, Step, View, Zero, weights_of

_PAD = "    "


@dataclass
class Sweep:
    """Writes the body of one sweep; remembers the axes of every temporary for the memory estimate."""

    system: LimitSystem
    kernels: Kernels
    lines: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    temporaries: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    selects: bool = False

    # ------------------------------------------------------------------ names

    def array(self, name: str) -> str:
        """Code for an array."""
        if name in self.names:
            return self.names[name]
        for axis in self.system.axes:
            if axis.is_measure and name == weights_of(axis.name):
                return f'p["{axis.name}"]'
        return f'f["{name}"]'

    def shape(self, axes: Iterable[str]) -> str:
        """Code for the shape of an array on axes."""
        sizes = [f'n["{axis}"]' for axis in axes]
        return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"

    def view(self, view: View) -> str:
        """Code for a matrix."""
        text = self.array(view.array)
        if view.dimensions != 2 or view.split != 1:
            text = f"matrix({text}, {view.split})"
        return f"{text}.T" if view.transposed else text

    # ------------------------------------------------------------------ equations

    def equation(self, equation: Equation) -> None:
        """The block of an equation that computes a field of its own."""
        self.comment(equation)
        shape = self.shape(index.axis for index in equation.target)
        self.lines.append(f'{_PAD}f["{equation.field}"] = make("{equation.field}", {shape})')
        self.steps(plan_equation(self.system, equation, equation.field))

    def comment(self, equation: Equation) -> None:
        """The equation above its code."""
        self.lines += [f"{_PAD}# {line}" for line in equation_text(self.system, equation)]

    def steps(self, steps: Iterable[Step], depth: int = 1, factor: str = "", add: str = "") -> None:
        """Code of steps. ``factor`` multiplies products; ``add`` says whether the first one adds."""
        for step in steps:
            self.step(step, depth, factor, add)
            if isinstance(step, Product):
                add = ""

    def step(self, step: Step, depth: int, factor: str, add: str) -> None:
        """Code of one step."""
        pad = _PAD * depth
        if isinstance(step, Allocate):
            variable = step.name.replace(" ", "_")
            self.names[step.name] = variable
            self.temporaries.add((step.name, step.axes))
            self.lines.append(f'{pad}{variable} = make("{step.name}", {self.shape(step.axes)})')
        elif isinstance(step, Zero):
            self.lines.append(f"{pad}{self.array(step.out)}.fill({number_value(step.value)!r})")
        elif isinstance(step, Select):
            self.select(step, pad)
        elif isinstance(step, Loop):
            self.loop(step, pad)
        elif isinstance(step, Product):
            self.product(step, pad, factor, add)
        else:
            self.each(step, depth, factor)

    def loop(self, loop: Loop, pad: str) -> None:
        """A call of a compiled function."""
        name, arrays, extents = self.kernels.call(loop)
        arguments = [self.array(loop.out), *(self.array(array) for array in arrays)]
        arguments += [f'n["{index.axis}"]' for index in extents]
        self.lines.append(f"{pad}{name}({', '.join(arguments)})")

    def product(self, product: Product, pad: str, factor: str, add: str) -> None:
        """A call of BLAS."""
        number = repr(number_value(product.coefficient)) if is_number(product.coefficient) else "1.0"
        if factor:
            number = (
                factor if number == "1.0" else f"-{factor}" if number == "-1.0" else f"{number} * {factor}"
            )
        arguments = [self.view(product.out), self.view(product.left), self.view(product.right), number]
        arguments.append(self.weighting(product.shared))
        if product.add or add:
            arguments.append(f"add={'True' if product.add else add}")
        self.lines.append(f"{pad}matrix_product({', '.join(arguments)})")

    def weighting(self, axes: tuple[str, ...]) -> str:
        """Code for the weights of the shared axes of a product."""
        known = f"weighting_{'_'.join(axes)}"
        if known in self.names:
            return self.names[known]
        return f"nodes.weighting({axes!r})".replace("'", '"')

    def select(self, step: Select, pad: str) -> None:
        """A first maximum over trailing axes."""
        self.selects = True
        axes = len(self.system.field[step.out].axes)
        self.lines.append(f"{pad}first_maximum(matrix({self.array(step.out)}, {axes - step.trailing}))")

    def each(self, step: Each, depth: int, factor: str) -> None:
        """A loop over the values of one index."""
        pad = _PAD * depth
        axis = step.index.axis
        counter = "sample" if self.system.axis[axis].kind is AxisKind.DATA else "place"
        shared = [inner.shared for inner in step.body if isinstance(inner, Product)]
        for axes in dict.fromkeys(shared):
            code = self.weighting(axes)
            variable = "weighting_" + re.sub(r"\W", "_", "_".join(axes))
            self.lines.append(f"{pad}{variable} = {code}")
            self.names[f"weighting_{'_'.join(axes)}"] = variable
        self.lines.append(f'{pad}for {counter} in range(n["{axis}"]):')
        inner_pad = pad + _PAD
        for local, array in step.slices:
            variable = re.sub(r"\W", "_", local)
            self.lines.append(f"{inner_pad}{variable} = {self.array(array)}[{counter}]")
            self.names[local] = variable
        if step.weighted:
            weight = f'p["{axis}"][{counter}]'
            factor = f"{weight} * {factor}" if factor else weight
        self.steps(step.body, depth + 1, factor)
        for axes in dict.fromkeys(shared):
            del self.names[f"weighting_{'_'.join(axes)}"]
        for local, _ in step.slices:
            del self.names[local]


def reads(equation: Equation) -> set[str]:
    """The fields that an equation reads."""
    return {access.field for term in equation.terms for _, access in term.accesses}


def needed(equations: Iterable[Equation], wanted: set[str]) -> list[Equation]:
    """The equations, in order, that others later in the list or ``wanted`` fields depend on."""
    wanted, kept = set(wanted), []
    for equation in reversed(list(equations)):
        if equation.field in wanted:
            kept.append(equation)
            wanted |= reads(equation)
    return kept[::-1]

"""Python code of the sweeps: each equation as a comment, and under it the steps that compute it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ...algebra.system import LimitSystem
from ...algebra.terms import Equation
from ...tensor.contraction import plan_equation
from ...tensor.instructions import Allocate, Each, Loop, Product, Select, Step, View, Zero, weights_of
from .comments import equation_text
from .expression_code import number_value
from .loops import Kernels
from .repeated import Repeated, coefficient

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
    repeats: bool = False
    scratch: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)

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
            self.each(step, pad, factor)

    def loop(self, loop: Loop, pad: str) -> None:
        """A call of a compiled function."""
        name, arrays, extents = self.kernels.call(loop)
        arguments = [self.array(loop.out), *(self.array(array) for array in arrays)]
        arguments += [f'n["{index.axis}"]' for index in extents]
        self.lines.append(f"{pad}{name}({', '.join(arguments)})")

    def product(self, product: Product, pad: str, factor: str, add: str) -> None:
        """A call of BLAS."""
        arguments = [self.view(product.out), self.view(product.left), self.view(product.right)]
        arguments.append(coefficient(product, factor))
        arguments.append(self.weighting(product.shared))
        if product.add or add:
            arguments.append(f"add={'True' if product.add else add}")
        self.lines.append(f"{pad}matrix_product({', '.join(arguments)})")

    def weighting(self, axes: tuple[str, ...]) -> str:
        """Code for the weights of the shared axes of a product."""
        return f"nodes.weighting({axes!r})".replace("'", '"')

    def select(self, step: Select, pad: str) -> None:
        """A first maximum over trailing axes."""
        self.selects = True
        axes = len(self.system.field[step.out].axes)
        self.lines.append(f"{pad}first_maximum(matrix({self.array(step.out)}, {axes - step.trailing}))")

    def each(self, step: Each, pad: str, factor: str) -> None:
        """A compiled loop over the values of one index."""
        self.repeats = True
        task = self.task(step, factor)
        if step.is_independent:
            self.lines.append(f"{pad}together(pieces({task}), nodes, make)")
        else:
            self.lines.append(f"{pad}together([whole({task})], nodes, make)")

    def task(self, step: Each, factor: str) -> str:
        """Arguments of ``pieces`` or ``whole``: function, number of values, temporaries, arguments."""
        self.repeats = True
        self.scratch |= {(array.name, array.axes) for array in step.scratch}
        repeated = Repeated(
            step, self.kernels, self.array, self.weighting, lambda product: coefficient(product, factor)
        )
        name, arguments = repeated.call(f'p["{step.index.axis}"]' if step.weighted else None)
        shapes = "".join(f'("{array.name}", {self.shape(array.axes)}), ' for array in step.scratch)
        return ", ".join([name, f'n["{step.index.axis}"]', f"({shapes.rstrip()})", *arguments])


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

"""Python code of the sweeps: each equation as a comment, and under it the instructions that compute it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ...algebra.system import LimitSystem
from ...algebra.terms import Equation
from ...tensor.instructions import (
    Allocate,
    Each,
    Fill,
    Gemm,
    Instruction,
    Loop,
    Planned,
    Select,
    View,
    weights_of,
)
from ...tensor.ordering import number_value
from .comments import equation_text
from .loops import Kernels
from .repeated import Repeated, coefficient

_PAD = "    "


@dataclass
class Sweep:
    """Writes the body of one sweep; remembers the axes of every temporary for the memory estimate.

    ``planned``: the sweep does not call functions itself but says to ``call`` what to call, so that the
    same calls can be repeated; numbers that change from step to step are then functions.
    """

    system: LimitSystem
    kernels: Kernels
    lines: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    temporaries: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    selects: bool = False
    repeats: bool = False
    scratch: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    planned: bool = False

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

    def late(self, number: str) -> str:
        """Code for a number that changes from step to step."""
        return f"lambda: {number}" if self.planned else number

    def number(self, gemm: Gemm, factor: str) -> str:
        """Code for a product's number, times ``factor`` (code, or nothing)."""
        text = coefficient(gemm, factor)
        return self.late(text) if factor else text

    def call(self, pad: str, function: str, arguments: list[str]) -> None:
        """A call of a function."""
        parts = ", ".join([function, *arguments] if self.planned else arguments)
        self.lines.append(f"{pad}call({parts})" if self.planned else f"{pad}{function}({parts})")

    # ------------------------------------------------------------------ equations

    def compute(self, planned: Planned) -> None:
        """The block of an equation that computes a field of its own."""
        equation = planned.equation
        self.comment(equation)
        shape = self.shape(index.axis for index in equation.target)
        self.lines.append(f'{_PAD}f["{equation.field}"] = make("{equation.field}", {shape})')
        self.instructions(planned.instructions)

    def comment(self, equation: Equation) -> None:
        """The equation above its code."""
        self.lines += [f"{_PAD}# {line}" for line in equation_text(self.system, equation)]

    def instructions(
        self, instructions: Iterable[Instruction], depth: int = 1, factor: str = "", keep: str = ""
    ) -> None:
        """Code of instructions. ``factor`` multiplies products; ``keep`` what the first one adds to."""
        for instruction in instructions:
            self.instruction(instruction, depth, factor, keep)
            if isinstance(instruction, Gemm):
                keep = ""

    def instruction(self, instruction: Instruction, depth: int, factor: str, keep: str) -> None:
        """Code of one instruction."""
        pad = _PAD * depth
        match instruction:
            case Allocate(name, axes):
                variable, memory = name.replace(" ", "_"), instruction.memory_name
                self.names[name] = variable
                self.temporaries.add((memory, axes))
                self.lines.append(f'{pad}{variable} = make("{memory}", {self.shape(axes)})')
            case Fill(out, value):
                self.call(pad, f"{self.array(out)}.fill", [repr(number_value(value))])
            case Select():
                self.select(instruction, pad)
            case Loop():
                self.loop(instruction, pad)
            case Gemm():
                self.gemm(instruction, pad, factor, keep)
            case Each():
                self.each(instruction, pad, factor)

    def loop(self, loop: Loop, pad: str) -> None:
        """A call of a compiled function."""
        name, arrays, extents = self.kernels.call(loop)
        arguments = [self.array(loop.out), *(self.array(array) for array in arrays)]
        arguments += [f'n["{index.axis}"]' for index in extents]
        self.call(pad, name, arguments)

    def gemm(self, gemm: Gemm, pad: str, factor: str, keep: str) -> None:
        """A call of BLAS."""
        arguments = [self.view(gemm.out), self.view(gemm.left), self.view(gemm.right)]
        arguments.append(self.number(gemm, factor))
        arguments.append(self.weighting(gemm.shared))
        if gemm.add or keep:
            arguments.append("1.0" if gemm.add else self.late(keep))
        self.call(pad, "matrix_product", arguments)

    def weighting(self, axes: tuple[str, ...]) -> str:
        """Code for the weights of the shared axes of a gemm."""
        return f"nodes.weighting({axes!r})".replace("'", '"')

    def select(self, select: Select, pad: str) -> None:
        """A first maximum over trailing axes."""
        self.selects = True
        rows = select.dimensions - select.trailing
        self.call(pad, "first_maximum", [f"matrix({self.array(select.out)}, {rows})"])

    def each(self, each: Each, pad: str, factor: str) -> None:
        """A compiled loop over the values of one index."""
        self.repeats = True
        task = self.task(each, factor)
        if each.is_independent:
            self.call(pad, "together", [f"pieces({task})", "nodes", "make"])
        else:
            self.call(pad, "together", [f"Tasks([whole({task})])", "nodes", "make"])

    def task(self, each: Each, factor: str) -> str:
        """Arguments of ``pieces`` or ``whole``: function, number of values, temporaries, arguments."""
        self.repeats = True
        self.selects = self.selects or any(isinstance(i, Select) for i in each.body)
        self.scratch |= {(array.memory_name, array.axes) for array in each.scratch}
        repeated = Repeated(
            each, self.kernels, self.array, self.weighting, lambda gemm: self.number(gemm, factor)
        )
        name, arguments = repeated.call(f'p["{each.index.axis}"]' if each.weighted else None)
        shapes = "".join(f'("{array.memory_name}", {self.shape(array.axes)}), ' for array in each.scratch)
        return ", ".join([name, f'n["{each.index.axis}"]', f"({shapes.rstrip()})", *arguments])

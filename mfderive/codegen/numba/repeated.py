"""Compiled functions that repeat gemms and loop nests for every value of one index.

The gemm of a single sample is so small that calling it from Python would double its cost. So the loop over
samples is compiled as a whole, and calls BLAS by its address. Arrays are renamed to a, b, c, ... before
anything is written, so that loops that are equal after renaming share one function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ...tensor.instructions import Each, Fill, Gemm, Instruction, Loop, Select, View
from ...tensor.ordering import is_number, number_value
from .loops import Kernels

_ARRAYS = "abcdefgh"


class Repeated:
    """Writes the function of one :class:`Each` and the arguments of its call.

    ``array``, ``weighting`` and ``number`` give the code of the caller: of an array by its name, of the
    weights of the shared axes of a product, and of a product's coefficient.
    """

    def __init__(
        self,
        each: Each,
        kernels: Kernels,
        array: Callable[[str], str],
        weighting: Callable[[tuple[str, ...]], str],
        number: Callable[[Gemm], str],
    ) -> None:
        self.each, self.kernels = each, kernels
        self.array, self.weighting, self.number = array, weighting, number
        self.local = dict(each.slices)
        self.parameters: list[str] = []
        self.arguments: list[str] = []
        self.letters: dict[str, str] = {}
        self.slices: dict[str, str] = {}
        self.weightings: dict[str, tuple[str, str]] = {}

    def call(self, weights: str | None) -> tuple[str, list[str]]:
        """The function, which is added to the file, and its arguments after gemm, first, last and scratch.

        ``weights``: code of the weights of the index's nodes.
        """
        for number, array in enumerate(self.each.scratch, 1):
            self.letters[array.name] = f"t{number}"
        counter = "s"
        factor = ""
        if weights is not None:
            factor = f"{self.parameter('p', weights)}[{counter}] * "
        parts = (self.each.first, self.each.body, self.each.last)
        first, body, last = ([self.line(each, factor) for each in part] for part in parts)
        parameters = [
            "gemm",
            "first",
            "last",
            *(self.letters[t.name] for t in self.each.scratch),
            *self.parameters,
        ]
        lines = [
            "@compiled",
            f"def KERNEL({', '.join(parameters)}):",
            f'    """For every {counter} from first to last - 1: {self.words()}."""',
            *(f"    {line}" for line in first),
            f"    small = small_arguments({next(iter(self.slices.values()))})",
            f"    for {counter} in range(first, last):",
            *(f"        {name} = {letter}[{counter}]" for name, letter in self.slices.items()),
            *(f"        {line}" for line in body),
            *(f"    {line}" for line in last),
        ]
        return self.kernels.named("repeat", "\n".join(lines) + "\n"), self.arguments

    def line(self, instruction: Instruction, factor: str) -> str:
        """The line of one instruction; ``factor`` multiplies products."""
        match instruction:
            case Loop():
                return self.nest(instruction)
            case Gemm():
                return self.gemm(instruction, factor)
            case Fill(out, value):
                return f"{self.name(out)}[...] = {number_value(value)!r}"
            case Select(out, trailing, dimensions):
                rows, columns = self.sizes(View(out, dimensions - trailing, dimensions, False))
                return f"first_maximum({self.name(out)}.reshape({rows}, {columns}))"
        raise TypeError(f"{type(instruction).__name__} cannot be repeated")

    def words(self) -> str:
        """What is done for every value, in a few words."""
        products = sum(isinstance(instruction, Gemm) for instruction in self.each.body)
        nests = sum(isinstance(instruction, Loop) for instruction in self.each.body)
        counted = ((nests, "a loop nest", "loop nests"), (products, "a product", "products"))
        return " and ".join(one if n == 1 else f"{n} {many}" for n, one, many in counted if n)

    # ------------------------------------------------------------------ parts of the body

    def parameter(self, name: str, argument: str) -> str:
        """A parameter of the function, and what the call passes for it."""
        self.parameters.append(name)
        self.arguments.append(argument)
        return name

    def name(self, array: str) -> str:
        """The variable of an array: a letter, or that of its slice."""
        whole = self.local.get(array, array)
        if whole not in self.letters:
            number = len(self.letters) - len(self.each.scratch)
            letter = _ARRAYS[number] if number < len(_ARRAYS) else f"h{number}"
            self.letters[whole] = self.parameter(letter, self.array(whole))
        letter = self.letters[whole]
        if array not in self.local:
            return letter
        self.slices[f"{letter}_s"] = letter
        return f"{letter}_s"

    def nest(self, loop: Loop) -> str:
        """The call of a loop nest."""
        name, arrays, extents = self.kernels.call(loop)
        arguments = [self.name(loop.out), *(self.name(array) for array in arrays)]
        for index in extents:
            size = f"size{len(self.parameters)}"
            arguments.append(self.parameter(size, f'n["{index.axis}"]'))
        return f"{name}({', '.join(arguments)})"

    def gemm(self, gemm: Gemm, factor: str) -> str:
        """The call of BLAS; its ``out`` must be row-major, so the product is transposed where it is not."""
        out, left, right = gemm.out, gemm.left, gemm.right
        if out.transposed:
            out, right, left = (replace(v, transposed=not v.transposed) for v in (out, left, right))
        arrays = ", ".join(self.name(view.array) for view in (out, left, right))
        rows, columns = self.sizes(out)
        shared = self.sizes(left)[0 if left.transposed else 1]
        count = len(self.parameters)
        number = self.parameter(f"number{count}", self.number(gemm))
        weighting = self.weighting(gemm.shared)
        if weighting not in self.weightings:
            names = (f"share{count}", f"weights{count}")
            self.parameters += names
            self.arguments.append(f"*{weighting}")
            self.weightings[weighting] = names
        share, weights = self.weightings[weighting]
        scale = f"{factor}{number} * {share}"
        given = f"({rows}, {columns}, {shared}), ({left.transposed}, {right.transposed})"
        return f"product(gemm, small, {arrays}, {given}, {scale}, {weights}, {gemm.add})"

    def sizes(self, view: View) -> tuple[str, str]:
        """Code for the rows and the columns of an array as it lies in memory, as a matrix."""
        sizes = [f"{self.name(view.array)}.shape[{axis}]" for axis in range(view.dimensions)]
        rows, columns = (" * ".join(part) or "1" for part in (sizes[: view.split], sizes[view.split :]))
        return rows, columns


def coefficient(gemm: Gemm, factor: str) -> str:
    """Code for a product's number, times ``factor`` (code, or nothing)."""
    number = repr(number_value(gemm.coefficient)) if is_number(gemm.coefficient) else "1.0"
    if not factor:
        return number
    return factor if number == "1.0" else f"-{factor}" if number == "-1.0" else f"{number} * {factor}"

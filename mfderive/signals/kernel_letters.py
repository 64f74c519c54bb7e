"""The survey's letters for kernels, in plain text and in LaTeX: q^l, q_12^l, their gradients' with a
tilde."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from ..algebra.terms import Index, Slot
from .kernel_system import OTHER, Kernel, KernelKind, Part, Replicas

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_PLACES = "abcdefgh"
_GREEK = {"sigma_w2": ("σ_w²", r"\sigma_w^2"), "sigma_b2": ("σ_b²", r"\sigma_b^2")}


class KernelStyle(ABC):
    """How kernels, expressions in named symbols, integrals and sums are written."""

    gaussian: str
    gaussian_pair: str

    @abstractmethod
    def kernel(self, kernel: Kernel, replicas: Replicas, places: Sequence[str]) -> str:
        """An entry of a kernel."""

    @abstractmethod
    def scale(self, name: str) -> str:
        """The variance of weights or biases, of all or of one parameter."""

    @abstractmethod
    def expression(self, expression: sp.Expr, names: dict[sp.Symbol, str]) -> str:
        """An expression whose symbols have the given names."""

    @abstractmethod
    def root(self, text: str) -> str:
        """A square root."""

    @abstractmethod
    def total(self, indices: Sequence[str]) -> str:
        """The sign of a sum."""

    @abstractmethod
    def kernel_variable(self, number: int) -> str:
        """The name of a Gaussian variable."""

    @abstractmethod
    def over_batch(self, inside: str) -> str:
        """E[inside] over the normalised values of a batch."""

    @abstractmethod
    def normalised(self, number: int) -> str:
        """The name of a normalised value."""

    @abstractmethod
    def behind(self, field: str, where: str) -> str:
        """What stands behind an integral over two values of a field."""

    @abstractmethod
    def expectation(self, inside: str, mean: Sequence[str], covariance: Sequence[Sequence[str]]) -> str:
        """E[inside] over Gaussian variables of a mean (none: 0) and a covariance."""

    def letter(self, number: int) -> str:
        """The name of a position, by its number in an equation."""
        return _PLACES[number % len(_PLACES)] + "'" * (number // len(_PLACES))


def letter_of(kernel: Kernel) -> tuple[str, str]:
    """The letter of a kernel in text and in LaTeX."""
    if kernel.kind is KernelKind.FIRST:
        return "m", "m"
    if kernel.kind is KernelKind.GRADIENT:
        return "Θ", r"\Theta"
    return ("q̃", r"\tilde q") if kernel.part is Part.BACKWARD else ("q", "q")


def owner_of(kernel: Kernel) -> str:
    """What stands at a kernel's letter: the field (the fields), the parameter, or the input that it tells
    of."""
    if kernel.kind is KernelKind.SECOND and kernel.first != kernel.second:
        return kernel.name
    return kernel.of


class TextKernels(KernelStyle):
    """Plain text: q[h2], q₁₂[h2](a, b)."""

    gaussian = "∫Dz "
    gaussian_pair = "∫Dz₁Dz₂ "

    def kernel(self, kernel: Kernel, replicas: Replicas, places: Sequence[str]) -> str:
        """An entry of a kernel."""
        numbers = _numbers(replicas).translate(_SUBSCRIPTS)
        where = f"({', '.join(places)})" if places else ""
        return f"{letter_of(kernel)[0]}{numbers}[{owner_of(kernel)}]{where}"

    def scale(self, name: str) -> str:
        """The variance of weights or biases."""
        return _GREEK[name][0] if name in _GREEK else name

    def expression(self, expression: sp.Expr, names: dict[sp.Symbol, str]) -> str:
        """An expression whose symbols have names."""
        return str(_TextPrinter(names).doprint(expression))

    def root(self, text: str) -> str:
        """A square root."""
        return f"√{text}"

    def kernel_variable(self, number: int) -> str:
        """The name of a Gaussian variable."""
        return f"u{number}".translate(_SUBSCRIPTS)

    def over_batch(self, inside: str) -> str:
        """E[inside] over the normalised values of a batch."""
        return f"E[{inside}]"

    def normalised(self, number: int) -> str:
        """The name of a normalised value."""
        return f"z{number}".translate(_SUBSCRIPTS)

    def behind(self, field: str, where: str) -> str:
        """What stands behind an integral over two values of a field."""
        return f" {{{field}{where}}}"

    def expectation(self, inside: str, mean: Sequence[str], covariance: Sequence[Sequence[str]]) -> str:
        """E[inside] over Gaussian variables."""
        rows = "; ".join(", ".join(row) for row in covariance)
        law = f"({', '.join(mean)})" if mean else "0"
        return f"E[{inside}; u ~ N({law}, [{rows}])]"

    def total(self, indices: Sequence[str]) -> str:
        """The sign of a sum."""
        return f"Σ_{','.join(indices)} "


class LatexKernels(KernelStyle):
    """LaTeX: q^{h2}, q_{12}^{h2}(a, b)."""

    gaussian = r"\int\! \mathcal{D}z\, "
    gaussian_pair = r"\int\! \mathcal{D}z_1 \mathcal{D}z_2\, "

    def kernel(self, kernel: Kernel, replicas: Replicas, places: Sequence[str]) -> str:
        """An entry of a kernel."""
        numbers = f"_{{{_numbers(replicas)}}}" if _numbers(replicas) else ""
        where = f"({', '.join(places)})" if places else ""
        return f"{letter_of(kernel)[1]}{numbers}^{{{_roman(owner_of(kernel))}}}{where}"

    def scale(self, name: str) -> str:
        """The variance of weights or biases."""
        return _GREEK[name][1] if name in _GREEK else _roman(name)

    def expression(self, expression: sp.Expr, names: dict[sp.Symbol, str]) -> str:
        """An expression whose symbols have names."""
        return str(LatexPrinter({"symbol_names": names, "mul_symbol": r"\,"}).doprint(expression))

    def root(self, text: str) -> str:
        """A square root."""
        return rf"\sqrt{{{text}}}"

    def kernel_variable(self, number: int) -> str:
        """The name of a Gaussian variable."""
        return f"u_{number}"

    def over_batch(self, inside: str) -> str:
        """E[inside] over the normalised values of a batch."""
        return rf"\mathbb{{E}}\left[{inside}\right]"

    def normalised(self, number: int) -> str:
        """The name of a normalised value."""
        return f"z_{number}"

    def behind(self, field: str, where: str) -> str:
        """What stands behind an integral over two values of a field."""
        return rf"\Big|_{{{_roman(field)}{where}}}"

    def expectation(self, inside: str, mean: Sequence[str], covariance: Sequence[Sequence[str]]) -> str:
        """E[inside] over Gaussian variables."""
        rows = r" \\ ".join(" & ".join(row) for row in covariance)
        law = f"({', '.join(mean)})" if mean else "0"
        matrix = rf"\begin{{pmatrix}} {rows} \end{{pmatrix}}"
        return rf"\mathbb{{E}}_{{u \sim \mathcal{{N}}\left({law}, {matrix}\right)}}\left[{inside}\right]"

    def total(self, indices: Sequence[str]) -> str:
        """The sign of a sum."""
        return rf"\sum_{{{', '.join(indices)}}} "


class _TextPrinter(StrPrinter):  # type: ignore[misc]
    """Expressions as plain text with powers raised and products set side by side."""

    def __init__(self, names: dict[sp.Symbol, str]) -> None:
        super().__init__({"order": "none"})
        self.names = names

    def _print_Symbol(self, expr: Any) -> str:  # noqa: N802 - the name sympy looks for
        return str(self.names.get(expr, expr.name))

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:  # noqa: N802 - the name sympy looks for
        if expr.exp.is_Integer:
            base, power = self._print(expr.base), abs(int(expr.exp))
            closed = expr.base.is_Function or (expr.base.is_Symbol and " " not in base)
            times = (base if closed else f"({base})") + (
                str(power).translate(_SUPERSCRIPTS) if power > 1 else ""
            )
            return times if expr.exp > 0 else f"1/{times}"
        if self._is_product(expr.base) and abs(expr.exp) != sp.Rational(1, 2):
            return f"({self._print(expr.base)})**({expr.exp})"
        return str(super()._print_Pow(expr, rational=rational))

    def _print_Mul(self, expr: Any) -> str:  # noqa: N802 - the name sympy looks for
        below = [
            f for f in expr.args if f.is_Pow and f.exp.is_Integer and self._is_product(f.base) and f.exp < 0
        ]
        if below:
            others = sp.Mul(*(f for f in expr.args if f not in below))
            return f"{self._print(others)} {' '.join(map(self._print, below))}"
        return str(super()._print_Mul(expr)).replace("*", " ")

    def _is_product(self, base: Any) -> bool:
        """Whether a name is a product itself, such as that of a field of deviation √q."""
        return bool(base.is_Symbol) and " " in self._print(base)


def _numbers(replicas: Replicas) -> str:
    """The numbers of two inputs, nothing where both are the first; another one of a batch is the second."""
    return "" if set(replicas) <= {1} else "".join(str(2 if r == OTHER else r) for r in replicas)


def slot_text(slot: Slot, letters: dict[Index, str]) -> str:
    """A slot with the letters of positions: "2a + b - 1"."""
    if isinstance(slot, Index):
        return letters[slot]
    parts = [
        (("" if number == 1 else "-" if number == -1 else str(number)) + letters[index])
        for number, index in slot.parts
    ]
    text = " + ".join(parts)
    if slot.constant:
        text += f" {'+' if slot.constant > 0 else '-'} {abs(slot.constant)}" if text else str(slot.constant)
    return (text or "0").replace("+ -", "- ")


def _roman(words: str) -> str:
    return rf"\mathrm{{{words}}}".replace("_", r"\_").replace(" ", r"\ ")

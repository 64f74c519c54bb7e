"""How printed pieces look: readable unicode text, and LaTeX that latex2mathml and TeX both understand."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence

from ..algebra.functions import FUNCTIONS
from .letters import Letter

_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPERSCRIPT = str.maketrans("0123456789-k", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᵏ")

_LATEX = {
    "ζ": r"\zeta",
    "β": r"\beta",
    "σ": r"\sigma",
    "θ": r"\theta",
    "ρ": r"\rho",
    "ξ": r"\xi",
    "Δ": r"\Delta",
    "Ψ": r"\Psi",
    "∇": r"\nabla",
    "∂": r"\partial",
    "α": r"\alpha",
    "κ": r"\kappa",
    "φ": r"\varphi",
    "ŷ": r"\hat{y}",
    "Ḡ": r"\bar{G}",
    "·": r"\cdot",
    "∥": r"\parallel",
    "⊥": r"\perp",
}
_GREEK = r"alpha|beta|gamma|delta|epsilon|eta|theta|kappa|lambda|mu|nu|xi|pi|rho|tau|phi|chi|psi|omega"


class Style(ABC):
    """The pieces that a printer puts together. ``minus`` and ``times`` join terms and factors."""

    minus: str
    times: str
    expectation: str
    residual: str
    time_derivative: str
    divergence: str

    @abstractmethod
    def letter(self, letter: Letter) -> str:
        """A letter with its step, its subscripts and its primes."""

    @abstractmethod
    def group(self, inside: str, kind: str = "()") -> str:
        """Brackets that grow with what they hold."""

    @abstractmethod
    def operator(self, name: str, below: Sequence[str], condition: str = "") -> str:
        """A sum, maximum or mean with what stands under it."""

    @abstractmethod
    def fraction(self, above: str, below: str) -> str:
        """A quotient."""

    @abstractmethod
    def power(self, base: str, exponent: str) -> str:
        """A power; the base has its brackets."""

    @abstractmethod
    def function(self, name: str, arguments: Sequence[str]) -> str:
        """A function of the closed table."""

    @abstractmethod
    def subscript(self, base: str, below: str) -> str:
        """A printed base with a printed subscript."""

    @abstractmethod
    def superscript(self, base: str, above: str) -> str:
        """A printed base with a printed superscript."""

    @abstractmethod
    def words(self, text: str) -> str:
        """Plain words inside a formula."""

    def call(self, head: str, arguments: Sequence[str], *, after: Sequence[str] = ()) -> str:
        """``head(arguments; after)``, without brackets where there is nothing to show."""
        if not arguments and not after:
            return head
        parts = [", ".join(part) for part in (arguments, after) if part]
        return head + self.group("; ".join(parts))

    def prime(self, head: str) -> str:
        """A derivative's prime."""
        return head + "'"


class TextStyle(Style):
    """Readable unicode."""

    minus = "−"
    times = " "
    expectation = "E"
    residual = "∂₂L"
    time_derivative = "∂ₜ "
    divergence = "div"

    def letter(self, letter: Letter) -> str:
        """Digits become subscripts, other subscripts follow an underscore."""
        head = letter.sign + letter.base + letter.mark
        if letter.subscript:
            head = self.subscript(head, ",".join(self.letter(part) for part in letter.subscript))
        return head + letter.time.translate(_SUPERSCRIPT) + "'" * letter.primes

    def group(self, inside: str, kind: str = "()") -> str:
        """Plain brackets."""
        return kind[0] + inside + kind[1]

    def operator(self, name: str, below: Sequence[str], condition: str = "") -> str:
        """``Σ_{p,k: q = 2p + k}``."""
        symbol = {"mean": "E", "sum": "Σ", "max": "max"}[name]
        under = ",".join(below) + (f": {condition}" if condition else "")
        if re.fullmatch(r"\w", under):
            return f"{symbol}_{under}"
        return f"{symbol}_{{{under}}}"

    def fraction(self, above: str, below: str) -> str:
        """With a slash."""
        return f"{above}/{below}"

    def power(self, base: str, exponent: str) -> str:
        """Digits become superscripts."""
        if re.fullmatch(r"-?\d+|k", exponent):
            return base + exponent.translate(_SUPERSCRIPT)
        return f"{base}^({exponent})"

    def function(self, name: str, arguments: Sequence[str]) -> str:
        """By its name."""
        return f"{name}({', '.join(arguments)})"

    def subscript(self, base: str, below: str) -> str:
        """Digits become subscripts."""
        if below.isdigit():
            return base + below.translate(_SUBSCRIPT)
        return f"{base}_{below}" if re.fullmatch(r"\w+|[∥⊥]", below) else f"{base}_{{{below}}}"

    def superscript(self, base: str, above: str) -> str:
        """After a caret."""
        return f"{base}^{above}"

    def words(self, text: str) -> str:
        """As they are."""
        return text


class LatexStyle(Style):
    """LaTeX with amsmath."""

    minus = "-"
    times = r"\, "
    expectation = r"\mathbb{E}"
    residual = r"\partial_2 L"
    time_derivative = r"\partial_t "
    divergence = r"\operatorname{div}"

    def letter(self, letter: Letter) -> str:
        """One letter stays italic, words are upright; the step becomes a superscript."""
        head = (r"\delta " if letter.deviates else "") + self.base(letter.base)
        if letter.step:
            head += "^{(" + letter.step + ")}"
        if letter.subscript:
            head += "_{" + ",".join(self.letter(part) for part in letter.subscript) + "}"
        if letter.time:
            head += "^{" + letter.time + "}"
        return head + "'" * letter.primes

    def base(self, name: str) -> str:
        """A name without step and subscripts."""
        if name in _LATEX:
            return _LATEX[name]
        if len(name) == 1 or name.isdigit():
            return name
        if re.fullmatch(_GREEK, name):
            return "\\" + name
        return r"\mathrm{" + re.sub(r"([_#%&$])", r"\\\1", name).replace("-", r"\text{-}") + "}"

    def group(self, inside: str, kind: str = "()") -> str:
        r"""With \left and \right only where something tall stands inside."""
        left, right = kind[0], kind[1]
        if kind == "‖‖":
            return rf"\lVert {inside} \rVert"
        escaped = {"{": r"\{", "}": r"\}", "⟨": r"\langle ", "⟩": r"\rangle "}
        left, right = escaped.get(left, left), escaped.get(right, right)
        if re.search(r"\\(frac|sum|int|left|sqrt)", inside):
            return rf"\left{left} {inside} \right{right}"
        return left + inside + right

    def operator(self, name: str, below: Sequence[str], condition: str = "") -> str:
        """The usual symbols."""
        symbol = {"mean": r"\mathbb{E}", "sum": r"\sum", "max": r"\max"}[name]
        under = ", ".join(below) + (rf":\, {condition}" if condition else "")
        return f"{symbol}_{{{under}}}"

    def fraction(self, above: str, below: str) -> str:
        r"""\frac."""
        return rf"\frac{{{above}}}{{{below}}}"

    def power(self, base: str, exponent: str) -> str:
        """A superscript."""
        return f"{base}^{{{exponent}}}"

    def function(self, name: str, arguments: Sequence[str]) -> str:
        """By the table's own name; roots and moduli by their signs."""
        if name == "sqrt":
            return rf"\sqrt{{{arguments[0]}}}"
        if name == "abs":
            return rf"\left| {arguments[0]} \right|"
        return FUNCTIONS[name].latex + self.group(", ".join(arguments))

    def subscript(self, base: str, below: str) -> str:
        """In braces; a letter that has a subscript of its own is grouped, for TeX allows no second one."""
        head = f"{{{base}}}" if re.search(r"(?<!\\)_.*(?<!\\)\}'*$", base) else base
        return f"{head}_{{{below}}}"

    def superscript(self, base: str, above: str) -> str:
        """In braces."""
        return f"{base}^{{{above}}}"

    def words(self, text: str) -> str:
        r"""\text."""
        return rf"\text{{{text}}}"


TEXT = TextStyle()
LATEX = LatexStyle()

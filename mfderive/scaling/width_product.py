"""Products of powers of the widths of populations: what every factor of a scaling is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

Power = int | Fraction


@dataclass(frozen=True)
class WidthProduct:
    """``n_h1^a n_h2^b ...``: pairs (population, exponent), sorted, exponents not 0. Empty: the number 1."""

    powers: tuple[tuple[str, Fraction], ...] = ()

    @classmethod
    def of(cls, populations: Iterable[str], exponent: Power = 1) -> WidthProduct:
        """The product of the widths of populations (repeated ones count again), to an exponent."""
        powers: dict[str, Fraction] = {}
        for name in populations:
            powers[name] = powers.get(name, Fraction(0)) + Fraction(exponent)
        return cls._made(powers)

    @classmethod
    def _made(cls, powers: Mapping[str, Fraction]) -> WidthProduct:
        return cls(tuple((name, powers[name]) for name in sorted(powers) if powers[name]))

    def __mul__(self, other: WidthProduct) -> WidthProduct:
        powers = dict(self.powers)
        for name, power in other.powers:
            powers[name] = powers.get(name, Fraction(0)) + power
        return WidthProduct._made(powers)

    def __truediv__(self, other: WidthProduct) -> WidthProduct:
        return self * other ** (-1)

    def __pow__(self, exponent: Power) -> WidthProduct:
        return WidthProduct._made({name: power * Fraction(exponent) for name, power in self.powers})

    @property
    def degree(self) -> Fraction:
        """The exponent of n where all widths are multiples of one n."""
        return sum((power for _, power in self.powers), Fraction(0))

    @property
    def counted(self) -> WidthProduct:
        """The product, or 1 where only ratios of widths are in it: these stay the same as n grows."""
        return self if self.degree else ONE

    def value(self, widths: Mapping[str, float]) -> float:
        """The number that it is at these widths by population."""
        result = 1.0
        for name, power in self.powers:
            result *= float(widths[name]) ** float(power)
        return result

    @property
    def text(self) -> str:
        """As plain text: ``n_h1``, ``1/(n_h1 n_h2)``, ``sqrt(n_h1)``, ``n_h2/n_h1``."""
        return _fraction(self, lambda name: f"n_{name}", "sqrt({})".format, "{}^{}".format)

    @property
    def latex(self) -> str:
        """As LaTeX, for math mode."""
        return _latex(self)

    def __str__(self) -> str:
        return self.text


ONE = WidthProduct()
HALF = Fraction(1, 2)


def _factors(
    powers: Iterable[tuple[str, Fraction]],
    letter: Callable[[str], str],
    root: Callable[[str], str],
    power: Callable[[str, str], str],
) -> list[str]:
    """The factors with a positive exponent each; those under a square root stand under one together."""
    under, parts = [], []
    for name, exponent in powers:
        if exponent == Fraction(1, 2):
            under.append(letter(name))
        else:
            parts.append(letter(name) if exponent == 1 else power(letter(name), str(exponent)))
    return [*parts, *([root(" ".join(under))] if under else [])]


def _halves(product: WidthProduct) -> tuple[list[tuple[str, Fraction]], list[tuple[str, Fraction]]]:
    above = [(name, power) for name, power in product.powers if power > 0]
    below = [(name, -power) for name, power in product.powers if power < 0]
    return above, below


def _fraction(
    product: WidthProduct,
    letter: Callable[[str], str],
    root: Callable[[str], str],
    power: Callable[[str, str], str],
) -> str:
    above, below = (_factors(half, letter, root, power) for half in _halves(product))
    top = " ".join(above) or "1"
    if not below:
        return top
    bottom = " ".join(below)
    return f"{top}/{bottom if len(below) == 1 else f'({bottom})'}"


def _latex_letter(name: str) -> str:
    escaped = name.replace("_", r"\_")
    return rf"n_{{\text{{{escaped}}}}}"


def _latex(product: WidthProduct) -> str:
    above, below = (
        _factors(half, _latex_letter, r"\sqrt{{{}}}".format, "{}^{{{}}}".format) for half in _halves(product)
    )
    top, bottom = r"\,".join(above) or "1", r"\,".join(below)
    return rf"\frac{{{top}}}{{{bottom}}}" if below else top

"""Signals become layers: what a layer reads, what its neurons own, and its activation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import sympy as sp
from sympy.printing.str import StrPrinter

from ..algebra.functions import FUNCTIONS, PUBLIC_FUNCTIONS, call
from ..network.names import BIAS, INPUT, MAIN, is_reserved
from .operations import front_of
from .pointwise import WHOLE
from .signal_values import Atom, Owns, Populations, Reads, Signal, Space

SKIP = "skip"
ATTENTION = "dot-attention"
_UNARY = tuple(name for name in PUBLIC_FUNCTIONS if FUNCTIONS[name].arity == 1)


@dataclass(frozen=True)
class Drawn:
    """A connection of a layer: what it reads and the pre-activation that it adds to."""

    reads: Reads
    into: str


@dataclass(frozen=True)
class Made:
    """A layer that was made of a signal. ``own`` are its parameters by name, ``bias`` among them."""

    name: str
    space: Space
    connections: tuple[Drawn, ...]
    activation: str
    own: tuple[tuple[str, Owns], ...]
    origins: tuple[str, ...]


class _Text(StrPrinter):  # type: ignore[misc]
    """Expressions in the words of a spec, with every digit of their numbers."""

    def _print_Float(self, expr: sp.Float) -> str:  # noqa: N802 (sympy's name)
        return repr(float(expr))


def expression_text(expression: sp.Expr) -> str:
    """An expression as a spec has it."""
    return str(_Text().doprint(expression))


@dataclass
class Layers:
    """All layers so far, the symbols of signals, and the populations."""

    populations: Populations = field(default_factory=Populations)
    made: dict[str, Made] = field(default_factory=dict)
    atoms: dict[sp.Symbol, Atom] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)

    def symbol(self, atom: Atom) -> sp.Symbol:
        """A new symbol that stands for what is read or owned."""
        symbol = sp.Symbol(f"a{len(self.atoms)}")
        self.atoms[symbol] = atom
        return symbol

    def layer_of(self, signal: Signal) -> str | None:
        """The layer (or x) whose values a signal is, if it is one as it stands."""
        atom = self.atoms.get(signal.expression) if signal.expression.is_Symbol else None
        is_bare = isinstance(atom, Reads) and atom.kind == SKIP and not atom.options
        return atom.source if isinstance(atom, Reads) and is_bare else None

    def averaged(self, expression: sp.Expr) -> sp.Expr:
        """The expression; what a weight brings, divided by the source's width, as such a mean in it."""
        if expression.is_Add:
            return sp.Add(*map(self.averaged, expression.args))
        factor, symbol = expression.as_coeff_Mul()
        atom = self.atoms.get(symbol)
        if (
            not isinstance(atom, Reads)
            or atom.weight is None
            or atom.source not in self.made
            or atom.averaged
        ):
            return expression
        width = self.populations.sizes[self.made[atom.source].space.neurons]
        if factor == 1 or abs(float(factor) * width - 1) > WHOLE:
            return expression
        return self.symbol(replace(atom, averaged=True))

    def used(self, expression: sp.Expr) -> list[sp.Symbol]:
        """The symbols in an expression that stand for something, in the order in which they were made."""
        present = expression.free_symbols
        return [symbol for symbol in self.atoms if symbol in present]

    def settle(self, signal: Signal, hint: str) -> Signal:
        """The signal as the values of a layer, which is made if there is none yet."""
        if self.layer_of(signal) is not None:
            return signal
        name = self.free_name(self.known_as(signal, hint))
        self.made[name] = self.layer(name, signal)
        skip = self.symbol(Reads(name, SKIP))
        return Signal(signal.axes, skip, signal.space)

    def layer(self, name: str, signal: Signal) -> Made:
        """A layer of what a signal is made of."""
        expression, groups = self.grouped(signal.expression)
        own = [symbol for symbol in self.used(expression) if isinstance(self.atoms[symbol], Owns)]
        text, bias = _plain(expression, own)
        named: list[tuple[str, Owns]] = []
        taken = {*groups, BIAS}
        for symbol in own:
            atom = self.atoms[symbol]
            assert isinstance(atom, Owns)
            label = BIAS if symbol == bias else _numbered(atom.name, taken)
            taken.add(label)
            named.append((label, atom))
            expression = expression.xreplace({symbol: sp.Symbol(label)})
        drawn = tuple(
            Drawn(atom, into)
            for into, members in groups.items()
            for symbol in members
            if isinstance(atom := self.atoms[symbol], Reads)
        )
        origins = dict.fromkeys(
            (*(d.reads.origin for d in drawn if d.reads.origin), *(o.origin for _, o in named if o.origin))
        )
        return Made(
            name, signal.space, drawn, text or expression_text(expression), tuple(named), tuple(origins)
        )

    def grouped(self, expression: sp.Expr) -> tuple[sp.Expr, dict[str, list[sp.Symbol]]]:
        """The expression in pre-activations: what it reads only in sums adds to one of them."""
        reads = [symbol for symbol in self.used(expression) if isinstance(self.atoms[symbol], Reads)]
        groups: dict[str, list[sp.Symbol]] = {}
        while reads:
            name = MAIN if not groups else f"g{len(groups)}"
            first, *rest = reads
            total = sp.Symbol(name)
            expression = expression.xreplace({first: total})
            groups[name], reads = [first], []
            for symbol in rest:
                together = expression.xreplace({total: total - symbol})
                if symbol in together.free_symbols:
                    reads.append(symbol)
                else:
                    expression = together
                    groups[name].append(symbol)
        return expression, groups

    def known_as(self, signal: Signal, hint: str) -> str:
        """What the model calls the first weight that a signal reads, or what it has, or else a hint."""
        atoms = [self.atoms[symbol] for symbol in self.used(signal.expression)]
        weighted = [atom for atom in atoms if isinstance(atom, Reads) and atom.weight is not None]
        arrays = [atom.weight.parameter for atom in weighted if atom.weight is not None]
        arrays += [atom.values.parameter for atom in atoms if isinstance(atom, Owns)]
        fronts = [front for front in map(front_of, arrays) if front]
        fronts += [array.rpartition(".")[0] for array in arrays if array and "." in array]
        return next(iter([*fronts, *(atom.origin for atom in weighted)]), hint)

    def free_name(self, hint: str) -> str:
        """A name that no layer has, made of what the model calls something."""
        word = spec_word(self.renamed.get(hint, hint))
        if is_reserved(word) or word == INPUT:
            word = f"{word}_layer"
        name, number = word, 2
        while name in self.made:
            name, number = f"{word}_{number}", number + 1
        return name


def _plain(expression: sp.Expr, own: Iterable[sp.Symbol]) -> tuple[str | None, sp.Symbol | None]:
    """The activation as the bare name of a function, and which symbol is its bias, if that is all."""
    own, main = list(own), sp.Symbol(MAIN)
    if len(own) > 1 or expression.free_symbols - {main, *own}:
        return None, None
    bias = own[0] if own else None
    if bias is not None:
        expression = expression.xreplace({main: main - bias})
        if bias in expression.free_symbols:
            return None, None
    names = {main: "identity", **{call(name, main): name for name in _UNARY}}
    return (names[expression], bias) if expression in names else (None, None)


def _numbered(word: str, taken: set[str]) -> str:
    name, number = word, 2
    while name in taken:
        name, number = f"{word}_{number}", number + 1
    return name


def spec_word(text: str) -> str:
    """Letters, digits and underscores of what another program calls something; begins with a letter."""
    kept = "".join(c if c.isascii() and c.isalnum() else "_" for c in text)
    return kept if kept[:1].isalpha() else f"m{kept}"

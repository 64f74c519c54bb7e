"""Compiled loop nests: one function for each distinct shape of a term.

Indices are renamed to i, j, k, ... and arrays to a, b, c, ... before anything is written, so that equations
that are equal after renaming give equal text and share one function.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sympy as sp

from ...algebra.functions import ClosedFunction
from ...algebra.terms import Access, Affine, Index, Slot, slot_indices
from ...algebra.visitor import Visitor
from ...tensor.instructions import Loop
from ...tensor.loop_order import accumulates, loop_order, outer_loops
from ...tensor.ordering import SortKeys, is_negative, is_number, number_value, ordered
from .expression_code import formula
from .function_code import CODE

_INDICES = "ijklmnqrstuvw"
_ARRAYS = "abcdefgh"
_POWERS = 4  # integer powers up to this one are multiplied out
# Those up to this one are products of squares; a call of pow costs as much as some twenty products.
_LARGEST_POWER = 128


@dataclass(frozen=True)
class Value:
    """Code of a value and the level at which it is known; ``compound``: a sum or a product."""

    text: str
    level: int
    compound: bool = False

    @property
    def operand(self) -> str:
        """The code as a part of a larger expression."""
        return f"({self.text})" if self.compound else self.text


@dataclass(frozen=True)
class Part:
    """A summand or factor of a sum or product, with its sign."""

    text: str
    negative: bool = False

    @property
    def signed(self) -> str:
        """The code with its sign."""
        return f"-{self.text}" if self.negative else self.text


def sum_of(parts: list[Part]) -> str:
    """The code of a sum."""
    rest = (f" {'-' if part.negative else '+'} {part.text}" for part in parts[1:])
    return parts[0].signed + "".join(rest)


def product_of(parts: list[Part]) -> str:
    """The code of a product."""
    return " * ".join(part.signed for part in parts)


@dataclass
class Kernels:
    """The compiled functions of one file: source by name, and the functions of the table they call."""

    sources: dict[str, str] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)
    _names: dict[str, str] = field(default_factory=dict)

    def call(self, loop: Loop) -> tuple[str, list[str], list[Index]]:
        """Name of the function for a loop, arrays to pass after ``out``, and indices whose sizes follow."""
        nest = Nest(loop)
        body = nest.source()
        self.functions |= nest.functions
        return self.named(nest.title(), body), nest.arrays, nest.extents

    def named(self, base: str, body: str) -> str:
        """The name of the function with this source (called KERNEL in it), which is added once."""
        if body not in self._names:
            name = self._unused(base)
            self._names[body] = name
            self.sources[name] = body.replace("KERNEL", name, 1)
        return self._names[body]

    def _unused(self, base: str) -> str:
        name, number = base, 2
        while name in self.sources:
            name, number = f"{base}_{number}", number + 1
        return name


def _letter(letters: str, number: int) -> str:
    return letters[number] if number < len(letters) else f"{letters[-1]}{number}"


class Nest(Visitor[Value]):
    """Writes one loop nest; every value is computed at the outermost level at which it is known.

    The values of the term's expression are visited in our order, those that are known early first.
    """

    own: tuple[str, ...] = ("out",)  # arguments before the arrays that are read

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self.loop, self.term = loop, loop.term
        term = loop.term
        self.order = loop_order(term)
        self.letter = {index: _letter(_INDICES, n) for n, index in enumerate(term.indices)}
        self.level_of = {index: n + 1 for n, index in enumerate(self.order)}
        # Arrays with the most axes first: relu(a(i, j) + b(j)) reads better than relu(b(i, j) + a(j)).
        by_size = sorted((access for _, access in term.accesses), key=lambda access: -len(access.slots))
        self.arrays = list(dict.fromkeys(access.field for access in by_size))
        self.array_letter = {name: _letter(_ARRAYS, n) for n, name in enumerate(self.arrays)}
        self.access = dict(term.accesses)
        self.ranks = {
            symbol: f"{self.array_letter[access.field]}({self.slots_text(access.slots)})"
            for symbol, access in term.accesses
        }
        self.keys = SortKeys(self.ranks)
        self.lines: list[list[str]] = [[] for _ in range(len(self.order) + 1)]
        self.positions: dict[str, str] = {}
        self.functions: set[str] = set()
        self.extents: list[Index] = []
        self.count = 0
        self.has_numbers = False

    # ------------------------------------------------------------------ words

    def slot_text(self, slot: Slot) -> str:
        """A slot as code: ``i`` or ``2 * i + j - 1``."""
        if isinstance(slot, Index):
            return self.letter[slot]
        parts = [f"{abs(c)} * {self.letter[i]}" if abs(c) != 1 else self.letter[i] for c, i in slot.parts]
        signs = ["-" if c < 0 else "+" for c, _ in slot.parts]
        if slot.constant or not parts:
            parts.append(str(abs(slot.constant)))
            signs.append("-" if slot.constant < 0 else "+")
        first = f"-{parts[0]}" if signs[0] == "-" else parts[0]
        return " ".join([first, *(f"{s} {p}" for s, p in zip(signs[1:], parts[1:], strict=True))])

    def slots_text(self, slots: tuple[Slot, ...]) -> str:
        """Slots as code."""
        return ", ".join(self.slot_text(slot) for slot in slots)

    def title(self) -> str:
        """A name that says what the nest does."""
        names = sorted({type(f).__name__ for f in self.term.expression.atoms(ClosedFunction)})
        if any(not isinstance(slot, Index) for slot in self.term.target):
            kind = "scatter"
        elif self.term.reduced:
            kind = "reduce"
        elif any(isinstance(s, Affine) and s.parts for _, a in self.term.accesses for s in a.slots):
            kind = "gather"
        else:
            kind = "pointwise"
        return "_".join([kind, *names[:3]])

    def docstring(self) -> str:
        """The formula of the nest."""
        names = {
            symbol: f"{self.array_letter[a.field]}({self.slots_text(a.slots)})"
            if a.slots
            else self.array_letter[a.field]
            for symbol, a in self.term.accesses
        }
        right = formula(self.term.expression, names, self.ranks)
        if self.term.reduced:
            right = f"Sum_{{{', '.join(self.letter[i] for i in self.term.reduced)}}}[ {right} ]"
        sign = "+=" if self.loop.add else "="
        return f"out({self.slots_text(self.term.target)}) {sign} {right}"

    # ------------------------------------------------------------------ values

    def local(self, text: str, level: int, name: str = "") -> Value:
        """Assign a value to a variable at a level."""
        if not name:
            self.count += 1
            name = f"v{self.count}"
        self.lines[level].append(f"{name} = {text}")
        return Value(name, level)

    def position(self, array: str, slots: tuple[Slot, ...]) -> tuple[str, list[str], int]:
        """The subscript of an access, the conditions under which it is inside, and its level."""
        level = max((self.level_of[i] for i in slot_indices(slots)), default=0)
        subscripts, conditions = [], []
        for position, slot in enumerate(slots):
            if isinstance(slot, Index):
                subscripts.append(self.letter[slot])
                continue
            text = self.slot_text(slot)
            if slot.parts:
                text = self.affine(slot, text)
            subscripts.append(text)
            conditions.append(f"0 <= {text} < {array}.shape[{position}]")
        return ", ".join(subscripts) or "()", conditions, level

    def affine(self, slot: Affine, text: str) -> str:
        """The variable that holds the position of an affine slot."""
        if text not in self.positions:
            level = max(self.level_of[i] for _, i in slot.parts)
            self.positions[text] = self.local(text, level, f"position{len(self.positions) + 1}").text
        return self.positions[text]

    def load(self, access: Access) -> Value:
        """The value of an access."""
        letter = self.array_letter[access.field]
        subscript, conditions, level = self.position(letter, access.slots)
        text = f"{letter}[{subscript}]"
        if conditions:
            return self.local(f"{text} if {' and '.join(conditions)} else {self.real(0)}", level)
        plain = "".join(self.letter[s] for s in access.slots if isinstance(s, Index))
        return self.local(text, level, f"{letter}_{plain}" if plain else f"{letter}_0")

    def is_number(self, node: sp.Expr) -> bool:
        """An expression of numbers alone (pi / 4) is one number."""
        return is_number(node)

    def real(self, number: float) -> str:
        """The code of a number, in the precision of the nest."""
        self.has_numbers = True
        return f"real({number!r})"

    def number(self, node: sp.Expr) -> Value:
        """A number, in the precision of the nest."""
        return Value(self.real(number_value(node)), 0)

    def symbol(self, node: sp.Symbol) -> Value:
        """The value of what the symbol reads."""
        return self.load(self.access[node])

    def visit_function(self, node: sp.Expr, name: str) -> Value:
        """A call of the function's code."""
        self.functions.add(name)
        arguments = [self(argument) for argument in node.args]
        level = max(argument.level for argument in arguments)
        return self.local(CODE[name].scalar.format(*(argument.text for argument in arguments)), level)

    def visit_power(self, node: sp.Expr) -> Value:
        """A power, multiplied out where it is small and whole."""
        exponent = node.exp
        base = self(node.base)
        if exponent.is_Integer and abs(int(exponent)) <= _LARGEST_POWER:
            if base.compound:
                base = self.local(base.text, base.level)
            product = " * ".join(self.multiplied_out(base.text, base.level, abs(int(exponent))))
            if exponent < 0:
                divisor = f"({product})" if abs(int(exponent)) > 1 else base.text
                product = f"{self.real(1)} / {divisor}"
            return self.local(product, base.level)
        if exponent == sp.Rational(1, 2):
            return self.local(f"np.sqrt({base.text})", base.level)
        other = self(exponent)
        return self.local(f"{base.operand} ** {other.operand}", max(base.level, other.level))

    def multiplied_out(self, text: str, level: int, exponent: int) -> list[str]:
        """The factors of a whole power: by squares where it is large, each a variable of its own."""
        if exponent <= _POWERS:
            return [text] * exponent
        factors = []
        while exponent:
            if exponent % 2:
                factors.append(text)
            exponent //= 2
            if exponent:
                text = self.local(f"{text} * {text}", level).text
        return factors

    def visit_add(self, node: sp.Expr) -> Value:
        """A sum."""
        return self.chain(node)

    def visit_mul(self, node: sp.Expr) -> Value:
        """A product."""
        return self.chain(node)

    def chain(self, expression: sp.Expr) -> Value:
        """A sum or product, the parts that are known earlier combined first."""
        arguments = ordered(expression, self.keys)
        joined, numbers = (sum_of, []) if expression.is_Add else (product_of, [])
        groups: dict[int, list[Part]] = {}
        for argument in arguments:
            if is_number(argument):
                numbers.append(argument)
                continue
            negative = expression.is_Add and is_negative(argument)
            value = self(-argument if negative else argument)
            groups.setdefault(value.level, []).append(Part(value.operand, negative))
        levels = sorted(groups)
        for number in numbers:
            first = groups[levels[0]]
            if number == -1 and expression.is_Mul:
                first[0] = Part(first[0].text, negative=True)
            else:
                first.insert(0, Part(self.number(number).text))
        parts: list[Part] = []
        for level in levels:
            parts += groups[level]
            if level != levels[-1] and (len(parts) > 1 or parts[0].negative):
                parts = [Part(self.local(joined(parts), level).text)]
        return Value(joined(parts), levels[-1], compound=True)

    # ------------------------------------------------------------------ the nest

    def bound(self, index: Index) -> str:
        """The number of values of an index, read off an array where it stands alone in a slot."""
        arrays = [("out", self.term.target)]
        arrays += [(self.array_letter[a.field], a.slots) for _, a in self.term.accesses]
        for array, slots in arrays:
            if index in slots:
                return f"{array}.shape[{slots.index(index)}]"
        if index not in self.extents:
            self.extents.append(index)
        return f"size_{self.letter[index]}"

    def written(self) -> str:
        """An array that is written, whose precision is that of the nest."""
        return "out"

    def source(self) -> str:
        """The function, called KERNEL."""
        inner = outer_loops(self.term)
        text = self(self.term.expression).text
        subscript, conditions, _ = self.position("out", self.term.target)
        store = f"out[{subscript}]"
        adds = self.loop.add or accumulates(self.term)
        if inner < len(self.order):
            self.lines[inner].append(f"total = {self.real(0)}")
            self.lines[-1].append(f"total += {text}")
            text = "total"
        final = f"{store} {'+=' if adds else '='} {text}"
        final_lines = [f"if {' and '.join(conditions)}:", f"    {final}"] if conditions else [final]
        return self.assemble(inner, final_lines)

    def arguments(self) -> list[str]:
        """The arguments of the function: arrays, then sizes."""
        sizes = (f"size_{self.letter[index]}" for index in self.extents)
        return [*self.own, *self.array_letter.values(), *sizes]

    def assemble(self, inner: int, final: list[str]) -> str:
        """The function: its loops, with ``final`` inside of the first ``inner`` ones."""
        bounds = [self.bound(index) for index in self.order]
        lines = ["@compiled", f"def KERNEL({', '.join(self.arguments())}):", f'    """{self.docstring()}"""']
        if self.has_numbers:
            lines.append(f"    real = {self.written()}.dtype.type")
        for level in range(len(self.order) + 1):
            pad = "    " * (level + 1)
            lines += [pad + line for line in self.lines[level]]
            if level < len(self.order):
                lines.append(f"{pad}for {self.letter[self.order[level]]} in range({bounds[level]}):")
        lines += ["    " * (inner + 1) + line for line in final]
        return "\n".join(lines) + "\n"

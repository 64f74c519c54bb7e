"""Sums of products (einsum) and plain sums in PyTorch programs, as transposes, products and means.

What a sum of products means for neurons follows from its letters: a letter that is summed in a signal and in
a weight is a matrix product, one that is summed in signals alone is a sum over neurons, everything else meets
entry by entry.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .pointwise import PLAIN
from .torch_nodes import ProgramReader, arguments, reads, shape_of


@dataclass(frozen=True)
class Lettered:
    """A value, the letter of each of its axes, and whether it is known without the input."""

    name: str
    letters: str
    is_fixed: bool


@reads("einsum")
def _einsum(reader: ProgramReader, node: Any) -> None:
    formula, operands = node.args[0], node.args[1]
    inputs, output = _letters(reader, node, formula)
    fixed = reader.fixed_values()
    names = [reader.value(operand) for operand in operands]
    parts = [Lettered(n, letters, n in fixed) for n, letters in zip(names, inputs, strict=True)]
    sizes = {
        letter: size
        for letters, operand in zip(inputs, operands, strict=True)
        for letter, size in zip(letters, shape_of(operand), strict=True)
    }
    work = _Product(reader, node, sizes)
    result = parts[0]
    for place, part in enumerate(parts[1:], 1):
        later = {*output, *(letter for other in parts[place + 1 :] for letter in other.letters)}
        result = work.joined(work.summed(result, later | {*part.letters}), part, later)
    result = work.moved(work.summed(result, set(output)), output)
    reader.add("identity", node, [result.name], [reader.out(node)])


def _letters(reader: ProgramReader, node: Any, formula: str) -> tuple[list[str], str]:
    """The letters of every operand and of the result."""
    left, arrow, output = formula.replace(" ", "").partition("->")
    inputs = left.split(",")
    if "." in formula or any(len(set(letters)) < len(letters) for letters in (*inputs, output)):
        raise reader.refuse(
            node, f"the sum of products '{formula}'", "Name every axis by a letter, once in each operand"
        )
    if not arrow:
        output = "".join(sorted(letter for letter in set(left) - {","} if left.count(letter) == 1))
    return inputs, output


@dataclass
class _Product:
    """The operations of one sum of products. ``sizes``: of every letter, with the example's batch."""

    reader: ProgramReader
    node: Any
    sizes: dict[str, int]

    def add(self, kind: str, inputs: Iterable[str], letters: str, is_fixed: bool, **options: Any) -> Lettered:
        """One operation on the way."""
        name = self.reader.between()
        self.reader.add(kind, self.node, inputs, [name], **options)
        return Lettered(name, letters, is_fixed)

    def moved(self, part: Lettered, letters: str) -> Lettered:
        """The same with its axes in another order."""
        if part.letters == letters:
            return part
        order = tuple(part.letters.index(letter) for letter in letters)
        return self.add("transpose", [part.name], letters, part.is_fixed, order=order)

    def summed(self, part: Lettered, kept: set[str]) -> Lettered:
        """A sum over the letters that nothing else reads."""
        axes = tuple(place for place, letter in enumerate(part.letters) if letter not in kept)
        if not axes:
            return part
        letters = "".join(letter for letter in part.letters if letter in kept)
        return self.add("sum", [part.name], letters, part.is_fixed, axes=axes, keep=False)

    def joined(self, one: Lettered, other: Lettered, later: set[str]) -> Lettered:
        """The product of two values, summed over what both have and nobody reads later."""
        other = self.summed(other, later | {*one.letters})
        both = [letter for letter in one.letters if letter in other.letters]
        gone = "".join(letter for letter in both if letter not in later)
        shared = "".join(letter for letter in both if letter in later)
        if gone and one.is_fixed != other.is_fixed:
            signal, weight = (other, one) if one.is_fixed else (one, other)
            if shared:
                raise self.reader.refuse(
                    self.node,
                    f"a weight is summed over '{gone}' and has '{shared}' in common with the signal besides",
                    "Weights that differ from position to position are not read",
                )
            return self.matrix_product(signal, weight, gone)
        own = [[letter for letter in part.letters if letter not in both] for part in (one, other)]
        if gone and all(own):
            left = self.moved(one, shared + "".join(own[0]) + gone)
            right = self.moved(other, shared + gone + "".join(own[1]))
            letters = shared + "".join(own[0]) + "".join(own[1])
            return self.add("matmul", [left.name, right.name], letters, one.is_fixed)
        return self.summed(self.pointwise(one, other), later)

    def matrix_product(self, signal: Lettered, weight: Lettered, gone: str) -> Lettered:
        """A signal [..., summed letters as one axis] times a matrix."""
        front = "".join(letter for letter in signal.letters if letter not in gone)
        target = "".join(letter for letter in weight.letters if letter not in gone)
        if len(target) > 1:
            raise self.reader.refuse(self.node, f"a weight has two axes '{target}' of its own", "Reshape it")
        left, right = self.moved(signal, front + gone), self.moved(weight, gone + target)
        if len(gone) > 1:
            left = self.merged(left, front, gone)
            right = self.merged(right, "", gone, target)
        inputs = [left.name, right.name]
        return self.add("matmul", inputs, front + target, False, called=weight.name)

    def merged(self, part: Lettered, front: str, gone: str, back: str = "") -> Lettered:
        """The letters ``gone`` as one axis."""
        whole = 1
        for letter in gone:
            whole *= self.sizes[letter]
        shape = (*self.lengths(front), whole, *self.lengths(back))
        return self.add("reshape", [part.name], part.letters, part.is_fixed, shape=shape)

    def lengths(self, letters: str) -> list[int]:
        """The sizes of letters."""
        return [self.sizes[letter] for letter in letters]

    def pointwise(self, one: Lettered, other: Lettered) -> Lettered:
        """Two values entry by entry, over the letters of both."""
        extra = "".join(letter for letter in other.letters if letter not in one.letters)
        letters = one.letters + extra
        pair = [self.spread(part, letters) for part in (one, other)]
        inputs = [part.name for part in pair]
        is_fixed = one.is_fixed and other.is_fixed
        return self.add("function", inputs, letters, is_fixed, apply=PLAIN["mul"], word="gain")

    def spread(self, part: Lettered, letters: str) -> Lettered:
        """A value with all these axes, of size 1 where it lacks one; those in front may be missing."""
        moved = self.moved(part, "".join(letter for letter in letters if letter in part.letters))
        missing = tuple(place for place, letter in enumerate(letters) if letter not in part.letters)
        if not missing or missing == tuple(range(len(missing))):
            return moved
        return self.add("reshape", [moved.name], letters, part.is_fixed, unsqueeze=missing)


@reads("sum")
def _sum(reader: ProgramReader, node: Any) -> None:
    axes, keep = arguments(node, None, False)
    if not axes:
        raise reader.refuse(node, "a sum over everything, samples too", "Name the axes")
    reader.add(
        "sum", node, [reader.value(node.args[0])], [reader.out(node)], axes=tuple(axes), keep=bool(keep)
    )


@reads("broadcast_to", "expand")
def _broadcast(reader: ProgramReader, node: Any) -> None:
    """Values are spread where they meet others; axes that come in front are the batch's."""
    reader.add("identity", node, [reader.value(node.args[0])], [reader.out(node)])

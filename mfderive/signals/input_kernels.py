"""Kernels that are given: products of inputs, and of derivatives by the output."""

from __future__ import annotations

from functools import cached_property

import sympy as sp

from ..algebra.terms import Index
from .atoms import place_order
from .kernel_system import Kernel, KernelAccess, KernelKind, Part
from .moment_source import MomentSource
from .random_fields import UnderivableError

INPUT, U = "x", sp.Symbol("u")


class InputKernels:
    """The kernels of x and of the gradient at the output, entered when they are first read."""

    def __init__(self, moments: MomentSource) -> None:
        self.moments = moments
        self.fields = moments.fields

    @cached_property
    def averaged(self) -> frozenset[str]:
        """The axes of x over which every weight that reads x is summed: coordinates, channels."""
        axes = set(self.fields.finite_axes(INPUT))
        for root in self.fields.roots.values():
            for _, access in root.term.accesses:
                if access.field == INPUT:
                    axes &= {
                        slot.axis
                        for slot in access.slots
                        if isinstance(slot, Index) and slot in root.weight_slots
                    }
        return frozenset(axes)

    def product(self, product: sp.Expr, symbols: list[sp.Symbol]) -> sp.Expr:
        """The kernel of a product of two values, each a function of one input at one place."""
        atoms = self.moments.atoms
        if len(symbols) == 1 and product == symbols[0] ** 2:
            functions = [(symbols[0], symbols[0])] * 2
        else:
            functions = []
            for symbol in symbols:
                own = sp.Mul(*(f for f in sp.Mul.make_args(product) if f.has(symbol)))
                functions.append((symbol, own))
        whole = sp.Mul(*(own for _, own in functions))
        expressions = {own.xreplace({symbol: U}) for symbol, own in functions}
        if len(functions) != 2 or whole != product or len(expressions) != 1:
            raise UnderivableError(
                f"the product '{product}' of values of the input is no product of one function of two inputs"
            )
        first, second = (atoms.atom_of[symbol] for symbol, _ in functions)
        if first.field != second.field:
            raise UnderivableError(f"the inputs '{first.field}' and '{second.field}' stand in one product")
        function = expressions.pop()
        name = self.declared(first.field, function)
        averaged = self.averaged if first.field == INPUT else frozenset()
        axes = self.fields.finite_axes(first.field)
        kept = [
            [s for s, a in zip(atom.slots, axes, strict=True) if a not in averaged]
            for atom in (first, second)
        ]
        if any(
            one != other
            for one, other, a in zip(first.slots, second.slots, axes, strict=True)
            if a in averaged
        ):
            raise UnderivableError("two coordinates of the input stand in one product")
        replicas = (first.replica, second.replica)
        slots = (*kept[0], *kept[1])
        if (replicas[0], place_order(tuple(kept[0]))) > (replicas[1], place_order(tuple(kept[1]))):
            replicas, slots = replicas[::-1], (*kept[1], *kept[0])
        return atoms.kernel(KernelAccess(name, replicas, slots))

    def declared(self, field: str, function: sp.Expr) -> str:
        """The name of the kernel of a function of an input."""
        known = self.moments.kernels
        name = field if function == U else f"{field}: {function}"
        if name not in known:
            kind = KernelKind.INPUT if field == INPUT else KernelKind.SEED
            averaged = self.averaged if field == INPUT else frozenset()
            axes = tuple(a for a in self.fields.finite_axes(field) if a not in averaged)
            part = Part.FORWARD if field == INPUT else Part.BACKWARD
            of = self.fields.fields[field].of or field
            known[name] = Kernel(name, kind, part, (*axes, *axes), field, field, of, field, function=function)
        return name

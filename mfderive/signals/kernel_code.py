"""Kernel equations as a readable Python module: numpy and scipy, and nothing of this package."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from ..algebra.terms import Index, Slot, slot_indices
from ..codegen.numba.expression_code import array_text
from .kernel_code_runtime import RUNTIME
from .kernel_letters import TextKernels
from .kernel_system import (
    ExpectationAccess,
    Kernel,
    KernelAccess,
    KernelEquation,
    KernelKind,
    KernelSystem,
    KernelTerm,
)
from .kernel_text import equation_text
from .sphere import SphereExpectation

# What the numbers of the two inputs are called, and another one of a batch than the first.
_INPUTS = ("i", "j", "3 - i")


def kernel_module(system: KernelSystem) -> str:
    """The text of a module with one function for each kernel, and ``kernels(x1, x2, ...)`` that evaluates
    them all."""
    names = {kernel.name: f"kernel_{number}" for number, kernel in enumerate(system.computed, 1)}
    parts = [f'"""Kernel equations of {_words(system.title)}, derived from its forward equations."""\n']
    parts.append(RUNTIME)
    parts += [_function(system, kernel, names[kernel.name]) for kernel in system.computed]
    table = "\n".join(f"    {name!r}: {function}," for name, function in names.items())
    mixed = sorted(k.name for k in system.computed if k.first != k.second)
    parts.append(
        f"# Kernels of two different fields, which are not the same when the inputs change places.\nMIXED "
        f"= {mixed!r}\n"
    )
    parts.append(f"EQUATIONS = {{\n{table}\n}}\n")
    parts.append(_entry(system))
    return "\n\n".join(parts)


def _words(title: str) -> str:
    return repr(title).replace('"', "'").replace("\\", "/")


def _entry(system: KernelSystem) -> str:
    scales = ", ".join(_identifier(s) for s in system.scales)
    table = ", ".join(f"{_identifier(s)!r}: {_identifier(s)}" for s in system.scales)
    lines = [
        f"def kernels(given, {scales}):" if scales else "def kernels(given):",
        '    """All kernels of two inputs: name -> (of input 1, of input 2, between them).',
        "",
        "    ``given``: the kernels that nothing computes, as {(name, i, j): array} for (1, 1), (1, 2) "
        "and (2, 2):",
        *(f"    {kernel.name!r}: {_meaning(system, kernel)}" for kernel in system.given),
        '    """',
        f"    K = Kernels(given, {{{table}}})",
        "    pairs = ((1, 1), (2, 2), (1, 2))",
        "    return {name: tuple(K(name, i, j) for i, j in pairs) for name in EQUATIONS}",
    ]
    return "\n".join(lines) + "\n"


def _meaning(system: KernelSystem, kernel: Kernel) -> str:
    sizes = [system.axis[a].size for a in kernel.axes]
    if kernel.kind is KernelKind.SEED:
        return f"the identity {sizes} divided by {sizes[0]}"
    what = "x" if kernel.function == sp.Symbol("u") else f"{kernel.function} of the inputs u"
    where = f", at all pairs of places {sizes}" if sizes else ""
    return f"products of two inputs ({what}), averaged over coordinates{where}"


def _function(system: KernelSystem, kernel: Kernel, name: str) -> str:
    same, pair = system.same[kernel.name], system.pair.get(kernel.name)
    lines = [f"def {name}(K, i, j):", f'    """{equation_text(system, kernel, same, TextKernels())}']
    if pair is not None:
        lines += [f"    {equation_text(system, kernel, pair, TextKernels())}"]
    lines += ['    """']
    if pair is None:
        lines += _Body(system, kernel, same).lines("    ")
    else:
        lines += ["    if i == j:", *_Body(system, kernel, same).lines("        ")]
        lines += _Body(system, kernel, pair).lines("    ")
    return "\n".join(lines) + "\n"


def _identifier(symbol: sp.Symbol) -> str:
    return "".join(c if c.isalnum() else "_" for c in symbol.name)


class _Body:
    """The statements of one equation."""

    def __init__(self, system: KernelSystem, kernel: Kernel, equation: KernelEquation) -> None:
        self.system, self.kernel, self.equation = system, kernel, equation
        self.sizes = [system.axis[a].size or 1 for a in kernel.axes]

    def lines(self, indent: str) -> Iterator[str]:
        """Return statements: one expression without positions, else a sum of terms over index arrays."""
        if not self.kernel.axes and all(not term.reduced for term in self.equation.terms):
            terms = [self.expression(term, {}) for term in self.equation.terms]
            yield f"{indent}return {' + '.join(terms) if terms else '0.0'}"
            return
        yield f"{indent}total = np.zeros({tuple(self.sizes)})"
        for term in self.equation.terms:
            indices = tuple(dict.fromkeys((*slot_indices(term.target), *term.reduced)))
            letters = {index: "abcdefgh"[n] for n, index in enumerate(indices)}
            if indices:
                sizes = ", ".join(f":{self.system.axis[i.axis].size or 1}" for i in indices)
                yield f"{indent}{', '.join(letters.values())}{',' * (len(indices) == 1)} = np.ogrid[{sizes}]"
            full = tuple(self.system.axis[i.axis].size or 1 for i in indices)
            value = f"np.broadcast_to({self.expression(term, letters)}, {full})"
            if term.target == self.equation.target:
                axes = tuple(range(len(term.target), len(indices)))
                yield f"{indent}total += {value}.sum({axes})" if axes else f"{indent}total += {value}"
            else:
                places = ", ".join(self.slot(slot, letters) for slot in term.target)
                yield f"{indent}add(total, ({places},), {value})"
        yield f"{indent}return total"

    def expression(self, term: KernelTerm, letters: dict[Index, str]) -> str:
        """A term as numpy code."""
        names: dict[sp.Symbol, str] = {s: f"K.scale[{_identifier(s)!r}]" for s in self.system.scales}
        for symbol, meaning in term.meanings:
            if isinstance(meaning, KernelAccess):
                names[symbol] = self.access(meaning, letters)
            else:
                names[symbol] = self.expectation(meaning, names)
        return array_text(term.expression, names)

    def access(self, access: KernelAccess, letters: dict[Index, str]) -> str:
        """A kernel entry as numpy code."""
        inputs = [_INPUTS[r - 1] for r in access.replicas] or ["0"]
        call = f"K({access.kernel!r}, {', '.join([inputs[0], inputs[-1]])})"
        places = "".join(f", {self.slot(slot, letters)}" for slot in access.slots)
        return f"read({call}{places})" if access.slots else call

    def slot(self, slot: Slot, letters: dict[Index, str]) -> str:
        """A slot as numpy code."""
        if isinstance(slot, Index):
            return letters[slot]
        parts = [
            f"{number} * {letters[index]}" if number != 1 else letters[index] for number, index in slot.parts
        ]
        return " + ".join([*parts, str(slot.constant)])

    def expectation(self, access: ExpectationAccess, names: dict[sp.Symbol, str]) -> str:
        """An expectation as numpy code; over a batch it is a number."""
        if isinstance(access.expectation, SphereExpectation):
            return repr(float(access.expectation.evaluate()[0]))
        variables = {u: u.name for u in access.expectation.variables}
        constants = {s: s.name for s, _ in access.constants}
        body = array_text(access.expectation.integrand, {**variables, **constants})
        arguments = ", ".join([*variables.values(), *constants.values()])
        rows = ", ".join(
            "[" + ", ".join(array_text(e, names) for e in row) + "]" for row in access.covariance
        )
        mean = "None" if not access.mean else "[" + ", ".join(array_text(e, names) for e in access.mean) + "]"
        extra = "".join(f", {array_text(e, names)}" for _, e in access.constants)
        return f"expectation(lambda {arguments}: {body}, [{rows}], {mean}{extra})"

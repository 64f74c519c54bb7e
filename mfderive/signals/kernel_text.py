"""Kernel equations as people read them: text and LaTeX, in the order in which they are evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isinf

import sympy as sp

from ..algebra.terms import Index, slot_indices
from .kernel_letters import KernelStyle, LatexKernels, TextKernels, slot_text
from .kernel_system import (
    ExpectationAccess,
    Kernel,
    KernelAccess,
    KernelEquation,
    KernelKind,
    KernelSystem,
    KernelTerm,
    Part,
)
from .repeated_part import RepeatedPart, repeated_part
from .sphere import SphereExpectation

_HEADINGS = {
    Part.FORWARD: "Forward: second moments of the fields",
    Part.BACKWARD: "Backward: second moments of gradients of the output, summed over the neurons of a layer",
    Part.PARAMETERS: "Parameters: products of gradients (their sum is the neural tangent kernel)",
}
_PAIRS = (
    "u₁ = √q₁₁ z₁ and u₂ = √q₂₂ (c z₁ + √(1 − c²) z₂), c = q₁₂ / √(q₁₁ q₂₂), of the field in braces; z, "
    "z₁, z₂ are "
    "independent standard normal numbers, Dz their law"
)


@dataclass(frozen=True)
class KernelLine:
    """One equation: its two sides, and which part it belongs to."""

    part: Part
    left: str
    right: str


def kernel_lines(system: KernelSystem, style: KernelStyle) -> Iterator[KernelLine]:
    """Every equation of a system; of the copies of a repeated part the first two."""
    left_out = set(later_copies(system))
    for part in Part:
        for kernel in system.of_part(part):
            if kernel.name in left_out:
                continue
            for table in (system.same, system.pair):
                if kernel.name in table:
                    yield _line(system, kernel, table[kernel.name], style)


def later_copies(system: KernelSystem) -> tuple[str, ...]:
    """The kernels of the third copy of a repeated part and of those behind it, forward and backward."""
    found = repeated_part(system)
    if found is None:
        return ()
    own = {system.kernel[name].of for name in found.later}
    return tuple(
        k.name
        for k in system.computed
        if k.name in found.later or (k.part is not Part.FORWARD and _belongs(k, own, found, system))
    )


def _belongs(kernel: Kernel, own: set[str], found: RepeatedPart, system: KernelSystem) -> bool:
    layers = {system.kernel[name].layer for name in found.later}
    return kernel.of in own or (
        kernel.layer in layers and (kernel.part is Part.PARAMETERS or kernel.is_helper)
    )


def equations_text(system: KernelSystem) -> str:
    """All equations as plain text, with a heading for each part."""
    lines: list[str] = []
    part = None
    for line in kernel_lines(system, TextKernels()):
        if line.part is not part:
            lines += ["", _HEADINGS[line.part]] if lines else [_HEADINGS[line.part]]
            part = line.part
        lines.append(f"  {line.left} = {line.right}")
    lines += ["", f"Here {_PAIRS}."]
    if system.batch is not None:
        lines += batch_remarks(system.batch)
    lines += list(remarks(system))
    return "\n".join(lines)


def batch_remarks(batch: float) -> Iterator[str]:
    """What the equations of a batch mean."""
    if isinf(batch):
        yield "Of infinite batches normalised values z are independent standard normal numbers."
    else:
        yield (
            f"z₁, z₂ in E[...] are two of the normalised values of a batch of {batch:g} samples: a vector "
            "that is "
            f"uniform on the sphere Σz = 0, Σz² = {batch:g}."
        )
    yield (
        "Assumed of a batch: any two samples are alike, with variances q and covariances q₁₂; derivatives "
        "of the "
        "loss by the outputs of two samples are independent."
    )


def equations_latex(system: KernelSystem) -> str:
    """All equations as LaTeX, one ``aligned`` block for each part."""
    style = LatexKernels()
    blocks = []
    for part in Part:
        rows = [f"{line.left} &= {line.right}" for line in kernel_lines(system, style) if line.part is part]
        if rows:
            body = " \\\\\n".join(rows)
            blocks.append(f"% {_HEADINGS[part]}\n\\begin{{align*}}\n{body}\n\\end{{align*}}")
    return "\n\n".join(blocks) + "\n"


def remarks(system: KernelSystem) -> Iterator[str]:
    """What the equations rest on, what repeats, and what is missing, in sentences."""
    yield "Assumed: infinite width, and independent Gaussian weights of variance σ_w² / fan-in."
    if any(k.part is not Part.FORWARD for k in system.computed):
        yield (
            "Assumed of gradients: transposed weights are independent of the same weights read forward "
            "(gradient "
            "independence; it holds where the output's own weights are read nowhere else)."
        )
    found = repeated_part(system)
    if found is None:
        yield "No part of the network repeats: kernels are followed by depth, and there are no fixed points."
    else:
        block = ", ".join(system.kernel[name].of for name in found.block)
        yield f"Repeated {found.copies} times: the block of {block}. Later copies have the same equations."
        if any(system.kernel[name].axes for name in found.names):
            yield (
                "Fixed points and scales of the repeated part are those of inputs that are the same at all "
                "positions, away from the ends: padding with 0 lowers kernels there."
            )
    for missing in system.missing:
        yield f"Not derived, {missing.part.value}: {missing.reason}."


# ------------------------------------------------------------------ one equation


def equation_text(system: KernelSystem, kernel: Kernel, equation: KernelEquation, style: KernelStyle) -> str:
    """One equation in a style."""
    line = _line(system, kernel, equation, style)
    return f"{line.left} = {line.right}"


def _line(system: KernelSystem, kernel: Kernel, equation: KernelEquation, style: KernelStyle) -> KernelLine:
    letters = {index: style.letter(number) for number, index in enumerate(equation.target)}
    replicas = (1, 2) if equation.pair else ((1,) if kernel.kind is KernelKind.FIRST else (1, 1))
    places = [letters[i] for i in equation.target if system.axis[i.axis].size != 1]
    left = style.kernel(kernel, replicas, places)
    terms = [_Term(system, equation, term, dict(letters), style).text() for term in equation.terms]
    right = " + ".join(terms).replace("+ -", "- ") if terms else "0"
    return KernelLine(kernel.part, left, right)


class _Term:
    """One term as text."""

    def __init__(
        self,
        system: KernelSystem,
        equation: KernelEquation,
        term: KernelTerm,
        letters: dict[Index, str],
        style: KernelStyle,
    ) -> None:
        self.system, self.term, self.style = system, term, style
        self.conditions: list[str] = []
        self.letters = letters
        targets = list(zip(equation.target, term.target, strict=True))
        inner = [i for i in dict.fromkeys((*slot_indices(term.target), *term.reduced)) if i not in letters]
        free = [style.letter(n) for n in range(64) if style.letter(n) not in letters.values()]
        self.letters.update(zip(inner, free, strict=False))
        self.summed = [self.letters[i] for i in inner if system.axis[i.axis].size != 1]
        for wanted, slot in targets:
            text = slot_text(slot, self.letters)
            if text != self.letters[wanted] and system.axis[wanted.axis].size != 1:
                self.conditions.append(f"{self.letters[wanted]} = {text}")

    def text(self) -> str:
        """The term with its sum, and the places that it adds to."""
        number, rest = self.term.expression.as_coeff_Mul()
        factors = sorted(sp.Mul.make_args(rest), key=self._rank) if rest != 1 else []
        written = [self._factor(factor) for factor in factors]
        body = " ".join(written)
        if number != 1 or not written:
            sign = (
                "-"
                if number == -1 and written
                else self.style.expression(number, {}) + (" " if written else "")
            )
            body = sign + body
        if self.summed:
            body = self.style.total(self.summed) + body
        return body + (f" [{', '.join(self.conditions)}]" if self.conditions else "")

    def _rank(self, factor: sp.Expr) -> tuple[int, str]:
        meanings = [self.term.meaning.get(s) for s in factor.free_symbols]
        if any(isinstance(m, ExpectationAccess) for m in meanings):
            return 2, str(factor)
        return (1 if any(m is not None for m in meanings) else 0), str(factor)

    def _factor(self, factor: sp.Expr) -> str:
        names = {s: self._name(s) for s in factor.free_symbols}
        if factor.is_Symbol:
            return names[factor]
        text = self.style.expression(factor, {s: self._closed(s, name) for s, name in names.items()})
        return f"({text})" if isinstance(factor, sp.Add) else text

    def _closed(self, symbol: sp.Symbol, name: str) -> str:
        return f"({name})" if isinstance(self.term.meaning.get(symbol), ExpectationAccess) else name

    def _name(self, symbol: sp.Symbol) -> str:
        meaning = self.term.meaning.get(symbol)
        if meaning is None:
            return self.style.scale(symbol.name)
        if isinstance(meaning, KernelAccess):
            return self.style.kernel(
                self.system.kernel[meaning.kernel], meaning.replicas, self._places(meaning)
            )
        return self._integral(meaning)

    def _integral(self, access: ExpectationAccess) -> str:
        style, variables = self.style, access.expectation.variables
        if isinstance(access.expectation, SphereExpectation):
            values = {z: style.normalised(n + 1) for n, z in enumerate(variables)}
            return style.over_batch(self._product(access.expectation.integrand, values))
        constants = {s: self._value(e) for s, e in access.constants}
        if len(variables) == 1 and not access.mean:
            size = access.covariance[0][0]
            u = {variables[0]: "z" if size == 1 else f"{style.root(self._value(size))} z"}
            return style.gaussian + self._product(access.expectation.integrand, {**u, **constants})
        names = {u: style.kernel_variable(n + 1) for n, u in enumerate(variables)}
        inside = self._product(access.expectation.integrand, {**names, **constants})
        owner = self._one_field(access)
        if owner is not None:
            return style.gaussian_pair + inside + owner
        rows = [[self._value(e) for e in row] for row in access.covariance]
        return style.expectation(inside, [self._value(e) for e in access.mean], rows)

    def _product(self, integrand: sp.Expr, names: dict[sp.Symbol, str]) -> str:
        factors = sorted(sp.Mul.make_args(integrand), key=lambda f: str(sorted(map(str, f.free_symbols))))
        texts = [self.style.expression(f, names) for f in factors]
        return " ".join(f"({t})" if isinstance(f, sp.Add) else t for f, t in zip(factors, texts, strict=True))

    def _value(self, expression: sp.Expr) -> str:
        names = {s: self._name(s) for s in expression.free_symbols}
        return self.style.expression(expression, names)

    def _one_field(self, access: ExpectationAccess) -> str | None:
        """The field whose values for two inputs (or at two places) a pair of variables is; None for
        others."""
        if len(access.expectation.variables) != 2 or access.mean:
            return None
        entries = [
            self.term.meaning.get(e) for row in access.covariance for e in row if isinstance(e, sp.Symbol)
        ]
        kernels = {m.kernel for m in entries if isinstance(m, KernelAccess)}
        if len(entries) != 4 or len(kernels) != 1:
            return None
        corner = entries[1]
        places = self._places(corner) if isinstance(corner, KernelAccess) else []
        return self.style.behind(
            self.system.kernel[kernels.pop()].of, f"({', '.join(places)})" if places else ""
        )

    def _places(self, access: KernelAccess) -> list[str]:
        """The positions of an entry; of an axis of one position nothing is written."""
        axes = self.system.kernel[access.kernel].axes
        return [
            slot_text(slot, self.letters)
            for slot, axis in zip(access.slots, axes, strict=True)
            if self.system.axis[axis].size != 1
        ]

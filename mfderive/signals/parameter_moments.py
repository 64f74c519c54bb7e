"""Products of two gradients of the output by one parameter, summed over its entries: what tangent kernels are
made of.

A weight is W = sqrt(sigma_w2 / fan-in) omega and a bias b = sqrt(sigma_b2) beta; gradients are by omega and
beta, so that neither they nor the sum over parameters (the neural tangent kernel) depends on widths.
"""

from __future__ import annotations

import sympy as sp

from ..algebra.terms import Equation, Index, Slot, Term
from .kernel_system import Kernel, KernelEquation, KernelKind, KernelTerm, Part
from .moments import Moments


def derive_gradient(moments: Moments, parameter: str, equation: Equation) -> str:
    """State the equations of a parameter's kernel, from the equation of its gradient; its name. May raise
    UnderivableError.

    ``equation`` is that of the evolution G of the parameter, whose average over the data is left out.
    """
    name = f"gradient of {parameter}"
    terms = moments.fields.definition[equation.field]
    factor = _factor(moments, parameter)
    equations = []
    for replica in (1, 2):
        made = [
            term
            for one in terms
            for other in terms
            for term in _products(moments, one, other, replica, factor)
        ]
        equations.append(KernelEquation(name, replica == 2, (), tuple(made)))
    owner = moments.fields.fields[parameter].owner
    kernel = Kernel(name, KernelKind.GRADIENT, Part.PARAMETERS, (), parameter, parameter, parameter, owner)
    moments.enter(kernel, equations)
    return name


def _factor(moments: Moments, parameter: str) -> sp.Expr:
    if parameter in moments.fields.biases:
        return moments.scales.bias(parameter)
    if parameter in moments.fields.entries:
        return moments.scales.weight(parameter) / moments.fields.entries[parameter]
    return sp.Integer(1)


def _products(moments: Moments, one: Term, other: Term, replica: int, factor: sp.Expr) -> list[KernelTerm]:
    fields = moments.fields
    # Both gradients are those of one entry of the parameter: its indices are the same in both.
    shared: dict[Index, Slot] = {
        i: moments.atoms.fresh(i) for i in one.target if isinstance(i, Index) and fields.is_finite(i)
    }
    neurons = {
        i: str(number)
        for number, i in enumerate(i for i in one.target if isinstance(i, Index) and fields.is_population(i))
    }
    expressions, reduced = [], [i for i in shared.values() if isinstance(i, Index)]
    for term, number in ((one, 1), (other, replica)):
        own = dict(shared)
        for index in term.reduced:
            if fields.is_finite(index):
                new = moments.atoms.fresh(index)
                own[index] = new
                reduced.append(new)
        expressions.append(moments.atoms.lifted(term, number, neurons, own, moments.constant))
    return [
        moments.term((), (*reduced, *piece.reduced), factor * piece.expression)
        for piece in moments.expect(expressions[0] * expressions[1])
    ]

"""How the laws of neurons move: transport along the flow of a learning rule, and diffusion by fresh noise.

The law of a state that moves at the speed V and is driven by noise with coefficient D obeys d rho/dt +
div(rho V) = D Laplacian rho (theory B.3, B.4). A state that holds functions f makes it a law on functions,
on which the equation is meant weakly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from .alphabet import StateVariable
from .eulerian import EulerianWriter
from .measure import Scope
from .measure_nodes import Change, Divergence, Laplacian, Transport

Tree = Any
_NEURON = sp.Symbol("target")


def law_motions(eulerian: EulerianWriter) -> Iterator[Tree]:
    """The equation of the law of every population whose neurons move, from below upwards."""
    writer = eulerian.writer
    for population in writer.system.populations:
        state = writer.alphabet.states[population.name]
        moving = [variable for variable in state if eulerian.trained(variable)]
        if not moving:
            continue
        law = sp.Symbol(writer.alphabet.measure(population.name))
        scope = Scope()
        writer.enter(scope, _NEURON, state)
        carried = [_carried(eulerian, variable, law, scope) for variable in moving]
        spread = [_spread(eulerian, variable, law, scope) for variable in moving]
        yield sp.Eq(Change(law) + sp.Add(*carried), sp.Add(*spread), evaluate=False)


def _carried(eulerian: EulerianWriter, variable: StateVariable, law: Tree, scope: Scope) -> Tree:
    letter = scope.letters[_NEURON, variable.key]
    if variable.function:
        return Divergence(letter, law, Change(letter))
    speed = eulerian.speed(variable.parameters[0], (_NEURON,), scope, whole=True)
    if speed == 0:
        return sp.Integer(0)
    kinetic = letter not in speed.free_symbols and not speed.atoms(AppliedUndef)
    return (Transport if kinetic else Divergence)(letter, law, speed)


def _spread(eulerian: EulerianWriter, variable: StateVariable, law: Tree, scope: Scope) -> Tree:
    if variable.function:
        return sp.Integer(0)
    return eulerian.diffusion(variable.parameters[0]) * Laplacian(scope.letters[_NEURON, variable.key], law)

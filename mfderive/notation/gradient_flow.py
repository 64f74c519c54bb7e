"""Two-layer networks as gradient flows of an energy: the potential of a neuron and the equation of its law.

Where the output is linear in the law rho of the neurons, yhat = int s(theta; x) rho(d theta) + b, the flow of
SGD is d rho/dt = div(rho grad Psi), Psi(theta; rho) = E_P[d_2 L s(theta; x)], the gradient flow of R(rho) =
E_P[L] in the distance W2 (Mei, Montanari and Nguyen 2018; Nguyen 2019, 1.2; Pandey and Xu 2019, section 6).
For the squared loss Psi = V + int U rho. Weight decay adds lambda |theta|^2/2, fresh noise of temperature T a
diffusion: the Fokker-Planck equation, which decreases R + T int log(rho) rho (theory B.2, B.3).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from ..algebra.functions import call
from .alphabet import NameKind, StateVariable
from .letters import Letter, free_letter
from .measure import MeasureWriter
from .measure_nodes import (
    LOSS_DERIVATIVE,
    LOSS_VALUE,
    Change,
    Divergence,
    Integral,
    Laplacian,
    Rate,
    Slope,
    Square,
)
from .nodes import RESIDUAL, Mean, head, head_name
from .remarks import Remark

Tree = Any
_Z = sp.Symbol("z")
_LINEAR = (
    "{output} is linear in {law}, so the law moves down the gradient of an energy in the distance W2.",
    "{potential} is the first variation of the energy, G minus its gradient (Mei, Montanari, Nguyen 2018).",
)
_SAME = "The noise has one temperature, so the energy with the entropy of the law decreases."
_DIFFER = "The noise has no one temperature, so no energy is known that decreases."
_SHARED = "Noise on parameters that all neurons share makes the energy move at random."


@dataclass(frozen=True)
class GradientFlow:
    """Trees of a gradient flow, in the order in which they are read, and the sentences about them."""

    trees: tuple[Tree, ...]
    remarks: tuple[str, ...]


def gradient_flow(
    writer: MeasureWriter, forward: dict[str, Tree], residual: Tree | None
) -> GradientFlow | None:
    """The gradient flow of a system with one population; None where its limit is none.

    ``forward``: trees of the forward equations by field; ``residual``: the derivative of the loss as a
    display tree. It exists where the output is a number linear in one law, no other value depends on the law,
    and the rule is SGD's, with or without decay and noise.
    """
    system = writer.system
    populations = [axis.name for axis in system.populations if writer.alphabet.states[axis.name]]
    rule = replace(system.learning, decay=(), noise=(), clip=None)
    if len(populations) != 1 or residual is None or not rule.is_plain or system.learning.clip is not None:
        return None
    law = sp.Symbol(writer.alphabet.measure(populations[0]))
    output = forward["yhat"]
    others = [tree for name, tree in forward.items() if name != "yhat"]
    if any(variable.function for variable in writer.alphabet.states[populations[0]]):
        return None
    if any(tree.has(law) for tree in others):
        return None
    parts = _linear_parts(output.rhs, law)
    return None if parts is None else _Flow(writer, populations[0], law, output.lhs, *parts).written(residual)


def _linear_parts(tree: Tree, law: Tree) -> tuple[Tree, tuple[Tree, ...], Tree] | None:
    """The integrand of the only law, its variables, and what does not depend on the law."""
    body, rest, names = sp.Integer(0), sp.Integer(0), None
    for term in sp.Add.make_args(tree):
        if not term.has(law):
            rest += term
            continue
        number, integral = term.as_coeff_Mul()
        if not isinstance(integral, Integral) or integral.body.has(law):
            return None
        names = names or integral.indices
        body += number * integral.body.xreplace(dict(zip(integral.indices, names, strict=True)))
    return None if names is None else (body, names, rest)


class _Flow:
    """Writes the trees of one gradient flow."""

    def __init__(
        self,
        writer: MeasureWriter,
        population: str,
        law: Tree,
        output: Tree,
        body: Tree,
        names: Any,
        rest: Tree,
    ) -> None:
        self.writer, self.system, self.alphabet = writer, writer.system, writer.alphabet
        self.law, self.output, self.body, self.names, self.rest = law, output, body, tuple(names), rest
        variables = self.alphabet.measured(population)
        self.moving = [
            (variable, name)
            for variable, name in zip(variables, self.names, strict=True)
            if not self.system.variable[variable.parameters[0]].is_frozen
        ]
        self.shared = [
            p.name
            for p in self.system.parameters
            if not p.is_frozen and not self.system.population_slots(p.name)
        ]
        self.own: dict[str, str] = {}
        self.noise, self.decay = dict(self.system.learning.noise), dict(self.system.learning.decay)

    # ------------------------------------------------------------------ letters and numbers

    def named(self, base: str, *arguments: Tree) -> Tree:
        """A quantity of this page, whose letter no quantity of the network has."""
        if base not in self.own:
            self.own[base] = self.alphabet.register(free_letter(Letter(base), self.alphabet.shown))
        return head(self.own[base], *arguments)

    def rate(self, parameter: str) -> Tree:
        """The learning rate xi of a parameter."""
        rate = self.system.parameter[parameter].rate
        return sp.Integer(1) if rate == 1 else sp.Symbol(self.alphabet.rate(parameter))

    def decayed(self, parameter: str, letter: Tree) -> Tree:
        """lambda |theta|^2 / 2."""
        return sp.Rational(repr(self.decay.get(parameter, 0.0))) / 2 * Square(letter)

    def temperature(self, variable: StateVariable) -> Tree:
        """T of a variable of a neuron."""
        return sp.Rational(repr(self.noise.get(variable.parameters[0], 0.0)))

    # ------------------------------------------------------------------ equations

    def written(self, residual: Tree) -> GradientFlow:
        """All equations: potential, its parts, the law's motion, the energy and how it falls."""
        potential = self.named("Ψ", *self.names, self.law)
        slope = head(LOSS_DERIVATIVE, sp.Symbol("y"), self.output)
        decay = sp.Add(*(self.decayed(v.parameters[0], name) for v, name in self.moving))
        trees = [sp.Eq(potential, Mean(slope * self.body, _Z) + decay, evaluate=False)]
        trees += self.parts(potential, residual, decay)
        carried = [
            Divergence(name, self.law, self.rate(v.parameters[0]) * Slope(name, potential))
            for v, name in self.moving
        ]
        spread = [
            self.temperature(v) * self.rate(v.parameters[0]) * Laplacian(name, self.law)
            for v, name in self.moving
        ]
        trees.append(sp.Eq(Change(self.law), sp.Add(*carried, *spread), evaluate=False))
        energy, remarks = self.energy(potential, slope, decay)
        return GradientFlow((*trees, *energy), (*map(Remark, _LINEAR), *remarks))

    def parts(self, potential: Tree, residual: Tree, decay: Tree) -> list[Tree]:
        """V and U, where the derivative of the loss is linear in the output."""
        output = next((a for a in residual.rhs.atoms(sp.Function) if head_name(a) == "yhat"), None)
        if output is None:
            return []
        value = sp.Dummy()
        derivative = sp.expand(residual.rhs.xreplace({output: value}))
        factor = derivative.coeff(value, 1)
        rest = derivative - factor * value
        if not factor.is_number or rest.has(value):
            return []
        target = next((a for a in rest.atoms(sp.Function) if head_name(a) == "y"), None)
        rest = rest.xreplace({target: sp.Symbol("y")}) if target is not None else rest
        primed = {
            name: sp.Symbol(
                self.alphabet.register(self.alphabet.letter_of(name.name).primed, NameKind.VARIABLE)
            )
            for name in self.names
        }
        v = self.named("V", *self.names)
        u = self.named("U", *self.names, *primed.values())
        shown = sp.factor_terms(rest + factor * self.rest)
        both = factor * Mean(self.body * self.body.xreplace(primed), _Z)
        return [
            sp.Eq(v, Mean(shown * self.body, _Z) + decay, evaluate=False),
            sp.Eq(u, both, evaluate=False),
            sp.Eq(potential, v + Integral(u, *primed.values(), self.law), evaluate=False),
        ]

    def energy(self, potential: Tree, slope: Tree, decay: Tree) -> tuple[list[Tree], list[str]]:
        """The energy that decreases and the speed at which it does; sentences where there is none."""
        temperatures = {self.temperature(v) for v, _ in self.moving}
        if any(self.noise.get(name) for name in self.shared):
            return [], [_SHARED]
        if len(temperatures) > 1:
            return [], [_DIFFER]
        (temperature,) = temperatures or {sp.Integer(0)}
        loss = head(LOSS_VALUE, sp.Symbol("y"), self.output)
        biases = {name: sp.Symbol(self.alphabet.field(name)) for name in self.shared}
        value = Mean(loss, _Z) + sp.Add(*(self.decayed(*pair) for pair in biases.items()))
        entropy = temperature * call("log", self.law)
        if decay + entropy != 0:
            value += Integral(decay + entropy, *self.names, self.law)
        energy = self.named("F" if temperature else "R", self.law)
        lost = [
            self.rate(v.parameters[0])
            * Integral(Square(Slope(name, potential + entropy)), *self.names, self.law)
            for v, name in self.moving
        ]
        found = [sp.Eq(energy, value, evaluate=False)]
        if all(self.is_plain_bias(name) for name in self.shared):
            lost += [self.rate(name) * self.of_bias(name, slope) ** 2 for name in self.shared]
            found.append(sp.Eq(Rate(energy), -sp.Add(*lost), evaluate=False))
        return found, [_SAME] if temperature else []

    def is_plain_bias(self, name: str) -> bool:
        """Whether a shared parameter is added to the output and does nothing else."""
        letter = sp.Symbol(self.alphabet.field(name))
        return not self.body.has(letter) and sp.diff(self.rest, letter) == 1

    def of_bias(self, name: str, slope: Tree) -> Tree:
        """The derivative of the energy in a shared parameter."""
        letter = sp.Symbol(self.alphabet.field(name))
        return Mean(slope, _Z) + sp.Rational(repr(self.decay.get(name, 0.0))) * letter


def residual_tree(writer: MeasureWriter) -> Tree | None:
    """The derivative of the loss in the output, as a display tree; None where it stands in no equation."""
    for equation in writer.system.backward:
        tree = writer.builder.equation(equation)
        if head_name(tree.lhs) == RESIDUAL:
            return tree
    return None

"""Learning rules in embedding notation: what a step does to every parameter, and the flow of the rule."""

from __future__ import annotations

from typing import Any

import sympy as sp

from ..algebra.learning_words import statements
from ..algebra.system import ForwardSystem
from ..algebra.terms import Equation, Role
from ..forward.learning import shared_noise
from .embedding import Embedding, EmbeddingVocabulary, Line, StepVocabulary
from .flow_words import flow_sentence
from .letters import COVARIANCE, FACTOR, Letter
from .nodes import Head, HeadKind, head
from .printer import MULTIPLY, Printer
from .remarks import Remark
from .rule_printer import RulePrinter, square_root
from .styles import TEXT, Style

Tree = Any

_STEP = Remark(
    "Step {steps} has size {alpha_k} and begins at the time {t_of_step}. What carries k is meant "
    "after it, what carries {before_k} before it. G belongs to the latter, with {E_P} the average over "
    "its batch."
)
_OTHERS = Remark("Parameters that have no equation here make a step of SGD, {sgd_step}.")


class RuleLines:
    """The learning rule of one system in one style; a system that learns by SGD alone has no lines."""

    def __init__(self, system: ForwardSystem, style: Style = TEXT) -> None:
        self.system, self.style = system, style
        self.embedding = Embedding(system, style)
        self.builder = self.embedding.builder
        self.steps_printer = RulePrinter(style, StepVocabulary(self.builder))
        self.printer = RulePrinter(style, EmbeddingVocabulary(self.builder))

    # ------------------------------------------------------------------ lines

    def gradients(self) -> list[Line]:
        """G of the parameters whose step is an equation of its own."""
        return [
            self.embedding.line(e) for e in self.system.evolution if self._owner(e) in self.system.next_of
        ]

    def steps(self) -> list[Line]:
        """The factor of clipping, then every variable after a step."""
        return [self._step(e) for e in self.system.motion if not self._is_deviation(e)]

    def evolution(self) -> list[Line]:
        """The derivatives of all parameters and memories in time, as far as the rule has a flow."""
        lines = []
        for equation in self.system.evolution:
            name = self._owner(equation)
            if name not in self.system.next_of:
                lines.append(self.embedding.sgd(equation))
            elif self.has_flow:
                lines += [self._memory(v.name) for v in self.system.memories_of[name] if self._moves(v.name)]
                lines.append(self._parameter(name, equation))
        return lines

    def deviations(self) -> list[Line]:
        """What becomes of the noise of weights that stand for their means: in a step, and in the flow."""
        steps = [self._step(e) for e in self.system.motion if self._is_deviation(e)]
        flow = [self._line(e, self.printer) for e in self.system.flow if self._is_deviation(e)]
        return steps + (flow if self.has_flow else [])

    def _owner(self, equation: Equation) -> str:
        return self.system.field[equation.field].of

    @property
    def has_flow(self) -> bool:
        """Whether the rule has a flow."""
        return self.system.learning.row.flow is not None

    def _is_deviation(self, equation: Equation) -> bool:
        owner = self.system.field.get(self._owner(equation))
        return owner is not None and owner.role is Role.MEMORY and owner.part in (FACTOR, COVARIANCE)

    def _moves(self, memory: str) -> bool:
        moved = self.system.flow_of.get(memory)
        return moved is not None and not self._is_deviation(self.system.equation_of[moved])

    # ------------------------------------------------------------------ equations

    def _line(self, equation: Equation, printer: Printer) -> Line:
        tree = self.builder.equation(equation)
        return Line(equation.field, printer.text(tree.lhs), printer.text(tree.rhs))

    def _step(self, equation: Equation) -> Line:
        return self._line(equation, self.steps_printer)

    def _memory(self, name: str) -> Line:
        return self._line(self.system.equation_of[self.system.flow_of[name]], self.printer)

    def _parameter(self, name: str, gradient: Equation) -> Line:
        """The derivative of a parameter; with fresh noise an increment, with that of a Brownian motion."""
        if name in self.system.flow_of:
            moved = self.system.equation_of[self.system.flow_of[name]]
        else:
            moved = gradient
        tree = self.builder.equation(moved)
        slots = tree.lhs.args
        drift = tree.rhs
        if moved is gradient:
            drift = self._rate(name) * head(Head(name, HeadKind.GRADIENT), *slots)
        value = self.printer.text(head(Head(name), *slots))
        diffusion = self.diffusion(name)
        if not diffusion:
            return Line(name, self.style.time_derivative + value, self.printer.text(drift))
        brownian = Letter("B", (self.builder.letters.field(name),))
        noise = self.style.call(f"d{self.style.letter(brownian)}", self._shown_slots(name, slots))
        times = self.style.times
        moving = f"{self.printer.text(drift, MULTIPLY)}{times}dt + "
        root = square_root(2 * diffusion)
        factor = "" if root == 1 else f"{self.printer.text(root)}{times}"
        return Line(name, f"d{value}", f"{moving}{factor}{noise}")

    def _shown_slots(self, name: str, slots: tuple[Tree, ...]) -> list[str]:
        return self.printer.indices(slots)

    def _rate(self, name: str) -> Tree:
        """The rate of a parameter: a number, or the value of its field."""
        rate = self.system.parameter[name].rate
        return head(Head(self.system.rate_field(name).name)) if rate.free_symbols else rate

    def diffusion(self, name: str) -> Tree:
        """T ξ where steps add fresh noise to a parameter, else 0."""
        step = self.system.equation_of[self.system.next_of[name]]
        if not any(self.system.field[read].role is Role.DRAW for read in step.reads):
            return sp.Integer(0)
        temperature = dict(self.system.learning.noise)[name]
        return sp.Rational(repr(temperature)) * self._rate(name)

    # ------------------------------------------------------------------ sentences

    def step_remarks(self) -> list[str]:
        """What the rule is, what is proved of it, and how its equations are read."""
        learning = self.system.learning
        trained = [self._owner(e) for e in self.system.evolution]
        found = [f"{each.part.capitalize()}: {each}" for each in statements(learning, (), trained)]
        found.append(_STEP)
        if learning.row.memories:
            starts = ", ".join(f"{name} = {value:g}" for name, value in learning.row.memories)
            found.append(f"What the rule remembers of every parameter starts at {starts}.")
        if self._reads(Role.DRAW):
            found.append("g are independent standard normal numbers, new for every entry at every step.")
        if any(name not in self.system.next_of for name in trained):
            found.append(_OTHERS)
        return found

    def flow_remarks(self) -> list[str]:
        """Of what the evolution is the flow, and where there is none."""
        found = [flow_sentence(self.system.learning)]
        if self.has_flow and self._reads(Role.DRAW):
            found.append("B are independent Brownian motions, one for every entry.")
        if shared_noise(self.system):
            found.append(
                "Noise of a parameter that belongs to no neuron is one path for all neurons: the limit is "
                "random, and meant given this path."
            )
        return found

    def deviation_remarks(self) -> list[str]:
        """What the letters κ and S are."""
        parts = {field.part for field in self.system.fields if field.role is Role.MEMORY}
        found = [
            "A weight between two populations stands for the mean of its entries given their two neurons; no "
            "average over neurons feels how they deviate from it."
        ]
        if FACTOR in parts:
            found.append(Remark("The deviation that an entry started with is multiplied by {kappa}."))
        if COVARIANCE in parts:
            found.append(
                "Fresh noise adds a normal deviation, independent for every entry, with variances and "
                "covariances S that start at 0."
            )
        return found

    def _reads(self, role: Role) -> bool:
        return any(self.system.field[name].role is role for e in self.system.motion for name in e.reads)

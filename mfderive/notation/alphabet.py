"""The letters of measure notation: what the state of a neuron is made of, and how everything is called.

Three manners of writing, tried in this order. *Small*: at most two hidden layers without parameters per
neuron, in the letters of the paper's section 2 (w, f, beta). *Grouped*: deeper chains and per-neuron
parameters, in those of section 3.2 (theta, f, sigma_l(theta, h)); output weights belong to the last theta,
as in the paper. *Individual*: everything else, each parameter under its own letter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

import sympy as sp

from ..algebra.system import ForwardSystem
from ..algebra.terms import OUTPUT_PART, AxisKind, Role
from ..limit.apply_rule import CLIP_FIELD
from .existence import dense_edges, moving_memories
from .letters import Letter, name_of
from .styles import Style
from .tree import TreeBuilder


class NameKind(StrEnum):
    """What a name in the trees of measure notation is the name of."""

    QUANTITY = "quantity"  # a field, a parameter, Delta, G
    VARIABLE = "variable"  # a variable of a neuron's state
    LAW = "law"
    RATE = "rate"
    ACTIVATION = "activation"


@dataclass(frozen=True)
class Shown:
    """How a name in trees is printed, and what it names."""

    kind: NameKind
    text: Callable[[Style], str]


class Manner(StrEnum):
    """How the state of a neuron is written."""

    SMALL = "small"
    GROUPED = "grouped"
    INDIVIDUAL = "individual"


class StateKind(StrEnum):
    """What a part of a neuron's state is."""

    LABEL = "label"  # one parameter under its own letter
    WEIGHT = "weight"  # the first layer's w of section 3.2
    THETA = "theta"  # all other parameters of a neuron together, in section 3.2
    FUNCTION = "function"  # f, which a weight from a population is


@dataclass(frozen=True)
class StateVariable:
    """One part of a neuron's state: some of its parameters, or the function f of one incoming weight.

    ``letters`` are those that it may have; in one equation it takes the first that is free.
    """

    key: str
    parameters: tuple[str, ...]
    letters: tuple[Letter, ...]
    kind: StateKind = StateKind.LABEL

    @property
    def function(self) -> bool:
        """Whether the variable is a function on the states of the neurons below."""
        return self.kind is StateKind.FUNCTION


class Alphabet:
    """The letters of one system in one manner."""

    def __init__(self, builder: TreeBuilder, manner: Manner) -> None:
        self.builder = builder
        self.system: ForwardSystem = builder.system
        self.letters = builder.letters
        self.manner = manner
        self.shown: dict[str, Shown] = {}
        self._letters: dict[str, Letter] = {}

    # ------------------------------------------------------------------ states

    @cached_property
    def last(self) -> str:
        """The population that the output reads (of a chain)."""
        return self.system.populations[-1].name

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """The parameters, each with those memories behind it that its learning rule moves in time."""
        kept, memories = set(moving_memories(self.system)), self.system.memories_of
        return tuple(
            name
            for p in self.system.parameters
            for name in (p.name, *(v.name for v in memories[p.name] if v.name in kept))
        )

    def labels(self, population: str) -> list[str]:
        """The parameters of one neuron of a population, and what is remembered of them."""
        return [name for name in self.variables if self.system.population_slots(name) == (population,)]

    @cached_property
    def states(self) -> dict[str, tuple[StateVariable, ...]]:
        """Population -> the variables of a neuron's state, in the order of arguments."""
        return {axis.name: self._state(axis.name) for axis in self.system.populations}

    def _state(self, population: str) -> tuple[StateVariable, ...]:
        names = self.labels(population)
        functions = tuple(
            StateVariable(weight, (weight,), self._function_letters(weight), StateKind.FUNCTION)
            for weight, _, target in self.edges
            if target == population
        )
        if self.manner is Manner.GROUPED:
            inner = self.letters.is_inner_weight
            first = tuple(StateVariable(n, (n,), (Letter("w"),), StateKind.WEIGHT) for n in names if inner(n))
            rest = tuple(n for n in names if not inner(n))
            theta = (
                (StateVariable(f"theta {population}", rest, (Letter("θ"),), StateKind.THETA),) if rest else ()
            )
            return theta + first + functions
        return tuple(StateVariable(n, (n,), (self._label_letter(n),)) for n in names) + functions

    @cached_property
    def edges(self) -> tuple[tuple[str, str, str], ...]:
        """(weight, source, target), each weight once, and what is remembered of a weight behind it."""
        found = {edge[0]: edge for edge in reversed(dense_edges(self.system))}
        owner = self.system.parameter_of
        return tuple((name, *found[owner[name]][1:]) for name in self.variables if owner[name] in found)

    def _label_letter(self, name: str) -> Letter:
        letter = self.letters.field(name)
        return Letter(letter.base) if self.manner is Manner.SMALL else letter

    def _function_letters(self, weight: str) -> tuple[Letter, ...]:
        if self.manner is not Manner.INDIVIDUAL:
            return (Letter("f"), Letter("g"))
        return (self._functions[weight],)

    @cached_property
    def _functions(self) -> dict[str, Letter]:
        """f with the weight's subscripts, or with its whole letter where that name is taken."""
        taken = {self.letters.field(p.name) for p in self.system.parameters}
        found: dict[str, Letter] = {}
        for weight, _, _ in self.edges:
            field = self.system.field[weight]
            if field.of in found:
                found[weight] = Letter(field.part, (found[field.of],))
                continue
            letter = self.letters.field(weight)
            short = Letter("f", letter.subscript or (letter,))
            found[weight] = Letter("f", (letter,)) if short in taken else short
            taken.add(found[weight])
        return found

    def measured(self, population: str) -> tuple[StateVariable, ...]:
        """The variables in the order in which a measure lists them (the paper's rho_2(df, dbeta))."""
        state = self.states[population]
        if self.manner is Manner.SMALL:
            return tuple(sorted(state, key=lambda variable: not variable.function))
        return state

    def variable_of(self, parameter: str) -> StateVariable:
        """The variable that a parameter belongs to."""
        for state in self.states.values():
            for variable in state:
                if parameter in variable.parameters:
                    return variable
        raise KeyError(parameter)

    # ------------------------------------------------------------------ names

    def register(self, letter: Letter, kind: NameKind = NameKind.QUANTITY) -> str:
        """The letter's name in trees, remembered so that it can be printed."""
        name = name_of(letter)
        self.shown[name] = Shown(kind, lambda style: style.letter(letter))
        self._letters[name] = letter
        return name

    def letter_of(self, name: str) -> Letter:
        """The letter of a name in trees: of one that was registered, of an index, or the name itself."""
        return self._letters.get(name) or self.builder.index_letters.get(name) or Letter(name)

    def kind_of(self, name: str) -> NameKind | None:
        """What a registered name names; None for an index, x, y and other names that stand for themselves."""
        shown = self.shown.get(name)
        return None if shown is None else shown.kind

    def measure(self, population: str) -> str:
        """The name of a population's law."""
        return self.register(Letter("ρ", (self.letters.layer(population),)), NameKind.LAW)

    def field(self, name: str) -> str:
        """The name of a forward field."""
        return self.register(self.letters.field(name))

    def adjoint(self, name: str, sign: str) -> str:
        """The name of Delta (or D) of a field."""
        letter = self.letters.field(name)
        if self.manner is Manner.GROUPED:
            return self.register(Letter(sign, (replace(letter, subscript=()), *letter.subscript)))
        return self.register(Letter(sign, (letter,)))

    def number(self, population: str) -> Letter:
        """The number (or name) of a population."""
        return self.letters.layer(population)

    def delta(self, parameter: str) -> str:
        """The name of the derivative of the output with respect to a parameter."""
        return self.register(Letter("Δ", self._subscripts(parameter, (StateKind.FUNCTION, StateKind.WEIGHT))))

    def gradient(self, parameter: str) -> str:
        """The name of G."""
        variable = self.variable_of(parameter) if self._is_local(parameter) else None
        if variable is None:
            return self.register(Letter("G", (self.letters.field(parameter),)))
        if self.manner is Manner.GROUPED:
            return self.register(Letter("G", self._subscripts(parameter, (StateKind.WEIGHT,))))
        return self.register(Letter("G", (variable.letters[0],)))

    def _is_local(self, parameter: str) -> bool:
        return bool(self.system.population_slots(parameter))

    def _subscripts(self, parameter: str, capital: tuple[StateKind, ...]) -> tuple[Letter, ...]:
        """The subscripts of Delta or G of a parameter; in section 3.2 some kinds are called W."""
        letter = self.letters.field(parameter)
        if self.manner is not Manner.GROUPED or not self._is_local(parameter):
            return (letter,)
        variable = self.variable_of(parameter)
        layer = self.system.population_slots(parameter)[0]
        return (Letter("W") if variable.kind in capital else variable.letters[0], self.number(layer))

    def bar(self, weight: str) -> str:
        """The name of the corrected Eulerian right side of section 3.2 (H2, H3)."""
        number = self.number(self.system.population_slots(weight)[0])
        return self.register(Letter("Ḡ", (number,)))

    def rate(self, parameter: str) -> str:
        """The name of a learning rate xi."""
        letter = self.letters.field(parameter)
        if self.manner is Manner.SMALL:
            return self.register(Letter("ξ", letter.subscript or (Letter("0"),)), NameKind.RATE)
        if self.manner is Manner.GROUPED and self._is_local(parameter):
            variable = self.variable_of(parameter)
            layer = self.number(self.system.population_slots(parameter)[0])
            theta = (Letter("θ"),) if variable.kind is StateKind.THETA else ()
            return self.register(Letter("ξ", (*theta, layer)), NameKind.RATE)
        return self.register(Letter("ξ", (letter,)), NameKind.RATE)

    @cached_property
    def clip(self) -> str | None:
        """The name of the factor of clipping, where gradients are clipped."""
        return self.field(CLIP_FIELD) if CLIP_FIELD in self.system.field else None

    @property
    def has_components(self) -> bool:
        """Whether parameters have finite axes beside the inputs'."""
        kinds = self.system.axis
        return any(
            kinds[a].kind is AxisKind.FINITE and a != "inputs" and a not in self.builder.single
            for parameter in self.system.parameters
            for a in parameter.axes
        )

    # ------------------------------------------------------------------ which manner

    def fits(self) -> bool:
        """Whether the system can be written in this manner at all."""
        if self.manner is Manner.INDIVIDUAL:
            return True
        if moving_memories(self.system):
            return False
        if not self.letters.number or not self.builder.outside or not self._is_plain():
            return False
        layers = len(self.letters.number)
        names = [p.name for p in self.system.parameters]
        if self.manner is Manner.SMALL:
            weights = [
                n for n in names if self.letters.is_inner_weight(n) or self.letters.is_output_weight(n)
            ]
            unary = all(shape.function is not None for shape in self.builder.activations.values())
            return layers <= 2 and unary and len(weights) == len(names) == layers + 1
        return self._groups()

    def _is_plain(self) -> bool:
        """Only data, populations, the inputs' one axis and one output: no positions, no finite layers."""
        allowed = {AxisKind.DATA, AxisKind.POPULATION}
        return all(
            self.system.axis[a].kind in allowed or a == "inputs" or a in self.builder.single
            for field in self.system.fields
            for a in field.axes
        )

    def _groups(self) -> bool:
        """Whether every other parameter of a neuron is read by its activation (or by the output) alone."""
        for equation in self.system.forward:
            field = self.system.field[equation.field]
            for name in equation.reads:
                if self.system.field[name].role is not Role.PARAMETER:
                    continue
                own = self.system.population_slots(name)
                inside = field.part == OUTPUT_PART and own == (field.owner,)
                outer = equation.field == "yhat" and (self.letters.is_output_weight(name) or not own)
                if not (inside or outer or self.letters.is_inner_weight(name)):
                    return False
        return all(self._same_rates(variable) for state in self.states.values() for variable in state)

    def _same_rates(self, variable: StateVariable) -> bool:
        if len(variable.parameters) == 1:
            return True
        rates = {self.system.parameter[name].rate for name in variable.parameters}
        frozen = any(self.system.parameter[name].is_frozen for name in variable.parameters)
        learnt = {self._learning(name) for name in variable.parameters}
        return len(rates) == len(learnt) == 1 and not frozen

    def _learning(self, name: str) -> tuple[Any, ...]:
        """What moves a parameter beside its rate and G: the flow of the learning rule, and fresh noise."""
        noise = dict(self.system.learning.noise).get(name, 0.0)
        if name not in self.system.flow_of:
            return (None, noise)
        (term,) = self.system.equation_of[self.system.flow_of[name]].terms
        own = {name: "θ", self.system.velocity_of[name]: "G", self.system.rate_field(name).name: "ξ"}
        letters = {s: sp.Symbol(own.get(a.field, a.field)) for s, a in term.accesses}
        return (term.expression.xreplace(letters), noise)

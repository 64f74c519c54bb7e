"""Measure notation of a whole system: trees by name, and their text, LaTeX and HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from ..algebra.system import LimitSystem, draw_noise
from ..algebra.terms import Role
from ..analysis.affinity import entangled
from ..errors import MfError
from .alphabet import Alphabet, Manner
from .eulerian import EulerianWriter
from .existence import obstacle
from .flow_words import flow_sentence
from .gradient_flow import GradientFlow, gradient_flow, residual_tree
from .law_motion import law_motions
from .measure import MeasureWriter
from .measure_nodes import Apply, Change, Increment, Laplacian, Rate
from .nodes import head_name
from .paper_numbers import Notation, PaperNumbers, Quantity
from .remarks import Remark
from .sigma import UngroupedError
from .tree import TreeBuilder

Tree = Any
Named = tuple[tuple[str, Tree], ...]


@dataclass(frozen=True)
class MeasureForm:
    """The trees of a system in measure notation, each ``Eq(left, right)`` under the name of its left side.

    ``forward`` (16, 39), ``backward`` (17)-(21), ``gradients`` (the definitions of G) and ``evolution``
    (22)-(24), the last in Eulerian form; ``laws`` how the laws of neurons move, where the learning rule is
    not that of SGD; ``flow`` the motion of the law as a gradient flow, of two-layer networks. ``numbers`` has
    the paper's number of an equation under the same name, where the network is one of the paper's; ``fields``
    the field that an equation is about.
    """

    system: LimitSystem
    alphabet: Alphabet
    forward: Named
    backward: Named
    gradients: Named
    evolution: Named
    rates: tuple[tuple[str, sp.Expr], ...]
    numbers: Mapping[str, int]
    fields: Mapping[str, str] = field(default_factory=dict)
    laws: Named = ()
    flow: GradientFlow | None = None

    @property
    def equations(self) -> Named:
        """All of them."""
        return self.forward + self.backward + self.gradients + self.evolution + self.laws

    @cached_property
    def tree(self) -> dict[str, Tree]:
        """Name of the left side -> its tree."""
        return dict(self.equations)

    def remarks(self) -> list[str]:
        """Sentences that belong to the equations."""
        found: list[str] = [
            Remark(
                "All quantities are taken at time t; {law} is the law of the state of a neuron of each layer."
            )
        ]
        if self.alphabet.has_components:
            found.append(
                "An inner product runs over all components of a parameter: positions, taps, outputs."
            )
        return found

    def evolution_remarks(self) -> list[str]:
        """Sentences about the evolution by a learning rule that is not SGD's."""
        if not self.system.motion:
            return []
        found = [flow_sentence(self.system.learning)]
        if self._is_componentwise:
            found.append("Functions, products and quotients of vectors are meant component by component.")
        noisy = [name for name, temperature in self.system.learning.noise if temperature]
        slots = {name: len(self.system.population_slots(name)) for name in noisy}
        if any(slots[name] < 2 for name in noisy):
            found.append("B are independent Brownian motions, one for every component of every neuron.")
        if 0 in slots.values():
            found.append(
                Remark(
                    "Parameters that all neurons share have one path; {law} is the law of neurons given it."
                )
            )
        if 2 in slots.values():
            found.append("Fresh noise on weights between two populations averages out: f does not feel it.")
        return found

    def law_remarks(self) -> list[str]:
        """Sentences about the equations of the laws."""
        found = ["The law of the states of neurons is carried along by the movement of their variables."]
        if any(tree.atoms(Laplacian) for _, tree in self.laws):
            found.append(
                Remark(
                    "Fresh noise spreads it: {laplacian} with a variable is the Laplacian in this variable."
                )
            )
        states = self.alphabet.states.values()
        if any(variable.function for state in states for variable in state):
            found.append(
                "On laws of functions f they are meant weakly: for any finite number of values of f."
            )
        return found

    def flow_lines(self) -> tuple[list[str], Named]:
        """Sentences and equations of the gradient flow of a two-layer network."""
        if self.flow is None:
            return [], ()
        return list(self.flow.remarks), tuple((f"flow {k}", tree) for k, tree in enumerate(self.flow.trees))

    @property
    def _is_componentwise(self) -> bool:
        """Whether a flow does more to a G than multiply it by a number."""
        reads = (
            (term.expression, symbol)
            for equation in self.system.flow
            for term in equation.terms
            for symbol, access in term.accesses
            if self.system.field[access.field].role is Role.VELOCITY
        )
        return any(entangled(sp.expand(expression), {symbol}) for expression, symbol in reads)


def measure_form(system: LimitSystem) -> MeasureForm:
    """The system in measure notation. Raises MfError with the reason where there is none (theory A.6)."""
    reason = obstacle(system)
    if reason is not None:
        raise MfError(reason)
    builder = TreeBuilder(draw_noise(system))
    for manner in (Manner.SMALL, Manner.GROUPED):
        if Alphabet(builder, manner).fits():
            try:
                return _written(system, MeasureWriter(builder, manner))
            except UngroupedError:
                continue
    return _written(system, MeasureWriter(builder, Manner.INDIVIDUAL))


def _written(system: LimitSystem, writer: MeasureWriter) -> MeasureForm:
    forward = dict(writer.forward())
    backward = dict(writer.backward())
    gradients = []
    for parameter, tree in writer.evolved():
        derivative = writer.derivative(parameter, tree)
        if derivative is not None:
            backward[parameter] = writer.delta(parameter, derivative)
        gradients.append((parameter, writer.gradient(parameter, tree)))
    clipping = list(writer.clipping())  # what it learns of them the evolution reads
    eulerian = EulerianWriter(writer)
    evolution = dict(eulerian.equations())
    quantities = {Quantity.VALUE: forward, Quantity.DELTA: backward, Quantity.EVOLUTION: evolution}
    return MeasureForm(
        system=system,
        alphabet=writer.alphabet,
        forward=_named(forward.values()),
        backward=_named(backward.values()),
        gradients=_named([*(tree for _, tree in gradients), *clipping]),
        evolution=_named(evolution.values()),
        rates=tuple(eulerian.rates.items()),
        numbers=dict(_numbers(system, writer.alphabet.manner, quantities)),
        fields=_fields([*forward.items(), *backward.items(), *gradients, *evolution.items()]),
        laws=_named(law_motions(eulerian)) if system.motion else (),
        flow=gradient_flow(writer, forward, residual_tree(writer)),
    )


def _fields(trees: Iterable[tuple[str, Tree]]) -> dict[str, str]:
    """The field that an equation is about by the equation's name, where it is one alone."""
    found: dict[str, set[str]] = {}
    for about, tree in trees:
        found.setdefault(key_of(tree.lhs), set()).add(about)
    return {name: next(iter(each)) for name, each in found.items() if len(each) == 1}


def _numbers(
    system: LimitSystem, manner: Manner, quantities: Mapping[Quantity, Mapping[str, Tree]]
) -> Iterator[tuple[str, int]]:
    """The name of an equation and its number in the paper, for each that has one."""
    paper = PaperNumbers(system)
    if paper.manner is not manner:
        return
    for quantity, trees in quantities.items():
        for about, tree in trees.items():
            number = paper.of(Notation.MEASURE, quantity, about)
            if number is not None:
                yield key_of(tree.lhs), number


def _named(trees: Iterable[Tree]) -> Named:
    """Trees by the name of their left side; two that define the same thing must agree."""
    found: dict[str, Tree] = {}
    for tree in trees:
        name = key_of(tree.lhs)
        if found.setdefault(name, tree) != tree:
            raise UngroupedError(name)
    return tuple(found.items())


def key_of(left: Tree) -> str:
    """The name of a left side: ``H_2``, ``d w``, ``d f``."""
    if isinstance(left, sp.Pow):
        return key_of(left.base)
    if isinstance(left, AppliedUndef):
        return head_name(left)
    moves = (term for term in sp.Add.make_args(left) if isinstance(term, Rate | Change | Increment))
    moving = next(moves).args[0]
    return f"d {moving.args[0] if isinstance(moving, Apply) else moving}"

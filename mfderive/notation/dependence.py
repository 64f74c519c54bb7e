"""What quantities depend on: variables of neurons, laws of populations, the sample.

The arguments that a quantity is printed with are found by following its equation, not from a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from ..algebra.system import ForwardSystem
from ..algebra.terms import Index, Term
from .alphabet import Alphabet, Manner, StateKind
from .letters import Letter
from .nodes import FIRST_MAXIMUM, NORM, RESIDUAL, Activation, Binder, Head, head_name

Tree = Any
_Z = sp.Symbol("z")


@dataclass(frozen=True)
class Dependence:
    """What a tree depends on: variables of free neurons, laws of populations, x and y."""

    own: frozenset[tuple[Tree, str]] = frozenset()
    measures: frozenset[str] = frozenset()
    data: frozenset[str] = frozenset()

    def __or__(self, other: Dependence) -> Dependence:
        return Dependence(self.own | other.own, self.measures | other.measures, self.data | other.data)


class DependenceTracker:
    """Follows dependence through the equations of one system, in the order in which they are learnt."""

    def __init__(self, alphabet: Alphabet) -> None:
        self.alphabet = alphabet
        self.builder = alphabet.builder
        self.system = alphabet.system
        self.known: dict[Head, Dependence] = {}
        self.slots: dict[Head, tuple[Tree, ...]] = {}

    def population(self, symbol: Tree) -> str | None:
        """The population over which an index of a display tree runs."""
        return self._population_of.get(self.builder.letter_of(symbol).bare)

    @cached_property
    def _population_of(self) -> dict[Letter, str]:
        return {self.builder.letters.index(axis.name): axis.name for axis in self.system.populations}

    def neurons(self, arguments: Any) -> list[Tree]:
        """The slots that are indices of populations."""
        return [a for a in arguments if isinstance(a, sp.Symbol) and self.population(a) is not None]

    def dependence(self, node: Tree) -> Dependence:
        """What a display tree depends on."""
        if isinstance(node, AppliedUndef) and head_name(node) != FIRST_MAXIMUM:
            return self._value_dependence(node)
        found = Dependence()
        for argument in node.args:
            found |= self.dependence(argument)
        if isinstance(node, Activation) and self.alphabet.manner is Manner.GROUPED:
            found |= self._theta_dependence(node)
        if isinstance(node, Binder):
            bound = set(node.indices)
            own = frozenset(pair for pair in found.own if pair[0] not in bound)
            new = frozenset(self.population(i) or "" for i in self.neurons(node.indices))
            data = frozenset() if _Z in bound else found.data
            found = Dependence(own, found.measures | new, data)
        return found

    def _value_dependence(self, node: Tree) -> Dependence:
        name = head_name(node)
        if name == RESIDUAL:
            return Dependence(measures=self.known[Head("yhat")].measures, data=frozenset("xy"))
        if name == NORM:
            return self.known[Head(NORM)]
        if name in ("x", "y"):
            return Dependence(data=frozenset(name))
        if name in self.system.parameter:
            return Dependence(frozenset(self._parameter_variables(name, node)))
        stands = self.builder.heads[name]
        known = self.known[stands]
        own_neurons = dict(zip(self.slots[stands], self.neurons(node.args), strict=True))
        return Dependence(
            frozenset((own_neurons[symbol], key) for symbol, key in known.own), known.measures, known.data
        )

    def _theta_dependence(self, node: Activation) -> Dependence:
        """sigma_l(theta, h) has theta as an argument, whatever its formula reads of it."""
        layer = self.builder.letters.owner(node.field)
        neurons = {n for value in node.atoms(AppliedUndef) for n in self.neurons(value.args)}
        own = frozenset(
            (neuron, variable.key)
            for neuron in neurons
            for variable in self.alphabet.states[layer]
            if variable.kind is StateKind.THETA and self.population(neuron) == layer
        )
        return Dependence(own)

    def _parameter_variables(self, name: str, node: Tree) -> Iterator[tuple[Tree, str]]:
        neurons = self.neurons(node.args)
        if not neurons:
            return
        yield neurons[0], self.alphabet.variable_of(name).key
        if len(neurons) == 2:
            source = self.population(neurons[1]) or ""
            for variable in self.alphabet.states[source]:
                yield neurons[1], variable.key

    def learn(self, quantity: Head, slots: Any, tree: Tree) -> None:
        """Remember what a quantity depends on."""
        self.slots[quantity] = tuple(self.neurons(slots))
        self.known[quantity] = self.dependence(tree)


def has_vectors(system: ForwardSystem) -> bool:
    """Whether the inputs are read in inner products only, so that w and x may be written as vectors.

    One component alone (an operation with ``source.w[1]``, a tie that reads an input as an output) needs the
    index, everywhere.
    """
    if system.field["x"].axes != ("data", "inputs"):
        return False
    return all(
        _is_inner_product(term)
        for equation in system.forward
        for term in equation.terms
        if any("inputs" in system.field[access.field].axes for _, access in term.accesses)
    )


def _is_inner_product(term: Term) -> bool:
    symbols = [symbol for symbol, _ in term.accesses]
    last = {access.slots[-1] for _, access in term.accesses}
    summed = all(isinstance(slot, Index) and slot.axis == "inputs" for slot in last) and last <= {
        *term.reduced
    }
    return len(symbols) == 2 and len(last) == 1 and summed and bool(term.expression == sp.Mul(*symbols))

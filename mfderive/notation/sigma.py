"""How activations are called in measure notation: sigma, or section 3.2's sigma_l(theta, h)."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from ..network.names import OUTPUT
from .alphabet import Alphabet, Manner, NameKind, Shown, StateKind
from .embedding import EmbeddingVocabulary
from .letters import Letter, name_of
from .nodes import Activation, head_name
from .styles import Style

Tree = Any


# Of sigma_l(theta, h): the function, its gradient in theta, its derivative in h.
_DERIVATIVES = {0: None, 1: Letter("∇", (Letter("1"),)), 2: Letter("∂", (Letter("2"),))}


class UngroupedError(Exception):
    """The equations do not have the form of section 3.2: every parameter keeps its own letter."""


class SigmaWriter:
    """Names activations and their derivatives."""

    def __init__(self, alphabet: Alphabet) -> None:
        self.alphabet = alphabet
        self.builder = alphabet.builder
        self.letters = alphabet.letters
        self.embedding = EmbeddingVocabulary(alphabet.builder)

    # ------------------------------------------------------------------ section 3.2

    def theta(self, population: str) -> tuple[str, ...]:
        """The parameters that make up theta in a population."""
        for variable in self.alphabet.states[population]:
            if variable.kind is StateKind.THETA:
                return variable.parameters
        return ()

    def outer(self, layer: str) -> str | None:
        """The output weight, which belongs to the last activation in section 3.2."""
        if self.alphabet.manner is not Manner.GROUPED or layer != self.alphabet.last:
            return None
        weights = [n for n in self.theta(layer) if self.letters.owner(n) == OUTPUT]
        return weights[0] if weights else None

    def fold(self, node: Tree, component: str | None) -> tuple[Activation, list[Tree]] | None:
        """beta(c) * sigma(...) is the paper's sigma_L(theta, h): the activation and the other factors."""
        factors = list(sp.Mul.make_args(node))
        found = [f for f in factors if isinstance(f, Activation) and self.outer(self.letters.owner(f.field))]
        if len(found) != 1:
            return None
        name = self.outer(self.letters.owner(found[0].field))
        weights = [f for f in factors if isinstance(f, AppliedUndef) and head_name(f) == name]
        if len(weights) != 1 or weights[0].args[0] not in found[0].atoms(sp.Symbol):
            return None
        return found[0], [f for f in factors if f is not found[0] and f is not weights[0]]

    def check_parameter(self, name: str) -> None:
        """A part of theta may be read through its activation only."""
        if self.alphabet.manner is not Manner.GROUPED or name not in self.alphabet.builder.system.parameter:
            return
        slots = self.builder.system.population_slots(name)
        if len(slots) == 1 and name in self.theta(slots[0]):
            raise UngroupedError(name)

    def name(
        self, node: Activation, component: str | None, folded: bool
    ) -> tuple[str, tuple[str, Tree] | None]:
        """The name in trees; in section 3.2's manner also the layer and its pre-activation."""
        if self.alphabet.manner is not Manner.GROUPED:
            return self._plain(node), None
        layer = self.letters.owner(node.field)
        pre_activation = self._pre_activation(node, layer)
        wanted = self._argument(node, layer, component, folded)
        number = self.alphabet.number(layer)
        theta = bool(self.theta(layer))
        sign = _DERIVATIVES[wanted] if theta else None
        prime = wanted == 2 and not theta
        return self._shown(Letter("σ", (number,)), sign, prime), (layer, pre_activation)

    def _shown(self, letter: Letter, sign: Letter | None, prime: bool) -> str:
        """The name of an activation or of its derivative: with an operator before it, or with a prime."""

        def text(style: Style) -> str:
            shown = style.letter(letter)
            if sign is not None:
                shown = style.letter(sign) + style.times + shown
            return style.prime(shown) if prime else shown

        name = name_of(letter) + ("'" if prime else "")
        name = name if sign is None else f"{name_of(sign)} {name}"
        self.alphabet.shown[name] = Shown(NameKind.ACTIVATION, text)
        return name

    def _pre_activation(self, node: Activation, layer: str) -> Tree:
        found = {
            value
            for argument in node.arguments
            for value in argument.atoms(AppliedUndef)
            if head_name(value) == self.letters.preactivation(layer)
        }
        if len(found) != 1:
            raise UngroupedError(node.field)
        return found.pop()

    def _argument(self, node: Activation, layer: str, component: str | None, folded: bool) -> int:
        """0: the function; 1: the gradient in theta; 2: the derivative in h."""
        own = component if component in self.theta(layer) else None
        outer = self.outer(layer)
        if outer is not None and not folded:
            if node.derivative == 0 and own == outer:
                return 1
            raise UngroupedError(node.field)
        if node.derivative == 0:
            return 0
        if own is not None and own == outer:
            raise UngroupedError(node.field)
        shape = self.builder.activations[node.field]
        access = shape.term.access_of
        if own is not None:
            expression = shape.term.expression
            symbols = {access[s].field: s for s in shape.symbols}
            if own not in symbols:
                raise UngroupedError(own)
            h = symbols[self.letters.preactivation(layer)]
            taken = shape.symbols[node.derivative - 1] if shape.function is None else h
            difference = sp.diff(expression, symbols[own]) - sp.diff(expression, taken)
            if sp.expand(difference) != 0:
                raise UngroupedError(own)
            return 1
        if shape.function is None:
            read = access[shape.symbols[node.derivative - 1]].field
            if read != self.letters.preactivation(layer):
                raise UngroupedError(node.field)
        return 2

    # ------------------------------------------------------------------ plain manners

    def _plain(self, node: Activation) -> str:
        letter = self.embedding.activation_letter(node.field)
        if not node.derivative:
            return self._shown(letter, None, False)
        if self.builder.activations[node.field].function is not None:
            return self._shown(letter, None, True)
        argument = self.embedding.argument_letters(node.field)[node.derivative - 1]
        return self._shown(letter, Letter("∂", (argument,)), False)

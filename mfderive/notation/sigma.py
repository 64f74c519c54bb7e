"""How activations are called in measure notation: sigma, or section 3.2's sigma_l(theta, h)."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from .alphabet import Alphabet, Manner
from .embedding import EmbeddingVocabulary
from .letters import Letter, name_of, owner
from .nodes import Activation, head_name
from .styles import Style

Tree = Any


class UngroupedError(Exception):
    """The equations do not have the form of section 3.2: every parameter keeps its own letter."""


class SigmaWriter:
    """Names activations and their derivatives."""

    def __init__(self, alphabet: Alphabet) -> None:
        self.alphabet = alphabet
        self.builder = alphabet.builder
        self.embedding = EmbeddingVocabulary(alphabet.builder)

    # ------------------------------------------------------------------ section 3.2

    def theta(self, population: str) -> tuple[str, ...]:
        """The parameters that make up theta in a population."""
        for variable in self.alphabet.states[population]:
            if variable.letters[0] == Letter("θ"):
                return variable.parameters
        return ()

    def outer(self, layer: str) -> str | None:
        """The output weight, which belongs to the last activation in section 3.2."""
        if self.alphabet.manner is not Manner.GROUPED or layer != self.alphabet.last:
            return None
        weights = [n for n in self.theta(layer) if n.startswith("output.")]
        return weights[0] if weights else None

    def fold(self, node: Tree, component: str | None) -> tuple[Activation, list[Tree]] | None:
        """beta(c) * sigma(...) is the paper's sigma_L(theta, h): the activation and the other factors."""
        factors = list(sp.Mul.make_args(node))
        found = [f for f in factors if isinstance(f, Activation) and self.outer(owner(f.field))]
        if len(found) != 1:
            return None
        name = self.outer(owner(found[0].field))
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
        layer = owner(node.field)
        pre_activation = self._pre_activation(node, layer)
        wanted = self._argument(node, layer, component, folded)
        number = self.alphabet.number(layer)
        theta = bool(self.theta(layer))
        sign = {0: "", 1: "∇_1 ", 2: "∂_2 "}[wanted] if theta else ""
        prime = "'" if wanted == 2 and not theta else ""
        shown = f"{sign}σ_{number.base}{prime}"
        self.alphabet.shown[shown] = lambda style: _sigma(style, number, sign, prime)
        return shown, (layer, pre_activation)

    def _pre_activation(self, node: Activation, layer: str) -> Tree:
        found = {
            value
            for argument in node.arguments
            for value in argument.atoms(AppliedUndef)
            if head_name(value) == layer
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
            taken = shape.symbols[node.derivative - 1] if shape.function is None else symbols[layer]
            difference = sp.diff(expression, symbols[own]) - sp.diff(expression, taken)
            if sp.expand(difference) != 0:
                raise UngroupedError(own)
            return 1
        if shape.function is None and access[shape.symbols[node.derivative - 1]].field != layer:
            raise UngroupedError(node.field)
        return 2

    # ------------------------------------------------------------------ plain manners

    def _plain(self, node: Activation) -> str:
        letter = self.embedding.activation_letter(node.field)
        name = name_of(letter)
        if not node.derivative:
            self.alphabet.shown[name] = lambda style: style.letter(letter)
            return name
        shape = self.builder.activations[node.field]
        if shape.function is not None:
            self.alphabet.shown[name + "'"] = lambda style: style.prime(style.letter(letter))
            return name + "'"
        argument = self.embedding.argument_letters(node.field)[node.derivative - 1]
        partial = Letter("∂", (argument,))
        shown = f"∂_{{{name_of(argument)}}} {name}"
        self.alphabet.shown[shown] = lambda style: style.letter(partial) + style.times + style.letter(letter)
        return shown


def _sigma(style: Style, number: Letter, sign: str, prime: str) -> str:
    shown = style.letter(Letter("σ", (number,)))
    if sign:
        base, _, below = sign.strip().partition("_")
        shown = style.letter(Letter(base, (Letter(below),))) + style.times + shown
    return style.prime(shown) if prime else shown

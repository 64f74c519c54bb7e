"""The letters of fields, parameters and indices: numbered for plain chains, named otherwise.

A chain is a network in which every layer reads the layer before it and nothing else; there the paper's
numbered letters are used (H_2, w_2, b_2, c_2). Elsewhere a letter carries the layer's name (H_h2).
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations_with_replacement, count
from typing import Any

from ..algebra.system import ForwardSystem
from ..algebra.terms import (
    ANGLES,
    BIAS_PART,
    OUTPUT_PART,
    PREACTIVATION,
    WEIGHT_PART,
    AxisKind,
    Block,
    Equation,
    Field,
    Role,
)
from ..algebra.update_rules import ALPHA
from ..limit.apply_rule import CLIP_FIELD
from ..network.names import INPUT, OUTPUT

# What a finite axis counts -> the letter of its indices.
_FINITE_LETTERS = {
    "inputs": "i",
    "channels": "i",
    "positions": "p",
    "outputs": "j",
    "taps": "k",
    "turns": "r",
    "groups": "g",
    "motions": "g",
    "steps": "s",
}
# What a field is in its layer -> its letter; other parts are printed under their own name.
_PART_LETTERS = {PREACTIVATION: "H", OUTPUT_PART: "a"}
# A part of a vector that is written in two -> the last subscript of its letter.
_BLOCK_LETTERS = {Block.ALONG: "∥", Block.ACROSS: "⊥"}
# What a step is given, and what belongs to a parameter -> their letters, before those of the parameter.
_CLOCK_LETTERS = {ALPHA.name: "α"}
FACTOR, COVARIANCE = "noise factor", "noise covariance"  # what a reduction keeps of the noise of weights
_MEMORY_LETTERS = {FACTOR: "κ", COVARIANCE: "S"}
# Roles whose fields have no letter of their own: they are printed as what they are derived from.
_DERIVED = frozenset({Role.ADJOINT, Role.VELOCITY, Role.NEXT, Role.FLOW})
# Roles of the fields of a learning rule, whose letters are given after all others.
_RULE = frozenset({Role.MEMORY, Role.CLOCK, Role.DRAW, Role.MOTION})
_GIVEN = re.compile(r"([A-Za-z]+)(\d+)")
_RAISED = str.maketrans("0123456789s", "⁰¹²³⁴⁵⁶⁷⁸⁹ˢ")


@dataclass(frozen=True)
class Letter:
    """A printed name: a base letter (or word), a subscript of letters, a recurrent step, primes.

    ``step`` is the step's number, counted from 1, or "s" for any step; it is printed as ``H⁽³⁾``. ``time``
    is the step of training after which a value is meant: ``wᵏ⁻¹``. ``deviates``: it is the deviation ``δH``.
    """

    base: str
    subscript: tuple[Letter, ...] = ()
    step: str = ""
    primes: int = 0
    time: str = ""
    deviates: bool = False

    @property
    def sign(self) -> str:
        """What stands before the letter of a deviation in a linearised limit."""
        return "δ" if self.deviates else ""

    @property
    def mark(self) -> str:
        """The step in readable text, as a superscript in brackets."""
        return f"⁽{self.step.translate(_RAISED)}⁾" if self.step else ""

    @property
    def data(self) -> dict[str, Any]:
        """Base and subscript as plain data, for files; see :func:`letter_of`."""
        return {
            "base": self.sign + self.base + self.mark,
            "subscript": [part.data for part in self.subscript],
        }

    @property
    def primed(self) -> Letter:
        """The letter with one more prime."""
        return replace(self, primes=self.primes + 1)

    @property
    def bare(self) -> Letter:
        """The letter without primes."""
        return replace(self, primes=0)


DATA_LETTER = Letter("z")


def letter_of(data: Mapping[str, Any]) -> Letter:
    """The letter that was written down as :attr:`Letter.data`."""
    return Letter(data["base"], tuple(map(letter_of, data["subscript"])))


def free_letter(letter: Letter, taken: Container[str]) -> Letter:
    """The letter with as many primes as it takes to find a name that is not taken."""
    while name_of(letter) in taken:
        letter = letter.primed
    return letter


def name_of(letter: Letter) -> str:
    """The name under which a letter stands in trees: ``H_2``, ``Δ_{H,2}``, ``Δ_{w_2}``, ``c_1'``."""
    head, primes = letter.sign + letter.base + letter.mark, "'" * letter.primes
    if not letter.subscript:
        return head + primes
    inside = ",".join(name_of(part) for part in letter.subscript)
    simple = len(letter.subscript) == 1 and not letter.subscript[0].subscript
    return (f"{head}_{inside}" if simple else f"{head}_{{{inside}}}") + primes


@dataclass(frozen=True)
class Letters:
    """The letters of one system."""

    system: ForwardSystem

    @cached_property
    def own_forward(self) -> tuple[Equation, ...]:
        """The forward equations of the network itself: those of deviations left out."""
        return tuple(e for e in self.system.forward if not self.system.field[e.field].deviation)

    @cached_property
    def loss_path(self) -> frozenset[str]:
        """The fields that are computed from yhat: the loss and its helpers, those of losses on layers too."""
        found = {
            "yhat",
            *(field.name for field in self.system.fields if field.owner == "loss" and not field.of),
        }
        for equation in self.own_forward:
            if equation.reads & found:
                found.add(equation.field)
        return frozenset(found - {"yhat"})

    def owner(self, name: str) -> str:
        """The layer that a field belongs to ("x", "output" and "loss" are owners too)."""
        return self.system.field[name].owner

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """The layers in the order of their first pre-activation."""
        names = [
            self.owner(e.field)
            for e in self.own_forward
            if e.field != "yhat" and e.field not in self.loss_path
        ]
        return tuple(name for name in dict.fromkeys(names) if name)

    @cached_property
    def number(self) -> dict[str, int]:
        """Layer -> its number in a chain; empty when the network is no chain."""
        if any(axis.name not in self.layers for axis in self.system.populations):
            return {}
        previous = "x"
        for layer in self.layers:
            if not self._reads_only(layer, previous):
                return {}
            previous = layer
        if not self._reads_only(OUTPUT, previous):
            return {}
        return {layer: k for k, layer in enumerate(self.layers, start=1)}

    def _reads_only(self, layer: str, previous: str) -> bool:
        """Whether a layer (or the output) has one equation, which reads the previous layer once."""
        equations = [e for e in self.own_forward if self.owner(e.field) == layer]
        visible = [e for e in equations if not self.system.field[e.field].hidden]
        if len(visible) != 1 or not self._has_own_neurons(visible[0].field):
            return False
        values = {name for e in equations for name in e.reads if not self._is_parameter(name)}
        reading = sum(
            any(not self._is_parameter(a.field) for _, a in term.accesses) for term in visible[0].terms
        )
        weights = {name for name in visible[0].reads if self._is_parameter(name)}
        elsewhere = (e for e in self.own_forward if e.field != visible[0].field and self.owner(e.field))
        shared = any(e.reads & weights for e in elsewhere)
        others = {self.owner(name) for name in values} - {layer, ""}
        return others == {previous} and reading <= 1 and not shared

    def _is_parameter(self, name: str) -> bool:
        return self.system.field[name].role is Role.PARAMETER

    def _has_own_neurons(self, name: str) -> bool:
        """Whether a field is indexed by its layer's own population alone (or by none: one type)."""
        return set(self.system.population_slots(name)) <= {self.owner(name)}

    def derived(self, sign: str, name: str) -> Letter:
        """The letter of what is derived from a field, D_{H_2}; of its deviation, δD_{H_2}."""
        origin = self.system.field[name].deviation
        return Letter(sign, (self.field(origin or name),), deviates=bool(origin))

    def is_inner_weight(self, name: str) -> bool:
        """Whether a parameter is a weight into a layer, without a name of its own."""
        field = self.system.field[name]
        return field.part == WEIGHT_PART and not field.given and field.owner != OUTPUT

    def is_output_weight(self, name: str) -> bool:
        """Whether a parameter is a weight into the output, without a name of its own."""
        field = self.system.field[name]
        return field.part == WEIGHT_PART and not field.given and field.owner == OUTPUT

    def layer(self, name: str) -> Letter:
        """The subscript that stands for a layer."""
        return Letter(str(self.number[name])) if name in self.number else Letter(name)

    def index(self, axis_name: str) -> Letter:
        """The letter of an index over an axis; further indices over it get primes."""
        axis = self.system.axis[axis_name]
        if axis.kind is AxisKind.DATA:
            return DATA_LETTER
        if axis.kind is AxisKind.NOISE:
            return Letter("φ" if axis.part == ANGLES else "ζ")
        if axis.kind is AxisKind.POPULATION:
            return Letter("c", (self.layer(axis_name),))
        if axis.part in _FINITE_LETTERS:
            digits = (Letter(str(axis.number)),) if axis.number else ()
            return Letter(_FINITE_LETTERS[axis.part], digits)
        return Letter("e", (self.layer(axis_name),))

    def field(self, name: str) -> Letter:
        """The letter of a field or parameter (without its arguments); no two have the same."""
        return self._distinct.get(name) or self._of_rule.get(name) or self._first_choice(name)

    @cached_property
    def _distinct(self) -> dict[str, Letter]:
        """Every field and parameter with a letter of its own.

        Names leave room for clashes: a layer that reads another twice has two weights W_{h2,h1}, a weight may
        be called H1, a parameter c like the labels c_2 of its neurons. Those that would share a letter are
        numbered: W_{h2,h1,1}, W_{h2,h1,2}.
        """
        same: dict[Letter, list[str]] = {}
        for field in self.system.fields:
            if field.role not in _DERIVED | _RULE:
                same.setdefault(self._first_choice(field.name), []).append(field.name)
        indices = {self.index(axis.name) for axis in self.system.axes}
        alone = {letter for letter, names in same.items() if len(names) == 1} - indices
        found = {same[letter][0]: letter for letter in alone}
        for letter, names in same.items():
            if letter in alone:
                continue
            candidates = (replace(letter, subscript=(*letter.subscript, Letter(str(k)))) for k in count(1))
            for name in names:
                found[name] = next(each for each in candidates if each not in found.values())
        return found

    @cached_property
    def _of_rule(self) -> dict[str, Letter]:
        """The letters of a learning rule's fields, none of them taken: m_{w_2}, α_k, ξ_{w_2}, φ."""
        taken = {*self._distinct.values(), *(self.index(axis.name) for axis in self.system.axes)}
        found: dict[str, Letter] = {}
        for field in self.system.fields:
            if field.role not in _RULE:
                continue
            letter = self._rule_choice(field, found)
            numbered = (replace(letter, subscript=(*letter.subscript, Letter(str(k)))) for k in count(1))
            found[field.name] = letter if letter not in taken else next(n for n in numbered if n not in taken)
            taken.add(found[field.name])
        return found

    def _rule_choice(self, field: Field, found: Mapping[str, Letter]) -> Letter:
        if field.deviation:
            return replace(found[field.deviation], deviates=True)
        if field.name in self._covariances:
            pair = dict.fromkeys(self._covariances[field.name])
            return Letter(_MEMORY_LETTERS[field.part], tuple(self._known(name, found) for name in pair))
        if field.role is Role.CLOCK and not field.of:
            base = _CLOCK_LETTERS.get(field.part)
            return Letter(base, (Letter("k"),)) if base else Letter(field.part)
        if field.role is Role.MOTION:
            return Letter("φ") if field.name == CLIP_FIELD else Letter(field.name)
        bases = {Role.CLOCK: "ξ", Role.DRAW: "g"}
        base = bases.get(field.role) or _MEMORY_LETTERS.get(field.part, field.part)
        return Letter(base, (self._known(field.of, found),))

    def _known(self, name: str, found: Mapping[str, Letter]) -> Letter:
        return found.get(name) or self._distinct[name]

    @cached_property
    def _covariances(self) -> dict[str, tuple[str, str]]:
        """The two variables of every covariance: each has a covariance with itself and all after it."""
        owners: dict[str, dict[str, None]] = {}
        names: dict[str, list[str]] = {}
        for field in self.system.fields:
            if field.role is Role.MEMORY and field.part == COVARIANCE:
                weight = self.system.parameter_of[field.name]
                owners.setdefault(weight, {})[field.of] = None
                names.setdefault(weight, []).append(field.name)
        return {
            name: pair
            for weight, each in owners.items()
            for name, pair in zip(names[weight], combinations_with_replacement(each, 2), strict=True)
        }

    def _first_choice(self, name: str) -> Letter:
        origin = self.system.field[name].deviation
        if origin:
            return replace(self._first_choice(origin), deviates=True)
        letter, block = self._whole(name), self.system.field[name].block
        if block is None:
            return letter
        return replace(letter, subscript=(*letter.subscript, Letter(_BLOCK_LETTERS[block])))

    def _whole(self, name: str) -> Letter:
        """The letter of a field, whether or not it is a part of a vector only."""
        if name == "yhat":
            return Letter("ŷ")
        if name in ("x", "y"):
            return Letter(name)
        if name == "loss":
            return Letter("L")
        field = self.system.field[name]
        if field.role is Role.PARAMETER:
            return self._parameter(field)
        if field.owner == INPUT:
            return Letter(INPUT)
        if not field.owner:
            return Letter(field.part or name)
        step = str(field.step) if field.step else ""
        return Letter(_PART_LETTERS.get(field.part, field.part), (self.layer(field.owner),), step)

    def _parameter(self, field: Field) -> Letter:
        if not field.owner and not field.given and field.part:
            return Letter(field.part)  # of a reduction, not of a layer
        if field.given or not field.owner:
            # A number at the end of a given name is printed as a subscript: W2 is W_2.
            match = _GIVEN.fullmatch(field.name)
            return Letter(match.group(1), (Letter(match.group(2)),)) if match else Letter(field.name)
        if field.part == WEIGHT_PART:
            return self._weight(field)
        base = "b" if field.part == BIAS_PART else field.part
        return Letter(base, (Letter("out") if field.owner == OUTPUT else self.layer(field.owner),))

    def _weight(self, field: Field) -> Letter:
        if field.owner == OUTPUT:
            own = (p.name for p in self.system.parameters if not self.system.field[p.name].deviation)
            several = sum(map(self.is_output_weight, own)) > 1
            return Letter("β", (self.layer(self.source(field.name)),) if several else ())
        if self.number:
            return Letter("w", (self.layer(field.owner),))
        return Letter("W", (self.layer(field.owner), self.layer(self.source(field.name))))

    def source(self, weight: str) -> str:
        """The layer (or x) whose value a weight multiplies."""
        for equation in self.own_forward:
            for term in equation.terms:
                fields = [a.field for _, a in term.accesses]
                if weight in fields:
                    read = [f for f in fields if not self._is_parameter(f)]
                    if read:
                        return self.owner(read[0])
        return "x"

    def preactivation(self, layer: str) -> str:
        """The name of the pre-activation h of a layer without recurrent steps; "" where there is none."""
        return self._preactivations.get(layer, "")

    @cached_property
    def _preactivations(self) -> dict[str, str]:
        return {
            field.owner: field.name
            for field in self.system.fields
            if field.role is Role.FORWARD and field.part == PREACTIVATION and not field.step
        }

    @cached_property
    def outputs_count(self) -> int | None:
        """The number of outputs, where the axis is known."""
        axis = self.system.axis.get("outputs")
        return axis.size if axis else None

    def equation_of(self, name: str) -> Equation | None:
        """The equation that computes a field, if there is one."""
        return self.system.equation_of.get(name)

    def is_hidden(self, field: Field) -> bool:
        """Whether the field is written out wherever it is read."""
        return field.hidden or field.name in self.loss_path - {"loss"}

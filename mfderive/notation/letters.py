"""The letters of fields, parameters and indices: numbered for plain chains, named otherwise.

A chain is a network in which every layer reads the layer before it and nothing else; there the paper's
numbered letters are used (H_2, w_2, b_2, c_2). Elsewhere a letter carries the layer's name (H_h2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count

from ..algebra.system import ForwardSystem, LimitSystem
from ..algebra.terms import AxisKind, Equation, Field, Role

_FINITE_LETTERS = {
    "inputs": "i",
    "channels": "i",
    "positions": "p",
    "outputs": "j",
    "taps": "k",
    "steps": "s",
}


@dataclass(frozen=True)
class Letter:
    """A printed name: a base letter (or word), a subscript of letters, and what stands for it."""

    base: str
    subscript: tuple[Letter, ...] = ()


_RAISED = str.maketrans("0123456789s", "⁰¹²³⁴⁵⁶⁷⁸⁹ˢ")
STEP_MARK = re.compile("⁽([⁰¹²³⁴⁵⁶⁷⁸⁹ˢ]+)⁾$")


def at_step(step: int | str) -> str:
    """What a letter carries at a step (counted from 1): ``H⁽³⁾``."""
    return f"⁽{str(step).translate(_RAISED)}⁾"


def without_step(letter: Letter) -> Letter:
    """The letter of a quantity whatever the step."""
    return replace(letter, base=STEP_MARK.sub("", letter.base))


def name_of(letter: Letter) -> str:
    """The name under which a letter stands in trees: ``H_2``, ``Δ_{H,2}``, ``Δ_{w_2}``."""
    if not letter.subscript:
        return letter.base
    inside = ",".join(name_of(part) for part in letter.subscript)
    simple = len(letter.subscript) == 1 and not letter.subscript[0].subscript
    return f"{letter.base}_{inside}" if simple else f"{letter.base}_{{{inside}}}"


def letter_of(name: str) -> Letter:
    """The letter whose name this is (see :func:`name_of`)."""
    base, _, rest = name.partition("_")
    if not rest:
        return Letter(base)
    if not rest.startswith("{"):
        return Letter(base, (Letter(rest),))
    parts, depth = [""], 0
    for sign in rest[1:-1]:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return Letter(base, tuple(letter_of(part) for part in parts))


def owner(name: str) -> str:
    """The layer that a field or parameter belongs to: what stands before the first dot."""
    return name.split(".", 1)[0]


@dataclass(frozen=True)
class Letters:
    """The letters of one system."""

    system: ForwardSystem

    @cached_property
    def loss_path(self) -> frozenset[str]:
        """The fields that are computed from yhat: the loss and its helpers."""
        found = {"yhat"}
        for equation in self.system.forward:
            if any(a.field in found for term in equation.terms for _, a in term.accesses):
                found.add(equation.field)
        return frozenset(found - {"yhat"})

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """The layers in the order of their first pre-activation."""
        names = [
            owner(e.field) for e in self.system.forward if e.field != "yhat" and e.field not in self.loss_path
        ]
        return tuple(dict.fromkeys(names))

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
        if not self._reads_only("yhat", previous):
            return {}
        return {layer: k for k, layer in enumerate(self.layers, start=1)}

    def _reads_only(self, layer: str, previous: str) -> bool:
        equations = [e for e in self.system.forward if owner(e.field) == layer]
        visible = [e for e in equations if not self.system.field[e.field].hidden]
        if len(visible) != 1 or not self._has_own_neurons(visible[0].field):
            return False
        read = {
            a.field
            for e in equations
            for term in e.terms
            for _, a in term.accesses
            if self.system.field[a.field].role is not Role.PARAMETER
        }
        reading = sum(
            any(self.system.field[a.field].role is not Role.PARAMETER for _, a in term.accesses)
            for term in visible[0].terms
        )
        weights = {
            a.field
            for term in visible[0].terms
            for _, a in term.accesses
            if self.system.field[a.field].role is Role.PARAMETER
        }
        shared = any(
            a.field in weights
            for e in self.system.forward
            if e.field != visible[0].field
            for term in e.terms
            for _, a in term.accesses
        )
        own = {name for name in read if owner(name) == layer}
        others = {owner(name) for name in read - own}
        return others == {previous} and reading <= 1 and not shared

    def _has_own_neurons(self, name: str) -> bool:
        """Whether a field is indexed by its layer's own population alone (or by none: one type)."""
        return set(self.system.population_slots(name)) <= {owner(name)}

    def layer(self, name: str) -> Letter:
        """The subscript that stands for a layer."""
        return Letter(str(self.number[name])) if name in self.number else Letter(name)

    def index(self, axis_name: str) -> Letter:
        """The letter of an index over an axis; further indices over it get primes."""
        axis = self.system.axis[axis_name]
        if axis.kind is AxisKind.DATA:
            return Letter("z")
        if axis.kind is AxisKind.NOISE:
            return Letter("ζ")
        if axis.kind is AxisKind.POPULATION:
            return Letter("c", (self.layer(axis_name),))
        # "h2.taps", "h2.taps1", "h2.taps.2" (of the layer's second connection)
        match = re.fullmatch(r"(?:.*\.)?([a-z]+?)(\d*)(?:\.\d+)?", axis_name)
        if match and match.group(1) in _FINITE_LETTERS:
            digits = (Letter(match.group(2)),) if match.group(2) else ()
            return Letter(_FINITE_LETTERS[match.group(1)], digits)
        return Letter("e", (self.layer(axis_name),))

    def field(self, name: str) -> Letter:
        """The letter of a field or parameter (without its arguments); no two have the same."""
        return self._distinct.get(name) or self._first_choice(name)

    @cached_property
    def _distinct(self) -> dict[str, Letter]:
        """Every field and parameter with a letter of its own.

        Names leave room for clashes: a layer that reads another twice has two weights W_{h2,h1}, a weight may
        be called H1, a parameter c like the labels c_2 of its neurons. Those that would share a letter are
        numbered: W_{h2,h1,1}, W_{h2,h1,2}.
        """
        derived = (Role.ADJOINT, Role.VELOCITY)
        same: dict[Letter, list[str]] = {}
        for field in self.system.fields:
            if field.role not in derived:
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

    def _first_choice(self, name: str) -> Letter:
        if name == "yhat":
            return Letter("ŷ")
        if name in ("x", "y"):
            return Letter(name)
        if name == "loss":
            return Letter("L")
        field = self.system.field[name]
        if field.role is Role.PARAMETER:
            return self._parameter(name)
        if "." not in name:
            return Letter("H", (self.layer(name),)) if name in self.layers else Letter(name)
        layer, rest = name.split(".", 1)
        step = re.fullmatch(r"step(\d+)(?:\.(.+))?", rest)
        mark = at_step(int(step.group(1))) if step else ""
        rest = (step.group(2) or "") if step else rest
        base = {"": "H", "out": "a"}.get(rest, rest)
        return Letter(base + mark, (self.layer(layer),))

    def _parameter(self, name: str) -> Letter:
        if "." not in name:
            match = re.fullmatch(r"([A-Za-z]+)(\d+)", name)
            return Letter(match.group(1), (Letter(match.group(2)),)) if match else Letter(name)
        layer, rest = name.split(".", 1)
        if rest.split(".")[0] == "weight":
            return self._weight(name, layer)
        if layer == "output":
            return Letter("b" if rest == "bias" else rest, (Letter("out"),))
        return Letter("b" if rest == "bias" else rest, (self.layer(layer),))

    def _weight(self, name: str, layer: str) -> Letter:
        if layer == "output":
            several = sum(p.name.startswith("output.weight") for p in self.system.parameters) > 1
            return Letter("β", (self.layer(self.source(name)),) if several else ())
        if self.number:
            return Letter("w", (self.layer(layer),))
        return Letter("W", (self.layer(layer), self.layer(self.source(name))))

    def source(self, weight: str) -> str:
        """The layer (or x) whose value a weight multiplies."""
        for equation in self.system.forward:
            for term in equation.terms:
                fields = [a.field for _, a in term.accesses]
                if weight in fields:
                    read = [f for f in fields if self.system.field[f].role is not Role.PARAMETER]
                    if read:
                        return owner(read[0])
        return "x"

    @cached_property
    def outputs_count(self) -> int | None:
        """The number of outputs, where the axis is known."""
        axis = self.system.axis.get("outputs")
        return axis.size if axis else None

    def equation_of(self, name: str) -> Equation | None:
        """The equation that computes a field, if there is one."""
        return self._equations.get(name)

    @cached_property
    def _equations(self) -> dict[str, Equation]:
        every = list(self.system.forward)
        every += list(getattr(self.system, "backward", ()))
        every += list(getattr(self.system, "evolution", ()))
        return {equation.field: equation for equation in every}

    def is_hidden(self, field: Field) -> bool:
        """Whether the field is written out wherever it is read."""
        return field.hidden or field.name in self.loss_path - {"loss"}


def scalings(system: ForwardSystem) -> dict[str, tuple[str, ...]]:
    """Parameter -> the populations whose widths multiply its plain gradient (theory A.5)."""
    if isinstance(system, LimitSystem):
        return dict(system.scalings)
    return {p.name: system.population_slots(p.name) for p in system.parameters}

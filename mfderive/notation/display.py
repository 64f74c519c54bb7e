"""Display trees of a whole system, looked up by name: ``display(limit).forward["h2"]``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..algebra.system import ForwardSystem
from ..algebra.terms import Equation
from ..errors import MfError, nearest
from .conventions import scalings
from .letters import Letters
from .tree import TreeBuilder

Tree = Any


class Trees(Mapping[str, Tree]):
    """Name -> ``Eq(left, right)`` of display trees; an unknown name raises MfError with the nearest one."""

    def __init__(self, what: str, builder: TreeBuilder, equations: Mapping[str, Equation]) -> None:
        self._what, self._builder, self._equations = what, builder, dict(equations)
        self._done: dict[str, Tree] = {}

    def __getitem__(self, name: str) -> Tree:
        """The display tree of one equation."""
        if name not in self._equations:
            raise MfError(f"there is no {self._what} equation of '{name}'. {nearest(name, self._equations)}")
        if name not in self._done:
            self._done[name] = self._builder.equation(self._equations[name])
        return self._done[name]

    def __contains__(self, name: object) -> bool:
        """Whether there is such an equation, without building its tree."""
        return name in self._equations

    def __iter__(self) -> Iterator[str]:
        """The names, in the order of evaluation."""
        return iter(self._equations)

    def __len__(self) -> int:
        """The number of equations."""
        return len(self._equations)


@dataclass(frozen=True)
class Display:
    """The display trees of one system; hidden fields are written out and have no entry of their own."""

    system: ForwardSystem

    @cached_property
    def _builder(self) -> TreeBuilder:
        return TreeBuilder(self.system)

    def _visible(self, name: str) -> bool:
        return not Letters.is_hidden(self._builder.letters, self.system.field[name])

    @cached_property
    def forward(self) -> Trees:
        """Fields by name: pre-activations, statistics, yhat, loss."""
        found = {e.field: e for e in self.system.forward if self._visible(e.field)}
        return Trees("forward", self._builder, found)

    @cached_property
    def backward(self) -> Trees:
        """Adjoints by the name of their field: Delta for one output, D for several."""
        names = {self.system.field[e.field].of: e for e in self.system.backward}
        return Trees("backward", self._builder, {n: e for n, e in names.items() if self._visible(n)})

    @cached_property
    def evolution(self) -> Trees:
        """G by the name of the parameter; d(parameter)/dt = rate * G."""
        names = {self.system.field[e.field].of: e for e in self.system.evolution}
        return Trees("evolution", self._builder, names)

    @cached_property
    def motion(self) -> Trees:
        """What a step makes of G: every variable after it by its name, and the factor of clipping.

        None for SGD, whose step is parameter + alpha * rate * G.
        """
        names = {self.system.field[e.field].of or e.field: e for e in self.system.motion}
        return Trees("step", self._builder, names)

    @cached_property
    def flow(self) -> Trees:
        """The derivatives of variables in time by the learning rule, where they are not rate * G."""
        names = {self.system.field[e.field].of: e for e in self.system.flow}
        return Trees("flow", self._builder, names)

    @cached_property
    def scalings(self) -> dict[str, tuple[str, ...]]:
        """Parameter -> the populations whose widths multiply its plain gradient."""
        return scalings(self.system)


def display(system: ForwardSystem) -> Display:
    """The display trees of a system."""
    return Display(system)

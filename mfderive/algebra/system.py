"""The two central objects of the calculus: the forward equations and the mean-field limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, Self, SupportsIndex, TypeVar, overload

from ..errors import MfError
from .data_law import DataLaw
from .entries import PRINTER, fill, homes
from .laws import Variable, VariableKind
from .memo import once
from .showing import Shown, names, short, words
from .terms import Affine, Axis, AxisKind, Equation, Field, Index, Role, Slot, SlotMap, Term
from .update_rules import SGD, Learning

System = TypeVar("System", bound="ForwardSystem")


class Printer(Protocol):
    """What prints a system; the room notation enters itself here with :func:`register_printer`."""

    def text(self, system: ForwardSystem) -> str:
        """The system as readable plain text."""

    def tree(self, system: ForwardSystem, part: str, name: str) -> Any:
        """The display tree of one equation of a part (forward, backward, evolution)."""


_PRINTERS: list[Printer] = []


def register_printer(printer: Printer) -> None:
    """Let systems print themselves through ``printer`` (the last one entered is used)."""
    _PRINTERS.append(printer)


def _printer() -> Printer:
    if not _PRINTERS:
        fill(PRINTER)
    if not _PRINTERS:
        raise MfError(f"nothing prints equations yet; import {homes(PRINTER)} first")
    return _PRINTERS[-1]


class Equations(tuple[Equation, ...]):
    """The equations of one part of a system.

    A number gives the equation that the program computes with; a name (``limit.forward["h2"]``) gives its
    sympy tree for display, with named Mean and Sum, with which nothing computes.
    """

    _system: ForwardSystem
    _part: str

    @classmethod
    def of(cls, equations: tuple[Equation, ...], system: ForwardSystem, part: str) -> Equations:
        """Equations that know their system."""
        made = cls(equations)
        made._system, made._part = system, part
        return made

    @overload
    def __getitem__(self, key: SupportsIndex) -> Equation: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[Equation, ...]: ...
    @overload
    def __getitem__(self, key: str) -> Any: ...
    def __getitem__(self, key: Any) -> Any:
        """The equation at a position, or the display tree of the equation of a name."""
        if isinstance(key, str):
            return _printer().tree(self._system, self._part, key)
        return super().__getitem__(key)

    def __repr__(self) -> str:
        what = f"{len(self)} {self._part} equation{'s' * (len(self) != 1)}"
        return short(
            [f"Equations: {what}", f"  {names(equation.field for equation in self)}"][: 1 + bool(self)]
        )


# The roles of the fields whose equations make each part of a system.
PARTS = {
    "forward": frozenset({Role.FORWARD, Role.FROZEN}),
    "backward": frozenset({Role.ADJOINT}),
    "evolution": frozenset({Role.VELOCITY}),
    "motion": frozenset({Role.MOTION, Role.NEXT}),
    "flow": frozenset({Role.FLOW}),
}


@dataclass(frozen=True, repr=False)
class ForwardSystem(Shown):
    """The forward equations of a network, in an order in which they can be evaluated.

    ``fields`` has x and y (role INPUT), every variable and every computed field; ``equations`` is one list
    in the order of evaluation, and the role of an equation is that of its field. The last forward equation
    computes ``loss`` (per sample). ``learning`` is how the parameters learn; the memories of its rule are
    variables. Everything else of the program follows from this object.
    """

    title: str
    axes: tuple[Axis, ...]
    fields: tuple[Field, ...]
    variables: tuple[Variable, ...]
    equations: tuple[Equation, ...]
    learning: Learning = SGD

    def __str__(self) -> str:
        return _printer().text(self)

    def _summary(self) -> Iterator[str]:
        parts = [(part, len(self.part(part))) for part in PARTS]
        counts = ", ".join(f"{count} {part}" for part, count in parts if count)
        yield f"{type(self).__name__} '{words(self.title)}': {counts} equations"
        populations = names(axis.name for axis in self.populations)
        finite = names(f"{axis.name} {axis.size}" for axis in self.axes if axis.kind is AxisKind.FINITE)
        yield f"  populations: {populations or 'none'}; finite axes: {finite or 'none'}"
        yield f"  parameters: {names(parameter.name for parameter in self.parameters) or 'none'}"
        yield "  print(...) writes the equations; system.forward['h1'] is one of them as a tree"

    # ------------------------------------------------------------------ views

    def part(self, name: str) -> Equations:
        """The equations of one part: forward, backward or evolution."""
        roles = PARTS[name]
        chosen = tuple(e for e in self.equations if self.field[e.field].role in roles)
        return Equations.of(chosen, self, name)

    @cached_property
    def forward(self) -> Equations:
        """The forward equations H."""
        return self.part("forward")

    @cached_property
    def backward(self) -> Equations:
        """The adjoint equations D (none of a system that was not derived)."""
        return self.part("backward")

    @cached_property
    def evolution(self) -> Equations:
        """The evolution G, one equation per trained parameter (none of a system that was not derived)."""
        return self.part("evolution")

    @cached_property
    def motion(self) -> Equations:
        """What a step makes of G: the variables after it.

        None where a step of SGD is all: parameter + alpha * rate * G for every trained parameter.
        """
        return self.part("motion")

    @cached_property
    def flow(self) -> Equations:
        """The derivatives of the variables in time, where they are not rate * G (and 0 of memories)."""
        return self.part("flow")

    @cached_property
    def equation_of(self) -> dict[str, Equation]:
        """The equation of every computed field, by the field's name."""
        return {equation.field: equation for equation in self.equations}

    # ------------------------------------------------------------------ tables

    @cached_property
    def axis(self) -> dict[str, Axis]:
        """Axes by name."""
        return {axis.name: axis for axis in self.axes}

    @cached_property
    def field(self) -> dict[str, Field]:
        """Fields by name (adjoints and velocities included where they exist)."""
        return {field.name: field for field in self.fields}

    @cached_property
    def variable(self) -> dict[str, Variable]:
        """Variables by name."""
        return {variable.name: variable for variable in self.variables}

    @cached_property
    def parameters(self) -> tuple[Variable, ...]:
        """The variables that a network has: trained and frozen ones, without memories."""
        return tuple(v for v in self.variables if v.kind is not VariableKind.MEMORY)

    @cached_property
    def parameter(self) -> dict[str, Variable]:
        """Parameters by name."""
        return {parameter.name: parameter for parameter in self.parameters}

    @cached_property
    def adjoint_of(self) -> dict[str, str]:
        """The name of the adjoint D of each field that has one: the derivative of the sample's loss."""
        return {field.of: field.name for field in self.fields if field.role is Role.ADJOINT}

    @cached_property
    def velocity_of(self) -> dict[str, str]:
        """The name of the velocity G of each trained parameter: minus its functional gradient."""
        return {field.of: field.name for field in self.fields if field.role is Role.VELOCITY}

    @cached_property
    def next_of(self) -> dict[str, str]:
        """The name of the next value of each variable whose step is an equation of its own."""
        return {field.of: field.name for field in self.fields if field.role is Role.NEXT}

    @cached_property
    def flow_of(self) -> dict[str, str]:
        """The name of the derivative in time of each variable that has an equation for it."""
        return {field.of: field.name for field in self.fields if field.role is Role.FLOW}

    @cached_property
    def movers_of(self) -> dict[str, tuple[str, ...]]:
        """The fields on the layout of each variable that move it: G, fresh noise, next value, derivative."""
        roles = (Role.VELOCITY, Role.DRAW, Role.NEXT, Role.FLOW)
        return {
            variable.name: tuple(f.name for f in self.fields if f.role in roles and f.of == variable.name)
            for variable in self.variables
        }

    @cached_property
    def parameter_of(self) -> dict[str, str]:
        """The parameter that each variable, and each field that belongs to one, belongs to in the end."""
        found: dict[str, str] = {}
        for field in self.fields:
            owner = field
            while owner.of in self.field:
                owner = self.field[owner.of]
            if owner.name in self.parameter:
                found[field.name] = owner.name
        return found

    @cached_property
    def memories_of(self) -> dict[str, tuple[Variable, ...]]:
        """The memories of each parameter."""
        return {
            parameter.name: tuple(v for v in self.variables if v.of == parameter.name)
            for parameter in self.parameters
        }

    @cached_property
    def populations(self) -> tuple[Axis, ...]:
        """The populations, in order of their first layer."""
        return tuple(axis for axis in self.axes if axis.kind is AxisKind.POPULATION)

    @cached_property
    def node_axes(self) -> tuple[Axis, ...]:
        """The axes with weighted nodes, whose weights stand in a state's "p".

        These are the populations, and edge noise that is not drawn once for each pair.
        """
        return tuple(
            axis
            for axis in self.axes
            if axis.kind is AxisKind.POPULATION or (axis.kind is AxisKind.NOISE and not axis.drawn)
        )

    def rate_field(self, parameter: str) -> Field:
        """The field of a parameter's rate, which every step is given where it changes in time."""
        return replace(self.field[parameter], axes=()).derived(Role.CLOCK)

    def population_slots(self, name: str) -> tuple[str, ...]:
        """The population axes that index a field, in array order, repeated where it is."""
        kinds = self.axis
        return tuple(a for a in self.field[name].axes if kinds[a].kind is AxisKind.POPULATION)

    # ------------------------------------------------------------------ rewriting

    def map_terms(self, change: Callable[[Term], Term]) -> Self:
        """The system with every term of every equation as ``change`` makes it."""
        return replace(self, equations=tuple(e.map_terms(change) for e in self.equations))

    def map_equations(self, change: Callable[[Equation], Equation]) -> Self:
        """The system with every equation as ``change`` makes it."""
        return replace(self, equations=tuple(map(change, self.equations)))

    def without_axes(self, gone: frozenset[str]) -> Self:
        """The system without some axes: every slot over them goes, and every reduction over them."""
        return replace(
            self.map_equations(lambda equation: equation.map_slots(dropping(gone))),
            axes=tuple(axis for axis in self.axes if axis.name not in gone),
            fields=tuple(
                replace(field, axes=tuple(a for a in field.axes if a not in gone)) for field in self.fields
            ),
            variables=tuple(
                replace(variable, axes=tuple(a for a in variable.axes if a not in gone))
                for variable in self.variables
            ),
        )


def dropping(gone: frozenset[str]) -> SlotMap:
    """The change of slots that drops every index over one of some axes."""

    def change(slot: Slot) -> Slot | None:
        return slot if isinstance(slot, Affine) or slot.axis not in gone else None

    return change


def renaming(table: dict[Index, Index]) -> SlotMap:
    """The change of slots that renames indices; those that the table lacks stay."""

    def change(slot: Slot) -> Slot:
        if isinstance(slot, Index):
            return table.get(slot, slot)
        return Affine(tuple((c, table.get(i, i)) for c, i in slot.parts), slot.constant)

    return change


@dataclass(frozen=True, repr=False)
class LimitSystem(ForwardSystem):
    """The mean-field limit: forward H, backward D, evolution G.

    ``backward`` holds one equation per adjoint, in an order in which they can be evaluated; ``evolution``
    one per parameter that is not frozen: G = minus the functional gradient, and d(parameter)/dt =
    rate(t) * G. ``indexed`` keeps for each parameter the population axes that index it in the network (a
    reduction takes axes away, but not widths). ``data_law`` states the law of x and y with its invariances
    (None: not known). ``passes`` names the passes of a reduction that made the
    system (none: it is the limit of the whole network).
    """

    indexed: tuple[tuple[str, tuple[str, ...]], ...] = ()
    data_law: DataLaw | None = None
    passes: tuple[str, ...] = ()

    @cached_property
    def scalings(self) -> dict[str, tuple[str, ...]]:
        """Parameter -> population axes whose widths multiply its plain gradient (theory A.5)."""
        return dict(self.indexed)


@once
def _without_drawn_noise(system: ForwardSystem) -> ForwardSystem:
    return system.without_axes(
        frozenset(axis.name for axis in system.axes if axis.kind is AxisKind.NOISE and axis.drawn)
    )


def draw_noise(system: System) -> System:
    """The system in which the noise of every weight is drawn once for each pair of nodes.

    The average over the noise of a pair then goes with the average over the pairs, so the noise slots
    disappear. A finite network is always of this form, and so is the solver of an unreduced limit. Noise
    that has weighted nodes of its own (``Axis.drawn`` False) stays.
    """
    drawn: Any = _without_drawn_noise(system)
    result: System = drawn
    return result

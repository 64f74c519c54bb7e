"""The two central objects of the calculus: the forward equations and the mean-field limit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, SupportsIndex, TypeVar, overload

from ..errors import MfError
from .laws import Parameter
from .terms import Access, Affine, Axis, AxisKind, Equation, Field, Slot, Term

System = TypeVar("System", bound="ForwardSystem")

ADJOINT_PREFIX = "adj "
VELOCITY_PREFIX = "d "


class Printer(Protocol):
    """What prints a system; the room notation enters itself here with :func:`register_printer`."""

    def text(self, system: ForwardSystem) -> str:
        """The system as readable plain text."""

    def html(self, system: ForwardSystem) -> str:
        """The system as an HTML fragment."""

    def tree(self, system: ForwardSystem, part: str, name: str) -> Any:
        """The display tree of one equation of a part (forward, backward, evolution)."""


_PRINTERS: list[Printer] = []


def register_printer(printer: Printer) -> None:
    """Let systems print themselves through ``printer`` (the last one entered is used)."""
    _PRINTERS.append(printer)


def _printer() -> Printer:
    if not _PRINTERS:
        raise MfError("nothing prints equations yet; import mfderive.notation.display first")
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


def adjoint(name: str) -> str:
    """The name of the adjoint field D of a field: the derivative of the sample's loss."""
    return ADJOINT_PREFIX + name


def velocity(name: str) -> str:
    """The name of the evolution field G of a parameter: minus its functional gradient."""
    return VELOCITY_PREFIX + name


@dataclass(frozen=True)
class ForwardSystem:
    """The forward equations of a network, in an order in which they can be evaluated.

    ``fields`` has x and y (role INPUT), every parameter and every computed field; the last equation
    computes ``loss`` (per sample). Everything else of the program follows from this object.
    """

    title: str
    axes: tuple[Axis, ...]
    fields: tuple[Field, ...]
    parameters: tuple[Parameter, ...]
    forward: tuple[Equation, ...]

    def __post_init__(self) -> None:
        """Let every part know its system, so that it can show its equations by name."""
        for part in ("forward", "backward", "evolution"):
            if hasattr(self, part):
                object.__setattr__(self, part, Equations.of(getattr(self, part), self, part))

    def __str__(self) -> str:
        return _printer().text(self)

    def _repr_html_(self) -> str:
        return _printer().html(self)

    @cached_property
    def axis(self) -> dict[str, Axis]:
        """Axes by name."""
        return {axis.name: axis for axis in self.axes}

    @cached_property
    def field(self) -> dict[str, Field]:
        """Fields by name (adjoints and velocities included where they exist)."""
        return {field.name: field for field in self.fields}

    @cached_property
    def parameter(self) -> dict[str, Parameter]:
        """Parameters by name."""
        return {parameter.name: parameter for parameter in self.parameters}

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

    def population_slots(self, name: str) -> tuple[str, ...]:
        """The population axes that index a field, in array order, repeated where it is."""
        kinds = self.axis
        return tuple(a for a in self.field[name].axes if kinds[a].kind is AxisKind.POPULATION)


@dataclass(frozen=True)
class LimitSystem(ForwardSystem):
    """The mean-field limit: forward H, backward D, evolution G.

    ``backward`` holds one equation for each adjoint, in an order in which they can be evaluated;
    ``evolution`` one for each parameter that is not frozen: G = minus the functional gradient, and
    d(parameter)/dt = rate(t) * G. ``indexed`` keeps for each parameter the population axes that index it in
    the network (a reduction takes axes away, but not widths). ``log`` says in words what passes found.
    """

    backward: tuple[Equation, ...] = ()
    evolution: tuple[Equation, ...] = ()
    indexed: tuple[tuple[str, tuple[str, ...]], ...] = ()
    log: tuple[str, ...] = ()

    @cached_property
    def scalings(self) -> dict[str, tuple[str, ...]]:
        """Parameter -> population axes whose widths multiply its plain gradient (theory A.5)."""
        return dict(self.indexed)

    @property
    def equations(self) -> tuple[Equation, ...]:
        """All equations in the order in which they are evaluated."""
        return self.forward + self.backward + self.evolution


_DRAWN = "drawn"


def _drop_slots(slots: tuple[Slot, ...], noise: set[str]) -> tuple[Slot, ...]:
    return tuple(slot for slot in slots if isinstance(slot, Affine) or slot.axis not in noise)


def _drop_noise(equation: Equation, noise: set[str]) -> Equation:
    terms = tuple(
        Term(
            _drop_slots(term.target, noise),
            tuple(index for index in term.reduced if index.axis not in noise),
            term.expression,
            tuple((s, Access(a.field, _drop_slots(a.slots, noise))) for s, a in term.accesses),
        )
        for term in equation.terms
    )
    target = tuple(index for index in equation.target if index.axis not in noise)
    return Equation(equation.field, target, terms, equation.selector)


def draw_noise(system: System) -> System:
    """The system in which the noise of every weight is drawn once for each pair of nodes.

    The average over the noise of a pair then goes with the average over the pairs, so the noise slots
    disappear. A finite network is always of this form, and so is the solver of an unreduced limit. Noise
    that has weighted nodes of its own (``Axis.drawn`` False) stays.
    """
    # Many ask for it again and again, and a system never changes: it keeps what was found.
    if _DRAWN not in system.__dict__:
        system.__dict__[_DRAWN] = _without_drawn_noise(system)
    drawn: System = system.__dict__[_DRAWN]
    return drawn


def _without_drawn_noise(system: System) -> System:
    noise = {axis.name for axis in system.axes if axis.kind is AxisKind.NOISE and axis.drawn}
    changes: dict[str, Any] = {
        "axes": tuple(axis for axis in system.axes if axis.name not in noise),
        "fields": tuple(
            replace(field, axes=tuple(a for a in field.axes if a not in noise)) for field in system.fields
        ),
        "parameters": tuple(
            replace(parameter, axes=tuple(a for a in parameter.axes if a not in noise))
            for parameter in system.parameters
        ),
    }
    for part in ("forward", "backward", "evolution"):
        if hasattr(system, part):
            changes[part] = tuple(_drop_noise(equation, noise) for equation in getattr(system, part))
    return replace(system, **changes)

"""The schedule of a solver: which equations are evaluated, in which order, and what is updated in place.

A parameter whose velocity consists of matrix products that read no trained parameter is updated in place
(gemm with beta = 1), so that a step in time needs no array of its size. Every other velocity is computed
into an array of its own before any parameter changes, because it may read what the step changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..algebra.system import LimitSystem
from ..algebra.terms import Equation
from .contraction import plan_equation
from .instructions import Allocate, Each, Fill, Gemm, Instruction, Loop, Planned, Select
from .sample_runs import in_sample_runs

# The name that stands for the array of a velocity, or for the parameter that it is added to.
TARGET = "target"


@dataclass(frozen=True)
class Update:
    """The velocity of one parameter, which the instructions write into the array called :data:`TARGET`.

    ``in_place``: they may also add it to the parameter itself.
    """

    parameter: str
    equation: Equation
    instructions: tuple[Instruction, ...]
    in_place: bool


@dataclass(frozen=True)
class Schedule:
    """Everything that a solver evaluates, in order.

    ``forward``: the fields that need no y. ``loss``: those that do. ``backward``: the adjoints that the
    evolution depends on. ``updates``: the velocities of the trained parameters. ``gradient_reads_loss``:
    the backward pass or the evolution reads a field of ``loss``.
    """

    forward: tuple[Planned, ...]
    loss: tuple[Planned, ...]
    backward: tuple[Planned, ...]
    updates: tuple[Update, ...]
    gradient_reads_loss: bool


def schedule(system: LimitSystem) -> Schedule:
    """The schedule of a system whose noise is drawn."""
    objective = depends_on_y(system)
    backward = needed(system.backward, {field for e in system.evolution for field in e.reads})
    read = {field for e in (*backward, *system.evolution) for field in e.reads}
    return Schedule(
        forward=_planned(system, (e for e in system.forward if e.field not in objective)),
        loss=_planned(system, (e for e in system.forward if e.field in objective)),
        backward=_planned(system, backward),
        updates=_updates(system),
        gradient_reads_loss=bool(read & objective),
    )


def _planned(system: LimitSystem, equations: Iterable[Equation]) -> tuple[Planned, ...]:
    planned = [Planned(e, plan_equation(system, e, e.field)) for e in equations]
    return in_sample_runs(system, planned)


def _updates(system: LimitSystem) -> tuple[Update, ...]:
    """The updates of the trained parameters, in the order of the system's parameters."""
    updates = []
    for parameter in system.parameters:
        if not parameter.is_frozen:
            equation = system.equation_of[system.velocity_of[parameter.name]]
            instructions = plan_equation(system, equation, TARGET)
            in_place = updates_in_place(system, equation, instructions)
            updates.append(Update(parameter.name, equation, instructions, in_place))
    return tuple(updates)


def needed(equations: Iterable[Equation], wanted: set[str]) -> list[Equation]:
    """The equations, in order, that ``wanted`` fields depend on, directly or through later equations."""
    wanted, kept = set(wanted), []
    for equation in reversed(list(equations)):
        if equation.field in wanted:
            kept.append(equation)
            wanted |= equation.reads
    return kept[::-1]


def depends_on_y(system: LimitSystem) -> set[str]:
    """The forward fields that need y."""
    found = {"y"}
    for equation in system.forward:
        if equation.reads & found:
            found.add(equation.field)
    return found - {"y"}


def updates_in_place(system: LimitSystem, equation: Equation, instructions: Iterable[Instruction]) -> bool:
    """Whether a velocity can be added to its parameter directly."""
    trained = {p.name for p in system.parameters if not p.is_frozen}
    return not equation.reads & trained and all(map(_writes_by_gemm, instructions))


def _writes_by_gemm(instruction: Instruction) -> bool:
    if isinstance(instruction, Each):
        return all(map(_writes_by_gemm, instruction.body))
    if isinstance(instruction, Loop | Select):
        return instruction.out != TARGET
    return isinstance(instruction, Gemm | Allocate | Fill)

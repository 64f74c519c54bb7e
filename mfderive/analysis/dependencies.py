"""On which labels can each value ever depend, and through what: the least fixed point of theory C.2.

A value depends, through one of its population slots, on the labels of what it reads at that same neuron;
what is averaged over is forgotten. A parameter starts with its own label (if its law is random) and with
the labels that its law names, and takes over what its evolution depends on; a parameter and what a learning
rule remembers of it depend on the same labels. Fresh noise of every step is a label of its own. Nothing here
knows what a layer is.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ..algebra.laws import End, Variable
from ..algebra.system import LimitSystem
from ..algebra.terms import AxisKind, Index, Role

# A field and the position of one of its population slots.
Key = tuple[str, int]


@dataclass(frozen=True)
class Dependencies:
    """For every population slot of every field the labels that the value depends on through it.

    A label is the name of a parameter whose initial values differ from neuron to neuron, or of a field of
    fresh noise. ``origin`` says
    from which slot a label came (None: it is the label itself): followed back it is the reason, and a
    shortest one.
    """

    labels: dict[Key, frozenset[str]]
    origin: dict[tuple[Key, str], Key | None]

    def chain(self, key: Key, label: str) -> tuple[str, ...]:
        """The fields through which a label reaches a slot: the field itself first, the label's last."""
        names = [key[0]]
        source = self.origin[key, label]
        while source is not None:
            names.append(source[0])
            source = self.origin[source, label]
        return tuple(names)


def dependencies(system: LimitSystem) -> Dependencies:
    """The labels of every population slot of a closed system, with where each came from."""
    keys = [
        (field.name, position)
        for field in system.fields
        for position, axis in enumerate(field.axes)
        if system.axis[axis].kind is AxisKind.POPULATION
    ]
    origin = _initial(system)
    readers = _readers(system)
    queue = deque(origin)
    while queue:
        key, label = queue.popleft()
        for reader in readers.get(key, ()):
            if (reader, label) not in origin:
                origin[reader, label] = key
                queue.append((reader, label))
    labels: dict[Key, set[str]] = {key: set() for key in keys}
    for key, label in origin:
        labels[key].add(label)
    return Dependencies({key: frozenset(found) for key, found in labels.items()}, origin)


def _initial(system: LimitSystem) -> dict[tuple[Key, str], Key | None]:
    """The labels of initial values: a random node parameter's own, and those that its law names."""
    origin: dict[tuple[Key, str], Key | None] = {}
    done: set[str] = set()

    def visit(parameter: Variable) -> None:
        if parameter.name in done:
            return
        done.add(parameter.name)
        positions = _population_positions(system, parameter.name)
        if len(positions) == 1 and not parameter.law.is_deterministic:
            key = (parameter.name, positions[0])
            origin[key, parameter.name] = None
        for _, reference in parameter.law.references:
            other = system.parameter[reference.parameter]
            visit(other)
            if not positions:
                continue  # a finite layer: its values are the same for every neuron that reads them
            position = positions[0] if reference.end is End.TARGET else positions[-1]
            for theirs in _population_positions(system, other.name):
                for known, label in list(origin):
                    if known == (other.name, theirs):
                        origin.setdefault(((parameter.name, position), label), known)

    for parameter in system.parameters:
        visit(parameter)
    for field in system.fields:
        if field.role is Role.DRAW:
            positions = _population_positions(system, field.name)
            if len(positions) == 1:
                origin[(field.name, positions[0]), field.name] = None
    return origin


def _population_positions(system: LimitSystem, name: str) -> list[int]:
    axes = system.field[name].axes
    return [position for position, axis in enumerate(axes) if system.axis[axis].kind is AxisKind.POPULATION]


def _readers(system: LimitSystem) -> dict[Key, list[Key]]:
    """Slot -> the slots of the fields that read it at the same neuron."""
    readers: dict[Key, dict[Key, None]] = {}
    for equation in system.equations:
        for term in equation.terms:
            for own, slot in enumerate(term.target):
                if not isinstance(slot, Index) or system.axis[slot.axis].kind is not AxisKind.POPULATION:
                    continue
                for _, access in term.accesses:
                    for read, other in enumerate(access.slots):
                        if other == slot:
                            readers.setdefault((access.field, read), {})[equation.field, own] = None
    for variable in system.variables:
        for position in _population_positions(system, variable.name):
            for mover in system.movers_of[variable.name]:
                readers.setdefault((mover, position), {})[variable.name, position] = None
        for memory in system.memories_of.get(variable.name, ()):
            for position in _population_positions(system, memory.name):
                readers.setdefault((variable.name, position), {})[memory.name, position] = None
                readers.setdefault((memory.name, position), {})[variable.name, position] = None
    return {key: list(found) for key, found in readers.items()}


# ---------------------------------------------------------------------------------------- in words


@dataclass(frozen=True)
class Reason:
    """A chain in words: all up to its last field ("" where it is the only one), and that field."""

    start: str
    end: str

    def __str__(self) -> str:
        return " ".join(filter(None, (self.start, self.end)))


def reason(system: LimitSystem, chain: tuple[str, ...]) -> Reason:
    """A chain in words: "h4 reads h4.weight, which is trained with D of h4, which reads output.weight"."""
    visible = [name for name in chain if not _is_hidden(system, name)]
    found = Reason("", field_words(system, visible[0]))
    before = visible[0]
    trained = False
    for number, name in enumerate(visible[1:]):
        if system.field[name].role in _MOVERS:
            trained = True
            continue
        if trained:
            verb = "is trained with"
        elif before in system.parameter:
            verb = "starts at values that follow"
        else:
            verb = "reads"
        found = Reason(f"{found}{' ' if not number else ', which '}{verb}", field_words(system, name))
        before, trained = name, False
    return found


# What moves a parameter, or is remembered of it: a chain passes through these without a word.
_MOVERS = frozenset({Role.VELOCITY, Role.MEMORY, Role.NEXT, Role.FLOW, Role.MOTION})


def _is_hidden(system: LimitSystem, name: str) -> bool:
    """Whether equations write a field out where it is read, so that a reader never meets its name."""
    field = system.field[name]
    return system.field[field.of].hidden if field.of else field.hidden


def field_words(system: LimitSystem, name: str) -> str:
    """A field's name for readers: "D of h4" for an adjoint, "the evolution of w" for a velocity."""
    field = system.field[name]
    if field.role is Role.ADJOINT:
        return f"D of {field.of}"
    if field.role is Role.VELOCITY:
        return f"the evolution of {field.of}"
    if field.role is Role.DRAW:
        return f"the noise on {field.of}"
    if field.role in (Role.NEXT, Role.FLOW):
        return f"the {'step' if field.role is Role.NEXT else 'flow'} of {system.parameter_of[name]}"
    return name

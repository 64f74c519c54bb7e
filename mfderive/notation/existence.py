"""Where measure notation and the Eulerian form exist (theory A.6, C.5); a sentence where they do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..algebra.system import ForwardSystem, LimitSystem
from ..algebra.terms import Access, AxisKind, Index, Role, Term, slot_indices
from ..analysis.affinity import Obstacle, kernel_obstacles
from ..analysis.dependencies import field_words
from .remarks import Remark

Edge = tuple[str, str, str]  # weight, source population, target population


def dense_edges(system: ForwardSystem) -> tuple[Edge, ...]:
    """Every use of a weight between two populations, in the direction in which values flow."""
    return tuple(dict.fromkeys(_edges(system)))


def _edges(system: ForwardSystem) -> Iterator[Edge]:
    for equation in system.forward:
        for term in equation.terms:
            for _, access in term.accesses:
                ends = _ends(system, term, access)
                if ends is not None:
                    yield (access.field, *ends)


def _ends(system: ForwardSystem, term: Term, access: Access) -> tuple[str, str] | None:
    if system.field[access.field].role is not Role.PARAMETER:
        return None
    slots = [
        slot
        for slot in access.slots
        if isinstance(slot, Index) and system.axis[slot.axis].kind is AxisKind.POPULATION
    ]
    if len(slots) != 2:
        return None
    kept = slot_indices(term.target)
    target = next((slot for slot in slots if slot in kept), slots[0])
    source = next((slot for slot in slots if slot not in kept), slots[1])
    return source.axis, target.axis


def closing_edge(system: ForwardSystem) -> Edge | None:
    """The first dense edge that does not lead strictly upwards between populations, if there is one."""
    above: dict[str, set[str]] = {axis.name: set() for axis in system.populations}
    for weight, source, target in dense_edges(system):
        if source == target or source in _reachable(above, target):
            return weight, source, target
        above[source].add(target)
    return None


def _reachable(above: dict[str, set[str]], start: str) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        new = above[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def obstacle(system: LimitSystem) -> str | None:
    """One sentence that says why measure notation does not exist here; None where it does."""
    if any(field.deviation for field in system.fields):
        return "The second-order limit is printed in embedding notation alone."
    edge = closing_edge(system)
    if edge is not None:
        weight, source, target = edge
        if source == target:
            where = f"leads from the population {source} into itself"
        else:
            where = f"leads from the population {source} back to {target}, which is below it"
        return (
            f"There is no measure notation and no Eulerian form: the weight {weight} {where}, which closes a "
            "loop, so that the functions f would be defined on a space that contains themselves."
        )
    if system.motion and system.learning.row.flow is None:
        return (
            f"There is no measure notation and no Eulerian form: no flow of the learning rule "
            f"'{system.learning.rule}' is known, only its steps."
        )
    kernels = kernel_obstacles(without_steps(system))
    if kernels:
        return _no_closed_f(system, kernels[0])
    path = _path_edge(system)
    if path is not None:
        noisy, weight, source = path
        return (
            f"There is no measure notation and no Eulerian form: the weight {weight} reads the neurons of "
            f"{source}, whose parameter {noisy} feels fresh noise, so that an entry depends on the whole "
            "path of its neuron and is no function f of where the neuron is (embedding notation keeps both)."
        )
    if not system.populations:
        return "There is no measure notation: the network has no infinitely wide layer."
    return None


def without_steps(system: LimitSystem) -> LimitSystem:
    """The system without the steps of its learning rule: what moves in time is its flow."""
    kept = tuple(e for e in system.equations if system.field[e.field].role is not Role.NEXT)
    return replace(system, equations=kept)


def _path_edge(system: LimitSystem) -> Edge | None:
    """A parameter with fresh noise, a weight that depends on its neurons, and their population."""
    noisy = {
        system.population_slots(name): name for name, temperature in system.learning.noise if temperature
    }
    for weight, source, _ in dense_edges(system):
        parameter = system.parameter[weight]
        if (source,) in noisy and not (parameter.is_frozen and not parameter.law.references):
            return noisy[(source,)], weight, source
    return None


def moving_memories(system: ForwardSystem) -> tuple[str, ...]:
    """What a learning rule remembers and the flow moves or reads: part of a neuron's state."""
    flow = [e for e in system.equations if system.field[e.field].role is Role.FLOW]
    needed = {system.field[e.field].of for e in flow}.union(*(e.reads for e in flow))
    return tuple(v.name for v in system.variables if v.of in system.parameter and v.name in needed)


def _no_closed_f(system: LimitSystem, found: Obstacle) -> str:
    field = field_words(system, found.equation)
    if len(found.weights) == 1:
        what = f"is nonlinear in the weight {found.weights[0]}, whose entries are"
    else:
        what = (
            f"multiplies the weights {' and '.join(found.weights)} on one pair of neurons. Their entries are"
        )
    return Remark(
        "There is no closed equation for {f_of_kernel} and no Eulerian form: {field} {what} random given the "
        "neurons at their ends, so that the kernel {kernel} itself, the law of an entry given its two ends, "
        "has to be kept ({zeta} in embedding notation).",
        field=field,
        what=what,
    )

"""Closure: where the noise of weight entries is invisible, the conditional mean is the state.

A weight between two populations is random given the labels of its ends. If every term that reads such
weights is jointly affine in all weights that carry the noise of one pair, averaging over the noise commutes
with the equations: the mean f of the weight obeys them by itself, and the noise rides along unchanged
(theory C.1, C.5). Otherwise the kernel stays: the weight keeps its noise slot, as a quadrature axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..algebra.laws import Law, LawKind, Parameter
from ..algebra.system import LimitSystem
from ..algebra.terms import Access, Affine, Axis, AxisKind, Equation, Index, Slot, Term
from ..analysis.affinity import Obstacle, ends_of, noise_obstacles, noise_slot, pair_of
from ..analysis.dependencies import field_words
from ..errors import MfError


def close_noise(system: LimitSystem) -> LimitSystem:
    """The system with the noise of every closable weight replaced by the weight's conditional mean.

    Raises MfError where the noise of one pair cannot be written as one axis: weights multiplied on a pair
    that they read in opposite directions.
    """
    obstacles = noise_obstacles(system)
    groups = _groups(system, obstacles)
    kept = {weight for group in groups for weight in group}
    closed = [p for p in system.parameters if p.noise is not None and p.name not in kept]
    lines = [*closed_lines(closed), *kept_lines(obstacles, kept)]
    united = _united(system, groups, obstacles)
    return replace(close_weights(united, [p.name for p in closed]), log=(*system.log, *lines))


def close_weights(system: LimitSystem, names: Iterable[str]) -> LimitSystem:
    """The system with the named weights replaced by their conditional means; noise that is left has nodes.

    Exact only for weights without :func:`noise_obstacles`; the log stays as it is.
    """
    chosen = set(names)
    gone = {p.noise for p in system.parameters if p.name in chosen and p.noise is not None}

    def equations(given: tuple[Equation, ...]) -> tuple[Equation, ...]:
        return tuple(_without(equation, gone) for equation in given)

    return replace(
        system,
        axes=tuple(_resolved(axis) for axis in system.axes if axis.name not in gone),
        fields=tuple(replace(f, axes=tuple(a for a in f.axes if a not in gone)) for f in system.fields),
        parameters=tuple(_closed_parameter(p) if p.name in chosen else p for p in system.parameters),
        forward=equations(system.forward),
        backward=equations(system.backward),
        evolution=equations(system.evolution),
    )


def _groups(system: LimitSystem, obstacles: tuple[Obstacle, ...]) -> list[list[str]]:
    """The weights whose noise stays, those that share a pair's noise together.

    A weight that is constant given its ends has no noise of its own: alone it may always be closed.
    """
    groups: list[set[str]] = []
    for obstacle in obstacles:
        group = set(obstacle.weights)
        for other in [g for g in groups if g & group]:
            groups.remove(other)
            group |= other
        groups.append(group)
    order = [p.name for p in system.parameters]
    random = {p.name for p in system.parameters if not p.law.is_deterministic}
    return [sorted(group, key=order.index) for group in groups if group & random]


# ---------------------------------------------------------------------------------------- one noise a pair


def _united(system: LimitSystem, groups: list[list[str]], obstacles: tuple[Obstacle, ...]) -> LimitSystem:
    """The system in which weights that share a pair's noise have one noise axis."""
    mapping: dict[str, str] = {}
    for group in groups:
        noises = [p.noise for p in system.parameters if p.name in group and p.noise is not None]
        mapping.update(dict.fromkeys(noises, noises[0]))
    for obstacle in obstacles:
        kept = any(obstacle.one.field in group for group in groups)
        if kept and ends_of(system, obstacle.one.slots) != ends_of(system, obstacle.other.slots):
            raise MfError(
                f"the equation of {obstacle.equation} multiplies {' and '.join(obstacle.weights)} on one "
                "pair of neurons, read in opposite directions; the reduction cannot keep their common noise. "
                "Solve the full system instead (reduce=False, --no-reduce)"
            )
    if all(old == new for old, new in mapping.items()):
        return system
    merged = {old for old, new in mapping.items() if old != new}

    def name(axis: str) -> str:
        return mapping.get(axis, axis)

    def equations(given: tuple[Equation, ...]) -> tuple[Equation, ...]:
        return tuple(_on_one_noise(system, equation, mapping) for equation in given)

    return replace(
        system,
        axes=tuple(axis for axis in system.axes if axis.name not in merged),
        fields=tuple(replace(f, axes=tuple(map(name, f.axes))) for f in system.fields),
        parameters=tuple(
            replace(p, axes=tuple(map(name, p.axes)), noise=p.noise and name(p.noise))
            for p in system.parameters
        ),
        forward=equations(system.forward),
        backward=equations(system.backward),
        evolution=equations(system.evolution),
    )


def _on_one_noise(system: LimitSystem, equation: Equation, mapping: Mapping[str, str]) -> Equation:
    """An equation whose noise indices on the same pair of neurons are one index of the common axis."""

    def moved(index: Index) -> Index:
        return Index(index.name, mapping.get(index.axis, index.axis))

    terms = []
    for term in equation.terms:
        reads = [Access(equation.field, term.target), *(access for _, access in term.accesses)]
        first: dict[tuple[str, frozenset[Index]], Index] = {}
        table: dict[Slot, Index] = {}
        for access in reads:
            noise = noise_slot(system, access)
            if noise is not None:
                key = (mapping.get(noise.axis, noise.axis), pair_of(system, access))
                table[noise] = first.setdefault(key, moved(noise))

        def renamed(slots: tuple[Slot, ...], table: dict[Slot, Index] = table) -> tuple[Slot, ...]:
            return tuple(table.get(slot, slot) for slot in slots)

        target = renamed(term.target)
        reduced = dict.fromkeys(table.get(index, index) for index in term.reduced)
        terms.append(
            Term(
                target,
                tuple(index for index in reduced if index not in target),
                term.expression,
                tuple((s, Access(a.field, renamed(a.slots))) for s, a in term.accesses),
            )
        )
    return Equation(equation.field, tuple(map(moved, equation.target)), tuple(terms), equation.selector)


# ---------------------------------------------------------------------------------------- without noise


def _resolved(axis: Axis) -> Axis:
    """Noise that stays has weighted nodes of its own instead of one draw a pair."""
    return replace(axis, drawn=False) if axis.kind is AxisKind.NOISE else axis


def _closed_parameter(parameter: Parameter) -> Parameter:
    mean = parameter.law.mean
    references = tuple((s, r) for s, r in parameter.law.references if s in mean.free_symbols)
    # The text is the mean alone: what does not matter in the limit does not tell two limits apart.
    law = Law(LawKind.CONSTANT, (mean,), references, str(mean))
    axes = tuple(axis for axis in parameter.axes if axis != parameter.noise)
    return replace(parameter, axes=axes, law=law, noise=None)


def _without(equation: Equation, gone: set[str]) -> Equation:
    def kept(slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
        return tuple(s for s in slots if isinstance(s, Affine) or s.axis not in gone)

    terms = tuple(
        Term(
            kept(term.target),
            tuple(index for index in term.reduced if index.axis not in gone),
            term.expression,
            tuple((s, Access(a.field, kept(a.slots))) for s, a in term.accesses),
        )
        for term in equation.terms
    )
    target = tuple(index for index in equation.target if index.axis not in gone)
    return Equation(equation.field, target, terms, equation.selector)


# ---------------------------------------------------------------------------------------- the log


def closed_lines(closed: list[Parameter]) -> list[str]:
    """What is closed and why; weights with the same mean share a line."""
    random: dict[str, list[str]] = {}
    constant = []
    for parameter in closed:
        if parameter.law.is_deterministic:
            constant.append(parameter.name)
        else:
            random.setdefault(str(parameter.law.mean), []).append(parameter.name)
    lines = [
        f"{_listed(names)}: random entries are replaced by their mean given their two neurons, {mean}, "
        "because every equation is affine in them; their deviation does not matter in the limit"
        for mean, names in random.items()
    ]
    if constant:
        lines.append(f"{_listed(constant)}: constant given the two neurons, so there is no noise to average")
    return lines


def kept_lines(obstacles: tuple[Obstacle, ...], kept: set[str]) -> list[str]:
    """What keeps its noise and why: one obstacle a weight."""
    lines: dict[str, str] = {}
    for obstacle in obstacles:
        for weight in obstacle.weights:
            if weight not in kept:
                continue
            others = [name for name in obstacle.weights if name != weight]
            where = (
                f"is multiplied with {others[0]} on the same pair" if others else "does not enter affinely"
            )
            lines.setdefault(
                weight,
                f"{weight}: its entries keep their own noise, as a quadrature axis, because it {where} in "
                f"the equation of {field_words(obstacle.equation)}: {obstacle.term.expression}",
            )
    return list(lines.values())


def _listed(names: list[str]) -> str:
    return ", ".join(names)

"""Closure: where the noise of weight entries is invisible, the conditional mean is the state.

A weight between two populations is random given the labels of its ends. If every term that reads such
weights is jointly affine in all weights that carry the noise of one pair, averaging over the noise commutes
with the equations: the mean f of the weight obeys them by itself, and the noise rides along unchanged
(theory C.1, C.5). Otherwise the kernel stays: the weight keeps its noise slot, as a quadrature axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..algebra.laws import Law, LawKind, Variable
from ..algebra.system import LimitSystem, renaming
from ..algebra.terms import Access, Axis, AxisKind, Equation, Index, Term
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
    lines = [*closed_lines(closed), *kept_lines(system, obstacles, kept)]
    united = _united(system, groups, obstacles)
    return replace(close_weights(united, [p.name for p in closed]), log=(*system.log, *lines))


def close_weights(system: LimitSystem, names: Iterable[str]) -> LimitSystem:
    """The system with the named weights replaced by their conditional means; noise that is left has nodes.

    Exact only for weights without :func:`noise_obstacles`; the log stays as it is.
    """
    chosen = set(names)
    gone = frozenset(p.noise for p in system.parameters if p.name in chosen and p.noise is not None)
    left = system.without_axes(gone)
    return replace(
        left,
        axes=tuple(map(_resolved, left.axes)),
        variables=tuple(_closed_parameter(v) if v.name in chosen else v for v in left.variables),
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

    return replace(
        system.map_equations(lambda equation: _on_one_noise(system, equation, mapping)),
        axes=tuple(axis for axis in system.axes if axis.name not in merged),
        fields=tuple(replace(f, axes=tuple(map(name, f.axes))) for f in system.fields),
        variables=tuple(
            replace(v, axes=tuple(map(name, v.axes)), noise=v.noise and name(v.noise))
            for v in system.variables
        ),
    )


def _on_one_noise(system: LimitSystem, equation: Equation, mapping: Mapping[str, str]) -> Equation:
    """An equation whose noise indices on the same pair of neurons are one index of the common axis."""

    def moved(index: Index) -> Index:
        return Index(index.name, mapping.get(index.axis, index.axis))

    def united(term: Term) -> Term:
        reads = [Access(equation.field, term.target), *(access for _, access in term.accesses)]
        first: dict[tuple[str, frozenset[Index]], Index] = {}
        table: dict[Index, Index] = {}
        for access in reads:
            noise = noise_slot(system, access)
            if noise is not None:
                key = (mapping.get(noise.axis, noise.axis), pair_of(system, access))
                table[noise] = first.setdefault(key, moved(noise))
        return term.map_slots(renaming(table))

    return replace(equation.map_terms(united), target=tuple(map(moved, equation.target)))


# ---------------------------------------------------------------------------------------- without noise


def _resolved(axis: Axis) -> Axis:
    """Noise that stays has weighted nodes of its own instead of one draw a pair."""
    return replace(axis, drawn=False) if axis.kind is AxisKind.NOISE else axis


def _closed_parameter(parameter: Variable) -> Variable:
    mean = parameter.law.mean
    references = tuple((s, r) for s, r in parameter.law.references if s in mean.free_symbols)
    # The text is the mean alone: what does not matter in the limit does not tell two limits apart.
    law = Law(LawKind.CONSTANT, (mean,), references, str(mean))
    axes = tuple(axis for axis in parameter.axes if axis != parameter.noise)
    return replace(parameter, axes=axes, law=law, noise=None)


# ---------------------------------------------------------------------------------------- the log


def closed_lines(closed: list[Variable]) -> list[str]:
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


def kept_lines(system: LimitSystem, obstacles: tuple[Obstacle, ...], kept: set[str]) -> list[str]:
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
                f"the equation of {field_words(system, obstacle.equation)}: {obstacle.term.expression}",
            )
    return list(lines.values())


def _listed(names: list[str]) -> str:
    return ", ".join(names)

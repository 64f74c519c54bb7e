"""Closure: where the noise of weight entries is invisible, the conditional mean is the state.

A weight between two populations is random given the labels of its ends. If every term that reads such
weights is jointly affine in all weights that carry the noise of one pair, averaging over the noise commutes
with the equations: the mean f of the weight obeys them by itself, and the noise rides along unchanged
(theory C.1, C.5). Otherwise the kernel stays: the weight keeps its noise slot, as a quadrature axis.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..algebra.findings import Finding, FindingKind
from ..algebra.laws import Law, LawKind, Variable
from ..algebra.reduced import DrawnNetwork, PassResult, StateMapping
from ..algebra.system import LimitSystem, draw_noise, renaming
from ..algebra.terms import Access, Axis, AxisKind, Equation, Index, Role, Term
from ..analysis.affinity import (
    Obstacle,
    ends_of,
    noise_carriers,
    noise_groups,
    noise_obstacles,
    noise_slot,
)
from ..errors import MfError
from ..state.draw import parameter_shapes
from ..state.sample import frozen_noise
from .noise_motion import Deviations, with_noise_motion


def close_noise(system: LimitSystem) -> PassResult:
    """The system with the noise of every closable weight replaced by the weight's conditional mean.

    A state of the whole network restricts to one of the closed system as it is: its weights are taken for
    the means themselves, and noise that stays has one node. That is exact for the given network (the closed
    system with one noise node makes the whole system's steps), although it is not the limit of wider ones.
    A network lifts by noise drawn again from the laws at t = 0, which SGD does not change (theory C.1); what
    another learning rule does to it is followed (:mod:`mfderive.reduction.noise_motion`).

    Raises MfError where the noise of one pair cannot be written as one axis: a weight multiplied on a pair
    with itself read in the opposite direction.
    """
    obstacles = noise_obstacles(system)
    groups = noise_groups(system, obstacles)
    kept = {weight for group in groups for weight in group}
    closed = [p for p in system.parameters if p.noise is not None and p.name not in kept]
    _refuse_noise_on_kernels(system, kept)
    still = close_weights(_united(system, groups, obstacles), [p.name for p in closed])
    left, deviations = with_noise_motion(still, [_own(still, p) for p in closed], noise_carriers(system))
    return PassResult(
        left,
        (*_closed_findings(closed), *_kept_findings(obstacles, kept)),
        restrict=partial(_restricted, left),
        lift=partial(_lifted, system, _random(closed), deviations),
        initial_values=_referenced(closed),
    )


def _refuse_noise_on_kernels(system: LimitSystem, kept: Collection[str]) -> None:
    """Raise MfError for fresh noise on weights whose own noise stays: no few nodes stand for both."""
    for name in kept:
        if any(system.field[mover].role is Role.DRAW for mover in system.movers_of[name]):
            raise MfError(
                f"noise on '{name}' cannot be reduced: this weight does not enter affinely, and so the limit "
                "keeps the noise of every pair, and fresh noise would come on top at every step. Give it no "
                f'noise ([training] noise = {{ "{name}" = 0 }}), or solve the full system (reduce=False, '
                "--no-reduce)"
            )


def _own(left: LimitSystem, parameter: Variable) -> Variable:
    """A weight as a system has it whose noise axes are gone, with the law that it starts from."""
    return replace(left.variable[parameter.name], law=parameter.law)


def hold_means(system: LimitSystem) -> PassResult:
    """The system itself, whose weights between populations stand for their conditional means.

    It lifts as :func:`close_noise` does: noise is put back. For weights that do not enter affinely the mean
    alone is no limit; close_noise keeps their noise.
    """
    noisy = [p for p in system.parameters if p.noise is not None]
    drawn = draw_noise(system)
    left, deviations = with_noise_motion(drawn, [_own(drawn, p) for p in noisy], noise_carriers(system))
    return PassResult(
        left if deviations else system,
        restrict=partial(_restricted, left if deviations else system),
        lift=partial(_lifted, system, _random(noisy), deviations),
        initial_values=_referenced(noisy),
    )


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
        variables=tuple(
            _closed_parameter(v) if v.name in chosen or v.of in chosen else v for v in left.variables
        ),
    )


# ---------------------------------------------------------------------------------------- one noise per pair


def _united(system: LimitSystem, groups: list[list[str]], obstacles: tuple[Obstacle, ...]) -> LimitSystem:
    """The system in which weights that share a pair's noise have one noise axis.

    Two weights that read a pair from opposite ends share it too: one of them is crosswise.
    """
    mapping: dict[str, str] = {}
    for group in groups:
        noises = [p.noise for p in system.parameters if p.name in group and p.noise is not None]
        mapping.update(dict.fromkeys(noises, noises[0]))
    crosswise = _crosswise(system, groups, obstacles)
    if all(old == new for old, new in mapping.items()):
        return system
    merged = {old for old, new in mapping.items() if old != new}

    def name(axis: str) -> str:
        return mapping.get(axis, axis)

    return replace(
        system.map_equations(lambda equation: _on_one_noise(system, equation, mapping, crosswise)),
        axes=tuple(axis for axis in system.axes if axis.name not in merged),
        fields=tuple(replace(f, axes=tuple(map(name, f.axes))) for f in system.fields),
        variables=tuple(
            replace(
                v,
                axes=tuple(map(name, v.axes)),
                noise=v.noise and name(v.noise),
                crosswise=v.name in crosswise,
            )
            for v in system.variables
        ),
    )


def _crosswise(
    system: LimitSystem, groups: list[list[str]], obstacles: tuple[Obstacle, ...]
) -> frozenset[str]:
    """The weights that read the pairs of their group from the other end than its first weight does.

    Raises MfError where a weight would have to do both: the two entries of one weight on a pair are
    independent, and have no common noise node.
    """
    turned: dict[str, bool] = {group[0]: False for group in groups}
    kept = {weight for group in groups for weight in group}
    waiting = [o for o in obstacles if o.one.field in kept and o.other.field in kept]
    while waiting:
        # Obstacles join the weights of a group, so one of them always touches a weight that is known.
        obstacle = next(o for o in waiting if o.one.field in turned or o.other.field in turned)
        waiting.remove(obstacle)
        opposite = ends_of(system, obstacle.one.slots) != ends_of(system, obstacle.other.slots)
        one, other = obstacle.one.field, obstacle.other.field
        if one not in turned:
            one, other = other, one
        if turned.setdefault(other, turned[one] != opposite) != (turned[one] != opposite):
            raise MfError(
                f"the equation of {obstacle.equation} multiplies {' and '.join(obstacle.weights)} on one "
                "pair of neurons, read in opposite directions, and so the two entries of one weight; the "
                "reduction cannot keep their common noise. Solve the full system instead (reduce=False, "
                "--no-reduce)"
            )
    return frozenset(name for name, other_way in turned.items() if other_way)


def _on_one_noise(
    system: LimitSystem, equation: Equation, mapping: Mapping[str, str], crosswise: Collection[str]
) -> Equation:
    """An equation whose noise indices on the same pair of neurons are one index of the common axis."""

    def moved(index: Index) -> Index:
        return Index(index.name, mapping.get(index.axis, index.axis))

    weight_of = system.parameter_of

    def united(term: Term) -> Term:
        reads = [Access(equation.field, term.target), *(access for _, access in term.accesses)]
        first: dict[tuple[str, tuple[Index, ...]], Index] = {}
        table: dict[Index, Index] = {}
        for access in reads:
            noise = noise_slot(system, access)
            if noise is not None:
                ends = ends_of(system, access.slots)
                # A pair is written as the group's first weight reads it: target, source.
                pair = ends[::-1] if weight_of.get(access.field) in crosswise else ends
                key = (mapping.get(noise.axis, noise.axis), pair)
                table[noise] = first.setdefault(key, moved(noise))
        return term.map_slots(renaming(table))

    return replace(equation.map_terms(united), target=tuple(map(moved, equation.target)))


# ---------------------------------------------------------------------------------------- without noise


def _resolved(axis: Axis) -> Axis:
    """Noise that stays has weighted nodes of its own instead of one draw per pair."""
    return replace(axis, drawn=False) if axis.kind is AxisKind.NOISE else axis


def _closed_parameter(parameter: Variable) -> Variable:
    mean = parameter.law.mean
    references = tuple((s, r) for s, r in parameter.law.references if s in mean.free_symbols)
    # The text is the mean alone: what does not matter in the limit does not tell two limits apart.
    law = Law(LawKind.CONSTANT, (mean,), references, str(mean))
    axes = tuple(axis for axis in parameter.axes if axis != parameter.noise)
    return replace(parameter, axes=axes, law=law, noise=None)


# ---------------------------------------------------------------------------------------- findings


def _closed_findings(closed: list[Variable]) -> Iterator[Finding]:
    """What is closed: weights with the same mean together, then those that have no noise."""
    random: dict[str, list[str]] = {}
    for parameter in _random(closed):
        random.setdefault(str(parameter.law.mean), []).append(parameter.name)
    for mean, names in random.items():
        yield Finding.of(FindingKind.CLOSED, *names, mean=mean)
    constant = [parameter.name for parameter in closed if parameter.law.is_deterministic]
    if constant:
        yield Finding.of(FindingKind.CONSTANT, *constant)


def _kept_findings(obstacles: tuple[Obstacle, ...], kept: Collection[str]) -> Iterator[Finding]:
    """What keeps its noise: one obstacle for each weight."""
    told: set[str] = set()
    for obstacle in obstacles:
        for weight in obstacle.weights:
            if weight in kept and weight not in told:
                told.add(weight)
                others = tuple(name for name in obstacle.weights if name != weight)
                yield Finding.of(
                    FindingKind.KEPT_NOISE,
                    weight,
                    others=others,
                    equation=obstacle.equation,
                    expression=str(obstacle.term.expression),
                )


# ---------------------------------------------------------------------------------------- there and back


def _random(parameters: Iterable[Variable]) -> list[Variable]:
    return [parameter for parameter in parameters if not parameter.law.is_deterministic]


def _referenced(parameters: Iterable[Variable]) -> tuple[str, ...]:
    """The parameters whose initial values say what the noise of weights is."""
    named = (r.parameter for parameter in _random(parameters) for _, r in parameter.law.references)
    return tuple(dict.fromkeys(named))


def _restricted(left: LimitSystem, state: StateMapping) -> StateMapping:
    """The closed system's state that a state of the whole network is, on one noise node.

    What is followed of the noise of weights begins at its start.
    """
    found: dict[str, Any] = dict(state)
    found["p"] = dict(state["p"])
    sizes = {axis.name: axis.size for axis in left.axes if axis.size is not None}
    sizes |= {name: len(weights) for name, weights in state["p"].items()}
    for variable in left.variables:
        if variable.name not in state:
            shape = tuple(sizes[axis] for axis in variable.axes)
            found[variable.name] = np.full(shape, float(variable.law.mean))
        elif variable.noise in variable.axes and not left.axis[variable.noise].drawn:
            values = np.asarray(state[variable.name])
            found[variable.name] = np.expand_dims(values, variable.axes.index(variable.noise))
            found["p"][variable.noise] = np.ones(1, values.dtype)
    return found


def _lifted(
    system: LimitSystem, closed: list[Variable], deviations: Iterable[Deviations], network: DrawnNetwork
) -> DrawnNetwork:
    """The network whose closed weights are their means and what is left of the noise of their entries."""
    whole = draw_noise(system)
    shapes = parameter_shapes(whole, network.sizes)
    moved = {each.weight: each for each in deviations}
    state = dict(network.state)
    for parameter in closed:
        name = parameter.name
        noise = frozen_noise(
            whole, whole.parameter[name], shapes[name], network.labels, network.generator(name)
        )
        factors = moved[name].factors if name in moved else {}
        for variable in factors or (name,):
            factor = network.state[factors[variable]] if factors else 1
            state[variable] = (state[variable] + factor * noise).astype(np.asarray(state[variable]).dtype)
    for each in moved.values():
        if each.covariances:
            _add_fresh_noise(each, shapes[each.weight], network, state)
    return replace(network, state=state)


def _add_fresh_noise(
    found: Deviations, shape: tuple[int, ...], network: DrawnNetwork, state: dict[str, Any]
) -> None:
    """Add normal numbers with the covariance that the noise of all steps has added up to, in place."""
    names = found.variables
    matrix = np.zeros((*shape, len(names), len(names)))
    for (one, other), variable in found.covariances.items():
        i, j = names.index(one), names.index(other)
        matrix[..., i, j] = matrix[..., j, i] = np.broadcast_to(network.state[variable], shape)
    # A covariance may be singular (before the first step it is 0), so its root is that of eigenvalues.
    values, vectors = np.linalg.eigh(matrix)
    normal = network.generator(f"fresh noise {found.weight}").standard_normal((*shape, len(names)))
    added = np.einsum("...ij,...j->...i", vectors * np.sqrt(np.maximum(values, 0))[..., None, :], normal)
    for place, name in enumerate(names):
        state[name] = (state[name] + added[..., place]).astype(np.asarray(state[name]).dtype)

"""Weighted nodes for the labels of a reduced system: single types, Gauss nodes, quasi-Monte Carlo points.

After reduction a population is its labels: independent random variables (given the labels that their laws
name). Each label is a transform of standard variables (normal or uniform), so an ensemble is a set of
weighted nodes for those.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import ceil, log2
from typing import Any

import numpy as np

from ..algebra.evaluate import evaluate_expression
from ..algebra.laws import End, Law, LawKind, Parameter
from ..algebra.system import ForwardSystem
from ..algebra.terms import AxisKind
from ..errors import MfError, SpecError, nearest
from .draw import WEIGHTS, State, check_law, draw_order

Array = Any

RULES = ("gauss", "sobol", "monte-carlo")
# Up to so many numbers a label space is integrated by a tensor of Gauss nodes: (nodes per number) by count.
GAUSS_NODES = {1: 32, 2: 16}
SOBOL_NODES = 1024
NOISE_NODES = 24


@dataclass(frozen=True)
class Ensemble:
    """The plan for one measure axis: its labels, how many numbers they have, rule and number of nodes."""

    axis: str
    labels: tuple[str, ...]
    dimension: int
    rule: str
    nodes: int

    def __str__(self) -> str:
        names = " and ".join(self.labels)
        return f"{self.axis}: {names} ({self.dimension} number{'s' * (self.dimension != 1)}), {self.words}"

    @property
    def words(self) -> str:
        """The rule in words."""
        kind = {"gauss": "Gauss nodes", "sobol": "scrambled Sobol points", "monte-carlo": "random draws"}
        return f"{self.nodes} {kind[self.rule]}"


def plan_ensembles(
    system: ForwardSystem,
    nodes: int | Mapping[str, int] | None = None,
    rule: str | Mapping[str, str] | None = None,
) -> dict[str, Ensemble]:
    """The rule of every population and noise axis of a reduced system.

    By default: labels of one or two numbers (normal, uniform or of two values) by a tensor of Gauss nodes,
    anything larger by scrambled Sobol points. ``nodes`` is the number of nodes of an axis (Gauss: rounded up
    to a full tensor; Sobol: to a power of 2), for all sampled axes or by name; ``rule`` likewise.
    """
    plans = {}
    for axis in system.axes:
        if axis.kind is AxisKind.POPULATION:
            labels = _labels(system, axis.name)
            size = sum(_entries(system, system.parameter[label]) for label in labels)
        elif axis.kind is AxisKind.NOISE:
            labels = tuple(p.name for p in system.parameters if p.noise == axis.name)
            size = sum(_entries(system, system.parameter[label]) for label in labels)
        else:
            continue
        chosen = _choice(rule, axis.name) or _default_rule(system, labels, size)
        if chosen not in RULES:
            raise MfError(f"the rule for '{axis.name}' is '{chosen}'. {nearest(str(chosen), RULES)}")
        count = _choice(nodes, axis.name)
        if count is not None and count < 1:
            raise MfError(f"'{axis.name}' cannot have {count} nodes; at least 1 is needed")
        plans[axis.name] = Ensemble(
            axis.name, labels, size, chosen, _node_count(chosen, size, count, axis.kind)
        )
    return plans


def _choice(given: Any, axis: str) -> Any:
    return given.get(axis) if isinstance(given, Mapping) else given


def _labels(system: ForwardSystem, population: str) -> tuple[str, ...]:
    return tuple(
        p.name
        for p in draw_order(system)
        if not p.law.is_deterministic and p.noise is None and system.population_slots(p.name) == (population,)
    )


def _entries(system: ForwardSystem, parameter: Parameter) -> int:
    """How many random numbers a node of a parameter's own measure has: its finite entries."""
    total = 1
    for axis in parameter.axes:
        total *= system.axis[axis].size or 1
    return total


def _default_rule(system: ForwardSystem, labels: tuple[str, ...], size: int) -> str:
    kinds = {system.parameter[label].law.kind for label in labels}
    return "gauss" if size in GAUSS_NODES and LawKind.SPHERE not in kinds else "sobol"


def _node_count(rule: str, size: int, wanted: int | None, kind: AxisKind) -> int:
    if size == 0:
        return 1
    if rule == "gauss":
        default = NOISE_NODES if kind is AxisKind.NOISE else GAUSS_NODES.get(size, 4)
        each = default if wanted is None else max(1, ceil(wanted ** (1 / size) - 1e-9))
        return int(each**size)
    count = wanted or SOBOL_NODES
    return int(2 ** ceil(log2(count))) if rule == "sobol" else int(count)


# ---------------------------------------------------------------------------------------- standard variables


def _gauss(kind: LawKind, count: int) -> tuple[Array, Array]:
    """Nodes and weights of the standard variable of a law: normal, or uniform on (0, 1)."""
    if kind is LawKind.NORMAL:
        nodes, weights = np.polynomial.hermite_e.hermegauss(count)
        return nodes, weights / weights.sum()
    if kind is LawKind.RADEMACHER:
        return np.array([0.25, 0.75]), np.array([0.5, 0.5])
    if kind is LawKind.UNIFORM:
        nodes, weights = np.polynomial.legendre.leggauss(count)
        return (nodes + 1) / 2, weights / 2
    raise MfError(f"there are no Gauss nodes for a law of kind '{kind.value}'; use the rule sobol")


def _tensor(kinds: list[LawKind], each: int) -> tuple[Array, Array]:
    rules = [_gauss(kind, each) for kind in kinds]
    points = np.array(list(product(*(nodes for nodes, _ in rules))))
    weights = np.array([np.prod(row) for row in product(*(weights for _, weights in rules))])
    return points.reshape(len(weights), len(kinds)), weights


def _standard(system: ForwardSystem, plan: Ensemble, kinds: list[LawKind], seed: int) -> tuple[Array, Array]:
    """Standard variables [node, number] and the weights [node] of one axis."""
    if not kinds:
        return np.zeros((1, 0)), np.ones(1)
    if plan.rule == "gauss":
        each = round(plan.nodes ** (1 / plan.dimension))
        return _tensor(kinds, each)
    key = [seed, zlib.crc32(plan.axis.encode())]
    if plan.rule == "sobol":
        from scipy.stats import qmc

        sampler = qmc.Sobol(len(kinds), scramble=True, rng=np.random.default_rng(key))
        uniform = sampler.random_base2(round(log2(plan.nodes)))
    else:
        uniform = np.random.default_rng(key).random((plan.nodes, len(kinds)))
    from scipy.special import ndtri

    smallest = np.finfo(np.float64).tiny
    normal = [kind in (LawKind.NORMAL, LawKind.SPHERE) for kind in kinds]
    columns = [
        ndtri(np.clip(column, smallest, 1 - 2**-53)) if is_normal else column
        for column, is_normal in zip(uniform.T, normal, strict=True)
    ]
    return np.array(columns).T, np.full(len(uniform), 1 / len(uniform))


def _transform(law: Law, arguments: tuple[Array, ...], standard: Array) -> Array:
    """Values of a law from its standard variables; axis 0 of ``standard`` are the nodes."""
    if law.kind is LawKind.NORMAL:
        return arguments[0] + arguments[1] * standard
    if law.kind is LawKind.UNIFORM:
        return arguments[0] + (arguments[1] - arguments[0]) * standard
    if law.kind is LawKind.RADEMACHER:
        return arguments[0] * np.where(standard < 0.5, 1.0, -1.0)
    if law.kind is LawKind.SPHERE:
        norm = np.sqrt((standard**2).sum(axis=tuple(range(1, standard.ndim)), keepdims=True))
        return arguments[0] * standard / norm
    raise SpecError(f"'{law.kind}' has no standard variable")


# ---------------------------------------------------------------------------------------- states


def ensemble_state(
    system: ForwardSystem, plans: Mapping[str, Ensemble], seed: int, dtype: Any = np.float64
) -> State:
    """The initial state of a reduced system on the nodes that ``plans`` describe.

    Arrays are in the layout of the reduced parameters; ``state["p"]`` has the weights of the nodes of every
    population and of every noise axis that is left.
    """
    nodes: dict[str, tuple[Array, Array]] = {}
    for name, plan in plans.items():
        kinds = [
            system.parameter[label].law.kind
            for label in plan.labels
            for _ in range(_entries(system, system.parameter[label]))
        ]
        nodes[name] = _standard(system, plan, kinds, seed)
    sizes = {name: len(weights) for name, (_, weights) in nodes.items()}
    for axis in system.axes:
        if axis.kind is AxisKind.FINITE and axis.size is not None:
            sizes[axis.name] = axis.size
    values: dict[str, Array] = {}
    for drawn in draw_order(system):
        parameter = system.parameter[drawn.name]
        values[parameter.name] = _values(system, parameter, plans, nodes, sizes, values)
    precision = np.dtype(dtype)
    state: State = {p.name: values[p.name].astype(precision) for p in system.parameters}
    state[WEIGHTS] = {name: weights.astype(precision) for name, (_, weights) in nodes.items()}
    return state


def _values(
    system: ForwardSystem,
    parameter: Parameter,
    plans: Mapping[str, Ensemble],
    nodes: Mapping[str, tuple[Array, Array]],
    sizes: Mapping[str, int],
    known: Mapping[str, Array],
) -> Array:
    shape = tuple(sizes[axis] for axis in parameter.axes)
    law = parameter.law
    symbols = {
        symbol: _referenced(
            parameter, reference.end, system.parameter[reference.parameter], known, reference.component
        )
        for symbol, reference in law.references
    }
    arguments = tuple(
        np.asarray(evaluate_expression(argument, symbols), dtype=np.float64) for argument in law.arguments
    )
    check_law(law, arguments, parameter.name)
    if law.is_deterministic:
        value = law.mean if law.kind is LawKind.CONSTANT else law.arguments[0]
        filled = evaluate_expression(value, symbols)
        return np.broadcast_to(_squeezed(filled, parameter), shape).astype(np.float64)
    axis = next(a for a in parameter.axes if a in plans and (parameter.name in plans[a].labels))
    standard = _columns(system, plans[axis], nodes[axis][0], parameter)
    # The nodes' axis goes to its place; the finite axes keep their order behind and before it.
    place = parameter.axes.index(axis)
    finite = [k for k, a in enumerate(parameter.axes) if system.axis[a].kind is AxisKind.FINITE]
    layout = [1] * len(shape)
    layout[place] = shape[place]
    for k in finite:
        layout[k] = shape[k]
    moved = np.moveaxis(
        standard.reshape(shape[place], *(shape[k] for k in finite)), 0, sum(k < place for k in finite)
    ).reshape(layout)
    squeezed = tuple(_squeezed(argument, parameter) for argument in arguments)
    if law.kind is LawKind.SPHERE:
        front = np.moveaxis(moved, place, 0)
        return np.moveaxis(_transform(law, squeezed, front), 0, place).reshape(shape)
    return np.broadcast_to(_transform(law, squeezed, moved), shape).copy()


def _squeezed(value: Array, parameter: Parameter) -> Array:
    """An array in the original layout without the axes that the reduction dropped."""
    array = np.asarray(value, dtype=np.float64)
    if not array.ndim:
        return array
    dropped = tuple(k for k in parameter.dropped if k < array.ndim)
    return array[tuple(0 if k in dropped else slice(None) for k in range(array.ndim))]


def _columns(system: ForwardSystem, plan: Ensemble, standard: Array, parameter: Parameter) -> Array:
    start = 0
    for label in plan.labels:
        count = _entries(system, system.parameter[label])
        if label == parameter.name:
            return standard[:, start : start + count]
        start += count
    raise MfError(f"'{parameter.name}' is not a label of '{plan.axis}'")


def _referenced(
    parameter: Parameter,
    end: End,
    other: Parameter,
    known: Mapping[str, Array],
    component: tuple[int, ...],
) -> Array:
    """Initial values of another parameter at one end, in the original layout of ``parameter``."""
    values = known[other.name]
    rank = len(parameter.axes) + len(parameter.dropped)
    column = values[(None, *component)] if 0 in other.dropped else values[(slice(None), *component)]
    shape = [1] * rank
    shape[0 if end is End.TARGET or rank < 2 else 1] = len(column)
    return np.asarray(column).reshape(shape)

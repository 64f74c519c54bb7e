"""Weighted nodes for the labels of a reduced system: single types, Gauss nodes, quasi-Monte Carlo points.

After reduction a population is its labels: independent random variables (given the labels that their laws
name). Each label is a transform of standard variables (normal or uniform), so an ensemble is a set of
weighted nodes for those.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from math import ceil, log2, prod
from typing import Any

import numpy as np

from ..algebra.evaluate import evaluate_expression
from ..algebra.law_kinds import LAWS, Standard
from ..algebra.laws import Reference, Variable
from ..algebra.memory import check_memory
from ..algebra.separate_noise import separate_noise
from ..algebra.system import ForwardSystem
from ..algebra.terms import ANGLES, Axis, AxisKind, Role
from ..errors import MfError, nearest
from ..network.solve_options import RULES
from ..samples.points import check_law, draw_law, standard_points, tensor_points, transform
from .directed_points import directed_points
from .draw import WEIGHTS, Arrays, draw_order, end_axis
from .ensemble_plan import Ensemble

Array = Any

# Nodes of an axis: how many there are, or those of each number of a tensor.
Nodes = int | tuple[int, ...]
# Up to so many numbers a label space is integrated by a tensor of Gauss nodes: (nodes per number) by count;
# numbers of two values come on top with two nodes each, as long as the tensor stays below the limit.
GAUSS_NODES = {0: 1, 1: 32, 2: 16, 3: 10}
LARGEST_TENSOR = 4096
SOBOL_NODES = 1024
NOISE_NODES = 24
_DOUBLE = 8  # bytes
_FEW_NODES = 100  # what labels must leave room for, whatever the number of nodes will be


def plan_ensembles(
    system: ForwardSystem,
    nodes: int | Mapping[str, Nodes] | None = None,
    rule: str | Mapping[str, str] | None = None,
) -> dict[str, Ensemble]:
    """The rule of every population and noise axis of a reduced system.

    By default: labels of up to three numbers (normal or uniform) by a tensor of Gauss nodes, together with
    numbers of two values, which are summed exactly; anything larger, and vectors on a sphere, by scrambled
    Sobol points. ``nodes`` is the number of nodes of an axis (Gauss: rounded up to a full tensor; Sobol: to a
    power of 2), for all sampled axes or by name; ``rule`` likewise. Several numbers in place of one are those
    of a tensor of Gauss nodes, one for each number of the labels. Raises MfError for a rule that does not
    exist or does not fit the laws, and for a number of nodes below 1.
    """
    for given in (nodes, rule):
        _check_names(system, given)
    plans = {}
    driven = _driven_axes(system)
    for axis in system.axes:
        if axis.kind not in (AxisKind.POPULATION, AxisKind.NOISE):
            continue
        labels = axis_labels(system, axis)
        kinds = number_kinds(system, labels)
        is_driven = axis.name in driven
        chosen = _choice(rule, axis.name) or ("sobol" if is_driven else _default_rule(kinds))
        if chosen not in RULES:
            raise MfError(f"the rule for '{axis.name}' is '{chosen}'. {nearest(str(chosen), RULES)}")
        count = _choice(nodes, axis.name)
        if isinstance(count, tuple):
            plans[axis.name] = _tensor_plan(axis, labels, kinds, count)
            continue
        if count is not None and count < 1:
            raise MfError(f"'{axis.name}' cannot have {count} nodes; at least 1 is needed")
        if is_driven:
            plans[axis.name] = _driven_plan(axis, labels, kinds, str(chosen), count)
        else:
            plans[axis.name] = _plan(axis, labels, kinds, str(chosen), count)
    return plans


def _driven_axes(system: ForwardSystem) -> frozenset[str]:
    """The populations whose neurons fresh noise drives."""
    return frozenset(axis for f in system.fields if f.role is Role.DRAW for axis in f.axes)


def _driven_plan(
    axis: Axis, labels: tuple[str, ...], kinds: list[str], rule: str, count: int | None
) -> Ensemble:
    """Sampled nodes, each with noise of its own; without labels they differ by their noise alone."""
    if rule == "gauss":
        raise MfError(
            f"there are no Gauss nodes for '{axis.name}': fresh noise drives its neurons, so that they are "
            "sampled. Take the rule sobol"
        )
    plan = _plan(axis, labels, kinds, rule, count) if kinds else None
    nodes = plan.nodes if plan is not None else count or SOBOL_NODES
    return Ensemble(axis.name, labels, max(len(kinds), 1), rule, nodes, driven=True)


def _check_names(system: ForwardSystem, given: Any) -> None:
    """What is given by name must name an axis that has nodes, or a population that the reduction took."""
    known = {axis.name for axis in system.node_axes}
    known |= {a for _, axes in getattr(system, "indexed", ()) for a in axes}
    for name in given if isinstance(given, Mapping) else ():
        if name not in known:
            raise MfError(f"there is no population '{name}' to choose nodes for. {nearest(name, known)}")


def _plan(axis: Axis, labels: tuple[str, ...], kinds: list[str], rule: str, count: int | None) -> Ensemble:
    if not kinds:
        return Ensemble(axis.name, labels, 0, rule, 1)
    if rule == "gauss":
        if not all(LAWS[kind].has_gauss_nodes for kind in kinds):
            raise MfError(
                f"there are no Gauss nodes for '{axis.name}': its labels lie on a sphere. Take the rule sobol"
            )
        return _tensor_plan(axis, labels, kinds, _tensor_sizes(kinds, count, _noise_nodes(axis, kinds)))
    total = count or SOBOL_NODES
    total = 2 ** ceil(log2(total)) if rule == "sobol" else total
    return Ensemble(axis.name, labels, len(kinds), rule, int(total))


def _tensor_plan(axis: Axis, labels: tuple[str, ...], kinds: list[str], tensor: tuple[int, ...]) -> Ensemble:
    exact = tuple(LAWS[kind].standard is Standard.PAIR for kind in kinds)
    return Ensemble(axis.name, labels, len(kinds), "gauss", prod(tensor), tensor, exact)


def _pairs(kinds: list[str]) -> int:
    """How many of some numbers take two values."""
    return sum(LAWS[kind].standard is Standard.PAIR for kind in kinds)


def _noise_nodes(axis: Axis, kinds: list[str]) -> int | None:
    """The nodes of a single number of an axis of noise; angles share theirs between the sides of a kink."""
    if axis.kind is not AxisKind.NOISE:
        return None
    if axis.part == ANGLES:
        return NOISE_NODES >> _pairs(kinds)
    return NOISE_NODES


def _tensor_sizes(kinds: list[str], count: int | None, single: int | None) -> tuple[int, ...]:
    """Nodes of each number: two for two values, else so many that the tensor has at least ``count`` nodes."""
    pairs = _pairs(kinds)
    smooth = len(kinds) - pairs
    each = single if single is not None and smooth == 1 else GAUSS_NODES.get(smooth, 4)
    if count is not None and smooth:
        each = max(1, ceil((count / 2**pairs) ** (1 / smooth) - 1e-9))
    return tuple(2 if LAWS[kind].standard is Standard.PAIR else each for kind in kinds)


def _choice(given: Any, axis: str) -> Any:
    return given.get(axis) if isinstance(given, Mapping) else given


def axis_labels(system: ForwardSystem, axis: Axis) -> tuple[str, ...]:
    """The random parameters whose initial values a node of a population, or of edge noise, stands for."""
    if axis.kind is AxisKind.NOISE:
        names = [p.name for p in system.parameters if p.noise == axis.name]
    else:
        names = [
            p.name
            for p in draw_order(system)
            if p.noise is None and system.population_slots(p.name) == (axis.name,)
        ]
    return tuple(name for name in names if not system.variable[name].law.is_deterministic)


def _entries(system: ForwardSystem, parameter: Variable) -> int:
    """How many random numbers a node of a parameter's own measure has: its finite entries."""
    return prod(system.axis[axis].size or 1 for axis in parameter.axes)


def _numbers(system: ForwardSystem, parameter: Variable) -> int:
    """How many of them its nodes need: one where no two entries of its noise are ever read together."""
    return 1 if parameter.noise in separate_noise(system) else _entries(system, parameter)


def number_kinds(system: ForwardSystem, labels: tuple[str, ...]) -> list[str]:
    """The kind of law of every number of an axis' labels."""
    parameters = [system.parameter[label] for label in labels]
    numbers = sum(_numbers(system, p) for p in parameters)
    needed = _DOUBLE * _FEW_NODES * numbers
    check_memory(needed, f"Nodes with {numbers} numbers each ({', '.join(labels)})", "Take smaller layers")
    return [p.law.kind for p in parameters for _ in range(_numbers(system, p))]


def _default_rule(kinds: list[str]) -> str:
    pairs = _pairs(kinds)
    smooth = len(kinds) - pairs
    if not all(LAWS[kind].has_gauss_nodes for kind in kinds) or smooth not in GAUSS_NODES:
        return "sobol"
    return "gauss" if GAUSS_NODES[smooth] ** smooth * 2**pairs <= LARGEST_TENSOR else "sobol"


# ---------------------------------------------------------------------------------------- standard variables


def standard_nodes(
    system: ForwardSystem, plan: Ensemble, seed: int, source: Any = None
) -> tuple[Array, Array]:
    """Standard variables [node, number] and the weights [node] of one axis."""
    kinds = number_kinds(system, plan.labels)
    if plan.rule == "gauss" or not (kinds or plan.driven):
        return tensor_points(kinds, plan.tensor)
    if not kinds:
        return np.zeros((plan.nodes, 0)), np.full(plan.nodes, 1 / plan.nodes)
    key = [seed, zlib.crc32(plan.axis.encode())]
    if source is None:
        points = standard_points(kinds, plan.rule, plan.nodes, key)
    else:
        points = directed_points(system, plan, kinds, source, key)
    return points, np.full(len(points), 1 / len(points))


# ---------------------------------------------------------------------------------------- states


def ensemble_state(
    system: ForwardSystem,
    plans: Mapping[str, Ensemble],
    seed: int,
    dtype: Any = np.float64,
    scramble: int | None = None,
    source: Any = None,
) -> Arrays:
    """The initial state of a reduced system on the nodes that ``plans`` describe.

    ``seed`` draws what is the same for every neuron, and the sampled nodes too unless ``scramble`` does:
    another scramble gives other points for the same limit. ``source``: of the data, where sampled labels that
    read its inputs should suit them (:mod:`mfderive.state.directed_points`). Arrays are in the layout of the
    reduced variables; ``state["p"]`` has the weights of the nodes of every axis of them.
    """
    for plan in plans.values():
        needed = 2 * _DOUBLE * plan.nodes * max(plan.dimension, 1)
        check_memory(needed, f"An ensemble of {plan.nodes} nodes of '{plan.axis}'", "Take fewer nodes")
    key = seed if scramble is None else scramble
    nodes = {name: standard_nodes(system, plan, key, source) for name, plan in plans.items()}
    return _state(system, plans, nodes, {}, seed, dtype)


def with_other_nodes(
    system: ForwardSystem, state: Mapping[str, Any], plan: Ensemble, seed: int, source: Any = None
) -> Arrays:
    """A ``state`` of :func:`ensemble_state`, of the same seed and source, on other nodes of one axis."""
    nodes = {name: (np.zeros((0, 0)), weights) for name, weights in state[WEIGHTS].items()}
    nodes[plan.axis] = standard_nodes(system, plan, seed, source)
    rest = [v.name for v in system.variables if plan.axis not in v.axes]
    known = {name: np.asarray(state[name], np.float64) for name in rest}
    return _state(system, {plan.axis: plan}, nodes, known, seed, state[WEIGHTS][plan.axis].dtype)


def labelled_state(
    system: ForwardSystem,
    plans: Mapping[str, Ensemble],
    labels: Mapping[str, Array],
    seed: int,
    dtype: Any = np.float64,
) -> Arrays:
    """The initial state of a reduced system on given labels, one node of equal weight for each.

    ``labels`` maps random parameters to their initial values in their own layout: those of a finite network,
    for example, whose neurons are then the nodes. Everything else (conditional means, noise that is left)
    is as in :func:`ensemble_state`. Raises MfError for a label of ``plans`` that is missing.
    """
    nodes: dict[str, tuple[Array, Array]] = {}
    for name, plan in plans.items():
        if system.axis[name].kind is not AxisKind.POPULATION or not plan.labels:
            nodes[name] = standard_nodes(system, plan, seed)
            continue
        for label in plan.labels:
            if label not in labels:
                raise MfError(f"the label '{label}' of '{name}' has no values. {nearest(label, labels)}")
        count = labels[plan.labels[0]].shape[system.parameter[plan.labels[0]].axes.index(name)]
        nodes[name] = (np.zeros((count, 0)), np.full(count, 1 / count))
    known = {name: np.asarray(values, np.float64) for name, values in labels.items()}
    return _state(system, plans, nodes, known, seed, dtype)


def _state(
    system: ForwardSystem,
    plans: Mapping[str, Ensemble],
    nodes: Mapping[str, tuple[Array, Array]],
    known: Mapping[str, Array],
    seed: int,
    dtype: Any,
) -> Arrays:
    """The state on nodes; values of ``known`` parameters are given, the others follow from their laws."""
    sizes = {name: len(weights) for name, (_, weights) in nodes.items()}
    for axis in system.axes:
        if axis.kind is AxisKind.FINITE and axis.size is not None:
            sizes[axis.name] = axis.size
    needed = _DOUBLE * sum(prod(sizes[axis] for axis in v.axes) for v in system.variables)
    check_memory(needed, f"The initial state (sizes {sizes})", "Take fewer nodes or smaller layers")
    values = dict(known)
    for drawn in draw_order(system):
        if drawn.name not in values:
            variable = system.variable[drawn.name]
            values[variable.name] = _values(system, variable, plans, nodes, sizes, values, seed)
    precision = np.dtype(dtype)
    # Solvers move a state in place, which needs its arrays to lie in memory as their axes say.
    state: Arrays = {v.name: values[v.name].astype(precision, order="C") for v in system.variables}
    state[WEIGHTS] = {name: weights.astype(precision) for name, (_, weights) in nodes.items()}
    return state


def _values(
    system: ForwardSystem,
    parameter: Variable,
    plans: Mapping[str, Ensemble],
    nodes: Mapping[str, tuple[Array, Array]],
    sizes: Mapping[str, int],
    known: Mapping[str, Array],
    seed: int,
) -> Array:
    shape = tuple(sizes[axis] for axis in parameter.axes)
    law = parameter.law
    symbols = {
        symbol: _referenced(system, parameter, reference, known) for symbol, reference in law.references
    }
    with np.errstate(all="ignore"):  # what is not finite is an error of its own, not a warning
        arguments = tuple(
            np.asarray(evaluate_expression(argument, symbols), dtype=np.float64) for argument in law.arguments
        )
    check_law(law, arguments, parameter.name)
    if law.is_deterministic:
        value = law.mean if not law.row.is_written else law.arguments[0]
        constant = _squeezed(evaluate_expression(value, symbols), parameter)
        # A copy lies in memory as its axes say; what is only broadcast, or converted, may lie otherwise.
        return np.broadcast_to(np.asarray(constant, dtype=np.float64), shape).copy()
    squeezed = tuple(_squeezed(argument, parameter) for argument in arguments)
    axis = next((a for a in parameter.axes if a in plans and parameter.name in plans[a].labels), None)
    if axis is None:
        # The same for every neuron: no label, but one draw, the one that a finite network makes.
        rng = np.random.default_rng([seed, zlib.crc32(parameter.name.encode())])
        return draw_law(law, squeezed, shape, rng)
    standard = _columns(system, plans[axis], nodes[axis][0], parameter)
    # The nodes' axis goes to its place; the finite axes keep their order behind and before it.
    position = parameter.axes.index(axis)
    finite = [k for k, a in enumerate(parameter.axes) if system.axis[a].kind is AxisKind.FINITE]
    layout = [size if k == position or k in finite else 1 for k, size in enumerate(shape)]
    moved = np.moveaxis(
        standard.reshape(shape[position], *(shape[k] for k in finite)), 0, sum(k < position for k in finite)
    ).reshape(layout)
    if law.row.is_vector:
        front = np.moveaxis(moved, position, 0)
        return np.moveaxis(transform(law, squeezed, front), 0, position).reshape(shape)
    return np.broadcast_to(transform(law, squeezed, moved), shape).copy()


def _squeezed(value: Array, parameter: Variable) -> Array:
    """An array in the network's layout without the axes that the reduction dropped."""
    array = np.asarray(value, dtype=np.float64)
    if not array.ndim:
        return array
    return array[tuple(0 if k in parameter.dropped else slice(None) for k in range(array.ndim))]


def _columns(system: ForwardSystem, plan: Ensemble, standard: Array, parameter: Variable) -> Array:
    start = 0
    for label in plan.labels:
        count = _numbers(system, system.parameter[label])
        if label == parameter.name:
            return np.repeat(standard[:, start : start + count], _entries(system, parameter) // count, axis=1)
        start += count
    raise MfError(f"'{parameter.name}' is not a label of '{plan.axis}'")


def network_axes(system: ForwardSystem, parameter: Variable) -> tuple[str, ...]:
    """The axes of a parameter in the network's layout, those that the reduction dropped put back."""
    owner = system.parameter_of.get(parameter.name, parameter.name)
    populations = iter(dict(getattr(system, "indexed", ())).get(owner, ()))
    left = iter(parameter.axes)
    axes = []
    for position in range(len(parameter.axes) + len(parameter.dropped)):
        axis = next(populations) if position in parameter.dropped else next(left)
        if position not in parameter.dropped and system.axis[axis].kind is AxisKind.POPULATION:
            next(populations, None)
        axes.append(axis)
    return tuple(axes)


def _referenced(
    system: ForwardSystem, parameter: Variable, reference: Reference, known: Mapping[str, Array]
) -> Array:
    """Initial values of another parameter at one end, in the network's layout of ``parameter``."""
    other = system.parameter[reference.parameter]
    values = known[other.name]
    neuron = network_axes(system, other)[0]
    first = None if 0 in other.dropped else slice(None)
    column = values[(first, *reference.component)]
    full = replace(parameter, axes=network_axes(system, parameter), dropped=())
    shape = [1] * len(full.axes)
    shape[end_axis(full, reference, neuron)] = len(column)
    return np.asarray(column).reshape(shape)

"""States: drawing initial values from the laws of a network, and checking states that were given.

A state is a dict: variable name -> array in the layout of ``Variable.axes`` (noise axes left out: the noise
of a pair is drawn once), and ``state["p"]``: population -> weights of its nodes, which sum to 1. Variables
are the parameters, and what a learning rule remembers of them; a state that is given may lack these memories,
which then have the values that they start with.

Every parameter is drawn separately, from ``default_rng([seed, crc32(name)])`` in float64, and then cast. So
a parameter's draws do not depend on which others exist, and a generated solver draws the same to the bit.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from ..algebra.arguments import instance, whole_number
from ..algebra.evaluate import evaluate_expression
from ..algebra.laws import End, Law, LawKind, Reference, Variable
from ..algebra.memory import check_memory
from ..algebra.system import ForwardSystem, draw_noise
from ..algebra.terms import AxisKind
from ..errors import SpecError, StateError, nearest
from ..samples.points import check_law, draw_law

Array = Any
Arrays = dict[str, Any]

WEIGHTS = "p"
_DOUBLE = 8  # bytes
# A draw holds its numbers in float64, and a law with references up to two more arrays of that size.
_TEMPORARIES = 3
# Weights that differ by a smaller part are equal.
_UNEQUAL = 1e-6


def population_sizes(system: ForwardSystem, widths: int | Mapping[str, int]) -> dict[str, int]:
    """The number of nodes of each population: round(relative width * widths), at least 1.

    A mapping gives the numbers themselves, one for each population. Raises StateError for a missing or
    unknown population, ArgumentError for a width that is not a positive integer.
    """
    names = [axis.name for axis in system.populations]
    kept = [axis.name for axis in system.node_axes if axis.name not in names]
    if kept:
        raise StateError(
            f"'{kept[0]}' has weighted nodes of its own and cannot be drawn pair by pair; take the initial "
            "state from an ensemble (solve does), or draw that of the system before its reduction"
        )
    if isinstance(widths, Mapping):
        for name in widths:
            if name not in names:
                raise StateError(f"widths: there is no population '{name}'. {nearest(name, names)}")
        missing = [name for name in names if name not in widths]
        if missing:
            raise StateError(f"widths: no width for population '{missing[0]}'; give one for each of {names}")
        sizes = {name: whole_number(f"widths['{name}']", widths[name]) for name in names}
    else:
        base = whole_number("widths", widths)
        sizes = {axis.name: max(1, round(axis.width * base)) for axis in system.populations}
    return sizes


def parameter_shapes(system: ForwardSystem, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """The array shape of every parameter, and of every memory of one, for node axes of the given sizes.

    Drawn noise is left out.
    """
    drawn = draw_noise(system)
    if WEIGHTS in drawn.variable:
        raise SpecError(
            f"a weight is called '{WEIGHTS}', the name of the nodes' weights in a state",
            remedy="Give it another name",
        )
    lengths = {axis.name: sizes[axis.name] for axis in drawn.node_axes}
    for axis in drawn.axes:
        if axis.kind is AxisKind.FINITE and axis.size is not None:
            lengths[axis.name] = axis.size
    return {variable.name: tuple(lengths[a] for a in variable.axes) for variable in drawn.variables}


def check_draw_memory(
    shapes: Mapping[str, tuple[int, ...]], itemsize: int, what: str = "The initial state"
) -> None:
    """Raise ResourceError if arrays of these shapes are more than the memory that is free now."""
    counts = {name: _product(shape) for name, shape in shapes.items()}
    needed = itemsize * sum(counts.values()) + _TEMPORARIES * _DOUBLE * max(counts.values(), default=0)
    if counts:
        largest = max(counts, key=lambda name: counts[name])
        check_memory(
            needed,
            f"{what} (largest array: {largest}, shape {shapes[largest]})",
            "Take smaller widths or precision float32",
        )


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total


def unequal_weights(state: Mapping[str, Any]) -> list[str]:
    """The populations of a state whose nodes are not of equal weight, as neurons of a network are."""
    sizes = {name: np.asarray(own, float) for name, own in dict(state.get(WEIGHTS, {})).items()}
    return [name for name, own in sizes.items() if own.size and np.abs(own * own.size - 1).max() > _UNEQUAL]


def draw_order(system: ForwardSystem) -> tuple[Variable, ...]:
    """The variables in an order in which each comes after those that its law refers to.

    Raises SpecError for a reference to an unknown parameter and for laws that refer to one another in a
    circle.
    """
    table = draw_noise(system).variable
    order: dict[str, Variable] = {}
    path: list[str] = []

    def visit(name: str) -> None:
        if name in order:
            return
        if name in path:
            circle = " -> ".join([*path[path.index(name) :], name])
            raise SpecError(
                f"the initial laws refer to each other in a circle: {circle}",
                table=name,
                remedy="A law may only refer to values that are drawn before it",
            )
        path.append(name)
        for _, reference in table[name].law.references:
            if reference.parameter not in table:
                raise SpecError(
                    f"the law '{table[name].law.text}' refers to '{reference.parameter}': no such parameter",
                    table=name,
                    remedy=nearest(reference.parameter, table),
                )
            visit(reference.parameter)
        path.pop()
        order[name] = table[name]

    for name in table:
        visit(name)
    return tuple(order.values())


def end_axis(parameter: Variable, reference: Reference, neuron: str) -> int:
    """The array axis of ``parameter`` on which the neuron at the reference's end stands."""
    position = 0 if reference.end is End.TARGET else 1
    if position == 1 and neuron not in parameter.axes[1:2] and parameter.axes[:1] == (neuron,):
        position = 0  # an index-preserving connection: both of its ends are one neuron
    if parameter.axes[position : position + 1] != (neuron,):
        raise SpecError(
            f"the law '{parameter.law.text}' refers to '{reference.parameter}' at its {reference.end} end, "
            f"but that belongs to '{neuron}' and the axes of this parameter are {list(parameter.axes)}",
            table=parameter.name,
        )
    return position


def referenced_values(parameter: Variable, reference: Reference, other: Variable, values: Array) -> Array:
    """Initial values of ``other`` at one end, shaped to broadcast against ``parameter``'s array."""
    trailing = len(other.axes) - 1
    if len(reference.component) != trailing:
        raise SpecError(
            f"the law '{parameter.law.text}' must pick one component of '{other.name}' "
            f"(axes {list(other.axes)}) with {trailing} numbers, found {list(reference.component)}",
            table=parameter.name,
        )
    for component, length, axis in zip(reference.component, values.shape[1:], other.axes[1:], strict=True):
        if not 0 <= component < length:
            raise SpecError(
                f"the law '{parameter.law.text}' reads component {component} of '{other.name}' "
                f"along '{axis}', which has {length}",
                table=parameter.name,
                remedy=f"Components run from 0 to {length - 1}",
            )
    column = values[(slice(None), *reference.component)]
    shape = [1] * len(parameter.axes)
    shape[end_axis(parameter, reference, other.axes[0])] = len(column)
    return column.reshape(shape)


def _symbol_values(
    parameter: Variable, table: Mapping[str, Variable], drawn: Mapping[str, Array]
) -> dict[Any, Array]:
    return {
        symbol: referenced_values(
            parameter, reference, table[reference.parameter], drawn[reference.parameter]
        )
        for symbol, reference in parameter.law.references
    }


def neuron_axis(system: ForwardSystem, parameter: Variable) -> int:
    """The array axis on which a parameter's neurons stand: its first population, else its first axis."""
    kinds = [system.axis[axis].kind for axis in parameter.axes]
    return kinds.index(AxisKind.POPULATION) if AxisKind.POPULATION in kinds else 0


def _initial_values(
    parameter: Variable,
    shape: tuple[int, ...],
    symbols: Mapping[Any, Array],
    seed: int,
    edges: str,
    neuron: int,
) -> Array:
    """The float64 initial values of one parameter."""
    law = parameter.law
    if edges == "mean" and parameter.noise is not None:
        law = Law(LawKind.CONSTANT, (law.mean,), law.references, law.text)
    with np.errstate(all="ignore"):  # what is not finite is an error of its own, not a warning
        arguments = tuple(evaluate_expression(argument, symbols) for argument in law.arguments)
    check_law(law, arguments, parameter.name)
    rng = np.random.default_rng([seed, zlib.crc32(parameter.name.encode())])
    return draw_law(law, arguments, shape, rng, neuron)


def initial_state(
    system: ForwardSystem,
    widths: int | Mapping[str, int],
    seed: int,
    edges: Literal["draw", "mean"] = "draw",
    dtype: Any = np.float64,
    common_seed: int | None = None,
) -> Arrays:
    """Initial values of every variable, and uniform weights p = 1/n of the nodes of each population.

    ``widths`` is multiplied by the populations' relative widths, or gives each population's number of
    nodes. ``edges="mean"``: a weight between two populations gets its conditional mean given its ends,
    the state of the closed system (theory C.1). Laws are drawn in the order of their references.
    ``common_seed`` draws what belongs to no neuron (:func:`common_draws`), so that networks of several seeds
    may have it in common; without it, ``seed`` does.

    Raises SpecError (circular or misplaced references, a deviation that is negative), ArgumentError (widths,
    edges, dtype) and, before anything is allocated, ResourceError.
    """
    if edges not in ("draw", "mean"):
        raise StateError(f"edges is {edges!r}; allowed: 'draw', 'mean'")
    precision = _precision(dtype)
    sizes = population_sizes(system, widths)
    shapes = parameter_shapes(system, sizes)
    order = draw_order(system)
    check_draw_memory(shapes, precision.itemsize)
    table = {parameter.name: parameter for parameter in order}
    referenced = {r.parameter for parameter in order for _, r in parameter.law.references}
    exact: dict[str, Array] = {}  # float64 values that other laws read
    values: dict[str, Array] = {}
    common = () if common_seed is None else common_draws(system)
    for parameter in order:
        symbols = _symbol_values(parameter, table, exact)
        own = seed if common_seed is None or parameter.name not in common else common_seed
        drawn = _initial_values(
            parameter, shapes[parameter.name], symbols, own, edges, neuron_axis(system, parameter)
        )
        if parameter.name in referenced:
            exact[parameter.name] = drawn
        values[parameter.name] = drawn.astype(precision, copy=False)
    state: Arrays = {variable.name: values[variable.name] for variable in system.variables}
    state[WEIGHTS] = {name: np.full(size, 1 / size, dtype=precision) for name, size in sizes.items()}
    return state


def common_draws(system: ForwardSystem) -> tuple[str, ...]:
    """The parameters of random laws that no population indexes: an output's bias, weights of finite layers.

    Every network draws them once and no width averages them out, so that networks of other seeds have other
    limits.
    """
    return tuple(
        p.name
        for p in system.parameters
        if not p.law.is_deterministic and not system.population_slots(p.name)
    )


def _precision(dtype: Any) -> Any:
    precision = np.dtype(dtype)
    if precision not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise StateError(f"dtype is {precision}; allowed: float32, float64")
    return precision


def check_state(system: ForwardSystem, state: Mapping[str, Any]) -> Arrays:
    """The state with contiguous arrays of one precision, or StateError that says what does not fit.

    The precision is float32 if every array is float32, else float64. The sizes of the populations
    (and of edge noise with nodes of its own) are those of their weights in ``state["p"]``, which must be
    nonnegative and sum to 1 (up to rounding). Weights of 0 are legal: such a node is a tracer. Memories of a
    learning rule may be missing: they then have the values that they start with.
    """
    instance(state, Mapping, "a state (a dictionary of arrays)")
    names = [variable.name for variable in system.variables]
    if WEIGHTS not in state or not isinstance(state[WEIGHTS], Mapping):
        populations = [axis.name for axis in system.node_axes]
        raise StateError(
            f"state['p'] is missing: give a dictionary with the weights of the nodes of each of {populations}"
        )
    for name in state:
        if name != WEIGHTS and name not in names:
            raise StateError(f"state: there is no parameter '{name}'. {nearest(name, names)}")
    expected = [parameter.name for parameter in system.parameters]
    missing = [name for name in expected if name not in state]
    if missing:
        raise StateError(f"state: the parameter '{missing[0]}' is missing. Expected: {', '.join(expected)}")
    arrays = {name: _numeric(state[name], f"state['{name}']") for name in names if name in state}
    single = bool(arrays) and all(array.dtype == np.float32 for array in arrays.values())
    precision = np.dtype(np.float32 if single else np.float64)
    weights = _check_weights(system, state[WEIGHTS], precision)
    shapes = parameter_shapes(system, {name: len(array) for name, array in weights.items()})
    axes = draw_noise(system).variable
    for name, array in arrays.items():
        if array.shape != shapes[name]:
            raise StateError(
                f"state['{name}'] has shape {array.shape}, "
                f"expected {shapes[name]} for the axes {list(axes[name].axes)}"
            )
    checked: Arrays = {}
    for variable in system.variables:
        name = variable.name
        given = arrays[name] if name in arrays else _first_memory(variable, shapes[name])
        # ascontiguousarray gives a scalar an axis
        checked[name] = np.ascontiguousarray(given, dtype=precision).reshape(shapes[name])
    checked[WEIGHTS] = weights
    return checked


def _first_memory(memory: Variable, shape: tuple[int, ...]) -> Array:
    """The values with which a memory of a learning rule starts: one number everywhere."""
    return np.full(shape, float(memory.law.arguments[0]))


def _numeric(values: Any, what: str) -> Array:
    try:
        array = np.asarray(values)
    except ValueError as problem:
        raise StateError(f"{what} is not an array: its rows differ in length") from problem
    if array.dtype.kind not in "iufb":
        raise StateError(f"{what} has type {array.dtype}; expected real numbers (float32 or float64)")
    if array.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        array = array.astype(np.float64)
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        position = tuple(int(i) for i in bad[0])
        raise StateError(f"{what} is {array[position]} at {list(position)}; expected finite numbers")
    return array


def _check_weights(system: ForwardSystem, weights: Mapping[str, Any], precision: Any) -> dict[str, Array]:
    names = [axis.name for axis in system.node_axes]
    for name in weights:
        if name not in names:
            raise StateError(f"state['p']: there is no population '{name}'. {nearest(name, names)}")
    checked = {}
    for name in names:
        if name not in weights:
            raise StateError(f"state['p']: the weights of population '{name}' are missing. Expected: {names}")
        array = _numeric(weights[name], f"state['p']['{name}']")
        if array.ndim != 1 or not len(array):
            raise StateError(
                f"state['p']['{name}'] has shape {array.shape}; expected one weight for each node"
            )
        if np.any(array < 0):
            raise StateError(f"state['p']['{name}'] holds {array.min()}; weights must not be negative")
        total = float(array.sum(dtype=np.float64))
        # Each weight is rounded once and a user's normalisation sums them: n roundings at most.
        resolution = float(np.finfo(array.dtype).eps)
        if abs(total - 1) > (8 + len(array)) * resolution:
            raise StateError(f"state['p']['{name}'] sums to {total!r}; weights must sum to 1")
        checked[name] = np.ascontiguousarray(array, dtype=precision)
    return checked

"""Shapes and precision of what a caller passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .compilation import Array, Fields
from .example import FIELDS, MEASURES, PARAMETERS, SIZES
from .node_weights import Nodes
from .planned_calls import Plan
from .workspace import WORKSPACE


def precision(state: Mapping[str, Any]) -> np.dtype[Any]:
    """The precision of a state: single where its first array has it, else double."""
    first = next(iter(PARAMETERS), None)
    dtype = np.asarray(state[first]).dtype if first else next(iter(state["p"].values())).dtype
    return np.dtype(np.float32 if dtype == np.float32 else np.float64)


def given_fields(state: Mapping[str, Any], x: Array, weights: Array | None = None) -> tuple[Fields, Nodes]:
    """The fields that are given (parameters and x), in one precision, and the nodes."""
    check_names(state)
    dtype = precision(state)
    fields = {name: np.asarray(state[name], dtype, order="C") for name in PARAMETERS}
    give_samples(fields, dtype, x)
    samples = len(fields["x"])
    data = np.full(samples, 1 / samples) if weights is None else np.asarray(weights)
    if data.shape != (samples,):
        raise ValueError(f"weights of shape {data.shape} for {samples} samples")
    own = {axis: np.asarray(state["p"][axis]) for axis in MEASURES}
    nodes = WORKSPACE.known_nodes({"data": data, **own}, dtype)
    check_shapes(fields, nodes.shapes)  # compiled loops do not check where an array ends
    return fields, nodes


def give_samples(fields: Fields, dtype: np.dtype[Any], x: Array) -> None:
    """Put x into the fields, in one precision."""
    fields["x"] = x = np.asarray(x, dtype, order="C")
    expected = tuple(SIZES[axis] for axis in FIELDS["x"][1:])
    if not x.shape or x.shape[1:] != expected or not len(x):
        raise ValueError(f"x has shape {x.shape}; expected (samples, {', '.join(map(str, expected))})")


def give_targets(fields: Fields, dtype: np.dtype[Any], y: Array) -> None:
    """Put y into the fields, in one precision; x is there."""
    samples, y = len(fields["x"]), np.asarray(y, dtype, order="C")
    if y.shape != (samples, SIZES["outputs"]) and (SIZES["outputs"] > 1 or y.shape != (samples,)):
        raise ValueError(f"y has shape {y.shape}; expected ({samples}, {SIZES['outputs']})")
    fields["y"] = y if y.ndim == 2 else y.reshape(samples, SIZES["outputs"])


def give_batch(plan: Plan, x: Array, y: Array) -> None:
    """Put x and y of another batch of the same size where the plan's calls read them."""
    given: Fields = {}
    give_samples(given, plan.nodes.dtype, x)
    give_targets(given, plan.nodes.dtype, y)
    if given["x"] is plan.fields["x"] and given["y"] is plan.fields["y"]:
        return
    if not plan.own:  # the first batch is read where it is; from the second on, all go through two arrays
        plan.own = {name: plan.make(name, array.shape) for name, array in given.items()}
        plan.fields.update(plan.own)
        plan.bind()
    for name, array in given.items():
        np.copyto(plan.own[name], array)


def check_names(state: Mapping[str, Any]) -> None:
    """Raise ValueError where a parameter or the weights of some nodes are missing."""
    missing = [name for name in PARAMETERS if name not in state]
    if missing:
        raise ValueError(f"state: missing {missing}; expected {list(PARAMETERS)}")
    weights = state.get("p")
    if not isinstance(weights, Mapping) or any(
        len(np.shape(weights.get(axis, 0.0))) != 1 for axis in MEASURES
    ):
        raise ValueError(f"state['p'] must hold the weights of the nodes of {list(MEASURES)}")


def check_shapes(arrays: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise ValueError for a parameter whose shape is not that of its axes."""
    for name, shape in shapes.items():
        if np.shape(arrays[name]) != shape:
            raise ValueError(
                f"state['{name}'] has shape {np.shape(arrays[name])}; expected {shape} for {PARAMETERS[name]}"
            )


def check_target(out: Mapping[str, Array], fields: Fields, nodes: Nodes) -> None:
    """Raise ValueError for arrays that cannot be changed in place."""
    for name in PARAMETERS:
        own = out.get(name)
        if (
            not isinstance(own, np.ndarray)
            or own.dtype != nodes.dtype
            or not own.flags.c_contiguous
            or own.shape != fields[name].shape
        ):
            raise ValueError(f"out['{name}'] must be a contiguous array of {nodes.dtype}")


def check(state: Mapping[str, Any]) -> None:
    """Raise ValueError where names, shapes, precision or weights of a state do not fit."""
    check_names(state)
    weights = state["p"]
    if set(weights) != set(MEASURES):
        raise ValueError(f"state['p'] must hold the weights of the nodes of {list(MEASURES)}")
    unknown = [name for name in state if name != "p" and name not in PARAMETERS]
    if unknown:
        raise ValueError(f"state: unknown {unknown}; expected {list(PARAMETERS)}")
    dtypes = {np.asarray(state[name]).dtype for name in PARAMETERS}
    if len(dtypes) > 1:
        raise ValueError(f"state: the parameters have several precisions: {sorted(map(str, dtypes))}")
    size = SIZES | {axis: len(weights[axis]) for axis in MEASURES}
    check_shapes(state, {name: tuple(size[axis] for axis in axes) for name, axes in PARAMETERS.items()})
    for axis, values in weights.items():
        total = float(np.sum(values, dtype=np.float64))
        if np.any(np.asarray(values) < 0) or abs(total - 1) > 1e-4:
            raise ValueError(f"state['p']['{axis}'] must not be negative and must sum to 1 (sum: {total})")

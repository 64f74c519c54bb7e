"""Sampled labels that read the inputs, with their best-distributed numbers where the inputs are large.

The first numbers of a Sobol point are distributed better than the last of hundreds, and of standard normal
numbers z it does not matter which of them stands for which direction: with orthonormal directions L, and as
many more standard normal numbers a, L a + (z - L L^T z) is standard normal again. Points whose first numbers
are a therefore integrate what inputs read along L with the error of few dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..algebra.law_kinds import LAWS, Standard
from ..algebra.system import ForwardSystem
from ..algebra.terms import AxisKind
from ..network.names import INPUT
from ..samples.points import standard_points
from ..samples.principal_directions import principal_directions
from .ensemble_plan import Ensemble

Array = Any


def directed_points(
    system: ForwardSystem, plan: Ensemble, kinds: Sequence[str], source: Any, key: list[int]
) -> Array:
    """Sampled standard variables [node, number] of the labels of a plan, for the inputs of a data ``source``.

    Those of a rule without order (monte-carlo), and of labels that read no inputs, are as they are anyway.
    """
    labels = _reading_labels(system, plan, kinds) if plan.rule == "sobol" else []
    directions = principal_directions(source) if labels else np.zeros((0, 0))
    # A reduction may have replaced the inputs: by their length and angles, say.
    labels = [label for label in labels if label.stop - label.start == len(directions)]
    count = directions.shape[1]
    if not labels or not count:
        return standard_points(kinds, plan.rule, plan.nodes, key)
    added = [kinds[label.start] for label in labels for _ in range(count)]
    points = standard_points([*added, *kinds], plan.rule, plan.nodes, key)
    leading, points = points[:, : len(added)], points[:, len(added) :].copy()
    for number, label in enumerate(labels):
        own = points[:, label]
        along = leading[:, number * count : (number + 1) * count] - own @ directions
        points[:, label] = own + along @ directions.T
    return points


def _reading_labels(system: ForwardSystem, plan: Ensemble, kinds: Sequence[str]) -> list[slice]:
    """The numbers of the labels that have a normal number for each number of an input."""
    shape = [name for name in system.field[INPUT].axes if system.axis[name].kind is AxisKind.FINITE]
    found, start = [], 0
    for label in plan.labels:
        finite = [name for name in system.parameter[label].axes if system.axis[name].kind is AxisKind.FINITE]
        count = prod(system.axis[name].size or 1 for name in system.parameter[label].axes)
        if finite == shape and LAWS[kinds[start]].standard is Standard.NORMAL:
            found.append(slice(start, start + count))
        start += count
    return found

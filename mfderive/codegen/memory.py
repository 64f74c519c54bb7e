"""How much memory a solver needs, before anything is allocated."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from ..algebra.system import LimitSystem, draw_noise
from ..algebra.terms import AxisKind, Role
from .module import temporary_axes

# Copies of the parameters that are alive at once: a step holds the state and perhaps a new one; a
# Runge-Kutta scheme the state, the state at a stage, the velocity there and the sum of velocities.
COPIES = {"euler": 2}
MORE_COPIES = 4


def memory_estimate(
    system: LimitSystem,
    sizes: int | Mapping[str, int],
    batch: int,
    dtype: Any = np.float64,
    method: str = "euler",
) -> int:
    """Bytes that solving holds at once: copies of the state, all fields, temporaries, weights of nodes.

    ``sizes``: nodes of each population (one number, multiplied by relative widths, or one for each measure
    axis by name); ``batch``: samples that go through the solver together.
    """
    system = draw_noise(system)
    size = {axis.name: axis.size or 0 for axis in system.axes if not axis.is_measure}
    for axis in system.axes:
        if axis.kind is AxisKind.DATA:
            size[axis.name] = batch
        elif axis.is_measure:
            given = sizes if isinstance(sizes, int) else sizes[axis.name]
            size[axis.name] = max(1, round(axis.width * given)) if isinstance(sizes, int) else given
    parameters = sum(prod(size[axis] for axis in p.axes) for p in system.parameters)
    given_fields = (f for f in system.fields if f.role not in (Role.PARAMETER, Role.VELOCITY))
    fields = sum(prod(size[axis] for axis in field.axes) for field in given_fields)
    temporaries = sum(prod(size[axis] for axis in axes) for axes in temporary_axes(system))
    count = COPIES.get(method, MORE_COPIES) * parameters + fields + temporaries
    return int(count) * int(np.dtype(dtype).itemsize)

"""Reflection: where samples x and -x do the same to every neuron, one of them stands for both.

The equations stay as they are, but for averages over the data that are 0 by symmetry
(:mod:`mfderive.analysis.reflections`), which half of the data would not average out. Rules whose nodes are
symmetric, such as tensors of Gauss nodes, have half as many.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

import numpy as np

from ..algebra.findings import Finding, FindingKind
from ..algebra.reduced import PassResult, StateMapping
from ..algebra.system import LimitSystem
from ..algebra.terms import Equation
from ..analysis.reflections import reflection_of
from ..analysis.rotations import Rotation, rotation_of
from ..errors import StateError
from ..samples.folded import Fold


def reflect(system: LimitSystem) -> PassResult:
    """The system on half of the data, where x -> -x changes nothing; else as it is.

    Rotations of all of x have it among them. A state restricts where the parameters that stay at 0 are 0
    (StateError).
    """
    found = reflection_of(system)
    rotation = rotation_of(system)
    directions = rotation.directions if isinstance(rotation, Rotation) else ()
    if found is None or (isinstance(rotation, Rotation) and not directions):
        return PassResult(system)
    fold = Fold(found.targets, directions)
    return PassResult(
        system.map_equations(partial(Equation.without, left_out=found.odd)),
        (Finding.of(FindingKind.REFLECTION, *found.still, targets=found.targets),),
        restrict=partial(_restricted, found.still),
        integrate=fold.law,
    )


def _restricted(still: Collection[str], state: StateMapping) -> StateMapping:
    for name in still:
        if np.any(state[name]):
            raise StateError(
                f"the reduced limit has '{name}' at 0, where it stays because x and -x do the same, and the "
                "given state has it elsewhere. Solve without symmetries (symmetry=False, --no-symmetry)"
            )
    return state

"""What is known of the law of the inputs, and whether the targets are a function of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..algebra.laws import Law
from ..format.data_table import teacher_inputs
from ..network.network import DataSpec, Network


@dataclass(frozen=True)
class InputFacts:
    """Facts about the law of (x, y); None where one is not known.

    ``bounded``: whether x stays within bounds; ``symmetric``: whether -x has the law of x; ``continuous``:
    whether no finite set of values carries the law; ``function``: whether y is a function of x;
    ``constant``: a coordinate of x that is always the same number other than 0 (None: none is seen).
    """

    bounded: bool | None = None
    symmetric: bool | None = None
    continuous: bool | None = None
    function: bool | None = None
    constant: int | None = None


def input_facts(network: Network) -> InputFacts:
    """What is known of the inputs of a resolved network; a fixed sample is its own law."""
    source = network.source
    if source is None:
        return InputFacts()
    if source.rows is not None:
        return _sample(*source.batch(1, "all"))
    known = _KINDS.get(network.data.kind)
    return InputFacts() if known is None else known(network.data)


def _sample(x: np.ndarray, y: np.ndarray) -> InputFacts:
    """Facts about the empirical law of samples x [sample, ...], y [sample, outputs]."""
    rows = x.reshape(len(x), -1)
    values, place = np.unique(rows, axis=0, return_inverse=True)
    first = np.full((len(values), y.shape[1]), np.nan)
    first[place.ravel()] = y
    fixed = np.flatnonzero((np.ptp(rows, axis=0) == 0) & (rows[0] != 0))
    mirrored = np.unique(-rows, axis=0)
    return InputFacts(
        bounded=True,
        symmetric=None if np.array_equal(mirrored, values) else False,
        continuous=False,
        function=bool(np.array_equal(first[place.ravel()], y)),
        constant=int(fixed[0]) if len(fixed) else None,
    )


def _isotropic(data: DataSpec) -> InputFacts:
    """Two centred normal laws; they share all inputs, unless one of them is the point 0."""
    return InputFacts(False, True, True, abs(float(data.get["separation"])) == 1)


def _mixture(data: DataSpec) -> InputFacts:
    means = np.asarray(data.get["means"], dtype=np.float64)
    deviations = np.broadcast_to(np.asarray(data.get.get("deviations", 1.0), np.float64), len(means))
    odds = np.asarray(data.get.get("weights", np.ones(len(means))), dtype=np.float64)
    labels = np.asarray(data.get["labels"], dtype=np.float64).reshape(len(means), -1)

    def components(sign: float) -> list[tuple[float, ...]]:
        rows = np.column_stack([odds, deviations, sign * means]) + 0.0  # no negative zeros
        return sorted(map(tuple, rows.tolist()))

    wide = deviations > 0
    function: bool | None = None
    if data.get.get("y") == "x" or (labels == labels[0]).all():
        function = True
    elif len(np.unique(labels[wide], axis=0)) > 1:
        function = False  # normal laws of two labels share all inputs
    return InputFacts(not wide.any(), components(-1) == components(1), bool(wide.any()), function)


def _teacher(data: DataSpec) -> InputFacts:
    written = teacher_inputs(data)
    law = Law(written.kind, written.arguments, text=written.text)
    row, dimension = law.row, int(data.get["dimension"])
    density = row.is_full or row.ordered or (row.is_vector and dimension > 1)
    noisy = float(data.get.get("noise", 0.0)) > 0 and data.get.get("y") != "x"
    return InputFacts(
        bounded=True if row.is_bounded or law.is_deterministic else False if row.is_full else None,
        symmetric=law.is_symmetric,
        continuous=density and not law.is_deterministic,
        function=not noisy,
    )


_KINDS: dict[str, Callable[[DataSpec], InputFacts]] = {
    "isotropic-gaussians": _isotropic,
    "gaussian-mixture": _mixture,
    "teacher": _teacher,
}

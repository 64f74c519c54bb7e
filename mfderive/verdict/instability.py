"""Instabilities: differences that training made out of fluctuations do not contradict a limit.

Some limits stay in a state that every finite network leaves: fluctuations of order n^(-1/2) grow until they
are of order 1, after a time of order log n. The equations are right, and the widths too small. Two kinds are
told, by rules that can only make a disagreement undecided; docs/verdict.md says what they cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..advice.advise import advise
from ..algebra.findings import Finding, FindingKind
from ..limit.derive import derive
from ..network.network import Network
from ..reduction.reduce import reduce
from .estimates import PAIRS
from .judge import ROUNDING, Row, rms, scale_of
from .measurements import Measurements
from .observables import OUTPUTS, OUTPUTS_START

Array = Any

# Distances that fall at t = 0 with less than this exponent do not show how they would fall.
_FALLS = 0.25
# Exponents: no instability where distances fall at least half as fast after training as before it.
_HALF = 0.5


def is_unstable(finding: Finding) -> bool:
    """Whether a finding names a mechanism: fluctuations lead away, or a deviation of 0 is divided by."""
    if finding.kind in (FindingKind.STATIONARY, FindingKind.UNSEEN):
        return bool(finding.facts["fluctuations"])
    return finding.kind == FindingKind.ZERO_VARIANCE


def unstable_starts(network: Network) -> tuple[Finding, ...]:
    """What is found of a resolved network whose limit starts where fluctuations alone lead away.

    They are about the limit that is derived here: one that is tested in its place may be wrong.
    """
    limit = derive(network)
    return tuple(filter(is_unstable, advise(network, limit, reduce(limit))))


def without_instability(
    rows: Sequence[Row], measured: Measurements
) -> tuple[tuple[Row, ...], tuple[Finding, ...]]:
    """The rows, in which what an instability explains is undecided; and the findings that it rests on."""
    begins = [row for row in rows if row.name == OUTPUTS_START or not row.distances]
    if any(row.status == "disagrees" for row in begins):
        return tuple(rows), ()
    if not any(test.rejects and test.kind == PAIRS for row in rows for test in row.tests):
        return _undecided(rows, [row.name for row in rows], FindingKind.UNSTABLE_LABELS), ()
    left = _undecided(rows, _stay_apart(rows, measured), FindingKind.UNSTABLE_START)
    starts = unstable_starts(measured.network) if left != tuple(rows) else ()
    return (left, starts) if starts else (tuple(rows), ())


def _undecided(rows: Sequence[Row], names: Sequence[str], kind: FindingKind) -> tuple[Row, ...]:
    return tuple(
        replace(row, status="undecided", finding=Finding.of(kind, row.name))
        if row.status == "disagrees" and row.name in names
        else row
        for row in rows
    )


def _stay_apart(rows: Sequence[Row], measured: Measurements) -> list[str]:
    """The observables whose distances stop falling with the width in training.

    Everything that is trained follows the outputs' residuals: where those stop falling, all do.
    """
    before = min(fall(measured, OUTPUTS_START), 1.0)
    if before < _FALLS:
        return []
    names = [row.name for row in rows if row.distances and row.name != OUTPUTS_START]
    if fall(measured, OUTPUTS) < _HALF * before:
        return names
    return [name for name in names if fall(measured, name) < _HALF * before]


def fall(measured: Measurements, name: str) -> float:
    """The exponent s of distance ~ n^-s on own labels, by least squares; infinite where there is none."""
    distances = [
        rms(networks[: len(own)] - own)
        for networks, own in zip(measured.networks[name], measured.matched[name], strict=True)
    ]
    if max(distances) <= ROUNDING[measured.settings.precision] * scale_of(measured, name):
        return float("inf")
    logarithms: Array = np.log(np.maximum(distances, 1e-300))
    return -float(np.polyfit(np.log(measured.settings.widths), logarithms, 1)[0])

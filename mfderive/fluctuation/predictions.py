"""What a run keeps of predicted fluctuations, as plain data: bands of losses, standardised deviations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..algebra.findings import Finding
from ..errors import MfError
from ..network.network import Network
from ..runs.trajectory import Trajectory
from .band import WORK, predicted_band
from .standardised import NETWORKS, Standardised, standardised
from .validity import validity

# There is no prediction because none was asked for.
UNASKED = "not-asked-for"


def predictions(network: Network, limit: Trajectory, widths: Sequence[int]) -> dict[str, Any]:
    """Predict the fluctuations of networks around a solution of the limit, and train some to compare with.

    Keys of the record: ``reason`` (None, or kind and facts of why nothing is predicted), ``times``,
    ``steps``, ``limit`` (its loss there), ``bands`` (low and high by width, between which 95 % of networks
    lie), ``deviation`` (sqrt(n Var) of outputs, root mean square over points, by time), ``nodes`` and
    ``merged`` (what it was computed on), ``until`` (sentences: until when the limit holds), ``networks``
    (None, or width, times, steps, ratio and scores [time][series][network] of
    :class:`~mfderive.fluctuation.standardised.Standardised`).
    """
    band = predicted_band(network, limit)
    if isinstance(band, Finding):
        return without(band)
    trained = standardised(network, limit, band.found, widths)
    intervals = {width: band.interval(width) for width in widths}
    return {
        "reason": None,
        "times": band.found.times.tolist(),
        "steps": band.found.steps.tolist(),
        "limit": band.limit.tolist(),
        "bands": {
            str(n): {"low": low.tolist(), "high": high.tolist()} for n, (low, high) in intervals.items()
        },
        "deviation": np.sqrt(band.found.n_variance.mean((1, 2))).tolist(),
        "points": len(band.found.x),
        "nodes": dict(band.nodes),
        "merged": band.merged,
        "networks": None if trained is None else _networks(trained),
        "until": _until(network, limit, widths),
    }


def _until(network: Network, limit: Trajectory, widths: Sequence[int]) -> list[str]:
    """Until when the limit holds at the narrowest width, in words; empty where it is not known."""
    try:
        return [validity(network, float(limit.times[-1]), most=WORK).text(min(widths))]
    except MfError:
        return []


def without(reason: Finding) -> dict[str, Any]:
    """The record where nothing is predicted, and why."""
    facts: Mapping[str, Any] = reason.facts
    return {"reason": {"kind": str(reason.kind), "facts": dict(facts)}}


def _networks(trained: Standardised) -> dict[str, Any]:
    return {
        "width": trained.width,
        "count": NETWORKS,
        "times": trained.times.tolist(),
        "steps": trained.steps.tolist(),
        "ratio": trained.ratio.tolist(),
        "scores": trained.scores.tolist(),
    }

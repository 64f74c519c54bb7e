"""Training curves as the report draws them: a plain view of trajectories, nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runs.stored import CURVES
from ..runs.trajectory import Trajectory

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """The loss and error of one trajectory.

    ``width`` is None for the mean-field limit, else n. All arrays are one number per recorded moment:
    ``times`` (t = sum of the alphas), ``steps`` (SGD steps), ``loss`` (per sample, on the evaluation
    sample), ``error`` (fraction misclassified; nan throughout where the loss defines no error),
    ``loss_error`` (how far the loss may be off; nan where that is not known, None where nothing is said).
    """

    width: int | None
    seed: int | None
    times: Values
    steps: Values
    loss: Values
    error: Values
    loss_error: Values | None = None

    @property
    def is_limit(self) -> bool:
        """Whether this is the mean-field limit."""
        return self.width is None

    @property
    def band(self) -> tuple[Values, Values] | None:
        """Between what the loss lies, by its stated error; None where nothing is stated."""
        if self.loss_error is None or not np.isfinite(self.loss_error).any():
            return None
        return self.loss - self.loss_error, self.loss + self.loss_error

    @property
    def has_error(self) -> bool:
        """Whether an error was recorded at all."""
        return bool(np.isfinite(self.error).any())


def curve_of(trajectory: Trajectory) -> Curve:
    """The curve of a trajectory. The number of nodes of a limit is no width: its curve has none."""
    width = None if trajectory.kind == "limit" else trajectory.width
    arrays = (getattr(trajectory, name) for name in CURVES)
    return Curve(width, trajectory.seed, *(np.asarray(array, dtype=np.float64) for array in arrays))


def thinned(curve: Curve, most: int = 600) -> Curve:
    """At most about ``most`` of the curve's points, spread evenly over the axes of all figures.

    A curve of 1e5 points would make a page of many megabytes; half of the points are kept evenly in t,
    half evenly in log(step), and the first and last always.
    """
    count = len(curve.times)
    if count <= most:
        return curve
    even = np.linspace(0, count - 1, most // 2)
    logarithmic = np.geomspace(1, count, most // 2) - 1
    keep = np.unique(np.concatenate([even, logarithmic]).round().astype(np.int64))
    return replace(
        curve,
        times=curve.times[keep],
        steps=curve.steps[keep],
        loss=curve.loss[keep],
        error=curve.error[keep],
        loss_error=None if curve.loss_error is None else curve.loss_error[keep],
    )


def widths_of(curves: Iterable[Curve]) -> tuple[int, ...]:
    """The widths of the finite networks among the curves, ascending."""
    return tuple(sorted({curve.width for curve in curves if curve.width is not None}))


def final_table(curves: Iterable[Curve]) -> list[dict[str, Any]]:
    """Final loss and error by width, the limit last: mean over seeds, lowest, highest, distance to the limit.

    Keys of a row: width (None: limit), seeds, loss, loss_low, loss_high, error (None where there is none),
    distance: the mean over seeds of max over t of |loss - loss of the limit| (None for the limit and where
    there is no limit to compare with). Numbers that are not finite become None, which json can hold.
    """
    curves = tuple(curves)
    limit = next((curve for curve in curves if curve.is_limit), None)
    rows: list[dict[str, Any]] = []
    for width in (*widths_of(curves), None):
        members = [curve for curve in curves if curve.width == width and len(curve.loss)]
        if not members:
            continue
        losses = np.array([curve.loss[-1] for curve in members])
        errors = np.array([curve.error[-1] for curve in members])
        rows.append(
            {
                "width": width,
                "seeds": len(members),
                "loss": _finite(losses.mean()),
                "loss_low": _finite(losses.min()),
                "loss_high": _finite(losses.max()),
                "error": _finite(errors.mean()),
                "distance": _distance(members, limit) if width is not None else None,
            }
        )
    return rows


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _distance(members: list[Curve], limit: Curve | None) -> float | None:
    if limit is None:
        return None
    gaps = []
    for curve in members:
        shared = (curve.times >= limit.times[0]) & (curve.times <= limit.times[-1])
        reference = np.interp(curve.times[shared], limit.times, limit.loss)
        gaps.append(np.max(np.abs(curve.loss[shared] - reference), initial=0.0))
    return _finite(np.mean(gaps))

"""From measurements to rows: three tests per observable, fitted rates, separated errors.

The rule, with its reasons and measured error rates, stands in docs/verdict.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algebra.findings import Finding, FindingKind
from ..algebra.showing import Shown
from .estimates import (
    DIRECT,
    LABELS,
    PAIRS,
    Deviation,
    Slope,
    contrast_coefficients,
    deviation,
    fit_slope,
    intercept_coefficients,
)
from .measurements import Measurements
from .observables import ERROR, LOSS, OUTPUTS, OUTPUTS_START
from .wording import without_noise

Array = Any

# The observables to whose distance at infinite width the tolerance applies.
MAIN = (OUTPUTS, LOSS)
# Rounding of networks that train in float32, as a fraction of an observable's size, and in float64.
ROUNDING = {"float32": 2e-4, "float64": 1e-9}
# The error of an extrapolation, as a fraction of its last term (one order more against one less).
LAST_TERM = {1: 1.0, 2: 0.25}
# Ensembles of labels are larger than networks, so their extrapolation goes less far.
LAST_TERM_OF_LABELS = 0.5
# An extrapolation by more than this part of an observable's size is not believed.
FARTHEST = 0.5
# So many times the seeds are asked for; where more would be needed, wider networks are the better way.
_MOST_SEEDS = 64


@dataclass(frozen=True, repr=False)
class Test(Shown):
    """One test: the estimated distance at infinite width, and what bounds it.

    ``deviation`` is statistical; ``systematic`` bounds what extrapolation and rounding add; ``credible``
    is false where the widths are not in the range in which they can be extrapolated.
    """

    kind: str
    deviation: Deviation
    systematic: float
    credible: bool = True

    @property
    def rejects(self) -> bool:
        """Whether the distance is not 0, at the level of the family."""
        return self.deviation.lower > self.systematic

    @property
    def bound(self) -> float:
        """An upper bound of the distance."""
        return self.deviation.upper + self.systematic


@dataclass(frozen=True, repr=False)
class Row(Shown):
    """One observable: its size, the networks' distances by width, and its tests.

    ``distances`` are root mean squares over seeds and numbers; ``scale`` is the size they are compared
    with; ``bound`` an upper bound of the distance at infinite width. ``status`` is "agrees" (below the
    tolerance), "consistent" (no tolerance applies, and nothing contradicts), "disagrees", "undecided", or ""
    for an observable that does not decide; ``finding`` is why it disagrees, or what would decide.
    """

    name: str
    words: str
    scale: float
    distances: tuple[float, ...]
    tests: tuple[Test, ...]
    bound: float
    tolerance: float | None
    status: str
    finding: Finding | None = None

    @property
    def estimate(self) -> float:
        """The distance at infinite width that was found, by the sharpest test."""
        found = self.tests[0].deviation
        return without_noise(found.size, found.noise)


@dataclass(frozen=True, repr=False)
class Errors(Shown):
    """Where the distance of the widest networks' outputs from the gradient flow comes from, varied alone.

    Root mean squares over the evaluation sample. ``width``: networks of the widest width against the limit
    on the same batches, of which ``bias`` is that of their mean; ``step``: the step size alpha; ``data``: the
    finite batches; ``ensemble``: the finite number of nodes of the limit. ``size`` is that of the outputs.
    """

    width: float
    bias: float
    step: float
    data: float
    ensemble: float
    size: float

    @property
    def flow(self) -> float:
        """The distance of SGD's limit at this alpha from the gradient flow."""
        return float(np.hypot(self.step, self.data))

    @property
    def dominating(self) -> str:
        """The largest of the four."""
        parts = self.parts
        return max(parts, key=lambda name: parts[name])

    @property
    def parts(self) -> dict[str, float]:
        """The four errors by name."""
        return {"width": self.width, "step size": self.step, "data": self.data, "ensemble": self.ensemble}


def rms(array: Array) -> float:
    """The root mean square of all entries."""
    return float(np.sqrt(np.mean(np.square(array))))


def scale_of(measured: Measurements, name: str) -> float:
    """The size of an observable: what its distances are fractions of."""
    values = measured.ensembles
    if name in (OUTPUTS, OUTPUTS_START):
        # Outputs may start at 0 and have learnt nothing yet: the loss holds them against targets.
        ends = [rms(values[end].mean(axis=0)) for end in (OUTPUTS, OUTPUTS_START)]
        return max(*ends, measured.target_size, 1e-12)
    if name == ERROR:
        return 1.0
    if name == LOSS:
        return max(float(np.abs(measured.limit.loss[[0, -1]]).max()), 1e-12)
    sized_by = next((o.sized_by for o in measured.observables if o.name == name), "")
    if sized_by:
        # A mean over neurons may vanish; the neurons themselves do not.
        return max(float(np.sqrt(values[sized_by].mean())), 1e-12)
    return max(rms(values[name].mean(axis=0)), 1e-12)


def judge_rows(measured: Measurements) -> tuple[Row, ...]:
    """All observables with their tests, at the level of the whole family; instabilities not yet told."""
    deciding = [o for o in measured.observables if o.decides]
    kinds = 3 if measured.random else 2
    level = measured.settings.level / (kinds * len(deciding) + len(measured.label_laws))
    rows = [_label_row(measured, name, level) for name in measured.label_laws]
    for observable in measured.observables:
        name = observable.name
        scale = scale_of(measured, name)
        tests = [_own_labels(measured, name, scale, level), _direct(measured, name, scale, level)]
        if measured.random:
            tests.insert(1, _labels(measured, name, scale, level))
        bound = sum(test.bound for test in tests if test.kind != DIRECT)
        tolerance = measured.settings.tolerance * scale if name in MAIN else None
        status, finding = _status(name, tests, bound, tolerance) if observable.decides else ("", None)
        centre = measured.ensembles[name].mean(axis=0)
        distances = tuple(rms(group - centre) for group in measured.networks[name])
        rows.append(
            Row(name, observable.words, scale, distances, tuple(tests), bound, tolerance, status, finding)
        )
    return tuple(rows)


def _label_row(measured: Measurements, name: str, level: float) -> Row:
    """The initial law of a label: does the ensemble hold what networks draw?"""
    drawn, held = measured.label_laws[name]
    scale = max(rms(drawn.mean(axis=0)), 1e-12)
    test = Test(LABELS, deviation([drawn, held], [1.0, -1.0], level), 1e-3 * scale)
    shown = f"{name} at t = 0"
    status, finding = _status(shown, [test], test.bound, None)
    words = f"quantiles of the values of {name} over neurons, before training"
    return Row(shown, words, scale, (), (test,), test.bound, None, status, finding)


def _own_labels(measured: Measurements, name: str, scale: float, level: float) -> Test:
    """Networks minus the limit solved on the labels that they drew, at infinite width.

    The labels' fluctuations, of order n^(-1/2), cancel; what is left is of order 1/n (theory A.7, D).
    """
    groups = [
        networks[: len(matched)] - matched
        for networks, matched in zip(measured.networks[name], measured.matched[name], strict=True)
    ]
    return _extrapolated(PAIRS, measured, groups, 2, scale, level, None)


def _direct(measured: Measurements, name: str, scale: float, level: float) -> Test:
    """Networks minus the limit, at infinite width, with no help from labels."""
    power = 1 if measured.slope > -1 else 2
    return _extrapolated(
        DIRECT, measured, measured.networks[name], power, scale, level, measured.ensembles[name]
    )


def _extrapolated(
    kind: str,
    measured: Measurements,
    groups: Sequence[Array],
    power: int,
    scale: float,
    level: float,
    limit: Array | None,
) -> Test:
    """The test of an extrapolation over all widths, whose variances fall as n^-power."""
    widths = measured.settings.widths
    precisions = [n**power * len(group) for n, group in zip(widths, groups, strict=True)]
    order = min(2, len(widths) - 2)
    if order < 1:
        found = deviation([*groups[-1:], *_minus(limit)], [1.0, *_coefficients(limit)], level)
        return Test(kind, found, ROUNDING[measured.settings.precision] * scale, credible=False)
    coefficients = intercept_coefficients(widths, precisions, order)
    found = deviation([*groups, *_minus(limit)], [*coefficients, *_coefficients(limit)], level)
    lower = intercept_coefficients(widths, precisions, order - 1 if order == 2 else 2)
    means = np.stack([group.mean(axis=0) for group in groups])
    last = rms((coefficients - lower) @ means)
    systematic = LAST_TERM[order] * last + ROUNDING[measured.settings.precision] * scale
    farthest = rms(means[-1] - coefficients @ means)
    contrast = contrast_coefficients(widths, order)
    follows = deviation(groups, contrast, level).lower <= systematic
    return Test(kind, found, systematic, bool(follows and farthest <= FARTHEST * scale))


def _minus(limit: Array | None) -> list[Array]:
    return [] if limit is None else [limit]


def _coefficients(limit: Array | None) -> list[float]:
    return [] if limit is None else [-1.0]


def _labels(measured: Measurements, name: str, scale: float, level: float) -> Test:
    """The limit on independent draws of labels minus the limit: are the ensemble's laws the networks'?

    Ensembles of many nodes and of the widest networks' labels, whose bias of order 1/n is taken out.
    """
    widths = [n for n in measured.settings.widths if 4 * n >= max(measured.settings.widths)]
    groups = [*measured.matched[name][-len(widths) :], measured.random[name]]
    sizes = [*widths, measured.random_nodes]
    precisions = [size * len(group) for size, group in zip(sizes, groups, strict=True)]
    coefficients = intercept_coefficients(sizes, precisions, 1 if len(set(sizes)) > 1 else 0)
    found = deviation([*groups, measured.ensembles[name]], [*coefficients, -1.0], level)
    means = np.stack([group.mean(axis=0) for group in groups])
    flat = intercept_coefficients(sizes, precisions, 0)
    systematic = LAST_TERM_OF_LABELS * rms((coefficients - flat) @ means)
    farthest = rms(means[-1] - coefficients @ means)
    return Test(LABELS, found, systematic + 1e-9 * scale, farthest <= FARTHEST * scale)


def _status(
    name: str, tests: Sequence[Test], bound: float, tolerance: float | None
) -> tuple[str, Finding | None]:
    rejecting = [test for test in tests if test.rejects]
    for test in rejecting:
        if test.credible:
            least = test.deviation.lower - test.systematic
            return "disagrees", Finding.of(FindingKind.APART, name, test=test.kind, least=least)
    if rejecting:
        return "undecided", Finding.of(FindingKind.OUT_OF_RANGE, name)
    if tolerance is None:
        return "consistent", None
    if bound <= tolerance:
        return "agrees", None
    return "undecided", _needs(name, tests, bound, tolerance)


def _needs(name: str, tests: Sequence[Test], bound: float, tolerance: float) -> Finding:
    """What would decide: more seeds where noise is the larger part, else wider networks.

    Facts of "noisy": ``times``, how many times the seeds would do, None where that is too many.
    """
    deciding = [test for test in tests if test.kind != DIRECT]
    noise = sum(test.deviation.threshold + test.deviation.noise for test in deciding)
    rest = bound - noise
    if not all(test.credible for test in deciding):
        return Finding.of(FindingKind.OUT_OF_RANGE, name)
    if rest >= tolerance / 2:
        return Finding.of(FindingKind.COARSE_EXTRAPOLATION, name, left=rest, tolerance=tolerance)
    times = max(2, int(np.ceil((noise / (tolerance - rest)) ** 2)))
    return Finding.of(FindingKind.NOISY, name, times=times if times <= _MOST_SEEDS else None)


def fit_rates(measured: Measurements) -> tuple[Slope, ...]:
    """Slopes of distance against width: outputs, outputs on own labels, mean loss."""
    widths = measured.settings.widths
    if len(widths) < 2:
        return ()
    outputs, centre = measured.networks[OUTPUTS], measured.ensembles[OUTPUTS].mean(axis=0)
    squares = [((group - centre) ** 2).mean(axis=1) for group in outputs]
    pairs = [
        ((group[: len(own)] - own) ** 2).mean(axis=1)
        for group, own in zip(outputs, measured.matched[OUTPUTS], strict=True)
    ]
    losses = [group[:, 0] - measured.ensembles[LOSS].mean() for group in measured.networks[LOSS]]
    floor = ensemble_error(measured, OUTPUTS) ** 2
    rates = [fit_slope("outputs", widths, squares, floor, -measured.slope)]
    # Where no pair has noise, own labels leave nothing but rounding, which has no slope.
    rounding = ROUNDING[measured.settings.precision] * scale_of(measured, OUTPUTS)
    if np.sqrt(np.mean(pairs[-1])) > rounding:
        # Masks scatter like n^(-1/2) beside what is of order 1/n, and no limit has them: nothing is expected.
        masked = any(probability for _, probability in measured.network.training.dropout)
        expected = None if masked else 1.0
        rates.append(fit_slope("outputs, limit on own labels", widths, pairs, 0.0, expected))
    floor = ensemble_error(measured, LOSS) ** 2
    rates.append(fit_slope("mean loss", widths, losses, floor, 1.0, lambda rows, axis: rows.mean(axis) ** 2))
    return tuple(rates)


def ensemble_error(measured: Measurements, name: str) -> float:
    """The root mean square error of the mean over the limit's ensembles, from their differences."""
    rows = measured.ensembles[name]
    if len(rows) < 2:
        return 0.0
    return float(np.sqrt(rows.var(axis=0, ddof=1).mean() / len(rows)))


def separate_errors(measured: Measurements) -> Errors:
    """The errors of the outputs, each varied alone."""
    rows, widest = measured.ensembles[OUTPUTS], measured.networks[OUTPUTS][-1]
    centre = rows.mean(axis=0)
    return Errors(
        width=rms(widest - centre),
        bias=rms(widest.mean(axis=0) - centre),
        # Euler's error is of first order: halving the step removes half of it.
        step=2 * rms(measured.half_step[OUTPUTS][0] - rows[0]),
        # Two independent runs differ by sqrt(2) of what one differs from their mean.
        data=rms(measured.other_data[OUTPUTS][0] - rows[0]) / float(np.sqrt(2)),
        ensemble=ensemble_error(measured, OUTPUTS),
        size=scale_of(measured, OUTPUTS),
    )

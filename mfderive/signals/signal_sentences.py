"""The sentences about fixed points of a depth map, made of what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .fixed_points import FixedPoint, FixedPoints, SlowRate

CRITICAL = 1e-6  # how near to 1 chi_1 is called critical


def signal_sentences(
    found: FixedPoints, names: tuple[str, ...], scales: Mapping[str, float]
) -> Iterator[str]:
    """What a user should know, one sentence after the other."""
    if not found.complete:
        yield (
            f"A block hands on {len(names)} kernel entries ({', '.join(names)}): fixed points are those that "
            "iteration from several starts reaches; others may exist."
        )
    yield from _variance(found)
    if found.variance is not None:
        yield from _correlation(found)
    yield from _gradients(found)


def _variance(found: FixedPoints) -> Iterator[str]:
    if found.every_variance:
        yield "Every variance is a fixed point: what goes in stays, whatever it is."
        return
    others = [point for point in found.variances if found.variance is None or point.at != found.variance.at]
    if found.variance is None:
        yield "There is no q*: a variance of 1 grows for ever with depth" + (
            "." if not others else f" (fixed points that it does not reach: {_points(others)})."
        )
        return
    at = found.variance.at
    if not any(at):
        yield "q* = 0: every signal dies out with depth."
    if others:
        yield f"A variance of 1 moves to q* = {_place(at)}; other fixed points: {_points(others)}."
    if found.unbounded:
        largest = max((point.at[0] for point in found.variances), default=0.0)
        yield f"Variances above {largest:.6g} grow for ever."
    if found.slow_variance is not None:
        yield f"The slope of the variance at q* is 1: {_rate(found.slow_variance, 'q - q*')}."
    elif found.variance.neutral:
        yield "The slope of the variance at q* is 1: its approach is slower than every exponential."
    elif abs(found.variance.slope) > 1:
        yield (
            f"q* is unstable (slope {found.variance.slope:.6g}): variances move about it, and settle "
            "elsewhere or not at all."
        )


def _correlation(found: FixedPoints) -> Iterator[str]:
    if found.every_correlation:
        yield "In the limit of vanishing signals every correlation of two inputs stays what it is."
        return
    if found.correlation is None:
        yield "No stable correlation of two inputs was found."
        return
    c = found.correlation.at
    others = [point for point in found.correlations if point.at != c]
    if all(each == 1 for each in c):
        yield "c* = 1 is stable: inputs become equal with depth."
    elif not any(each == 1 for point in found.correlations for each in point.at):
        yield (
            "c = 1 is no fixed point: equal inputs become different, by noise of their own or by what a "
            "batch "
            "subtracts."
        )
    else:
        yield f"c* = {_place(c)}: inputs that are nearly equal become different with depth."
    if others:
        yield f"Other fixed points of the correlation: {_points(others)}."
    if found.slow_correlation is not None:
        yield f"The slope of the correlation at c* is 1: {_rate(found.slow_correlation, '1 - c')}."
    elif found.correlation.neutral:
        yield "The slope of the correlation at c* is 1: its approach is slower than every exponential."
    elif found.correlation.slope < 0:
        yield "The correlation approaches c* from both sides in turn (its slope is negative)."


def _gradients(found: FixedPoints) -> Iterator[str]:
    chi = found.chi_1
    if chi != chi:
        return
    where = "" if found.variance is not None else " in the limit of large variances"
    if chi == float("inf"):
        yield "chi_1 is infinite: the activation jumps, and no gradient passes a jump."
    elif abs(chi - 1) <= CRITICAL:
        yield f"chi_1 = 1{where}: gradients neither grow nor fade with depth."
    else:
        word = "fade" if chi < 1 else "grow"
        yield f"chi_1 = {chi:.6g}{where}: squared gradients {word} by this much a block, backward."
    yield (
        "Assumed: infinite width, independent Gaussian weights, and for gradients weights going backward "
        "that are independent of those going forward."
    )


def _rate(rate: SlowRate, what: str) -> str:
    power = "l" if rate.power == 1 else f"l^{rate.power:g}"
    return f"{power} ({what}) tends to {rate.constant:.4g} with depth l, no exponential"


def _points(points: list[FixedPoint]) -> str:
    return ", ".join(f"{_place(point.at)} ({_kind(point)}, slope {point.slope:.6g})" for point in points)


def _kind(point: FixedPoint) -> str:
    return "stable" if point.stable else "neutral" if point.neutral else "unstable"


def _place(at: tuple[float, ...]) -> Any:
    return f"{at[0]:.6g}" if len(at) == 1 else f"({', '.join(f'{each:.6g}' for each in at)})"

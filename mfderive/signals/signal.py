"""``mf.signal`` and ``mf.critical``: signals of a repeated layer at given scales, and critical scales."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan, sqrt
from typing import Any

from ..algebra.arguments import exclusive, number
from ..algebra.showing import Shown, words
from ..errors import ArgumentError
from ..network.network import Network
from .activations import given_map
from .critical_lines import CriticalPoint, critical_points
from .critical_of_several import critical_of_several
from .fixed_points import fixed_points
from .network_signal import NetworkSignal, network_signal
from .scales import ALL
from .signal_result import Signal, shown_number


def signal(
    what: Any,
    *,
    sigma_w2: float | None = None,
    sigma_b2: float | None = None,
    dropout_keep: float | None = None,
    noise_variance: float | None = None,
) -> Signal | NetworkSignal:
    """Fixed points, depth scales and phase of a deep network of one repeated layer at initialisation.

    ``what``: the name of an activation, an expression in h, a :class:`DepthMap`, or a resolved Network: of
    that the result has kernel equations and their values by depth too, and scales that are not given come
    from its table ``[signal]``. Weights are independent N(0, sigma_w2 / fan-in), biases N(0, sigma_b2).
    ``dropout_keep``, ``noise_variance``: noise on neurons (Schoenholz et al. 2017; Pretorius et al. 2018).
    Raises ArgumentError for arguments that make no sense, MfError for a network whose kernels do not close.
    """
    if isinstance(what, Network):
        exclusive(**{"a network": what, "dropout_keep": dropout_keep, "noise_variance": noise_variance})
        return network_signal(what, sigma_w2, sigma_b2)
    depth_map, title = given_map(what, dropout_keep=dropout_keep, noise_variance=noise_variance)
    scales = {
        "sigma_w2": _variance("sigma_w2", sigma_w2),
        "sigma_b2": _variance("sigma_b2", sigma_b2 or 0.0),
    }
    return Signal(title, depth_map.names, scales, fixed_points(depth_map, scales))


@dataclass(frozen=True, repr=False)
class Critical(Shown):
    """The critical initialisation: chi_1 = 1, so that gradients neither grow nor fade.

    ``points``: all that were found, the best first: those with a stable variance, then by variance.
    """

    title: str
    points: tuple[CriticalPoint, ...]

    @property
    def sigma_w2(self) -> float:
        """The variance of weights times their fan-in."""
        return self.points[0].sigma_w2

    @property
    def sigma_b2(self) -> float:
        """The variance of biases."""
        return self.points[0].sigma_b2

    @property
    def q_star(self) -> Any:
        """The variance at rest; nan where every variance is; of several kernel entries a tuple."""
        return self.points[0].q_star

    @property
    def slope_q(self) -> float:
        """d q' / d q there."""
        return self.points[0].slope

    @property
    def gain(self) -> float:
        """What multiplies 1 / sqrt(fan-in) as the deviation of weights: the root of sigma_w2."""
        return sqrt(self.sigma_w2)

    @property
    def data(self) -> dict[str, Any]:
        """Everything as plain data."""
        rows = [
            {"sigma_w2": p.sigma_w2, "sigma_b2": p.sigma_b2, "q_star": _none(p.q_star), "slope_q": p.slope}
            for p in self.points
        ]
        return {"title": self.title, "gain": self.gain, "points": rows}

    @property
    def text(self) -> str:
        """The points in words."""
        lines = [f"Critical initialisation (chi_1 = 1) of {self.title}:"]
        for point in self.points:
            nan = not isinstance(point.q_star, tuple) and isnan(point.q_star)
            every = "every variance is a fixed point" if nan else f"q* = {shown_number(point.q_star)}"
            lines.append(
                f"  sigma_w2 = {point.sigma_w2:.9g}, sigma_b2 = {point.sigma_b2:g}: {every}, "
                f"slope of the variance {point.slope:.6g}"
            )
        lines.append(
            f"  weights: deviation {self.gain:.9g} / sqrt(fan-in); biases: {sqrt(self.sigma_b2):.6g}"
        )
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text

    def _summary(self) -> Iterator[str]:
        yield f"Critical initialisation of {words(self.title)}:"
        at = shown_number(self.q_star)
        yield f"  sigma_w2 = {self.sigma_w2:.9g}, sigma_b2 = {self.sigma_b2:g}, q* = {at}"
        if len(self.points) > 1:
            yield f"  {len(self.points)} points in all: .points"


def critical(
    what: Any,
    *,
    sigma_b2: float | None = None,
    dropout_keep: float | None = None,
    noise_variance: float | None = None,
) -> Critical:
    """The sigma_w2 at which gradients neither grow nor fade (chi_1 = 1), for a given sigma_b2.

    Of a block that hands on several kernel entries scales between 0.01 and 100 are searched, at the fixed
    point that variances of 1 reach. Arguments as in :func:`signal`; ``sigma_b2`` is 0 by default, or what a
    network's table ``[signal]`` says. Raises MfError where no sigma_w2 is critical, with what chi_1 is
    instead.
    """
    depth_map, title = given_map(what, dropout_keep=dropout_keep, noise_variance=noise_variance)
    biases = _variance("sigma_b2", _biases(what) if sigma_b2 is None else sigma_b2)
    find = critical_points if len(depth_map.names) == 1 else critical_of_several
    return Critical(title, find(depth_map, biases))


def _biases(what: Any) -> float:
    """The variance of biases where none is given."""
    table = {key: dict(pairs) for key, pairs in what.signal} if isinstance(what, Network) else {}
    return table.get("sigma_b2", {}).get(ALL, 0.0)


def _variance(name: str, value: Any) -> float:
    given = number(name, value)
    if given < 0:
        raise ArgumentError(f"{name} is {given:g}; a variance must not be negative")
    return given


def _none(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return None if isnan(value) else value

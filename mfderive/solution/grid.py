"""The grid of times on which a solution steps, and the weights of each time stepping method."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..errors import MfError
from ..network.network import Network
from ..network.solve_options import ADAPTIVE, SolveOptions
from ..runs.schedule import times

# Explicit Runge-Kutta methods as data (Butcher tableaus): stage times and couplings, weights.
TABLEAUS: dict[str, tuple[tuple[tuple[float, ...], ...], tuple[float, ...]]] = {
    "rk4": (((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
}

# rk4 steps by default over so many SGD steps of the mean size: its error is then still far below that of
# Euler's steps. (At the first size, a warm-up would make steps that are as many times shorter as it is long.)
_SGD_STEPS_PER_RK4_STEP = 10
_MOST_STEPS = 10**8
# Methods that end with a step of SGD.
_STEPS_OF_SGD = ("euler", "strides")
# A time through which steps of a length of their own are to lead is at a fraction of the whole way, with at
# most this denominator.
_MOST_PARTS = 1000


@dataclass(frozen=True)
class Clock:
    """Times t_0 = 0 <= t_1 <= ..., equal where a learning rate is 0.

    ``sgd_steps`` says after how many SGD steps a network is at each time.
    """

    times: np.ndarray
    sgd_steps: np.ndarray

    @property
    def steps(self) -> int:
        """The number of steps."""
        return len(self.times) - 1

    def sgd_step(self, t: float) -> int:
        """After how many SGD steps a network is at a time, to the nearest."""
        return round(float(np.interp(t, self.times, self.sgd_steps)))

    def with_time(self, t: float, sgd_step: int) -> Clock:
        """The clock with one more time, where it lies within and is not there yet."""
        number = int(np.searchsorted(self.times, t))
        if not 0 < number < len(self.times) or np.isclose(self.times[[number - 1, number]], t, 1e-9, 0).any():
            return self
        return Clock(np.insert(self.times, number, t), np.insert(self.sgd_steps, number, sgd_step))

    def merged(self, count: int) -> Clock:
        """The clock on which every ``count`` steps are one, and the last one what is left."""
        kept = np.unique(np.append(np.arange(0, len(self.times), count), len(self.times) - 1))
        return Clock(self.times[kept], self.sgd_steps[kept])


def make_clock(network: Network, options: SolveOptions, through: float | None = None) -> Clock:
    """The grid: SGD's own times for Euler (t_k = sum of alpha_j), equal steps for rk4.

    ``horizon`` ends the grid at the first time that reaches it; the SGD schedule is continued where the
    horizon lies beyond the spec's steps. A method that chooses its own steps has SGD's times, up to the
    horizon itself, to be observed at; strides along SGD's steps end with one of them. ``through``: a time on
    the way that rk4 shall reach, where nobody asked for a step.
    """
    sgd = _sgd_times(network, options)
    if options.method in _STEPS_OF_SGD:
        return Clock(sgd, np.arange(len(sgd)))
    horizon = options.horizon or float(sgd[-1])
    if horizon == 0:
        raise MfError(
            "every learning rate is 0 up to the last step, so that time stands still. Take more steps, or a "
            "schedule that is not 0 everywhere"
        )
    if options.method in ADAPTIVE:
        return _up_to(sgd, horizon)
    step = options.step or _SGD_STEPS_PER_RK4_STEP * _mean_move(sgd)
    count = max(1, math.ceil(horizon / step - 1e-9))
    if count > _MOST_STEPS:
        raise MfError(
            f"{options.method} would make {count:.3g} steps of {step:.3g} to t = {horizon:.6g}; choose a "
            "larger step or a smaller horizon"
        )
    if through is not None and options.step is None:
        count = _parts_through(count, through / horizon)
    return _equal_steps(sgd, horizon, count)


def _parts_through(count: int, share: float) -> int:
    """At least ``count`` equal parts, of which some make a share of the whole; ``count`` where none do."""
    part = Fraction(share).limit_denominator(_MOST_PARTS)
    if abs(float(part) - share) > 1e-10:
        return count
    return math.ceil(count / part.denominator) * part.denominator


def grid_clock(network: Network, method: str, steps: int, end: float) -> Clock:
    """The grid of a method by its number of steps and its end, as :func:`make_clock` made it."""
    if method == "euler":
        return Clock(np.asarray(times(network.training, steps)), np.arange(steps + 1))
    sgd = _sgd_times(network, SolveOptions(horizon=end))
    return _up_to(sgd, end) if method in ADAPTIVE else _equal_steps(sgd, end, steps)


def cut(clock: Clock, parts: int) -> Clock:
    """A clock whose steps are cut into equal parts."""
    if parts == 1:
        return clock
    grid, count = np.arange(clock.steps * parts + 1) / parts, np.arange(clock.steps + 1)
    steps = np.round(np.interp(grid, count, clock.sgd_steps)).astype(np.int64)
    return Clock(np.interp(grid, count, clock.times), steps)


def _equal_steps(sgd: np.ndarray, horizon: float, count: int) -> Clock:
    grid = np.linspace(0.0, horizon, count + 1)
    return Clock(grid, np.round(np.interp(grid, sgd, np.arange(len(sgd)))).astype(np.int64))


def _up_to(sgd: np.ndarray, horizon: float) -> Clock:
    """SGD's times with the horizon in place of the first that reaches it."""
    last = round(float(np.interp(horizon, sgd, np.arange(len(sgd)))))
    return Clock(np.append(sgd[:-1], horizon), np.append(np.arange(len(sgd) - 1), last))


def _mean_move(sgd: np.ndarray) -> float:
    """The mean of the learning rates that are not 0 (a schedule may begin or end with 0)."""
    return float(sgd[-1]) / int(np.count_nonzero(np.diff(sgd)))


def _sgd_times(network: Network, options: SolveOptions) -> np.ndarray:
    steps = options.steps or network.training.steps
    if options.horizon is None:
        return np.asarray(times(network.training, steps))
    goal = options.horizon * (1 - 1e-9)
    count = min(network.training.steps, _MOST_STEPS)
    if not network.training.schedule.free_symbols:  # the end is known without walking there
        count = max(1, math.ceil(goal / float(times(network.training, 1)[-1])) + 1)
    while count <= _MOST_STEPS:
        grid = np.asarray(times(network.training, count))
        if grid[-1] >= goal:
            return grid[: int(np.searchsorted(grid, goal)) + 1]
        count *= 4
    raise MfError(
        f"the horizon t = {options.horizon} is not reached within {_MOST_STEPS:.0e} SGD steps; choose a "
        "smaller horizon or a larger learning rate"
    )

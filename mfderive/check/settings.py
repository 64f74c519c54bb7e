"""How thorough a check is: what [check] says, what an effort makes of it, what a caller overrides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import MfError, nearest
from ..spec.network import Network

DEFAULT_WIDTHS = (50, 100, 200, 400)
DEFAULT_SEEDS = 8
DEFAULT_EVALUATION = 256


@dataclass(frozen=True)
class Effort:
    """What an effort asks for.

    ``seeds_factor``, ``least_seeds``: networks a width, from the spec's number; ``ensembles``: independent
    ensembles of the limit; ``random_ensembles``: ensembles of independent draws that they are held against;
    ``matched``: at most so many networks a width whose own labels the limit is solved on; ``steps``: at most
    so many SGD steps where the spec says nothing; ``tolerance``: 'agrees' means that limit and infinite
    networks are at most this far apart, as a fraction of an observable's size, with the level's certainty;
    ``dtype``: the precision of the networks (rounding hides what is smaller than it).
    """

    name: str
    seeds_factor: float
    least_seeds: int
    ensembles: int
    random_ensembles: int
    matched: int
    steps: int
    tolerance: float
    dtype: str


EFFORTS = {
    effort.name: effort
    for effort in (
        Effort("quick", 0.5, 4, 4, 6, 4, 100, 0.2, "float32"),
        Effort("normal", 1.0, 6, 8, 12, 8, 300, 0.1, "float32"),
        Effort("thorough", 8.0, 64, 12, 32, 16, 300, 0.05, "float64"),
    )
}


@dataclass(frozen=True)
class Settings:
    """One check, completely: ``widths`` ascending, ``seeds`` a width counted from ``first_seed``.

    ``nodes`` is the number of nodes of every ensemble of the limit (None: chosen by its structure);
    ``level`` the probability of a false alarm of the whole family of tests; ``dtype`` the precision of the
    networks; ``steps`` or ``horizon`` (time t = sum of the learning rates) end the training.
    """

    effort: Effort
    widths: tuple[int, ...]
    seeds: int
    first_seed: int
    steps: int | None
    horizon: float | None
    evaluation: int
    nodes: int | None
    dtype: str
    tolerance: float
    level: float = 0.01


def resolve_settings(
    network: Network,
    effort: str = "normal",
    *,
    widths: Sequence[int] | None = None,
    seeds: int | None = None,
    first_seed: int | None = None,
    steps: int | None = None,
    horizon: float | None = None,
    evaluation: int | None = None,
    nodes: int | None = None,
    dtype: str | None = None,
    tolerance: float | None = None,
) -> Settings:
    """Settings from arguments (None: not given), else from ``[check]`` as the effort reads it, else defaults.

    The effort scales the seeds of ``[check]``; what a caller gives is taken as it is. Raises MfError for an
    effort that does not exist and for numbers that are too small.
    """
    if effort not in EFFORTS:
        raise MfError(f"the effort is '{effort}'. {nearest(effort, EFFORTS)}")
    chosen, table = EFFORTS[effort], dict(network.check)
    if steps is not None and horizon is not None:
        raise MfError("steps and horizon cannot both be given")
    if steps is None and horizon is None:
        steps, horizon = table.get("steps"), table.get("horizon")
        if horizon is None:
            steps = min(network.training.steps, chosen.steps) if steps is None else steps
    wanted = max(chosen.least_seeds, round(chosen.seeds_factor * table.get("seeds", DEFAULT_SEEDS)))
    settings = Settings(
        effort=chosen,
        widths=tuple(sorted({int(n) for n in (widths or table.get("widths", DEFAULT_WIDTHS))})),
        seeds=seeds if seeds is not None else wanted,
        first_seed=first_seed if first_seed is not None else table.get("seed", 1),
        steps=steps,
        horizon=horizon,
        evaluation=evaluation or table.get("evaluation", DEFAULT_EVALUATION),
        nodes=nodes or table.get("nodes"),
        dtype=dtype or chosen.dtype,
        tolerance=chosen.tolerance if tolerance is None else tolerance,
    )
    _require(settings.seeds >= 2, f"seeds is {settings.seeds}; a check needs at least 2 networks a width")
    _require(settings.widths[0] >= 1, f"a width is {settings.widths[0]}; it must be at least 1")
    _require(settings.tolerance > 0, f"tolerance is {settings.tolerance}; it must be greater than 0")
    return settings


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise MfError(problem)


def other_seeds(settings: Settings, factor: int) -> Settings:
    """The same settings with ``factor`` times the seeds: what an undecided check asks for."""
    return replace(settings, seeds=settings.seeds * factor)


def summary(settings: Settings) -> dict[str, Any]:
    """The settings as plain data."""
    return {
        "effort": settings.effort.name,
        "widths": list(settings.widths),
        "seeds": settings.seeds,
        "first_seed": settings.first_seed,
        "steps": settings.steps,
        "horizon": settings.horizon,
        "evaluation": settings.evaluation,
        "nodes": settings.nodes,
        "dtype": settings.dtype,
        "tolerance": settings.tolerance,
        "level": settings.level,
    }

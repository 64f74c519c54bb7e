"""How thorough a check is: what [check] says, what an effort makes of it, what a caller overrides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..algebra.arguments import (
    NETWORK,
    choice,
    exclusive,
    found,
    instance,
    optional,
    positive_number,
    whole_number,
)
from ..algebra.showing import Shown
from ..errors import ArgumentError
from ..network.network import Network
from ..network.solve_options import PRECISIONS

DEFAULT_WIDTHS = (50, 100, 200, 400)
DEFAULT_SEEDS = 8
DEFAULT_EVALUATION = 256


@dataclass(frozen=True, repr=False)
class Effort(Shown):
    """What an effort asks for.

    ``seeds_factor``, ``least_seeds``: networks per width, from the spec's number; ``ensembles``: independent
    ensembles of the limit; ``random_ensembles``: ensembles of independent draws that they are held against;
    ``matched``: at most so many networks per width whose own labels the limit is solved on; ``steps``: at
    most so many SGD steps where the spec says nothing; ``tolerance``: 'agrees' means that limit and infinite
    networks are at most this far apart, as a fraction of an observable's size, with the level's certainty;
    ``precision``: that of the networks (rounding hides what is smaller than it).
    """

    name: str
    seeds_factor: float
    least_seeds: int
    ensembles: int
    random_ensembles: int
    matched: int
    steps: int
    tolerance: float
    precision: str


EFFORTS = {
    effort.name: effort
    for effort in (
        Effort("quick", 0.5, 4, 4, 6, 4, 100, 0.2, "float32"),
        Effort("normal", 1.0, 6, 8, 20, 8, 300, 0.1, "float32"),
        Effort("thorough", 8.0, 64, 12, 64, 16, 300, 0.05, "float64"),
    )
}


@dataclass(frozen=True, repr=False)
class Settings(Shown):
    """One check, completely: ``widths`` ascending, ``seeds`` a width counted from ``first_seed``.

    ``nodes`` is the number of nodes of every ensemble of the limit (None: chosen by its structure);
    ``level`` the probability of a false alarm of the whole family of tests; ``precision`` that of the
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
    precision: str
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
    precision: str | None = None,
    tolerance: float | None = None,
) -> Settings:
    """Settings from arguments (None: not given), else from ``[check]`` as the effort reads it, else defaults.

    The effort scales the seeds of ``[check]``; what a caller gives is taken as it is. Raises ArgumentError
    for an effort that does not exist, and for numbers of a wrong type or too small.
    """
    instance(network, Network, "a network", NETWORK)
    chosen, table = EFFORTS[choice("effort", effort, EFFORTS)], dict(network.check)
    exclusive(steps=steps, horizon=horizon)
    if steps is None and horizon is None:
        steps, horizon = table.get("steps"), table.get("horizon")
        if horizon is None:
            steps = min(network.training.steps, chosen.steps) if steps is None else steps
    wanted = max(chosen.least_seeds, round(chosen.seeds_factor * table.get("seeds", DEFAULT_SEEDS)))
    first = table.get("seed", 1) if first_seed is None else first_seed
    samples = table.get("evaluation", DEFAULT_EVALUATION) if evaluation is None else evaluation
    return Settings(
        effort=chosen,
        widths=_widths(table.get("widths", DEFAULT_WIDTHS) if widths is None else widths),
        seeds=_seeds(wanted if seeds is None else seeds),
        first_seed=whole_number("first_seed", first, 0),
        steps=optional(whole_number, "steps", steps),
        horizon=optional(positive_number, "horizon", horizon),
        evaluation=whole_number("evaluation", samples),
        nodes=optional(whole_number, "nodes", table.get("nodes") if nodes is None else nodes),
        precision=choice("precision", chosen.precision if precision is None else precision, PRECISIONS),
        tolerance=positive_number("tolerance", chosen.tolerance if tolerance is None else tolerance),
    )


def _widths(widths: Any) -> tuple[int, ...]:
    """Widths in ascending order, each once."""
    if not isinstance(widths, Iterable) or isinstance(widths, (str, bytes, Mapping)):
        raise ArgumentError(f"widths is {found(widths)}; give a list of widths")
    checked = {whole_number(f"widths[{position}]", width) for position, width in enumerate(widths)}
    if not checked:
        raise ArgumentError("widths is empty; give a list of widths")
    return tuple(sorted(checked))


def _seeds(seeds: Any) -> int:
    """The networks per width."""
    count = whole_number("seeds", seeds)
    if count < 2:
        raise ArgumentError(f"seeds is {count}; a check needs at least 2 networks per width")
    return count


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
        "precision": settings.precision,
        "tolerance": settings.tolerance,
        "level": settings.level,
    }

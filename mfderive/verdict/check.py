"""Do finite networks approach the limit? Measure, then judge."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from ..algebra.arguments import LIMIT, flag, instance
from ..algebra.reduced import Reduced
from ..algebra.system import LimitSystem
from ..errors import DivergenceWarning, SpecError
from ..forward.equations import forward_system
from ..forward.learning import shared_noise
from ..network.network import Network
from ..network.overrides import takes_training
from ..runs.keeping import Keep, kept_in
from .measurements import measure
from .resolution import confirmed
from .settings import resolve_settings
from .verdict import Verdict, judge


@takes_training
def check(
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
    system: LimitSystem | Reduced | None = None,
    progress: bool = False,
    keep: Keep = None,
) -> Verdict:
    """Hold finite networks against the limit: a verdict with known error rates (docs/verdict.md).

    Networks of ``widths`` (at least three, neurons per population times its relative width) with ``seeds``
    each are trained on the batches that the limit sees, up to ``steps`` SGD steps or time ``horizon``
    (t = sum of the learning rates), and extrapolated to infinite width on ``evaluation`` samples.
    ``effort`` "quick", "normal" or "thorough" sets what neither a caller nor ``[check]`` says;
    ``tolerance`` is how far apart, as a fraction of the size of outputs and loss, "agrees" allows.
    ``nodes`` of every ensemble of the limit; ``precision`` that of the networks ("float32" or "float64");
    ``system`` a reduced limit to be tested in place of the network's own. ``keep``: a folder (or a Keeper) in
    which finished and unfinished runs are kept, and from which the same call goes on (docs/runs.md).

    Raises ArgumentError for options that do not exist, SpecError where noise that all neurons feel alike
    makes the limit random (so that there is no one limit to hold networks against), DivergenceError where a
    run leaves the finite numbers.
    """
    flag("progress", progress)
    if system is not None:
        instance(system, (LimitSystem, Reduced), "system: a reduced limit", LIMIT)
    settings = resolve_settings(
        network,
        effort,
        widths=widths,
        seeds=seeds,
        first_seed=first_seed,
        steps=steps,
        horizon=horizon,
        evaluation=evaluation,
        nodes=nodes,
        precision=precision,
        tolerance=tolerance,
    )
    _check_one_limit(network)
    with kept_in(keep, "check") as part, warnings.catch_warnings():
        # What a loss that exploded means for the verdict is said there, once.
        warnings.simplefilter("ignore", DivergenceWarning)
        return confirmed(judge(measure(network, settings, system, progress, keep=part)), part)


def _check_one_limit(network: Network) -> None:
    """Raise SpecError where the networks of different seeds have different limits."""
    names = shared_noise(forward_system(network))
    if names:
        quiet = ", ".join(f'"{name}" = 0' for name in names)
        raise SpecError(
            f"the noise of {', '.join(names)} belongs to no neuron and never averages out: the limit is "
            "random, and networks of different seeds follow different paths of it, so that there is no one "
            "limit to hold them against",
            file=network.where,
            table="training",
            key="noise",
            remedy=f"Leave this noise out: noise = {{ {quiet}, default = ... }}",
        )

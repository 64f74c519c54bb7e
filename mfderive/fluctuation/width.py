"""The width from which networks lie within an error of the limit, from predicted fluctuations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..algebra.arguments import NETWORK, choice, instance, number, positive_number, whole_number
from ..algebra.showing import Shown, names
from ..errors import ArgumentError, MfError
from ..limit.derive import derive
from ..network.network import Network
from ..runs.trajectory import Trajectory
from ..state.draw import common_draws
from .common_draws import trained
from .deviations import SHARE, Deviations
from .exclusions import exclusions
from .fluctuations import Fluctuations, predicted
from .label_draws import LabelDraws
from .validity import Validity, validity

Array = Any
QUANTITIES = ("loss", "output")
# Below this width what is left out, of relative order 1/n, is too large to trust an answer untried.
NARROW = 50
POINTS = 10
# Operations that following differences of neurons may take: a few minutes.
_FOLLOWED = 2e11
_COUNTS = ("trained", "inside", "linear_width", "drawn", "drawn_inside")
# Widths that are tried on drawn labels, and by how much the next one is wider at least and at most.
_ROUNDS, _WIDER = 6, (1.1, 4.0)
# A width that suffices is narrow enough if it is no more than so many times one that does not.
_NEAR = 1.3
# Deviations of outputs of a size of 1 that are rounding.
_ROUNDING = 1e-10
_WHAT = {
    "loss": "the loss on the evaluation sample",
    "output": f"the outputs (root mean square over {POINTS} points)",
}


@dataclass(frozen=True, repr=False)
class Width(Shown):
    """The width from which 95 % of networks lie within an error of the limit, and why.

    ``at``: "loss" or "output"; ``time`` and ``step`` of training; ``width``: the base width; ``reach``: the
    error within which 95 % lie there; ``n_variance``: n Var of the quantity (of outputs the mean over points
    and outputs) and ``sources`` its parts by population; ``linear``: the share of the squared deviation that
    the linear part makes at that width. ``trained`` networks were trained there (0: none), of which
    ``inside`` lie within the error. ``linear_width``: the width by the linear law alone; ``drawn`` solutions
    of the limit on drawn labels (:mod:`mfderive.fluctuation.label_draws`; 0: none) were made at ``width``, of
    which ``drawn_inside`` lie within the error. ``validity`` says until when the limit holds at a width
    (None: why that is ``unknown``).
    """

    network: Network
    error: float
    at: str
    time: float
    step: int
    width: int
    reach: float
    n_variance: float
    sources: dict[str, float]
    linear: float
    trained: int = 0
    inside: int = 0
    linear_width: int = 0
    drawn: int = 0
    drawn_inside: int = 0
    validity: Validity | None = None
    unknown: str = ""

    @property
    def data(self) -> dict[str, Any]:
        """Everything as plain data."""
        names = ("error", "at", "time", "step", "width", "reach", "n_variance", "sources", "linear")
        found = {name: getattr(self, name) for name in (*names, *_COUNTS)}
        return {"share": SHARE, **found, "holds_until": self.holds_until}

    @property
    def holds_until(self) -> float | None:
        """The time up to which the limit holds at that width: ``time`` itself where no instability grows.

        None where that is not known.
        """
        if self.validity is None:
            return None
        parting = self.validity.until(self.width)
        return self.time if parting is None else parting

    @property
    def text(self) -> str:
        """The answer first, then the reasoning, in sentences."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        where = f"{_WHAT[self.at]} at t = {self.time:.6g} (step {self.step})"
        if _suffices(self):
            yield (
                f"From width {self.width} on, {SHARE:.0%} of networks lie within {self.error:g} of the "
                f"limit, in {where}."
            )
        else:
            yield (
                f"More than width {self.width} is needed for {SHARE:.0%} of networks to lie within "
                f"{self.error:g} of the limit, in {where}: that is the widest that was tried."
            )
        parts = ", ".join(f"{name} {value:.3g}" for name, value in self.sources.items())
        yield (
            f"Why: a network of width n deviates by about sqrt(V/n), with V = n Var = {self.n_variance:.4g} "
            f"from the labels of its neurons (by population: {parts or 'none'})."
        )
        if self.at == "loss":
            yield (
                f"{self.linear:.0%} of the squared deviation of the loss at that width is linear in that of "
                "the outputs; the rest, of order 1/n, is quadratic."
            )
        yield from self._of_draws()
        yield (
            "Left out are a bias of order 1/n and the noise of single weights, which enters at that order; "
            "batches are those of the limit."
            if not self.drawn
            else "Left out is the noise of single weights, which shifts outputs by a bias of order 1/n, too; "
            "batches are those of the limit."
        )
        yield from exclusions(self.network)
        if self.validity is not None:
            yield self.validity.text(self.width)
        elif self.unknown:
            yield f"Whether differences between neurons of one type grow is not known: {self.unknown}."
        if self.width < NARROW:
            yield (
                f"A width below {NARROW} is no promise: what is left out may be larger there than what is "
                "predicted. Train networks to see (--confirm, confirm=)."
            )
        if self.trained:
            yield f"Trained at that width: {self.inside} of {self.trained} networks lie within the error."

    def _of_draws(self) -> Iterator[str]:
        """Whether deviations are small enough to be normal."""
        if not self.drawn:
            yield (
                "Whether deviations of that size are normal was not tried: solutions on drawn labels take "
                "too long here."
            )
            return
        told = f"; at {self.linear_width}, the width by the normal law, too few do"
        more = told if self.width > self.linear_width else ""
        yield (
            f"Of {self.drawn} solutions of the limit on drawn labels, as many as networks of that width "
            f"have, {self.drawn_inside} lie within the error{more}."
        )

    def _summary(self) -> Iterator[str]:
        yield f"Width {self.width} for an error of {self.error:g} ({self.at}, t = {self.time:.4g})"
        yield "  .text says why"


def width_for(
    network: Network,
    error: float = 0.01,
    at: str = "loss",
    t: float | None = None,
    *,
    confirm: int = 0,
    **changes: Any,
) -> Width:
    """The width from which 95 % of networks lie within ``error`` of the limit; no network is trained.

    ``at``: "loss" (on the evaluation sample) or "output" (root mean square over points of it); ``t``: the
    time of training (default: its end). ``confirm``: so many networks are trained at that width, and counted.
    ``changes`` as in :func:`mfderive.fluctuations`, which says what is left out. Raises ArgumentError for
    other values, where no layer is infinitely wide, and where labels of neurons carry no deviation but single
    weights do.
    """
    instance(network, Network, "a network", NETWORK)
    positive_number("error", error)
    choice("at", at, QUANTITIES)
    whole_number("confirm", confirm, 0)
    times = None if t is None else np.array([number("t", t)])
    if times is not None and times[0] < 0:
        raise ArgumentError(f"t is {t}; times of a run begin at 0")
    x, y = network.source.evaluation(POINTS)
    found = predicted(network, times, x, changes, loss=at == "loss")
    _fluctuates(found)
    linear = _answer(found, Deviations(found, y), at, float(error))
    answer = _valid(_tried(linear, LabelDraws(found, at, changes)))
    return _counted(answer, found, confirm, changes)


def _fluctuates(found: Fluctuations) -> None:
    """Raises ArgumentError where a width has nothing to do with how far networks are from the limit."""
    limit = derive(found.network)
    if not limit.populations:
        raise ArgumentError("no layer is infinitely wide: networks have one size, and no width to ask for")
    scale = max(1.0, float(np.abs(found.yhat).max()))
    common = common_draws(limit)
    noisy = [p.name for p in limit.parameters if not p.law.is_deterministic and p.name not in common]
    if noisy and float(found.n_variance.max()) <= (_ROUNDING * scale) ** 2:
        raise ArgumentError(
            "no label of a neuron moves the outputs here, so that networks do not deviate at the order "
            f"1/sqrt(n). Single weights ({names(noisy)}) do at the order 1/n, which is not derived: train "
            "networks to see (mfderive simulate)"
        )


def _tried(answer: Width, draws: LabelDraws) -> Width:
    """The answer with a width at which drawn labels lie within the error, too.

    Wider ones are tried until they do, then widths between: the answer is the narrowest at which they did.
    """
    answer = replace(answer, linear_width=answer.width)
    low, found, width = answer, None, answer.width
    for _ in range(_ROUNDS):
        tried = _at(answer, draws, width)
        if tried is None:
            return answer
        if _suffices(tried):
            found = tried
        else:
            low = tried
        if found is None:
            width = int(np.ceil(width * np.clip((low.reach / answer.error) ** 2, *_WIDER)))
        elif found.width <= _NEAR * low.width:
            return found
        else:
            width = round(np.sqrt(low.width * found.width))
    return found or low


def _at(answer: Width, draws: LabelDraws, width: int) -> Width | None:
    """The answer at another width, with drawn labels counted; None where these take too long."""
    distances = draws.distances(width)
    if distances is None:
        return None
    inside, reach = int(np.sum(distances <= answer.error)), float(np.quantile(distances, SHARE))
    if np.isnan(reach):  # between two that are infinite
        reach = np.inf
    return replace(answer, width=width, drawn=len(distances), drawn_inside=inside, reach=reach)


def _suffices(tried: Width) -> bool:
    """Whether a share of 95 % is not surely missed: by no more than the standard error of a count.

    Where nothing was drawn the normal law has said so.
    """
    error = np.sqrt(tried.drawn * SHARE * (1 - SHARE))
    return bool(tried.drawn_inside >= tried.drawn * SHARE - error)


def _valid(answer: Width) -> Width:
    """The answer with until when the limit holds at all."""
    if not answer.step:
        return answer
    try:
        return replace(answer, validity=validity(answer.network, answer.time, most=_FOLLOWED))
    except MfError as error:
        return replace(answer, unknown=str(error))


def _answer(found: Fluctuations, law: Deviations, at: str, error: float) -> Width:
    width = law.width_for(at, error)
    if at == "loss" and found.loss_n_variance is not None:
        total = float(found.loss_n_variance[0])
        parts = {
            name: float(np.square(psi[0]) @ found.weights[name] / found.widths[name])
            for name, psi in found.loss_influence.items()
        }
        squares = float(np.mean(np.square(law.loss(width))))
        linear = min(1.0, total / width / squares) if squares else 1.0
    else:
        total = float(found.n_variance[0].mean())
        parts, linear = {name: float(own[0].mean()) for name, own in found.sources.items()}, 1.0
    return Width(
        found.network,
        error,
        at,
        float(found.times[0]),
        int(found.steps[0]),
        width,
        law.reach(at, width),
        total,
        parts,
        float(linear),
    )


def _counted(answer: Width, found: Fluctuations, confirm: int, changes: Mapping[str, Any]) -> Width:
    """The answer with how many trained networks lie within the error."""
    if not confirm:
        return answer
    steps = max(answer.step, 1)
    options = {"steps": steps, "evaluation": found.evaluation, "checkpoints": 2}
    paths = trained(found.network, answer.width, confirm, changes, **options)
    inside = sum(distance(path, found, answer) <= answer.error for path in paths)
    return replace(answer, trained=len(paths), inside=int(inside))


def distance(path: Trajectory, found: Fluctuations, answer: Width) -> float:
    """How far a trained network is from the limit, in the quantity of an answer."""
    if answer.at == "output":
        yhat = path.fields(found.x, None if answer.step else 0.0)["yhat"]
        return float(np.sqrt(np.mean(np.square(yhat - found.yhat[0]))))
    assert found.loss is not None
    return abs(float(path.loss[-1] if answer.step else path.loss[0]) - float(found.loss[0]))

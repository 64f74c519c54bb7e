"""The coordinate check: sizes of values and their changes over the width, beside the limit's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ..algebra.arguments import NETWORK, choice, file_path, flag, found, instance, whole_number
from ..algebra.entries import FIGURE, fill
from ..algebra.memo import once
from ..algebra.showing import Shown, names, words
from ..algebra.system import LimitSystem
from ..algebra.update_rules import rule_of
from ..errors import ArgumentError, DivergenceError, MfError
from ..finite.finite_network import FiniteNetwork
from ..finite.network_fields import system_of
from ..limit.derive import derive
from ..network.network import Network
from ..runs.atomic import write_text
from ..runs.schedule import times
from ..solution.solve import solve
from .blown_up import BlownUp, blown_up
from .coordinate_rows import CoordinateRow, CoordinateRows
from .coordinate_tables import answer, coordinates_data, csv_text, text
from .factor_faults import Exponents, faults, undecided
from .given_networks import GivenNetworks, Train
from .limit_sizes import Prediction, limit_sizes
from .network_sizes import EXACT, Measure, Quantity, Sizes, network_sizes, preactivations
from .network_steps import NetworkSteps
from .parameter_readings import parameter_readings
from .parameter_scaling import parameter_scalings
from .rule_degrees import rule_degree
from .scaling_sentences import scaling_sentence
from .size_slopes import UNKNOWN, SizeSlope, ratio_slope, slope_of
from .width_conventions import Convention, customary, movable

Array = Any

WIDTHS = (64, 128, 256, 512, 1024)
SEEDS, STEPS, SAMPLES = 4, 5, 16
# Draws the figure of a check; the room report enters itself here.
_DRAWERS: list[Any] = []


def register_figure(draw: Any) -> None:
    """Enter what draws the figure of a check: a function of :class:`CoordinateCheck`."""
    _DRAWERS.append(draw)


@dataclass(frozen=True, eq=False, repr=False)
class CoordinateCheck(CoordinateRows, Shown):
    """What a coordinate check found: ``rows`` of sizes over the width, and the ``faults`` of factors.

    ``of("update", "h2")`` is one row. The measures are those of
    :class:`mfderive.scaling.network_sizes.Measure`.
    """

    @property
    def named(self) -> tuple[str, ...]:
        """The parameters whose factor is wrong; empty where none is found."""
        return tuple(dict.fromkeys(name for finding in self.faults for name in finding.subjects))

    @property
    def text(self) -> str:
        """The answer and the sizes as plain text."""
        return text(self)

    @property
    def data(self) -> dict[str, Any]:
        """Everything as plain data, what JSON can hold."""
        return coordinates_data(self)

    def to_csv(self) -> str:
        """One line for each size of each network, as CSV text."""
        return csv_text(self)

    def to_json(self) -> str:
        """Everything as JSON text."""
        return json.dumps(self.data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def figure(self) -> Any:
        """Sizes over the width with the limit's lines and bands, as a matplotlib Figure."""
        fill(FIGURE)
        return _DRAWERS[-1](self)

    def save(self, folder: str | Path) -> Path:
        """Write coordinates.csv, .json and .svg into a folder (made if needed); the path of the CSV file.

        Raises ArgumentError for what is no path, and OSError where the folder cannot be written.
        """
        target = file_path("folder", folder)
        target.mkdir(parents=True, exist_ok=True)
        write_text(target / "coordinates.csv", self.to_csv())
        write_text(target / "coordinates.json", self.to_json())
        self.figure().savefig(target / "coordinates.svg")
        return target / "coordinates.csv"

    def __str__(self) -> str:
        return self.text

    def _summary(self) -> Iterator[str]:
        yield f"CoordinateCheck of '{words(self.title)}', widths {names(map(str, self.widths))}"
        yield from (f"  {line}" for line in answer(self)[:4])
        yield "  print(...) writes the sizes; .figure(), .to_csv(), .of('update', 'h2')"


def coordinate_check(
    network: Network,
    train: Train | None = None,
    *,
    widths: Sequence[int] = WIDTHS,
    seeds: int = SEEDS,
    steps: int = STEPS,
    samples: int = SAMPLES,
    plain: bool = False,
    convention: str = Convention.MEAN_FIELD,
    progress: bool = False,
) -> CoordinateCheck:
    """Sizes of pre-activations, parameters and their changes over the width, and which factor is wrong.

    Networks of every width are trained for ``steps`` steps with ``seeds`` seeds, and held against the line
    and the band that a solution of the limit predicts. Sizes are root mean squares over all entries (and
    over ``samples`` inputs of the network's evaluation sample). The change of a pre-activation is split into
    the part from its weights and the part from its inputs (arXiv:2505.22491).

    ``train``: a person's own networks, in any library, which are then checked beside networks of this
    program. It is called as ``train(width, seed, steps)`` with ``steps`` 0, 1 and the last one, trains the
    network of that width from the initial values of that seed (the same whatever ``steps`` is) for so many
    steps, and returns a dictionary of arrays (anything that numpy takes), at the same times the same:

    - parameters by their names in the spec, as ``mfderive show`` lists them: ``"h1.weight"``, ``"h2.bias"``,
      ``"output.weight"``, or the name that the spec gives a weight; in any shape and order of axes;
    - pre-activations by theirs: ``"h1"``, ``"h2"`` (``"h2.g"`` where ``into = "g"``), the output ``"yhat"``,
      at inputs that are the same in every call. Without these a wrong factor of a sum is not told from wrong
      rates;
    - ``"x"`` [sample, inputs...] and ``"y"`` [sample, outputs], best of all: the batch of the first step, at
      whose inputs the pre-activations then are. Beside these all parameters are needed, with the axes that
      ``mfderive show`` lists, and pre-activations are [sample, neuron, ...]. Every pre-activation is then
      held against that of these very parameters, and every first step against their gradient, so that nothing
      scatters; without them both are compared with other networks in size alone.

    What is missing is not looked at. ``width`` are the neurons of a layer of relative width 1.
    ``convention``: "mean field" (sums divided by the width), "muP" or "standard/NTK", as ``mf.scalings`` has
    them; in the last two only laws, sums and rates of the own networks are judged, and ``train`` must return
    x and y. ``plain``: all factors stand in the parameters and none in front of sums
    (``mf.scalings(net, plain=True)``).

    A fault is an exponent of the width that differs from that of a right network by more than 1/4, surely:
    all intervals together miss with probability 1/100. Raises ArgumentError for arguments that are none and
    for what ``train`` returns that fits nothing, DivergenceError where networks of this program
    leave the finite numbers. These are trained without dropout.
    """
    instance(network, Network, "a network", NETWORK)
    if train is not None and not callable(train):
        raise ArgumentError(f"train is {found(train)}; it must be a function (width, seed, steps) -> arrays")
    chosen = _widths(widths)
    for name, value, least in (("seeds", seeds, 2), ("steps", steps, 1), ("samples", samples, 1)):
        whole_number(name, value, least)
    for name, value in (("plain", plain), ("progress", progress)):
        flag(name, value)
    form = Convention(choice("convention", convention, tuple(each.value for each in Convention)))
    _fits(network, train, plain, form)
    return _Check(network, train, chosen, seeds, steps, samples, form, plain, progress).result()


def _fits(network: Network, train: Train | None, plain: bool, form: Convention) -> None:
    """Raises ArgumentError for a network without widths, and for a form of no one's own networks."""
    if not derive(network).populations:
        raise ArgumentError(
            f"no layer of '{network.title}' is infinitely wide, so there is no width to follow sizes over. "
            "Leave out the size of a layer: it is then a population"
        )
    if train is None and (plain or form is not Convention.MEAN_FIELD):
        told = "plain is True" if plain else f"convention is '{form.value}'"
        raise ArgumentError(
            f"{told}, which says how networks of your own are written, but train is None. Give train, or "
            "leave it out: networks of this program are in the mean-field convention"
        )


def _widths(widths: Sequence[int]) -> tuple[int, ...]:
    if isinstance(widths, str) or not isinstance(widths, Sequence | np.ndarray):
        raise ArgumentError(f"widths is {found(widths)}; give a list of widths, for example [64, 128, 256]")
    chosen = tuple(sorted({whole_number(f"widths[{k}]", width) for k, width in enumerate(widths)}))
    if len(chosen) < 2:
        raise ArgumentError(f"widths is {found(widths)}; an exponent needs two widths at least")
    return chosen


class _Check:
    """One check, step by step: networks of this program, the limit, a person's networks, faults."""

    def __init__(
        self,
        network: Network,
        train: Train | None,
        widths: tuple[int, ...],
        seeds: int,
        steps: int,
        samples: int,
        convention: Convention,
        plain: bool,
        progress: bool,
    ) -> None:
        self.network, self.train, self.widths = network, train, widths
        self.seeds, self.steps, self.progress = seeds, steps, progress
        self.limit: LimitSystem = derive(network)
        self.finite = FiniteNetwork(system_of(network))
        self.training = NetworkSteps(network, self.finite, steps)
        self.x = network.source.evaluation(samples)[0]
        self.convention = convention
        self.inside = {
            name: movable(read) if plain else customary(convention, read)
            for name, read in parameter_readings(self.limit).items()
        }

    def result(self) -> CoordinateCheck:
        """Measure and decide."""
        key = (self.widths, self.seeds, self.steps, len(self.x))
        known = _known(self.network)
        if key not in known:
            own = self.own_networks()
            known[key] = own, self.predictions(own)
        own, (predicted, reason, steps) = known[key]
        measured = own if self.train is None else self.given_networks(self.train)
        quantities = [q for q in measured if q in own or q.measure in EXACT]
        count = len(quantities)
        exponents = None
        if self.train is not None:
            exponents = self.exponents({q: measured[q] for q in quantities}, own)
        rows = tuple(
            CoordinateRow(
                quantity,
                measured[quantity],
                predicted.get(quantity),
                slope_of(self.widths, measured[quantity], count),
                None if exponents is None else exponents.slopes.get(quantity, UNKNOWN),
            )
            for quantity in quantities
        )
        seen = {quantity.name for quantity in quantities}
        return CoordinateCheck(
            self.network.title,
            self.widths,
            self.seeds,
            self.steps,
            self.train is not None,
            rows,
            () if exponents is None else faults(self.limit, exponents),
            tuple(name for name in self.limit.parameter if name not in seen),
            () if exponents is None else undecided(self.limit, exponents),
            reason,
            steps,
            any(probability for _, probability in self.network.training.dropout),
        )

    def own_networks(self) -> dict[Quantity, Array]:
        """The sizes of networks of this program, [width, seed] by quantity."""
        rows = []
        with np.errstate(all="ignore"):  # what is not finite is said below
            for width in self.bar(self.widths, "networks"):
                states = [self.training.trained(width, seed, self.steps) for seed in self.labels(width)]
                rows.append([network_sizes(self.network, self.finite, own, self.x) for own in states])
        found = _stacked(rows)
        broken = [q for q, sizes in found.items() if not np.isfinite(sizes).all()]
        if broken:
            raise DivergenceError(
                f"networks of '{self.network.title}' leave the finite numbers within {self.steps} steps "
                f"({broken[0].text}). Take fewer steps or a smaller learning rate: sizes of such steps say "
                "nothing about the width"
            )
        return found

    def predictions(
        self, own: Mapping[Quantity, Array]
    ) -> tuple[Mapping[Quantity, Prediction], str, BlownUp]:
        """What the limit predicts, why it does not where it cannot be solved or drawn from, and what the
        rule makes of gradients that are 0 in it."""
        grid = times(self.network.training, self.steps)
        try:
            # The steps of SGD and their ensembles; what else a spec says of its solution is not asked here.
            other = {key: None for key, _ in self.network.solver if key not in _ENSEMBLES}
            network = self.network.replace(solver=other) if other else self.network
            path = solve(network, steps=self.steps, evaluation=2, stated_error=False)
            moments = (0.0, float(grid[1]), float(grid[-1]))
            found = limit_sizes(self.network, self.finite, path, self.widths, moments, self.x, own)
        except MfError as problem:
            return {}, str(problem), BlownUp()
        kept, steps = blown_up(found, self.training, self.widths, self.labels(self.widths[-1])[0])
        return kept, "", steps

    def given_networks(self, train: Train) -> dict[Quantity, Array]:
        """The sizes of a person's networks, [width, seed] by quantity."""
        fields = preactivations(self.network, self.finite.system)
        given = GivenNetworks(train, self.limit, fields, self.inside, self.steps, self.training)
        return _stacked(
            [
                [given.sizes(width, seed) for seed in self.labels(width)]
                for width in self.bar(self.widths, "your networks")
            ]
        )

    def exponents(self, measured: Mapping[Quantity, Array], reference: Mapping[Quantity, Array]) -> Exponents:
        """Exponents beside right networks, and what is 0 or not finite where these are not."""
        slopes: dict[Quantity, SizeSlope] = {}
        still, broken = set(), set()
        other = self.convention is not Convention.MEAN_FIELD
        if other and not any(quantity.measure is Measure.RATE for quantity in measured):
            raise ArgumentError(
                f"networks of the convention {self.convention.value} are held against their own gradients: "
                "train must return all parameters, and the batch of the first step as x and y"
            )
        for quantity, own in measured.items():
            if not np.isfinite(own).all():
                broken.add(quantity)
            if quantity.measure in EXACT:
                slopes[quantity] = slope_of(self.widths, own, len(measured), corrected=False)
            elif not other or quantity.measure in (Measure.START, Measure.SPREAD):
                right = reference[quantity]
                slopes[quantity] = ratio_slope(self.widths, own, right, len(measured))
                if quantity.measure is Measure.FIRST and not own.any() and right.all():
                    still.add(quantity)
        return Exponents(slopes, self.wanted() if other else {}, frozenset(still), frozenset(broken))

    def wanted(self) -> dict[Quantity, float]:
        """The exponents of another convention's starts and rates, beside those of mean field."""
        rule = self.network.training.optimizer
        rows, refused = parameter_scalings(self.limit, {rule: rule_degree(rule_of(rule))})
        if self.convention in refused:
            raise ArgumentError(f"{self.convention.value}: {scaling_sentence(refused[self.convention])}")
        found: dict[Quantity, float] = {}
        for row in rows:
            own = dict(row.own)
            here, usual = own[self.convention], own[Convention.MEAN_FIELD]
            if here is None or usual is None:
                continue
            for measure in (Measure.START, Measure.SPREAD):
                found[Quantity(measure, row.name)] = float(here.deviation.degree)
            rate, other = here.rule[rule].rate, usual.rule[rule].rate
            if rate is not None and other is not None:
                found[Quantity(Measure.RATE, row.name)] = float(rate.degree - other.degree)
        return found

    def labels(self, width: int) -> list[int]:
        """The seeds of a width: others for every width, so that no draws are shared."""
        first = 1 + self.seeds * self.widths.index(width)
        return list(range(first, first + self.seeds))

    def bar(self, values: Sequence[int], what: str) -> Any:
        """A progress bar over widths."""
        return tqdm(values, desc=what, disable=not self.progress, delay=2, leave=False)


@once
def _known(network: Network) -> dict[Any, Any]:
    """What was measured of networks of this program before: sizes and predictions by the check's numbers."""
    return {}


# The options of a solution that say which nodes stand for its neurons.
_ENSEMBLES = ("nodes", "rule", "seed", "noise_nodes", "data_seed")


def _stacked(rows: Sequence[Sequence[Sizes]]) -> dict[Quantity, Array]:
    """Sizes [width, seed] of the quantities that every network has."""
    common = [q for q in rows[0][0] if all(q in sizes for own in rows for sizes in own)]
    return {q: np.array([[sizes[q] for sizes in own] for own in rows]) for q in common}

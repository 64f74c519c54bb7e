"""Runs what a check compares: networks of every width, the limit on their own labels, ensembles, variations.

Everything sees the same batches, and is observed on the same evaluation sample by the same functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..algebra.reduced import Reduced, reduced_of
from ..algebra.showing import Shown, names, words
from ..algebra.system import LimitSystem, draw_noise
from ..algebra.terms import AxisKind
from ..codegen.generate import generate
from ..errors import MfError
from ..finite.network_fields import network_fields, system_of
from ..finite.simulate import simulate
from ..limit.derive import derive
from ..network.network import Network
from ..network.solve_options import SolveOptions
from ..reduction.reduce import reduce as reduce_system
from ..runs.keeping import UNKEPT, Keeping
from ..runs.trajectory import Trajectory
from ..solution.solve import solve
from ..state.draw import initial_state
from ..state.ensemble_plan import Ensemble
from ..state.ensembles import ensemble_state, labelled_state, plan_ensembles
from .half_steps import half_steps
from .label_laws import label_laws, label_system
from .observables import (
    OUTPUTS_START,
    Observable,
    Values,
    final_values,
    flat,
    law_points,
    observables,
    wasserstein,
    weight_laws,
)
from .settings import Settings
from .together import together

Array = Any
State = Mapping[str, Any]

# Nodes of an ensemble of the limit, and of one whose weights stand on pairs of nodes.
NODES, PAIR_NODES = 1024, 256
# Points on a line fill it sooner.
_LINE_NODES = 128
# Gauss nodes of edge noise; the second ensemble has twice as many, so their error is in the scatter.
_NOISE_NODES = 12
# Ensembles of independent draws are smaller and more: how much they scatter must be known, too.
_RANDOM_PART = 2
# The seed of what belongs to no neuron: the limit and all networks have it in common.
_COMMON = 0
# The seed of the fresh noise of the first ensemble, far from those of networks, which draw theirs by them.
_FIRST_NOISE = 1_000_000
# Networks of one width that are trained in one program: their states are held at once.
_SEEDS_PER_RUN = 16


@dataclass(frozen=True, eq=False, repr=False)
class Measurements(Shown):
    """What was measured; every array is float64 [run, number], one for each observable.

    ``networks[name][width]`` has one row per seed; ``matched[name][width]`` is the limit solved on the
    initial labels of the first seeds; ``ensembles[name]`` the limit on independent or refined ensembles,
    ``random[name]`` on ``random_nodes`` labels drawn independently; ``half_step[name]`` and
    ``other_data[name]`` (one row) the first ensemble at half the step size, and on other batches.
    ``distances`` maps laws of weights to 1-Wasserstein distances, [seed] for each width (none where networks
    were used again); ``label_laws`` random labels to their initial laws, as networks draw them and as
    ensembles hold them (many nodes, nothing trained). ``limit`` and ``paths`` are the trajectories, ``slope``
    the expected exponent of the outputs' distance, ``target_size`` the root mean square of y.
    """

    network: Network = field(repr=False)
    settings: Settings
    observables: tuple[Observable, ...]
    steps: int
    random_nodes: int
    nodes: Mapping[str, int]
    networks: Mapping[str, Sequence[Array]] = field(repr=False)
    matched: Mapping[str, Sequence[Array]] = field(repr=False)
    ensembles: Values = field(repr=False)
    random: Values = field(repr=False)
    half_step: Values = field(repr=False)
    other_data: Values = field(repr=False)
    distances: Mapping[str, Sequence[Array]] = field(repr=False)
    label_laws: Mapping[str, tuple[Array, Array]] = field(repr=False)
    limit: Trajectory = field(repr=False)
    paths: tuple[tuple[Trajectory, ...], ...] = field(repr=False)
    slope: float = -0.5
    target_size: float = 0.0

    def _summary(self) -> Iterator[str]:
        yield f"Measurements of '{words(self.network.title)}', widths {names(map(str, self.settings.widths))}"


def measure(
    network: Network,
    settings: Settings,
    system: LimitSystem | Reduced | None = None,
    progress: bool = False,
    trained: Measurements | None = None,
    keep: Keeping = UNKEPT,
) -> Measurements:
    """Run everything that ``settings`` ask for. ``system``: a reduced limit in place of the network's own.

    ``trained``: an earlier measurement of the same network and settings, whose networks are used again;
    ``keep``: where every solution and training is kept, each in a part of its own.

    Raises what :func:`mfderive.solve` and :func:`mfderive.simulate` raise.
    """
    limit = _Limit(network, settings, reduce_system(derive(network)) if system is None else system, keep)
    ensembles = limit.ensembles()
    networks = _Networks(limit)
    if trained is None:
        networks.run(progress)
    matched = [limit.matched(width) for width in settings.widths]
    half_step, other_data = limit.variations()
    return Measurements(
        network=network,
        settings=settings,
        observables=observables(network, limit.full),
        steps=limit.steps,
        random_nodes=limit.random_nodes,
        nodes={name: plan.nodes for name, plan in limit.plans.items()},
        networks=_by_name(networks.values) if trained is None else trained.networks,
        matched=_by_name(matched),
        ensembles=_stacked(ensembles),
        random=_stacked(limit.random()),
        half_step=_stacked([half_step]),
        other_data=_stacked([other_data]),
        distances=networks.distances() if trained is None else {},
        label_laws=limit.label_laws(),
        limit=limit.path,
        paths=tuple(networks.paths) if trained is None else trained.paths,
        slope=-0.5 if limit.has_labels else -1.0,
        target_size=float(np.sqrt(np.mean(limit.y**2))),
    )


def _stacked(rows: Sequence[Values]) -> Values:
    return {name: np.stack([row[name] for row in rows]) for name in (rows[0] if rows else {})}


def _by_name(groups: Sequence[Sequence[Values]]) -> dict[str, list[Array]]:
    """[width][run] of values by name -> by name, a list over widths of [run, number]."""
    stacked = [_stacked(group) for group in groups]
    return {name: [group[name] for group in stacked] for name in stacked[0]}


class _Limit:
    """Solutions of one reduced limit from different initial states."""

    path: Trajectory

    def __init__(
        self,
        network: Network,
        settings: Settings,
        limit: LimitSystem | Reduced,
        keep: Keeping = UNKEPT,
    ) -> None:
        self.network, self.settings, self.reduced, self.keep = network, settings, reduced_of(limit), keep
        self.system = system = self.reduced.system
        self.full = draw_noise(system_of(network))
        self.module = generate(system)
        self.x, self.y = network.source.evaluation(settings.evaluation)
        self.nodes = settings.nodes or (PAIR_NODES if self.has_pairs() else NODES)
        self.random_nodes = max(self.nodes // _RANDOM_PART, max(settings.widths))
        self.plans = self.plan(1)
        self.has_labels = any(
            plan.dimension and system.axis[name].kind is AxisKind.POPULATION
            for name, plan in self.plans.items()
        )
        self.steps = 0
        self.label_system = label_system(self.full)

    def has_pairs(self) -> bool:
        """Whether a parameter stands on pairs of nodes: then the cost grows with their square."""
        return any(len(self.system.population_slots(p.name)) > 1 for p in self.system.parameters)

    def plan(self, refinement: int) -> dict[str, Ensemble]:
        """Sobol points for labels, whose error independent scrambles show (Gauss nodes have no seed).

        Edge noise that is left keeps its Gauss nodes, ``refinement`` times as many.
        """
        rules: dict[str, str] = {}
        nodes: dict[str, int] = {}
        for name, plan in plan_ensembles(self.system).items():
            if plan.dimension and self.system.axis[name].kind is AxisKind.POPULATION:
                rules[name] = "sobol"
                nodes[name] = min(self.nodes, _LINE_NODES) if plan.dimension == 1 else self.nodes
            elif plan.dimension:
                nodes[name] = refinement * min(plan.nodes, _NOISE_NODES**plan.dimension)
        return plan_ensembles(self.system, nodes, rules)

    def solve(
        self,
        name: str,
        state: State,
        network: Network | None = None,
        observations: int = 2,
        noise_seed: int = _FIRST_NOISE,
    ) -> Trajectory:
        """SGD's own steps from a state; ``observations``: how often the loss is measured (at both ends).

        ``name``: of the part in which the solution is kept. ``noise_seed`` draws the fresh noise of its
        steps, where there is some: ensembles are independent only if their noise is, too.
        """
        given = self.settings
        horizon, steps = (None, self.steps) if self.steps else (given.horizon, given.steps)
        # All options: those of [solver] are the business of solve, a check makes SGD's own steps.
        options = SolveOptions(
            horizon=horizon,
            steps=steps,
            evaluation=len(self.x),
            checkpoints=2,
            observations=observations,
            seed=noise_seed if self.network.training.noise else SolveOptions.seed,
            stated_error=False,
        )
        return solve(
            network or self.network,
            options,
            initial=state,
            system=self.reduced,
            solver=self.module,
            keep=self.keep.part(name),
        )

    def values(self, path: Trajectory) -> Values:
        """The observables of a solution."""
        return self.between(path.checkpoints[0].state, path.checkpoints[-1].state)

    def between(self, start: State, end: State) -> Values:
        """The observables of a solution given by its ends."""
        return {OUTPUTS_START: flat(self.module.forward(start, self.x)["yhat"]), **self.state_values(end)}

    def state_values(self, state: State) -> Values:
        """The observables of a final state."""
        fields = self.module.forward(state, self.x)
        return final_values(self.network, self.full, self.system, fields, state, self.y)

    def ensembles(self) -> list[Values]:
        """The limit on independent ensembles: other scrambles, the second with refined edge noise."""
        count = self.settings.effort.ensembles if any(p.dimension for p in self.plans.values()) else 1
        # The first is the one that is drawn; it also says how many steps the others make.
        self.path = self.solve("ensemble-0", self.ensemble(0), observations=SolveOptions.observations)
        self.steps = int(self.path.steps[-1])

        others = together(
            lambda number: self.values(
                self.solve(f"ensemble-{number}", self.ensemble(number), noise_seed=_FIRST_NOISE + number)
            ),
            range(1, count),
        )
        return [self.values(self.path), *others]

    def ensemble(self, number: int) -> State:
        """The initial state on one of the independent ensembles."""
        plans = self.plan(2) if number == 1 else self.plans
        return ensemble_state(self.system, plans, _COMMON, scramble=number)

    def random(self) -> list[Values]:
        """The limit on many labels drawn independently, as a very wide network draws them."""
        if not self.has_labels:
            return []
        first = self.settings.first_seed + self.settings.seeds + 10_000
        count = self.settings.effort.random_ensembles
        return together(
            lambda number: self.values(
                self.solve(
                    f"random-{number}",
                    self.labelled(self.random_nodes, first + number),
                    noise_seed=first + number,
                )
            ),
            range(count),
        )

    def matched(self, width: int) -> list[Values]:
        """The limit on the labels of networks of one width: what is left is the noise of pairs.

        Fresh noise of neurons is that of the network, number by number: it is drawn by seed, name and shape.
        """
        count = min(self.settings.seeds, self.settings.effort.matched)
        seeds = range(self.settings.first_seed, self.settings.first_seed + count)
        return together(
            lambda seed: self.values(
                self.solve(f"matched-{width}-{seed}", self.labelled(width, seed), noise_seed=seed)
            ),
            seeds,
        )

    def labelled(self, width: int, seed: int) -> State:
        """The limit's initial state on the labels that a network of this width and seed draws."""
        drawn = initial_state(self.label_system, width, seed, common_seed=_COMMON)
        labels = {
            p.name: drawn[p.name]
            for p in self.label_system.parameters
            if not p.law.is_deterministic and p.name in self.system.parameter
        }
        return labelled_state(self.system, self.plans, labels, seed)

    def label_laws(self) -> dict[str, tuple[Array, Array]]:
        """Quantile means of every label's initial law [draw, bin]: drawn as networks do, and on ensembles."""
        first = self.settings.first_seed + self.settings.seeds + 20_000
        return label_laws(self.full, self.system, self.plans, first)

    def variations(self) -> tuple[Values, Values]:
        """The first ensemble with half the step size on the same batches, and on other batches."""
        other = replace(self.network, source=replace(self.network.source, seed=self.network.source.seed + 1))
        start = self.path.checkpoints[0].state
        half = self.keep.part("half-steps")
        runs: tuple[Callable[[], Values], ...] = (
            lambda: self.between(
                start, half_steps(self.network, self.system, self.module, start, self.steps, half)
            ),
            lambda: self.values(self.solve("other-data", start, other)),
        )
        halved, moved = together(lambda run: run(), runs)
        return halved, moved


class _Networks:
    """Networks of all widths, trained and observed."""

    def __init__(self, limit: _Limit) -> None:
        self.limit = limit
        self.values: list[list[Values]] = []
        self.paths: list[tuple[Trajectory, ...]] = []
        self.laws: list[list[dict[str, tuple[Array, Array]]]] = []

    def run(self, progress: bool) -> None:
        """Train every width, narrow ones first."""
        settings, limit = self.limit.settings, self.limit
        for width in settings.widths:
            values: list[Values] = []
            kept: list[Trajectory] = []
            laws = []
            for first in range(0, settings.seeds, _SEEDS_PER_RUN):
                count = min(_SEEDS_PER_RUN, settings.seeds - first)
                paths = simulate(
                    limit.network,
                    width,
                    count,
                    steps=limit.steps,
                    precision=settings.precision,
                    progress=progress,
                    evaluation=len(limit.x),
                    first_seed=settings.first_seed + first,
                    common_seed=_COMMON,
                    checkpoints=2,
                    keep=limit.keep.part(f"networks-{width}-{settings.first_seed + first}"),
                )
                for path in paths:
                    values.append(self.observe(path))
                    laws.append(self.points(path))
                    kept.append(replace(path, checkpoints=()))
            self.values.append(values)
            self.paths.append(tuple(kept))
            self.laws.append(laws)

    def observe(self, path: Trajectory) -> Values:
        """The observables of one network."""
        limit = self.limit
        start = network_fields(limit.full, path.checkpoints[0].state, limit.x)["yhat"]
        state = path.checkpoints[-1].state
        fields = network_fields(limit.full, state, limit.x)
        if not all(np.isfinite(value).all() for value in fields.values()):
            raise MfError(f"a network of width {path.width} (seed {path.seed}) ended with infinite values")
        end = final_values(limit.network, limit.full, limit.full, fields, state, limit.y)
        return {OUTPUTS_START: flat(start), **end}

    def points(self, path: Trajectory) -> dict[str, tuple[Array, Array]]:
        """The values of the parameters whose laws are compared."""
        full, state = self.limit.full, path.checkpoints[-1].state
        return {name: law_points(full, full.parameter[name], state) for name in weight_laws(full)}

    def distances(self) -> dict[str, list[Array]]:
        """1-Wasserstein distances of the laws of weights from the limit's, [seed] for each width."""
        limit = self.limit
        state = limit.path.checkpoints[-1].state
        found = {}
        for name in weight_laws(limit.full):
            own = law_points(limit.system, limit.system.parameter[name], state)
            found[name] = [np.array([wasserstein(law[name], own) for law in laws]) for laws in self.laws]
        return found

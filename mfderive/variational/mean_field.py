"""Mean field of an Ising model on any graph: ``mf.mean_field``, and what it returns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..algebra.arguments import whole_number
from ..algebra.showing import Shown
from .belief_propagation import BetheSolution, bethe_solutions
from .compiled_sweeps import ascend
from .exact_enumeration import ExactIsing, enumerate_states
from .gibbs_sampling import GibbsIsing, gibbs
from .ising_equations import IsingEquations, ising_equations
from .ising_model import IsingModel, ising_model
from .ising_sentences import ising_data, ising_text
from .self_consistency import Magnetisation, free_energy
from .solution_search import NEWTON_NODES, Promise, SolutionSearch, find_solutions
from .transition_temperatures import Transition, bethe_transition, mean_field_transition

Array = Any


@dataclass(frozen=True, eq=False, repr=False)
class Ascent(Shown):
    """Coordinate ascent: means ``m`` (n) at the end, ``elbo`` after every sweep (the start first).

    ``least_gain``: the smallest change of the ELBO by a single update, which is never negative but by
    rounding.
    """

    m: Array
    elbo: Array
    least_gain: float

    def _summary(self) -> Iterator[str]:
        yield f"Ascent: {len(self.elbo) - 1} sweeps, ELBO from {self.elbo[0]:.9g} to {self.elbo[-1]:.9g}"


@dataclass(frozen=True, eq=False, repr=False)
class MeanField(Shown):
    """Mean field of an Ising model: all solutions that were found, and other methods beside them."""

    model: IsingModel
    search: SolutionSearch
    seed: int

    @property
    def solutions(self) -> tuple[Magnetisation, ...]:
        """Solutions of the naive mean-field equations, by ascending free energy."""
        return self.search.solutions

    @property
    def promises(self) -> tuple[Promise, ...]:
        """What is certain about the list of solutions."""
        return self.search.promises

    @property
    def best(self) -> Magnetisation:
        """The solution of least free energy (of two mirror images the one with the larger mean)."""
        return self.solutions[0]

    @property
    def m(self) -> Array:
        """Means of the spins (n) in the best solution, in the order of ``model.nodes``."""
        return self.best.m

    @property
    def free_energy(self) -> float:
        """F of the best solution: at least -T log Z."""
        return self.best.free_energy

    @cached_property
    def transition(self) -> Transition:
        """Where m = 0 becomes unstable without a field: the largest eigenvalue of J."""
        return mean_field_transition(self.model)

    @property
    def transition_temperature(self) -> float | None:
        """T_c of naive mean field; None where there is no coupling that orders."""
        return self.transition.temperature

    @cached_property
    def bethe_transition(self) -> Transition:
        """Where m = 0 becomes unstable in the Bethe approximation, without a field."""
        return bethe_transition(self.model)

    @cached_property
    def _bethe(self) -> tuple[tuple[BetheSolution, ...], int]:
        return bethe_solutions(self.model, seed=self.seed)

    @property
    def bethe(self) -> tuple[BetheSolution, ...]:
        """Fixed points of belief propagation, by ascending Bethe free energy."""
        return self._bethe[0]

    @property
    def bethe_lost(self) -> int:
        """From how many starts belief propagation did not come to rest."""
        return self._bethe[1]

    @cached_property
    def _exact(self) -> ExactIsing:
        return enumerate_states(self.model)

    def exact(self) -> ExactIsing:
        """All states added up, for at most 20 spins. Raises ArgumentError for more."""
        return self._exact

    def gibbs(self, sweeps: int = 4096, seed: int = 0) -> GibbsIsing:
        """Samples of the heat bath with errors. Raises ArgumentError for fewer than 32 sweeps."""
        return gibbs(self.model, sweeps, seed)

    def ascent(self, start: Any = None, sweeps: int = 2000, tolerance: float = 1e-13) -> Ascent:
        """Coordinate ascent on the ELBO from ``start`` (n; default: random means), sweep by sweep.

        Raises ArgumentError unless ``start`` has a number in [-1, 1] for every spin.
        """
        return coordinate_ascent(self.model, start, sweeps, tolerance, self.seed)

    @cached_property
    def equations(self) -> IsingEquations:
        """The equations in the survey's letters: ``.text``, ``.latex``."""
        return ising_equations(self.model)

    @property
    def text(self) -> str:
        """Equations, solutions, transition temperatures and other methods as plain text."""
        return ising_text(self)

    @property
    def data(self) -> dict[str, Any]:
        """Everything as plain data, what JSON can hold."""
        return ising_data(self)

    def to_json(self) -> str:
        """Everything as JSON text."""
        return json.dumps(self.data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def figure(self) -> Any:
        """The graphical solution m = tanh(...) of spins that are alike, with the solutions found."""
        from .ising_figures import draw_graphical_solution

        return draw_graphical_solution(self)

    def __str__(self) -> str:
        return self.text

    def _summary(self) -> Iterator[str]:
        yield f"MeanField of {self.model.size} spins at T = {self.model.temperature:g}"
        for one in self.solutions[:5]:
            yield f"  mean m {one.mean:.7g}, F {one.free_energy:.10g}, {one.stability}"
        yield "  print(...) writes everything; .solutions, .bethe, .exact(), .gibbs(), .figure()"


def mean_field(
    graph: Any,
    J: Any = 1.0,
    h: Any = 0.0,
    *,
    T: float,
    starts: int | None = None,
    seed: int = 0,
    most: int = 64,
) -> MeanField:
    """Naive mean field m_i = tanh((sum_j J_ij m_j + h_i)/T) of an Ising model on any graph.

    ``graph``: networkx, or a symmetric matrix. ``J``: number, array over the edges, mapping, or the name of
    an edge attribute; ``h``: number, array over the nodes, mapping, or the name of a node attribute; ``T`` >
    0 in the units of J (Boltzmann's constant is 1).

    All solutions are looked for, stable ones and saddles (:mod:`mfderive.variational.solution_search`);
    ``.promises`` says of which it is certain that they are there. ``starts``: random starts, default 24, 8
    beyond 400 spins, where saddles are not looked for; ``most``: so many solutions are kept. Solutions that
    differ by less than 1e-4 everywhere count as one. Sources: Pandey and Xu 2019, 1.3 and 8.2; theory F.

    Raises ArgumentError for what is no graph, for missing or infinite values, and for T that is not positive.
    """
    model = ising_model(graph, J, h, T)
    chosen = (
        (24 if model.size <= NEWTON_NODES else 8) if starts is None else whole_number("starts", starts, 0)
    )
    search = find_solutions(model, chosen, whole_number("seed", seed, 0), whole_number("most", most, 2))
    return MeanField(model, search, seed)


def coordinate_ascent(
    model: IsingModel, start: Any = None, sweeps: int = 2000, tolerance: float = 1e-13, seed: int = 0
) -> Ascent:
    """Sweeps of mu_k <- tanh(beta (sum_j J_kj mu_j + B_k)): each update maximises the ELBO over mu_k.

    Raises ArgumentError unless ``start`` has a number in [-1, 1] for every spin.
    """
    from ..errors import ArgumentError

    given = np.random.default_rng(seed).uniform(-1, 1, model.size) if start is None else start
    m = np.broadcast_to(np.asarray(given, dtype=float), np.shape(given) or (model.size,))
    if m.shape != (model.size,) or not (np.abs(m) <= 1).all():
        raise ArgumentError(f"start must hold a number from -1 to 1 for each of the {model.size} spins")
    first = -free_energy(model, m) / model.temperature
    end, gains = ascend(model, m, whole_number("sweeps", sweeps), tolerance)
    return Ascent(end, first + np.concatenate([[0.0], np.cumsum(gains[:, 0])]), float(gains[:, 1].min()))

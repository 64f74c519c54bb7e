"""The search for all solutions of the mean-field equations, and what can be promised of what it finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from scipy.sparse.csgraph import connected_components

from .belief_propagation import SAME
from .box_search import MOST_EQUATIONS, BoxSearch, box_search
from .compiled_sweeps import ascend
from .ising_model import IsingModel
from .node_classes import NodeClasses, node_classes
from .self_consistency import Magnetisation, newton, response
from .sigmoid_roots import mean_field_roots
from .transition_temperatures import mean_field_transition

Array = Any

NEWTON_NODES = 400  # saddles are looked for up to this many spins
_NEWTON_FULL = 100  # of larger models fewer starts look for saddles: a step costs n^3
_SWEEPS = 2000
_TOLERANCE = 1e-13


class Promise(StrEnum):
    """What is known of the list of solutions, by a theorem or by a complete search."""

    # T exceeds the largest eigenvalue of J: F is strictly convex and has one stationary point.
    ONE = "one"
    # The search over the values of all spins was complete (few spins).
    ALL = "all"
    # All solutions that are equal within each class of nodes are there.
    SYMMETRIC = "symmetric"
    # No coupling and no field is negative and the graph is connected: the equations have one solution with
    # all m_i > 0 (a monotone map that is strictly subhomogeneous), and it is the minimum of F.
    MINIMUM = "minimum"
    # Others were looked for from a number of starts, without a promise.
    SEARCHED = "searched"


@dataclass(frozen=True, eq=False)
class SolutionSearch:
    """Solutions by ascending free energy, what is promised of them, and the effort.

    ``is_cut``: whether more were found than are kept.
    """

    solutions: tuple[Magnetisation, ...]
    promises: tuple[Promise, ...]
    classes: NodeClasses
    starts: int
    is_cut: bool


class _Found:
    """Distinct solutions so far."""

    def __init__(self, model: IsingModel, most: int) -> None:
        self.model, self.most, self.is_cut = model, most, False
        self.rows = np.zeros((0, model.size))

    def add(self, m: Array | None) -> None:
        """Keep a solution and, without a field, its mirror image."""
        if m is None:
            return
        for each in (m, -m) if self.model.has_no_field else (m,):
            if len(self.rows) and np.abs(self.rows - each).max(axis=1).min() <= SAME:
                continue
            if len(self.rows) >= self.most:
                self.is_cut = True
                return
            self.rows = np.vstack([self.rows, each + 0.0])


def find_solutions(
    model: IsingModel, starts: int, seed: int, most: int, *, minima_only: bool = False
) -> SolutionSearch:
    """All solutions that are found, see :class:`Promise` for what is certain.

    First those that are equal within classes of nodes with equal neighbourhoods: by root finding where there
    is one class, by dividing boxes where there are few. Then minima by coordinate ascent from all +, all -,
    the leading eigenvectors of J and ``starts`` random states; then saddles by Newton's method from states
    between and around the minima, kept away from what is known (deflation), unless ``minima_only``. At
    most ``most`` solutions are kept.
    """
    classes = node_classes(model)
    found = _Found(model, most)
    by_class, is_all = _class_solutions(model, classes), False
    for row in by_class.solutions:
        found.add(_polished(model, classes.lift(row)))
    if model.size <= MOST_EQUATIONS:
        every = box_search(model.dense, model.fields, model.temperature)
        is_all = every.is_complete
        for row in every.solutions:
            found.add(_polished(model, row))
    top = mean_field_transition(model).temperature
    is_one = top is None or model.temperature >= top
    random = np.random.default_rng(seed)
    if not (is_all or (by_class.is_complete and is_one)):
        for start in _starts(model, 1 if is_one else starts, random):
            found.add(_polished(model, ascend(model, start, _SWEEPS, _TOLERANCE)[0]))
        if model.size <= NEWTON_NODES and not (is_one or minima_only):
            _saddles(found, max(4, round(starts * min(1.0, (_NEWTON_FULL / model.size) ** 2))), random)
    solutions = [Magnetisation(model, row) for row in found.rows]
    solutions.sort(key=lambda one: (round(one.free_energy, 10), -one.mean))
    promises = _promises(model, by_class.is_complete, is_all, is_one)
    return SolutionSearch(tuple(solutions), promises, classes, starts, found.is_cut)


def _class_solutions(model: IsingModel, classes: NodeClasses) -> BoxSearch:
    """Solutions of the equations of the classes (rows), and whether these are all."""
    if classes.count == 1:
        coupling, field = float(classes.couplings[0, 0]), float(classes.fields[0])
        roots = np.tanh(mean_field_roots(coupling, field, model.temperature))
        return BoxSearch(roots[:, None], True)
    if classes.count > MOST_EQUATIONS:
        return BoxSearch(np.zeros((0, classes.count)), False)
    return box_search(classes.couplings.toarray(), classes.fields, model.temperature)


def _starts(model: IsingModel, count: int, random: Any) -> Iterator[Array]:
    """States from which minima are looked for."""
    yield np.ones(model.size)
    yield -np.ones(model.size)
    if model.size <= NEWTON_NODES:
        vectors = np.linalg.eigh(model.dense)[1][:, ::-1]
        for column in range(min(4, model.size)):
            yield 0.9 * vectors[:, column] / np.abs(vectors[:, column]).max()
    for number in range(count):
        # Half of them near corners, half of them anywhere.
        corner = random.choice([-1.0, 1.0], model.size)
        yield 0.99 * corner if number % 2 else random.uniform(-1, 1, model.size)


def _saddles(found: _Found, count: int, random: Any) -> None:
    """Solutions that no ascent reaches: Newton's method, kept away from those that are known."""
    model = found.model
    minima = found.rows
    for number in range(count):
        if len(minima) > 1 and number % 2:
            first, second = random.choice(len(minima), 2, replace=False)
            start = minima[first] + random.uniform(0.2, 0.8) * (minima[second] - minima[first])
        else:
            start = random.uniform(-1, 1, model.size) * random.uniform()
        start = start + 1e-3 * random.standard_normal(model.size)
        found.add(newton(model, start, found.rows))
        found.add(newton(model, start))
        if found.is_cut:
            return


def _polished(model: IsingModel, m: Array) -> Array | None:
    """A solution to rounding, if Newton's method finds it nearby; None where there is none."""
    if model.size <= NEWTON_NODES:
        closer = newton(model, m)
        if closer is not None and np.abs(closer - m).max() <= SAME:
            return closer
    return m if np.abs(response(model, m) - m).max() < 1e-9 else None


def _promises(model: IsingModel, is_complete: bool, is_all: bool, is_one: bool) -> tuple[Promise, ...]:
    if is_one:
        return (Promise.ONE,)
    if is_all:
        return (Promise.ALL,)
    kept = [Promise.SYMMETRIC] if is_complete else []
    is_connected = connected_components(model.couplings, directed=False)[0] == 1
    one_sign = (model.fields >= 0).all() or (model.fields <= 0).all()
    if model.is_ferromagnet and is_connected and one_sign:
        kept.append(Promise.MINIMUM)
    return (*kept, Promise.SEARCHED)

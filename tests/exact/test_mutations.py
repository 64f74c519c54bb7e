"""Breaking a limit on purpose: the comparison of the exact leg must report each fault, and not the original.

A mutant is a shipped limit in which one term is changed; its generated solver is then compared with the
finite network of the original, exactly as the shipped specs are.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.system import LimitSystem
from mfderive.algebra.terms import Access, Affine, AxisKind, Slot, Term

from .comparison import Case, disagreements, interpreted, shipped

SPECS = Path(__file__).parents[2] / "specs"
# No layer_norm: its adjoint has a term that is 0 (the mean of h - mean(h)), whose sign nobody can see.
NAMES = ["three_layer", "five_layer_parameters", "residual", "cnn_small", "autoencoder_tied"]
PARTS = ("forward", "backward", "evolution")
Judge = Callable[[LimitSystem], dict[str, float]]
Change = Callable[[Term], Term | None]


@pytest.fixture(scope="module", params=NAMES)
def subject(request, plain) -> tuple[Case, Judge]:
    """A shipped spec, and what the comparison says about a limit that claims to be its limit."""
    return with_judge(shipped(SPECS / f"{request.param}.toml"), plain)


def with_judge(case: Case, plain) -> tuple[Case, Judge]:
    """A case and its judge; the finite network is evaluated once."""
    expected = mf.finite_velocity(case.network, case.state, case.x, case.y, t=case.t)
    _, scales = interpreted(case)

    def judge(limit: LimitSystem) -> dict[str, float]:
        found = plain(limit).velocity(case.state, case.x, case.y, case.t)
        return disagreements(found, expected, scales)

    return case, judge


def mutants(limit: LimitSystem, part: str, change: Change) -> Iterator[tuple[str, LimitSystem]]:
    """Every limit in which one term of one part is changed, with a description of the place."""
    equations = getattr(limit, part)
    for equation in equations:
        for position, term in enumerate(equation.terms):
            changed = change(term)
            if changed is None:
                continue
            terms = (*equation.terms[:position], changed, *equation.terms[position + 1 :])
            other = replace(equation, terms=terms)
            yield (
                f"{equation.field}, term {position}",
                limit.map_equations(lambda e, old=equation, new=other: new if e is old else e),
            )


def assert_caught(judge: Judge, cases: list[tuple[str, LimitSystem]], at_least: int) -> None:
    """The judge reports every mutant, and by far: rounding is no excuse."""
    assert len(cases) >= at_least
    for place, mutant in cases:
        errors = judge(mutant)
        assert errors, place
        assert max(errors.values()) > 1e-6, place


def test_the_originals_agree(subject) -> None:
    case, judge = subject
    assert judge(case.limit) == {}


def test_a_sign_in_one_adjoint_is_caught(subject) -> None:
    """The sign of every term of every backward equation."""
    case, judge = subject

    def negated(term: Term) -> Term:
        return replace(term, expression=-term.expression)

    assert_caught(judge, list(mutants(case.limit, "backward", negated)), at_least=5)


@pytest.mark.parametrize("factor", ["once too often", "once too little"])
def test_a_scaling_off_by_a_width_is_caught(subject, factor: str) -> None:
    """A velocity that misses one of its widths or has one twice, and a sum where an average must be."""
    case, judge = subject
    width = len(next(iter(case.state["p"].values())))
    number = width if factor == "once too often" else 1 / width

    def scaled(term: Term) -> Term:
        return replace(term, expression=term.expression * number)

    def scaled_average(term: Term) -> Term | None:
        kinds = [case.limit.axis[index.axis].kind for index in term.reduced]
        return scaled(term) if AxisKind.POPULATION in kinds else None

    found = [
        (place, mutant)
        for place, mutant in mutants(case.limit, "evolution", scaled)
        if case.limit.scalings[place.partition(",")[0].removeprefix("d ")]
    ]
    for part in ("forward", "backward"):
        found += mutants(case.limit, part, scaled_average)
    assert_caught(judge, found, at_least=5)


@pytest.mark.parametrize("shift", [-1, 1])
def test_an_index_map_shifted_by_one_is_caught(shift: int, plain) -> None:
    """Every affine slot of the convolution: where it reads forward, scatters backward, reads in evolution."""
    case, judge = with_judge(shipped(SPECS / "cnn_small.toml"), plain)

    def moved(slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
        return tuple(
            replace(slot, constant=slot.constant + shift) if isinstance(slot, Affine) else slot
            for slot in slots
        )

    def moved_reads(term: Term) -> Term | None:
        accesses = tuple((s, Access(a.field, moved(a.slots))) for s, a in term.accesses)
        return replace(term, accesses=accesses) if accesses != term.accesses else None

    def moved_target(term: Term) -> Term | None:
        target = moved(term.target)
        return replace(term, target=target) if target != term.target else None

    found: list[tuple[str, LimitSystem]] = []
    for part in PARTS:
        found += mutants(case.limit, part, moved_reads)
        found += mutants(case.limit, part, moved_target)
    assert {place.partition(",")[0] for place, _ in found} == {
        "c1",
        "c2",
        "adj c1.out",
        "d c1.weight",
        "d c2.weight",
    }
    assert_caught(judge, found, at_least=5)


def test_a_weight_with_swapped_ends_is_caught(plain) -> None:
    """The two ends of every weight inside the stream's population, where a swap fits in shape."""
    case, judge = with_judge(shipped(SPECS / "residual.toml"), plain)

    def swapped(term: Term) -> Term | None:
        mapping = {}
        for symbol, access in term.accesses:
            if case.limit.field[access.field].axes[:2] == ("s0", "s0"):
                first, second, *rest = access.slots
                mapping[symbol] = Access(access.field, (second, first, *rest))
        accesses = tuple((s, mapping.get(s, a)) for s, a in term.accesses)
        return replace(term, accesses=accesses) if mapping else None

    found = [m for part in PARTS for m in mutants(case.limit, part, swapped)]
    assert_caught(judge, found, at_least=4)


# ---------------------------------------------------------------- noise averaged where it must be drawn


def noisy(operation: str) -> dict[str, Any]:
    """Two populations joined by a noisy weight that enters through an operation."""
    connection = {"from": "h1", "operation": operation, "weight": "normal(0.5, 2)"}
    return {
        "format": 1,
        "title": "noise",
        "data": {"kind": "arrays"},
        "loss": {"kind": "squared"},
        "layers": [
            {"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "sigmoid"},
            {"name": "h2", "connections": [connection], "activation": "tanh"},
        ],
        "output": {"from": "h2", "weight": "normal(1, 1)"},
        "training": {"learning_rate": 0.1, "steps": 1},
    }


def deviations(operation: str, plain) -> np.ndarray:
    """H2 of the solver fed by means against drawn weights, in standard errors; one number per sample.

    Given the labels, the drawn H2(c2) are independent, each with mean Mean[E operation(W, u)]; their average
    over 300 neurons has a standard error that the spread of the 300 measures.
    """
    n, x = 300, np.random.default_rng(5).standard_normal((6, 3))
    network = mf.load(noisy(operation), data=(x, np.zeros((6, 1))))
    solver = plain(mf.derive(network))
    drawn = solver.forward(solver.sample(n, seed=1, edges="draw"), x)["h2"]
    means = solver.forward(solver.sample(n, seed=1, edges="mean"), x)["h2"]
    assert np.ptp(means, axis=1).max() < 1e-12
    return np.abs(drawn.mean(axis=1) - means[:, 0]) / (drawn.std(axis=1) / np.sqrt(n))


def test_noise_averaged_where_it_must_be_drawn_is_caught(plain) -> None:
    """Linear in w: means give the drawn network's fields within 4 standard errors; nonlinear: they do not."""
    assert np.all(deviations("w * u", plain) < 4)
    assert np.all(deviations("tanh(w * u)", plain) > 10)
    assert np.all(deviations("w**2 * u", plain) > 10)

"""The forward-mode pass: its system = finite differences of the interpreter; its solver = the interpreter."""

from collections.abc import Iterator

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.system import draw_noise
from mfderive.algebra.terms import Role
from mfderive.limit.linearise import linearise
from mfderive.notation.document import latex, text
from tests.exact.comparison import Case, built, plain_solver
from tests.exact.strategies import seeded
from tests.exact.test_rules import RULES, learning, sane

from .linearised import deviating, largest_error, solver_errors

DIFFERENCE = 1e-8
# Sums of a few hundred products, as for the comparison of G.
ROUNDING = 1e-10
COUNTS = [8, pytest.param(100, id="study", marks=pytest.mark.study)]


def cases(count: int, largest: int = 10**9) -> Iterator[Case]:
    """Random specs with every rule in turn, plain SGD among them, that stay in sane sizes."""
    rules = [{}, *RULES.values()]
    found, seed = 0, 0
    while found < count:
        case = learning(built(seeded(9000 + seed)), **rules[seed % len(rules)])
        seed += 1
        if sane(case) and len(case.limit.equations) <= largest:
            found += 1
            yield case


@pytest.mark.parametrize("count", COUNTS)
def test_deviations_are_finite_differences(count: int) -> None:
    """Of every field: forward, backward, evolution, next values; to 1e-8 of what is summed.

    States, memories and weights of nodes deviate at once. A kink within 1e-4 of a value makes a difference
    wrong and not the derivative: that is allowed once in fifty.
    """
    with np.errstate(all="ignore"):
        errors = [largest_error(case) for case in cases(count)]
    assert sum(error > DIFFERENCE for error in errors) <= count // 50, sorted(errors)[-5:]


@pytest.mark.parametrize("count", [4, pytest.param(100, id="study", marks=pytest.mark.study)])
def test_the_solver_is_the_interpreter(count: int, tmp_path) -> None:
    """A step of values, memories and deviations by generated code, run as plain Python."""
    for case in cases(count, largest=60 if count < 10 else 10**9):
        solver = plain_solver(deviating(case)[0], tmp_path)
        assert solver_errors(case, solver, ROUNDING) == []


def test_a_first_maximum_and_what_is_given_do_not_deviate() -> None:
    """Selectors, x, y, the clock and fresh noise have no deviation; every trained variable has one."""
    for case in cases(8):
        base = draw_noise(case.limit)
        system = linearise(base)
        origins = {field.deviation for field in system.fields if field.deviation}
        for equation in base.equations:
            assert not (equation.selector and equation.field in origins)
        given = {f.name for f in base.fields if f.role in (Role.INPUT, Role.CLOCK, Role.DRAW)}
        assert not given & origins
        assert {v.name for v in base.variables if not v.is_frozen} <= origins


def test_a_limit_is_linearised_once() -> None:
    """Asked again it is the same object, and its own equations are those of the limit, in their order."""
    limit = mf.derive(mf.load("specs/three_layer.toml"))
    system = linearise(limit)
    assert linearise(limit) is system
    assert [e for e in system.equations if not system.field[e.field].deviation] == list(limit.equations)


def test_the_second_order_limit_is_printed() -> None:
    """Deviations in the letters of what deviates, in text and LaTeX; no scalings, no measure notation."""
    system = mf.linearise(mf.derive(mf.load("specs/three_layer.toml")))
    shown = text(system)
    for line in (
        "δH₂(c₂; x) = E_{c₁,ζ}[w₂(c₂, c₁, ζ) δa₁(c₁; x)] + E_{c₁,ζ}[δw₂(c₂, c₁, ζ) σ(H₁(c₁; x))] "
        "+ E_{c₁,ζ}[w₂(c₂, c₁, ζ) s₁(c₁) σ(H₁(c₁; x))]",
        "δD_ŷ(x, y) = 2 δŷ(x)",
        "∂ₜ δw₁(c₁, i) = −E_P[δD_H₁(c₁; x, y) x_i]",
        "The second-order limit is printed in embedding notation alone.",
    ):
        assert line in shown
    assert "\n  δw₁  " not in shown
    assert r"\delta D_{H_{2}}(c_{2}; x, y)" in latex(system)

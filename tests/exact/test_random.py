"""Random specs: velocity of the generated solver = scaled gradient of the finite network (theory A.5)."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

import mfderive as mf
from mfderive.state.draw import initial_state

from .comparison import Case, built, disagreements, interpreted, is_sane, witness_fields
from .strategies import FEATURES, Specimen, seeded, specimens

# Of the specs that are tried compiled and against JAX: how many, and the largest number of equations.
COMPILED, LARGEST_COMPILED = 20, 20


def expected_velocity(case: Case) -> dict[str, np.ndarray] | None:
    """The complex-step velocity, or None where a value of the network leaves the sane range."""
    with np.errstate(all="ignore"):
        fields = witness_fields(case)
        velocity = mf.finite_velocity(case.network, case.state, case.x, case.y, t=case.t)
    return velocity if is_sane({**fields, **velocity}) else None


def check(specimen: Specimen, case: Case, plain, expected) -> None:
    """Solver and plain interpreter against the complex steps; the solver's draws against the data room's."""
    solver = plain(case.limit)
    speeds, scales = interpreted(case)
    with np.errstate(all="ignore"):
        found = solver.velocity(case.state, case.x, case.y, case.t)
    assert disagreements(found, expected, scales) == {}, "generated solver"
    assert disagreements(speeds, expected, scales) == {}, "plain interpreter"
    drawn = solver.sample(specimen.base_width, specimen.seed)
    for name, value in initial_state(case.system, specimen.base_width, specimen.seed).items():
        if name != "p":
            np.testing.assert_array_equal(drawn[name], value, err_msg=name)


def run(strategy: st.SearchStrategy[Specimen], examples: int, plain) -> Counter[str]:
    """Try so many sane specs; how many were tried and rejected, and how often each feature occurred."""
    seen: Counter[str] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def attempt(specimen: Specimen) -> None:
        case = built(specimen)
        expected = expected_velocity(case)
        seen["tried"] += 1
        if expected is None:
            seen["rejected"] += 1
            assume(False)
        check(specimen, case, plain, expected)
        seen.update(specimen.features)
        if specimen.coarse and any(np.any(value == 0) for name, value in witness_fields(case).items()):
            seen["exact zero"] += 1

    attempt()
    return seen


@pytest.mark.parametrize(
    ("coarse", "examples"),
    [
        pytest.param(False, 75, id="smooth"),
        pytest.param(True, 25, id="coarse"),
        pytest.param(False, 750, id="smooth-study", marks=pytest.mark.study),
        pytest.param(True, 250, id="coarse-study", marks=pytest.mark.study),
    ],
)
def test_random_specs_agree(coarse: bool, examples: int, plain) -> None:
    """Within 1e-10 of the sum of absolute values; fewer than a tenth of the specs leave the sane range."""
    seen = run(specimens(coarse), examples, plain)
    assert seen["tried"] - seen["rejected"] >= examples
    assert 10 * seen["rejected"] < seen["tried"]
    if coarse:
        assert seen["exact zero"] > examples // 2
    else:
        # Nearly every feature occurs in every run; that all can occur is the next test.
        assert len(FEATURES - set(seen)) <= len(FEATURES) // 10, FEATURES - set(seen)


@pytest.mark.parametrize("coarse", [False, True], ids=["smooth", "coarse"])
def test_every_feature_of_the_format_occurs(coarse: bool) -> None:
    """Each in at least two of a hundred specs of either family, but what the coarse one cannot have."""
    count = 400
    seen: Counter[str] = Counter()
    for seed in range(count):
        seen.update(seeded(seed, coarse).features)
    wanted = FEATURES - ({"softmax-positions"} if coarse else set())
    assert {feature for feature in wanted if seen[feature] < count // 50} == set()


def small_seeds() -> list[int]:
    """Seeds of small random specs, every fourth of them coarse."""
    found: list[int] = []
    seed = 0
    while len(found) < COMPILED:
        case = built(seeded(seed, len(found) % 4 == 3))
        if len(case.limit.equations) <= LARGEST_COMPILED:
            found.append(seed)
        seed += 1
    return found


# Some seconds of two compilers each, so that the rest is a study.
NUMBERS = [k if k < 4 else pytest.param(k, marks=pytest.mark.study) for k in range(COMPILED)]


@pytest.mark.parametrize("number", NUMBERS)
def test_random_specs_compiled_and_against_jax(number: int, seeds, tmp_path) -> None:
    """The compiled solver against complex steps and against JAX's gradient."""
    specimen = seeded(seeds[number], number % 4 == 3)
    case = built(specimen)
    expected = expected_velocity(case)
    assert expected is not None
    solver = mf.generate(case.limit, directory=tmp_path)
    found = solver.velocity(case.state, case.x, case.y, case.t)
    _, scales = interpreted(case)
    assert disagreements(found, expected, scales) == {}
    by_jax = mf.finite_velocity(case.network, case.state, case.x, case.y, t=case.t, method="jax")
    assert disagreements(found, by_jax, scales) == {}


@pytest.fixture(scope="module")
def seeds() -> list[int]:
    """Seeds of the specs that are compiled."""
    return small_seeds()

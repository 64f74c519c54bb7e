"""Legal specs with extreme values go the whole way: derived, reduced, solved for two steps, or an MfError."""

import re
import time
import warnings
from collections import Counter
from typing import Any

import numpy as np
import pytest

import mfderive as mf
from mfderive.errors import MfError

from .extremes import extreme

SECONDS = 30.0


def outcome(seed: int, plain: Any) -> tuple[str, str]:
    """How far a spec went, and what it said: ("load" | "derive" | "solve" | "done", name of the error)."""
    spec = extreme(seed)
    stage = "load"
    try:
        network = mf.load(spec.document, data=spec.arrays)
        stage = "derive"
        limit = mf.derive(network)
        reduced = mf.reduce(limit)
        assert str(limit) and reduced.log
        stage = "solve"
        solved = reduced if spec.document["solver"].get("reduce", True) else limit
        solver = plain(getattr(solved, "system", solved))
        path = mf.solve(network, system=solved, solver=solver)
    except MfError as error:
        message = str(error)
        assert 20 < len(message) < 3000 and "\n" not in message
        return stage, type(error).__name__
    assert np.isfinite(path.loss).all() and np.isfinite(path.times).all()
    assert np.all(np.diff(path.times) >= 0)
    return "done", ""


@pytest.mark.parametrize(
    ("first", "count"),
    [
        *(pytest.param(15 * k, 15, id=f"{15 * k}") for k in range(4)),
        *(pytest.param(1000 + 250 * k, 250, id=f"study-{k}", marks=pytest.mark.study) for k in range(4)),
    ],
)
def test_extreme_specs_go_the_whole_way(first: int, count: int, plain: Any) -> None:
    """No other exception than MfError; what is solved is finite; most get beyond the reader."""
    seen: Counter[str] = Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(first, first + count):
            begin = time.process_time()
            try:
                stage, error = outcome(seed, plain)
            except Exception as fault:
                text = re.sub(r"\s+", " ", str(fault))[:400]
                raise AssertionError(f"extreme spec {seed}: {type(fault).__name__}: {text}") from fault
            seen[f"{stage} {error}".strip()] += 1
            assert time.process_time() - begin < SECONDS, f"extreme spec {seed}"
    print(f"{count} extreme specs from {first}: {dict(seen)}")
    assert seen["done"] > count // 5
    assert seen["load SpecError"] < count // 2
    assert not seen["solve ArgumentError"]  # the spec alone says what is solved, and it is legal


@pytest.mark.parametrize("seed", [1126, 1190])
def test_rates_that_overflow_diverge(seed: int, plain: Any) -> None:
    """Found by the study: 0.5 + t**2 at t = 1e300 was an OverflowError of Python's own numbers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert outcome(seed, plain) == ("solve", "DivergenceError")

"""Mutants of the shipped specs: a network or one MfError, in two seconds, and nothing of a spec ever runs."""

import time
import warnings
from collections import Counter
from pathlib import Path

import pytest

import mfderive as mf
from mfderive.errors import MfError
from mfderive.format.reader import read_content

from .mutations import CANARY, CODE, SPECS, mutant

SECONDS = 2.0
LONGEST_MESSAGE = 3000


def outcome(source: object, folder: Path) -> str:
    """What became of a mutant: "loaded", or the name of its error. Anything but an MfError goes through."""
    try:
        if isinstance(source, bytes):
            document = read_content(source, str(folder / "mutant.toml")).document
            if document["data"].get("kind") == "digits":
                document = {**document, "data": {**document["data"], "samples": 40}}
            source = document
        mf.load(source)
    except MfError as error:
        message = str(error)
        assert message and len(message) < LONGEST_MESSAGE, len(message)
        assert "\x1b" not in message and "\x00" not in message
        return type(error).__name__
    return "loaded"


def attempt(seed: int, folder: Path) -> tuple[str, float]:
    """One mutant: what became of it, and the processor's seconds (others may be at work beside us)."""
    name, source = mutant(seed, folder / CANARY)
    taken = float("inf")
    for _ in range(2):  # what is slow because the processor is shared is not slow twice
        begin = time.process_time()
        try:
            found = outcome(source, folder)
        except Exception as fault:
            raise AssertionError(
                f"mutant {seed} of {name}: {type(fault).__name__}: {str(fault)[:300]}"
            ) from fault
        taken = min(taken, time.process_time() - begin)
        if taken < SECONDS:
            break
    assert taken < SECONDS, f"mutant {seed} of {name} took {taken:.1f} s ({found})"
    return found, taken


@pytest.mark.parametrize(
    ("first", "count"),
    [
        *(pytest.param(250 * k, 250, id=f"{250 * k}") for k in range(8)),
        *(
            pytest.param(10_000 + 10_000 * k, 10_000, id=f"study-{k}", marks=pytest.mark.study)
            for k in range(10)
        ),
    ],
)
def test_mutants_load_or_are_refused(first: int, count: int, tmp_path, monkeypatch) -> None:
    """Only success or MfError, each within two seconds; the canary is never written."""
    monkeypatch.chdir(tmp_path)
    seen: Counter[str] = Counter()
    slowest = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(first, first + count):
            found, taken = attempt(seed, tmp_path)
            seen[found] += 1
            slowest = max(slowest, taken)
    print(f"{count} mutants from {first}: {dict(seen)}, slowest {slowest:.2f} s")
    assert list(tmp_path.iterdir()) == []
    # Both happen: the mutations are neither harmless nor hopeless.
    assert seen["loaded"] > count // 50 and sum(seen.values()) - seen["loaded"] > count // 2


def test_the_canary_would_be_seen(tmp_path, monkeypatch) -> None:
    """The words that mutants carry do write the file where something runs them."""
    monkeypatch.chdir(tmp_path)
    exec(CODE[0].format(canary=tmp_path / CANARY))
    assert [path.name for path in tmp_path.iterdir()] == [CANARY]


def test_every_spec_is_mutated_and_code_is_among_the_mutants(tmp_path) -> None:
    mutants = [mutant(seed, tmp_path / CANARY) for seed in range(2000)]
    assert {name for name, _ in mutants} == {path.stem for path in SPECS.glob("*.toml")}
    assert sum(str(tmp_path) in str(source) for _, source in mutants) > 50
    assert sum(isinstance(source, bytes) for _, source in mutants) > 300

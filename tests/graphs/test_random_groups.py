"""Random networks with groups: derived velocities are scaled gradients, reduced limits are full ones."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from exact.comparison import Case, disagreements, interpreted, plain_solver, shaken_state
from reduction.blowup import disagreement, small_state

import mfderive as mf
from mfderive.limit.derive import derive_system
from mfderive.state.draw import initial_state

from .documents import HEAD, Document, connection, document, layer

SEEDS = range(12)
TOLERANCE = 1e-12  # ten Euler steps, as in tests/reduction/test_agreement.py


def divisors(number: int) -> list[int]:
    return [each for each in range(1, number + 1) if number % each == 0]


def convolution(draw: random.Random, source: str, blocks: int) -> tuple[Document, int]:
    """A convolution that keeps the positions, and the number of its groups (1: none)."""
    groups = draw.choice(divisors(blocks))
    found = connection(
        source,
        kind=draw.choice(["convolution", "convolution", "transposed-convolution"]),
        kernel=[3],
        padding=[1],
        weight=draw.choice(["normal(0.5, 1)", "normal(1, 0.5)", "uniform(0, 1)"]),
    )
    averages = [["taps"], ["groups"] if source != "x" and blocks > groups else [], []]
    chosen = draw.choice(averages)
    return found | {"groups": groups} | ({"average": chosen} if chosen else {}), groups


def random_document(seed: int) -> tuple[Document, set[str]]:
    """Two to four layers on x; the last is called top."""
    draw = random.Random(seed)
    channels = draw.choice([2, 4, 6])
    source, blocks, seen = "x", channels, set()
    layers: list[Document] = []
    for name in ("a", "b", "top")[draw.randrange(2) :]:
        read, groups = convolution(draw, source, blocks)
        table: dict[str, Any] = {
            "name": name,
            "connections": [read],
            "activation": draw.choice(
                ["tanh(h + shift)", "tanh(h - mean(h) + shift)", "softplus(shift * h)"]
            ),
            "parameters": {"shift": "normal(0.5, 0.5)"},
        }
        if draw.random() < 0.4:
            table["connections"].append(connection("x", weight="normal(0, 1)"))
            seen.add("dense into groups" if groups > 1 else "dense")
        if source != "x" and groups == blocks and draw.random() < 0.6:
            table["neurons"] = source
            gate = connection(source, kind="skip", operation="target.shift * source.shift * u")
            table["connections"].append(gate)
            seen.add("skip of groups" if groups > 1 else "skip")
        layers.append(table)
        seen.add("groups" if groups > 1 else "none")
        seen.add("groups of groups" if source != "x" and 1 < groups < blocks else "plain")
        source, blocks = name, groups
    if draw.random() < 0.5:
        layers[-1]["name"] = "below"
        layers.append(layer("top", "below", kind="average-pool", window=[2], activation="tanh"))
    return document(layers, HEAD, [channels, 4], outputs=draw.choice([1, 2])), seen


@pytest.mark.parametrize("seed", SEEDS)
def test_velocity_is_the_scaled_gradient(seed: int, tmp_path) -> None:
    """Within 1e-10 of the sum of absolute values, for the interpreter and the plain generated solver."""
    network = mf.load(random_document(seed)[0])
    system = mf.forward_system(network)
    state = shaken_state(initial_state(system, 3, seed=seed), seed)
    x, y = network.source.batch(1, 3)
    case = Case(network, system, derive_system(system), state, x, y, 0.3)
    expected = mf.finite_velocity(network, state, x, y, t=0.3)
    assert any(np.any(value != 0) for value in expected.values())
    speeds, scales = interpreted(case)
    assert disagreements(speeds, expected, scales) == {}, "plain interpreter"
    found = plain_solver(case.limit, tmp_path).velocity(state, x, y, 0.3)
    assert disagreements(found, expected, scales) == {}, "generated solver"


@pytest.mark.parametrize("seed", SEEDS)
def test_reduced_and_full_solutions_agree(seed: int) -> None:
    network = mf.load(random_document(seed)[0])
    full = mf.derive(network)
    reduced = mf.reduce(full).system
    state = small_state(reduced, 2, seed)
    assert disagreement(full, reduced, state, [network.source.batch(1, 3)] * 10, 0.002) < TOLERANCE


def test_what_the_seeds_contain() -> None:
    seen = set().union(*(random_document(seed)[1] for seed in SEEDS))
    assert seen >= {"groups", "groups of groups", "skip of groups", "dense into groups", "none"}

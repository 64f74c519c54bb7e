"""Whatever a command does, a network is turned into forward equations, derived and reduced once."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

import mfderive as mf
from mfderive.cli import main
from mfderive.reduction import reduce as reduction

SPEC = """
format = 1
data = { kind = "isotropic-gaussians", dimension = 2, separation = 0.4 }
loss = { kind = "squared" }
layers = [
    { name = "h1", from = "x", weight = "normal(0, 1)", activation = "tanh" },
    { name = "h2", from = "h1", weight = "normal(1, 0.1)", activation = "tanh" },
]
output = { from = "h2", weight = "normal(1, 0.1)" }
training = { learning_rate = 0.05, steps = 4, batch_size = 5 }
solver = { evaluation = 20 }
check = { widths = [4, 8, 16], seeds = 2, evaluation = 16 }
"""


@pytest.fixture
def made(monkeypatch):
    """How often each thing was made; the work itself is counted, not the questions for its result."""
    count = Counter()

    def counting(what, function):
        def counted(*arguments, **keywords):
            count[what] += 1
            return function(*arguments, **keywords)

        return counted

    for what, module, name in (
        ("forward", "mfderive.forward.equations", "ForwardBuilder"),
        ("limit", "mfderive.limit.derive", "reverse_pass"),
    ):
        monkeypatch.setattr(f"{module}.{name}", counting(what, vars(__import__(module, fromlist="."))[name]))
    first, *others = reduction.PASSES
    counted = replace(first, apply=counting("reduced", first.apply))
    monkeypatch.setattr("mfderive.reduction.reduce.PASSES", (counted, *others))
    return count


@pytest.fixture
def spec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(SPEC)
    return "tiny.toml"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["show"], {"forward": 1}),
        (["derive"], {"forward": 1, "limit": 1, "reduced": 1}),
        (["generate"], {"forward": 1, "limit": 1}),
        (["generate", "--reduce"], {"forward": 1, "limit": 1, "reduced": 1}),
        (["simulate"], {"forward": 1}),
        (["solve"], {"forward": 1, "limit": 1, "reduced": 1}),
        (["solve", "--no-reduce", "--nodes", "20"], {"forward": 1, "limit": 1}),
        (["solve", "--tolerance", "0.5"], {"forward": 1, "limit": 1, "reduced": 1}),
        (["check", "--effort", "quick"], {"forward": 1, "limit": 1, "reduced": 1}),
        (["run", "--effort", "none"], {"forward": 1, "limit": 1, "reduced": 1}),
        (["run", "--effort", "quick"], {"forward": 1, "limit": 1, "reduced": 1}),
    ],
    ids=" ".join,
)
def test_commands_make_everything_once(spec, made, capsys, words, expected):
    command, *flags = words
    assert main([command, spec, "--quiet", *flags]) in ((0, 1, 3) if command == "check" else (0,))
    assert dict(made) == expected, capsys.readouterr().err


def test_a_trajectory_makes_everything_once(spec, made, tmp_path):
    """A loaded one has a network of its own, made once for all questions; one in memory has what it has."""
    network = mf.load(spec)
    assert dict(made) == {"forward": 1}
    path = mf.solve(network, nodes=8)
    x = np.ones((3, 2))
    found = [path.predict(x), path.predict(x, t=0.0), path.observe("h2", x)]
    assert dict(made) == {"forward": 1, "limit": 1, "reduced": 1}
    loaded = mf.Trajectory.load(path.save(tmp_path / "kept"))
    made.clear()
    again = [loaded.predict(x), loaded.predict(x, t=0.0), loaded.observe("h2", x), loaded.predict(x)]
    assert dict(made) == {"forward": 1, "limit": 1, "reduced": 1}
    for one, other in zip(found, again, strict=False):
        assert np.array_equal(one, other)
    loaded.sample(4)
    mf.solve(loaded.network, steps=5, resume=loaded)
    assert dict(made) == {"forward": 1, "limit": 1, "reduced": 1}


def test_the_counts_can_differ(spec, made):
    """Two networks are derived twice, one that is asked twice once."""
    network, other = mf.load(spec), mf.load(spec)
    assert mf.derive(network) is mf.derive(network) is not mf.derive(other)
    assert dict(made) == {"forward": 2, "limit": 2}

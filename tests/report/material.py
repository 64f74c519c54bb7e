"""A hand-made network and trajectories: what a page is written of, without a solver."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import sympy as sp

from mfderive.algebra.functions import call
from mfderive.algebra.laws import LawKind
from mfderive.algebra.reduced import LogEntry
from mfderive.forward.equations import forward_system
from mfderive.network.network import (
    Connection,
    DataSpec,
    LawSpec,
    Layer,
    Loss,
    Network,
    Output,
    ParameterSpec,
    Training,
    WeightSpec,
)
from mfderive.report.folder import RunResult
from mfderive.runs.trajectory import Trajectory
from mfderive.samples.resolve import resolve

NASTY = "<script>alert('&')</script>"
EQUATIONS = {
    "text": "h1 = w x",
    "latex": r"h_1 = w x",
    "html": '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"><mi>h</mi></math>',
    "reduced": '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"><mi>r</mi></math>',
}


def network(title: str = NASTY) -> Network:
    """Two hidden layers on four-dimensional Gaussians, built as the reader of specs builds it."""
    normal = LawSpec(LawKind.NORMAL, (sp.Integer(1), sp.Rational(1, 10)), "normal(1, 0.1)")
    zero = ParameterSpec(LawSpec(LawKind.CONSTANT, (sp.Integer(0),), "0"))
    h, u, w, bias = sp.symbols("h u w bias")

    def layer(name: str, source: str) -> Layer:
        connection = Connection(source, "dense", w * u, WeightSpec(normal))
        return Layer(name, (connection,), call("relu", h + bias), bias=zero)

    parsed = Network(
        title=title,
        data=DataSpec("isotropic-gaussians", (("dimension", 4), ("separation", 0.5))),
        loss=Loss("squared", error="sign"),
        layers=(layer("h1", "x"), layer("h2", "h1")),
        output=Output((Connection("h2", "dense", w * u, WeightSpec(normal)),)),
        training=Training(0.01, 200, 10),
        document={"title": title, "layers": [{"name": "h1", "activation": NASTY}]},
        file="somewhere/tiny.toml",
    )
    return resolve(parsed)


def trajectory(width: int | None, seed: int, net: Network, *, with_error: bool = True) -> Trajectory:
    """A made-up path: exponential decay, displaced by 1/sqrt(width)."""
    steps = np.unique(np.geomspace(1, 200, 40).round()).astype(int)
    steps = np.concatenate([[0], steps])
    times = 0.01 * steps
    shift = 0.0 if width is None else (-1) ** seed * 2.0 / np.sqrt(width)
    loss = 0.2 + np.exp(-times) * (1 + shift)
    error = 0.5 * np.exp(-times) if with_error else np.full(len(times), np.nan)
    kind = "limit" if width is None else "network"
    return Trajectory(kind, net, width, seed, times, steps, loss, error, (), {"method": "euler"})


def trajectories(net: Network, *, with_error: bool = True) -> list[Trajectory]:
    networks = [(width, seed) for width in (50, 100, 400) for seed in (0, 1)]
    return [trajectory(None, 0, net, with_error=with_error)] + [
        trajectory(width, seed, net, with_error=with_error) for width, seed in networks
    ]


def run_result(folder: Path, *, with_error: bool = True) -> RunResult:
    """Everything that a folder is written of; ``folder`` receives the stand-in for a solver."""
    net = network()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "solver.py").write_text("# a solver\n")
    return RunResult(
        network=net,
        limit=forward_system(net),
        equations=EQUATIONS,
        solver=folder / "solver.py",
        trajectories=trajectories(net, with_error=with_error),
        spec=f'title = "{NASTY}"\n',
        reduction=(LogEntry("exchangeability", f"h2: every neuron is the same {NASTY}"),),
        settings={"flags": {"steps": 200}, "note": NASTY},
        timings={"solve the limit": 1.25},
    )

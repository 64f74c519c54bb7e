"""Networks whose fluctuations are predicted, and finite differences of their limits in the nodes' weights."""

from __future__ import annotations

from typing import Any

import numpy as np

import mfderive as mf
from mfderive.fluctuation.fluctuations import Fluctuations, prepared
from mfderive.runs.between import copy_state

# A five-point difference with this step is wrong by h^4 of a fifth derivative, and rounds by 1e-16/h; steps
# of 1e-4 have kinks of convolutions within them.
STEP = 1e-6
DATA = {"kind": "teacher", "dimension": 3, "target": "sin(x1) + x2*x3/2"}


def document(layers: list[Any], output: Any, data: Any = None, **training: Any) -> dict[str, Any]:
    """A spec of a few steps on small batches."""
    return {
        "format": 1,
        "data": data or DATA,
        "loss": {"kind": "squared"},
        "layers": layers,
        "output": output,
        "training": {"learning_rate": 0.05, "steps": 20, "batch_size": 10} | training,
    }


def layer(name: str, source: str, weight: str, activation: str = "tanh", **more: Any) -> dict[str, Any]:
    """A dense layer."""
    return {"name": name, "from": source, "weight": weight, "activation": activation} | more


def changes_in_weights(found: Fluctuations, **options: Any) -> tuple[Any, Any]:
    """The derivative of all outputs along one random change of all weights: (predicted, by differences).

    The difference is that of the whole solution, whose nodes keep their labels.
    """
    stepper, state, _ = prepared(found.network, float(found.times.max()) or 0.0, options)
    x = stepper.problem.reduced.encode(found.x)[0]
    rng = np.random.default_rng(0)
    change = {name: rng.standard_normal(len(p)) for name, p in found.weights.items()}
    change = {name: s - found.weights[name] @ s for name, s in change.items()}

    def outputs(step: float, last: int) -> Any:
        moved = copy_state(state)
        for name, s in change.items():
            moved["p"][name] = moved["p"][name] * (1 + step * s)
        return stepper.problem.module.predict(stepper.advance(moved, 0, int(last)), x)

    h = STEP
    slopes = [
        (8 * (outputs(h, k) - outputs(-h, k)) - outputs(2 * h, k) + outputs(-2 * h, k)) / (12 * h)
        for k in found.steps
    ]
    predicted = sum(found.influence[n] @ (found.weights[n] * s) for n, s in change.items())
    return predicted, np.array(slopes)


def shipped(name: str, steps: int = 20) -> tuple[mf.Network, float]:
    """A shipped spec, and the time after some of its steps."""
    network = mf.load(f"specs/{name}.toml")
    return network, steps * float(network.training.learning_rate)

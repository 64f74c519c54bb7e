"""Legal specs with extreme values: the random specs of the exact leg, with every number pushed to an end.

What is written is allowed, so that derivation, reduction, generated code and time steps are reached, which
mutants of files seldom do.
"""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.exact.strategies import seeded

Document = dict[str, Any]

LAWS = (
    "0",
    "1e40",
    "-1e40",
    "1e-40",
    "normal(0, 0)",
    "normal(0, 1e30)",
    "normal(1e30, 1e-30)",
    "normal(1e-40, 0)",
    "uniform(-1e20, 1e20)",
    "uniform(0, 0)",
    "rademacher(1e-30)",
    "rademacher(0)",
    "rademacher(1e30)",
    "normal(0, 1e3)",
    "normal(-5, 1)",
    "normal(0, 1 / d)",
    "normal(100, 1)",
)
RATES = (0, 1e-30, 1e30, 1000, "exp(-t)", "exp(60 * t)", "1 / (1 + t)**60", "heaviside(t - 1)")
WIDTHS = (1e-9, 0.01, 1, 100, 1e9)
STEPS_OF_TRAINING = (1e-300, 1e-12, 0.1, 1, 1e6, 1e30, 1e300)
SCHEDULES = (
    "1",
    "1 / k",
    "exp(-k)",
    "k**60",
    "heaviside(k - 1)",
    "0.5 * (1 + cos(pi * k / 2))",
    "2 - k",
    "k - 1",
    "1e40",
    "1e-40",
)
SIZES_OF_DATA = (0.0, 1e-200, 1e-9, 1.0, 30.0, 1e9, 1e150, 1e300)
ACTIVATIONS = ("exp", "identity", "relu", "selu", "sign", "heaviside", "sqrt", "log", "elu", "softplus")
SOLVERS: tuple[Document, ...] = (
    {"nodes": 1},
    {"nodes": 3},
    {"nodes": 4, "method": "rk4"},
    {"nodes": 4, "precision": "float32"},
    {"nodes": 4, "rule": "monte-carlo", "data": "sample", "data_nodes": 2},
    {"reduce": False, "widths": 1},
    {"reduce": False, "widths": 3, "edges": "mean"},
    {"nodes": 4, "observations": 1, "checkpoints": 1, "evaluation": 1},
)


@dataclass(frozen=True)
class Extreme:
    """A document with arrays for its data (None: the document's own)."""

    document: Document
    arrays: tuple[Any, Any] | None


def extreme(seed: int) -> Extreme:
    """The extreme spec of a seed."""
    rng = random.Random(seed)
    specimen = seeded(seed, coarse=seed % 4 == 3)
    document, arrays = specimen.document, specimen.arrays
    for layer in document["layers"]:
        _layer(layer, rng)
    _layer(document["output"], rng)
    document["training"] = {"learning_rate": rng.choice(STEPS_OF_TRAINING), "steps": 2, "batch_size": 2}
    if rng.random() < 0.5:
        document["training"]["schedule"] = rng.choice(SCHEDULES)
    document["solver"] = {"evaluation": 4, **rng.choice(SOLVERS)}
    written = str(document["layers"])
    if "nodes" in document["solver"] and "rademacher" in written and "kernel" in written:
        # Two Gauss nodes for each entry of a kernel of signs are hundreds: too many for plain Python.
        document["solver"].setdefault("rule", "sobol")
    if "delta" in document["loss"]:
        document["loss"]["delta"] = rng.choice((1e-300, 1, 1e300))
    data = document["data"]
    if "separation" in data:
        data["separation"] = rng.choice((0, 0.5, 1))
    if "deviations" in data:
        data["deviations"] = rng.choice((0, 1, 1e150))
    if arrays is not None:
        size = rng.choice(SIZES_OF_DATA)
        x = size * np.asarray(arrays[0])
        document["solver"].pop("data_nodes", None)  # a sample that is given is used as it is
        arrays = (x, x.reshape(len(x), -1) if data.get("y") == "x" else arrays[1])
    return Extreme(document, arrays)


def _law(old: Any, rng: random.Random) -> Any:
    """A law in the place of another, or the same where it names other parameters."""
    if isinstance(old, dict):
        found = dict(old)
        if "law" in found:
            found["law"] = _law(found["law"], rng)
            if rng.random() < 0.3:
                found["rate"] = rng.choice(RATES)
        return found
    return old if "." in old.replace("0.", "") or rng.random() < 0.5 else rng.choice(LAWS)


def _layer(layer: Document, rng: random.Random) -> None:
    for table in (layer, *layer.get("connections", ())):
        if "weight" in table:
            table["weight"] = _law(table["weight"], rng)
    if "bias" in layer:
        layer["bias"] = _law(layer["bias"], rng)
    for name, law in layer.get("parameters", {}).items():
        layer["parameters"][name] = _law(law, rng)
    if "width" in layer:
        layer["width"] = rng.choice(WIDTHS)
    if layer.get("activation", "").isidentifier() and rng.random() < 0.3:
        layer["activation"] = rng.choice(ACTIVATIONS)

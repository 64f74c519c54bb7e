"""Examples of values for the keys of a spec, which editors offer: by the key's name, those that it accepts.

A key of one name means different things in different tables; of its examples here a table takes those that
its own check accepts. Words, truth values and constants need none: their schema lists them.
"""

from __future__ import annotations

from typing import Any

from .values import Key

_SPEC: dict[str, tuple[Any, ...]] = {
    "title": ("Three layers on isotropic Gaussians",),
    "data": ({"kind": "isotropic-gaussians", "dimension": 10, "separation": 0.4},),
    "loss": ({"kind": "squared"},),
    "losses": ([{"kind": "squared", "from": "head", "weight": 0.3}],),
    "layers": ([{"name": "h1", "from": "x", "weight": "normal(0, sqrt(2/d))", "activation": "relu"}],),
    "output": ({"from": "h1", "weight": "normal(1, 0.1)"},),
    "training": ({"learning_rate": 0.01, "batch_size": 100, "steps": 1000},),
    "solver": ({"nodes": 200, "method": "euler"},),
    "check": ({"widths": [50, 100, 200, 400], "seeds": 8},),
    "signal": ({"sigma_w2": 2.0, "sigma_b2": 0.0},),
}
_DATA: dict[str, tuple[Any, ...]] = {
    "shape": ([1, 8, 8], [5, 3]),
    "samples": (500,),
    "test": (0.2, 100),
    "dimension": (10,),
    "separation": (0.4,),
    "means": ([[1.0, 0.5], [-1.0, 0.0]],),
    "deviations": (0.3, [0.3, 0.5]),
    "weights": ([1, 2],),
    "labels": ([1, -1], [[1, 0], [0, 1]], "train-labels-idx1-ubyte.gz"),
    "inputs": ("normal(0, 1)", "uniform(-1, 1)"),
    "target": ("x1 * x2 + 0.5 * tanh(x3)", ["x1", "abs(x2)"]),
    "noise": (0.1, {"default": 0.01, "h2.weight": 0.1}),
    "range": ([-1, 1],),
    "scale": ("standardize", [0, 1], 0.5),
    "scale_y": ("standardize", [0, 1]),
    "file": ("data.npz", "table.csv"),
    "x": ("x", ["age", "height"], [0, 1]),
    "y": ("y", "price", ["a", "b"]),
    "one_hot": (["colour"],),
    "skip_rows": (1,),
    "test_x": ("x_test",),
    "test_y": ("y_test",),
    "images": ("train-images-idx3-ubyte.gz",),
    "test_images": ("t10k-images-idx3-ubyte.gz",),
    "test_labels": ("t10k-labels-idx1-ubyte.gz",),
    "path": ("images/train",),
    "test_path": ("images/test",),
    "batches": ([1, 2],),
    "size": (3, [32, 32]),
}
_LAYERS: dict[str, tuple[Any, ...]] = {
    "name": ("h2", "W2"),
    "from": ("x", "h1"),
    "weight": (
        "normal(0, sqrt(2/fan_in))",
        {"law": "normal(1, 0.1)", "rate": 0.5},
        {"name": "W2", "transpose": True},
        0.3,
    ),
    "bias": ("0", {"law": "normal(0, 0.3)", "rate": 0.5}),
    "law": ("normal(1, 0.1)", "0.3 * source.b + target.gain"),
    "rate": (0.5, "1/(1 + t)", "cosine"),
    "activation": ("relu", "gain * tanh(h + b)"),
    "parameters": ({"gain": "normal(1, 0.1)", "b": {"law": "0", "rate": 0.5}},),
    "connections": ([{"from": "h1", "weight": "normal(1, 0.1)"}],),
    "neurons": ("h1",),
    "width": (2.0,),
    "steps": (1000,),
    "operation": ("tanh(w * u)",),
    "into": ("g",),
    "delay": (2,),
    "average": (["steps"], ["taps"], ["positions"]),
    "repeat": (3,),
    "kernel": ([3, 3],),
    "stride": ([2, 2],),
    "padding": ("same", [[0, 1], [0, 1]]),
    "window": ([2, 2], "all"),
    "groups": (4,),
    "positions": ([8, 8],),
    "queries": ("q",),
    "keys": ("k",),
    "outputs": (10,),
    "delta": (1.0,),
    "expression": ("(y - yhat)**2 + 0.1 * abs(yhat)",),
}
_RUNNING: dict[str, tuple[Any, ...]] = {
    "learning_rate": (0.01,),
    "batch_size": (100, "all"),
    "schedule": ("k**(-0.1)", "cosine", {"kind": "cosine", "warmup": 50}),
    "optimizer": ("adam", {"kind": "momentum", "mu": 0.9}),
    "weight_decay": (0.01, {"h2.weight": 0.01}),
    "clip": (1.0,),
    "dropout": (0.1, {"h2": 0.2}),
    "mu": (0.9,),
    "gamma": (1.0,),
    "beta1": (0.9,),
    "beta2": (0.999,),
    "eps": (1e-8,),
    "warmup": (50,),
    "end": (0.1,),
    "factor": (0.5,),
    "every": (100,),
    "at": ([500, 800],),
    "factors": ([0.1, 0.01],),
    "horizon": (10.0,),
    "nodes": (200, {"h1": 64, "h2": 16}),
    "widths": ([50, 100, 200, 400], 1000, {"h1": 500}),
    "rule": ("gauss", {"h1": "gauss", "h2": "sobol"}),
    "step": (0.05,),
    "rtol": (1e-4,),
    "atol": (1e-6,),
    "until_loss": (0.01,),
    "until_speed": (1e-4,),
    "tolerance": (0.01,),
    "data_nodes": (256,),
    "seed": (0,),
    "data_seed": (0,),
    "seeds": (8,),
    "evaluation": (2000,),
    "observations": (50,),
    "checkpoints": (9,),
    "sigma_w2": (2.0, {"h2.weight": 1.5, "default": 2.0}),
    "sigma_b2": (0.1,),
    "batch": (64,),
}
EXAMPLES: dict[str, tuple[Any, ...]] = {**_SPEC, **_DATA, **_LAYERS, **_RUNNING}


def examples_of(key: Key) -> list[Any]:
    """Examples of what a key may be; none for a key from outside the package that has a name of its own."""
    return [example for example in EXAMPLES.get(key.name, ()) if key.type.accepts(example)]

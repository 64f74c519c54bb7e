"""One small document for each kind of layer and each way of putting layers together."""

from __future__ import annotations

import math
from typing import Any

Document = dict[str, Any]


def document(layers: list[Document], output: Document, shape: list[int], outputs: int = 1) -> Document:
    """A spec whose x has a shape and whose y is a smooth function of it."""
    target = [f"tanh(x1 + {k}) - x2" for k in range(outputs)] if outputs > 1 else "x1 * x2"
    return {
        "format": 1,
        "title": "graph",
        "data": {"kind": "teacher", "dimension": math.prod(shape), "target": target, "shape": shape},
        "loss": {"kind": "squared"},
        "layers": layers,
        "output": output,
        "training": {"learning_rate": 0.05, "steps": 3, "batch_size": 3},
    }


def layer(name: str, source: str, **keys: Any) -> Document:
    """A layer in short form."""
    return {"name": name, "from": source, **keys}


def connection(source: str, **keys: Any) -> Document:
    """One of [[connections]]."""
    return {"from": source, **keys}


def convolution(name: str, source: str, kernel: list[int], **keys: Any) -> Document:
    """A convolution with tanh."""
    given = {"kind": "convolution", "kernel": kernel, "weight": "normal(0.5, 1)", "activation": "tanh"}
    return layer(name, source, **given | keys)


TIED = {"name": "W", "law": "normal(0, 1)"}
HEAD = {"from": "top", "weight": "normal(0.5, 1)"}
GATES = [
    connection(source, weight="normal(0.5, 1)", **keys)
    for source, keys in (
        ("x", {}),
        ("x", {"into": "g"}),
        ("x", {"into": "f"}),
        ("top", {"kind": "recurrent"}),
        ("top", {"kind": "recurrent", "into": "f"}),
    )
]
RECURRENT = {
    "name": "r",
    "steps": 3,
    "activation": "tanh",
    "connections": [
        connection("x", weight="normal(0, 1)"),
        connection("r", kind="recurrent", weight="normal(1, 0.5)"),
    ],
}

GRAPHS: dict[str, Document] = {
    "two-dimensional convolution": document(
        [
            convolution(
                "top", "x", [3, 2], stride=[2, 1], padding=[1, [0, 1]], bias="normal(0, 1)", average=["taps"]
            )
        ],
        HEAD,
        [2, 5, 4],
        outputs=2,
    ),
    "three-dimensional convolution": document(
        [convolution("top", "x", [2, 1, 2], stride=[1, 2, 1], padding="same")], HEAD, [1, 2, 3, 2]
    ),
    "max-pool": document(
        [
            convolution("c", "x", [2, 2]),
            layer("top", "c", kind="max-pool", window=[2, 3], stride=[1, 2], padding=[1, [1, 1]]),
        ],
        HEAD,
        [2, 4, 4],
    ),
    "average-pool": document(
        [
            convolution("c", "x", [2, 2]),
            layer("top", "c", kind="average-pool", window=[2, 2], stride=[2, 1], padding=[[1, 0], 1]),
        ],
        HEAD,
        [2, 4, 4],
    ),
    "activation after pooling": document(
        [
            convolution("c", "x", [3], activation="h"),
            layer("top", "c", kind="max-pool", window=[2], bias="normal(0, 1)", activation="tanh"),
        ],
        HEAD,
        [1, 8],
    ),
    "global pooling": document(
        [
            convolution("c", "x", [2, 2]),
            layer("m", "c", kind="max-pool", window="all"),
            layer("top", "c", kind="average-pool", window="all", activation="tanh"),
        ],
        {"connections": [HEAD, {"from": "m", "weight": "normal(0.5, 1)"}]},
        [2, 3, 3],
    ),
    "transposed convolution": document(
        [
            convolution("c", "x", [3], stride=[2], padding="same"),
            convolution(
                "code", "c", [3], stride=[2], padding=[1], weight={"name": "W", "law": "normal(0, 1)"}
            ),
            layer(
                "top",
                "code",
                neurons="c",
                kind="transposed-convolution",
                kernel=[3],
                stride=[2],
                padding=[1],
                positions=[4],
                average=["taps"],
                weight={"name": "W", "transpose": True},
                activation="tanh",
            ),
        ],
        HEAD,
        [1, 8],
    ),
    "grouped convolution": document(
        [
            convolution(
                "c",
                "x",
                [3],
                padding="same",
                groups=2,
                activation="tanh(gain * (h - mean(h)) + max(h, positions) * b)",
                parameters={"gain": "normal(1, 0.5)", "b": "normal(0, 0.5)"},
            ),
            {
                "name": "m",
                "neurons": "c",
                "activation": "tanh(h + b)",
                "parameters": {"gate": "normal(1, 0.5)", "b": "normal(0, 0.5)"},
                "connections": [
                    connection("c", kind="skip", operation="target.gate * source.gain * u"),
                    connection(
                        "c",
                        kind="convolution",
                        kernel=[2],
                        padding=[[0, 1]],
                        groups=2,
                        average=["taps"],
                        weight="normal(0.5, 1)",
                    ),
                    connection("c", kind="convolution", kernel=[1], weight="normal(0.5, 1)"),
                    connection("x", weight="normal(0.5, 1)"),
                ],
            },
            layer("top", "m", kind="max-pool", window=[2], bias="normal(0, 1)", activation="tanh"),
        ],
        {
            "connections": [
                HEAD,
                {"from": "c", "average": ["groups", "positions"], "weight": "normal(0.5, 1)"},
            ]
        },
        [4, 4],
        outputs=2,
    ),
    "groups of groups": document(
        [
            convolution("c", "x", [2, 1], groups=4, weight={"name": "W", "law": "normal(0.5, 1)"}),
            convolution("m", "c", [1, 2], groups=2, average=["groups"], bias="0"),
            layer(
                "top",
                "m",
                kind="transposed-convolution",
                kernel=[2, 1],
                stride=[2, 1],
                groups=2,
                weight="normal(0.5, 1)",
                activation="tanh",
            ),
        ],
        HEAD,
        [4, 3, 2],
    ),
    "grouped recurrence": document(
        [
            {
                "name": "r",
                "steps": 2,
                "activation": "tanh",
                "bias": "0",
                "connections": [
                    connection(
                        "x",
                        kind="convolution",
                        kernel=[2],
                        groups=2,
                        weight="normal(0, 1)",
                        average=["inputs"],
                    ),
                    connection(
                        "r",
                        kind="convolution",
                        kernel=[3],
                        padding="same",
                        groups=2,
                        delay=1,
                        weight="normal(1, 0.5)",
                    ),
                    connection("r", kind="recurrent", weight="normal(1, 0.5)"),
                ],
            },
            layer("top", "r", weight="normal(0.5, 1)", activation="tanh", average=["groups"]),
        ],
        HEAD,
        [2, 4, 3],
    ),
    "pooled skip in a residual block": document(
        [
            convolution("s", "x", [3], padding="same"),
            convolution("inner", "s", [3], stride=[2], padding="same"),
            {
                "name": "top",
                "neurons": "s",
                "connections": [
                    connection("s", kind="average-pool", window=[2]),
                    connection(
                        "inner", kind="convolution", kernel=[3], padding="same", weight="normal(0, 1)"
                    ),
                ],
            },
        ],
        HEAD,
        [2, 6],
    ),
    "repeat": document(
        [
            layer("s", "x", weight="normal(0, 1)"),
            {
                "name": "block",
                "repeat": 3,
                "from": "s",
                "layers": [
                    layer(
                        "inner", "block", neurons="inner", weight="normal(1, 1)", activation="tanh", bias="0"
                    ),
                    {
                        "name": "add",
                        "neurons": "block",
                        "connections": [
                            connection("block", kind="skip"),
                            connection("inner", weight={"name": "V", "law": "normal(0, 1)"}),
                        ],
                    },
                ],
            },
            layer("top", "block", repeat=3, weight="normal(0, 1)", activation="tanh"),
        ],
        HEAD,
        [3],
    ),
    "recurrence": document([RECURRENT | {"bias": "0"}], {"from": "r", "weight": "normal(0.5, 1)"}, [3, 2]),
    "recurrence averaged over steps": document(
        [RECURRENT],
        {"connections": [connection("r", weight="normal(0.5, 1)", average=["steps"])]},
        [3, 2],
    ),
    "statistics over steps": document(
        [
            RECURRENT,
            {
                "name": "top",
                "steps": 3,
                "neurons": "r",
                "activation": "softmax(h**2, steps) * h + max(h, steps) + mean(mean(h) * h, steps)"
                " - sum(h, steps)",
                "connections": [connection("r", kind="skip")],
            },
        ],
        HEAD,
        [3, 2],
    ),
    "long short-term memory": document(
        [
            {
                "name": "cell",
                "steps": 2,
                "parameters": {"b": "1"},
                "activation": "sigmoid(f + b) * m + sigmoid(h) * tanh(g)",
                "connections": [*GATES, connection("cell", kind="skip", delay=1, into="m")],
            },
            layer("top", "cell", kind="skip", steps=2, activation="tanh"),
        ],
        HEAD,
        [2, 2],
    ),
    "gated recurrent unit, reset before": document(
        [
            {
                "name": "kept",
                "steps": 3,
                "activation": "sigmoid(h) * past",
                "connections": [
                    connection("x", weight="normal(0.5, 1)"),
                    connection("top", kind="recurrent", weight="normal(0.5, 1)"),
                    connection("top", kind="skip", delay=1, into="past"),
                ],
            },
            {
                "name": "top",
                "steps": 3,
                "neurons": "kept",
                "parameters": {"peep": "normal(1, 0.5)"},
                "activation": "sigmoid(z) * past + (1 - sigmoid(z)) * tanh(h)",
                "connections": [
                    connection("top", kind="skip", delay=1, into="past"),
                    connection("top", kind="skip", delay=1, into="z", operation="target.peep * u"),
                    connection("x", into="z", weight="normal(0.5, 1)"),
                    connection("top", kind="recurrent", into="z", weight="normal(0.5, 1)"),
                    connection("x", weight="normal(0.5, 1)"),
                    connection("kept", weight="normal(0.5, 1)"),
                ],
            },
        ],
        HEAD,
        [3, 2],
    ),
    "recurrent convolution": document(
        [
            {
                "name": "top",
                "steps": 2,
                "activation": "tanh",
                "connections": [
                    connection("x", kind="convolution", kernel=[2], weight="normal(0, 1)"),
                    connection(
                        "top",
                        kind="convolution",
                        kernel=[3],
                        padding="same",
                        delay=1,
                        weight="normal(1, 0.5)",
                        operation="tanh(w * (u + 1))",
                    ),
                ],
            }
        ],
        HEAD,
        [2, 1, 4],
    ),
    "losses on inner layers": document(
        [
            RECURRENT,
            layer("late", "r", size=2, steps=3, weight="normal(0.5, 1)", activation="tanh", bias="0"),
            layer("early", "x", size=2, weight="normal(0.5, 1)"),
            layer("top", "early", weight="normal(0.5, 1)", activation="tanh"),
        ],
        {"connections": [HEAD, {"from": "r", "weight": "normal(0.5, 1)"}]},
        [3, 2],
        outputs=2,
    )
    | {
        "losses": [
            {"from": "late", "kind": "squared", "weight": 0.25},
            {"from": "early", "kind": "expression", "expression": "(yhat - y)**4 + yhat[0] * y[1]"},
        ]
    },
    "bottleneck": document(
        [
            layer("wide", "x", weight="normal(0, 1)", activation="tanh"),
            layer("code", "wide", size=2, weight="normal(0, 1)", bias="0"),
            layer("top", "code", weight="normal(0, 1)", activation="tanh"),
        ],
        HEAD,
        [3],
        outputs=3,
    ),
    "product of layers": document(
        [
            layer("a", "x", weight="normal(0, 1)", activation="tanh"),
            layer("b", "x", width=2.0, weight="normal(0, 1)", activation="tanh"),
            {
                "name": "top",
                "activation": "h * g",
                "connections": [
                    connection("a", weight="normal(0, 1)"),
                    connection("b", into="g", weight="normal(0, 1)"),
                ],
            },
        ],
        HEAD,
        [3],
    ),
    "norms": document(
        [
            convolution(
                "top",
                "x",
                [2],
                parameters={"gain": "normal(1, 0.3)", "shift": "normal(0, 0.3)"},
                activation="tanh(gain * (h - mean(h)) / sqrt(mean((h - mean(h))**2) + 0.1) + shift)"
                " + h / sqrt(mean(h**2, positions) + 0.1) + softmax(h, positions) * max(h, positions)",
            )
        ],
        HEAD,
        [2, 4],
    ),
}

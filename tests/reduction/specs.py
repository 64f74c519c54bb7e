"""Small specs for the tests of reduction."""

from typing import Any

Document = dict[str, Any]


def layer(name: str, source: str, weight: Any, **keys: Any) -> Document:
    """One layer with one dense connection; tanh unless said."""
    return {"name": name, "from": source, "weight": weight, "activation": "tanh", **keys}


def document(layers: list[Document], output: Document, **tables: Any) -> Document:
    """A spec with data of three inputs and one target."""
    data = {"kind": "teacher", "dimension": 3, "target": "tanh(x1 + x2)"}
    return {
        "format": 1,
        "title": "small",
        "data": data,
        "loss": {"kind": "squared"},
        "layers": layers,
        "output": output,
        "training": {"learning_rate": 0.05, "steps": 50, "batch_size": 20},
        **tables,
    }


def chain(depth: int, hidden: str = "normal(1, 0.1)", **keys: Any) -> Document:
    """A chain of ``depth`` tanh layers with biases from 0; ``keys`` go to the output."""
    layers = [layer("h1", "x", "normal(0, 1)", bias="0")]
    layers += [layer(f"h{k}", f"h{k - 1}", hidden, bias="0") for k in range(2, depth + 1)]
    return document(layers, {"from": f"h{depth}", "weight": "normal(1, 0.5)", **keys})


def several_outputs(weight: Any, hidden: Any = "normal(1, 0.1)", **keys: Any) -> Document:
    """Two layers and three outputs with different targets."""
    layers = [layer("h1", "x", "normal(0, 1)"), layer("h2", "h1", hidden)]
    data = {"kind": "teacher", "dimension": 3, "target": ["x1", "tanh(x2)", "x3 * x1"]}
    return document(layers, {"from": "h2", "weight": weight, **keys}, data=data)

"""Small documents to build test cases from, and random ones."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]
SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.toml"))


def small() -> Document:
    """A correct document with two hidden layers, both in short form."""
    return {
        "format": 1,
        "title": "small",
        "data": {"kind": "isotropic-gaussians", "dimension": 3, "separation": 0.4},
        "loss": {"kind": "squared"},
        "layers": [
            {"name": "h1", "from": "x", "weight": "normal(0, 1)", "bias": "0", "activation": "tanh"},
            {"name": "h2", "from": "h1", "weight": "normal(1, 0.1)", "activation": "relu"},
        ],
        "output": {"from": "h2", "weight": "normal(1, 0.1)"},
        "training": {"learning_rate": 0.01, "steps": 10},
    }


def changed(path: str, value: Any) -> Document:
    """``small()`` with the entry at a path like ``layers.1.weight`` set (value ``...``: removed)."""
    document = small()
    place: Any = document
    *parents, last = path.split(".")
    for part in parents:
        place = place[int(part)] if part.isdigit() else place[part]
    if value is ...:
        del place[last]
    elif isinstance(place, list) and int(last) == len(place):
        place.append(copy.deepcopy(value))
    elif isinstance(place, list):
        place[int(last)] = copy.deepcopy(value)
    else:
        place[last] = copy.deepcopy(value)
    return document


def long_form(*connections: Document, **keys: Any) -> Document:
    """The second layer in long form."""
    return {"name": "h2", "connections": list(connections), **keys}


_LAWS = st.sampled_from(
    ["0", "normal(0, 1)", "uniform(-1, 0.5)", "rademacher(0.3)", "normal(1/3, sqrt(2/d))"]
)
_RATES = st.sampled_from([0, 0.5, "1/(1 + t)", "exp(-t)"])


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Random correct documents: both forms, several sources, skips, names, parameters, finite layers."""
    document = small()
    document["layers"] = []
    names = ["x"]
    owners: dict[str, str] = {}
    for number in range(draw(st.integers(1, 4))):
        name = f"a{number}"
        layer: Document = {"name": name}
        if owners and draw(st.booleans()):
            layer["neurons"] = draw(st.sampled_from(sorted(owners)))
        elif draw(st.booleans()):
            layer |= draw(st.sampled_from([{"size": 3}, {"width": 2.0}, {"width": 1}]))
        if draw(st.booleans()):
            layer |= {"from": draw(st.sampled_from(names)), "weight": _weight(draw, f"W{number}")}
            if draw(st.booleans()):
                layer["operation"] = "tanh(w * u)"
        else:
            layer["connections"] = _connections(draw, names, owners, layer)
        _activation(draw, layer)
        owners[name] = owners.get(layer.get("neurons", ""), name)
        names.append(name)
        document["layers"].append(layer)
    if draw(st.booleans()):
        document["output"] = {"from": names[-1]}
    else:
        sources = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))
        document["output"] = {"connections": [{"from": s, "weight": draw(_LAWS)} for s in sources]}
        document["output"]["bias"] = {"law": "0", "rate": draw(_RATES)}
    if draw(st.booleans()):
        document["layers"].reverse()
    document |= draw(
        st.sampled_from([{}, {"solver": {"seed": 3}}, {"check": {"widths": [8, 16], "seeds": 2}}])
    )
    return document


def _weight(draw: st.DrawFn, name: str) -> Any:
    law = draw(_LAWS)
    return draw(st.sampled_from([law, {"law": law}, {"law": law, "rate": draw(_RATES), "name": name}]))


def _connections(
    draw: st.DrawFn, names: list[str], owners: dict[str, str], layer: Document
) -> list[Document]:
    own = owners.get(layer.get("neurons", ""))
    found: list[Document] = []
    for source in draw(st.lists(st.sampled_from(names), min_size=1, max_size=4)):
        if source in owners and owners[source] == own and draw(st.booleans()):
            found.append({"from": source, "kind": "skip", "operation": "sin(u) + 0.5 * h"})
        else:
            found.append({"from": source, "weight": draw(_LAWS)})
            if draw(st.booleans()):
                found[-1] |= {"kind": "dense", "operation": "tanh(w * u)"}
    return found


def _activation(draw: st.DrawFn, layer: Document) -> None:
    choice = draw(st.integers(0, 3))
    if choice == 1:
        layer |= {"activation": "tanh", "bias": draw(_LAWS)}
    elif choice == 2:
        layer |= {"activation": "gain * tanh(h + b)"}
        layer["parameters"] = {"gain": "normal(1, 0.1)", "b": {"law": "0", "rate": draw(_RATES)}}
    elif choice == 3 and "size" not in layer and layer.get("neurons") is None:
        layer["activation"] = "h - mean(h)"

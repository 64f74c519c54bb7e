"""Small networks for checks, and ways in which a limit can be slightly wrong."""

from dataclasses import replace

import sympy as sp

from mfderive.format.reader import parse_document
from mfderive.limit.derive import derive
from mfderive.reduction.reduce import reduce
from mfderive.samples.resolve import resolve
from mfderive.verdict.settings import EFFORTS, resolve_settings
from tests.field_names import adjoint, velocity

WIDTHS = (16, 32, 64, 128)


def document(operation="w * u", law="normal(1, 0.3)", activation="tanh", deviation="0.8"):
    """A network of three hidden layers with noise on its weights and random labels at both ends."""
    hidden = {"from": "h1", "operation": operation, "weight": law}
    return {
        "format": 1,
        "title": "small",
        "data": {"kind": "isotropic-gaussians", "dimension": 3, "separation": 0.5},
        "loss": {"kind": "squared"},
        "layers": [
            {
                "name": "h1",
                "from": "x",
                "weight": f"normal(0, {deviation})",
                "bias": "0",
                "activation": "tanh",
            },
            {
                "name": "h2",
                "activation": f"{activation}(h + b)" if "(" not in activation else activation,
                "parameters": {"b": "0.3"},
                "connections": [hidden],
            },
            {"name": "h3", "from": "h2", "weight": "normal(1, 0.3)", "bias": "0.2", "activation": "tanh"},
        ],
        "output": {"from": "h3", "weight": "normal(1, 0.3)", "bias": "0"},
        "training": {"learning_rate": 0.05, "batch_size": 20, "steps": 40},
        "check": {"widths": list(WIDTHS), "seeds": 8, "evaluation": 64, "nodes": 256},
    }


def network(data_seed=0, **changes):
    """The resolved network of :func:`document`."""
    return resolve(parse_document(document(**changes), None), None, data_seed)


def settings(net, effort="normal", **changes):
    """Settings with another number of seeds, ensembles or matched networks than an effort has."""
    own = {
        name: changes.pop(name) for name in ("ensembles", "random_ensembles", "matched") if name in changes
    }
    made = resolve_settings(net, effort, **changes)
    return replace(made, effort=replace(EFFORTS[effort], **own))


def reduced(**changes):
    """The reduced limit of a variant of the network."""
    return reduce(derive(network(**changes))).system


def scaled(system, name, factor):
    """One equation of a system multiplied by a factor."""

    assert any(equation.field == name for equation in system.equations), name

    def changed(equation):
        if equation.field != name:
            return equation
        return equation.map_terms(lambda t: t.with_expression(sp.nsimplify(factor) * t.expression))

    return system.map_equations(changed)


def recurrent_document():
    """A layer with three steps, and a gate: fields that are not named as their layers."""
    wide = "normal(0, 1)"
    own = {"from": "r", "kind": "recurrent", "weight": "normal(0.5, 0.2)"}
    return {
        "format": 1,
        "title": "recurrent",
        "data": {"kind": "teacher", "dimension": 6, "shape": [3, 2], "target": "tanh(x1) + x5"},
        "loss": {"kind": "squared"},
        "layers": [
            {
                "name": "r",
                "steps": 3,
                "activation": "tanh",
                "bias": "normal(0.5, 0.3)",
                "connections": [{"from": "x", "weight": wide}, own],
            },
            {
                "name": "g",
                "activation": "tanh(h) * sigmoid(gate)",
                "connections": [
                    {"from": "r", "weight": "normal(0.5, 0.5)", "average": ["steps"]},
                    {"from": "r", "into": "gate", "weight": "normal(1, 0.2)", "average": ["steps"]},
                ],
            },
        ],
        "output": {"from": "g", "weight": "normal(1, 0.5)"},
        "training": {"learning_rate": 0.05, "batch_size": 20, "steps": 20},
        "check": {"widths": [8, 16, 32, 64], "seeds": 8, "evaluation": 40, "nodes": 128},
    }


# Ten kinds of slightly wrong systems; the last belongs to a network of its own (see KERNEL).
WRONG = {
    "forward equation of h2 off by 5 %": lambda: scaled(reduced(), "h2", 1.05),
    "output equation off by 5 %": lambda: scaled(reduced(), "yhat", 1.05),
    "velocity of first-layer weights off by 5 %": lambda: scaled(reduced(), velocity("h1.weight"), 1.05),
    "adjoint of h2 off by 5 %": lambda: scaled(reduced(), adjoint("h2"), 1.05),
    "velocity of h3's weights twice too large": lambda: scaled(reduced(), velocity("h3.weight"), 2.0),
    "velocity of output weights half": lambda: scaled(reduced(), velocity("output.weight"), 0.5),
    "bias of h3 does not move": lambda: scaled(reduced(), velocity("h3.bias"), 0.0),
    "first-layer law 5 % too wide": lambda: reduced(deviation="0.84"),
    "slope of an activation off by 5 %": lambda: reduced(activation="tanh(1.05 * (h + b))"),
}
KERNEL = "mean in place of the kernel"
KERNEL_NETWORK = {"operation": "tanh(2 * w * u)", "law": "normal(1, 0.5)"}


def mean_only():
    """The limit in which a nonlinear operation sees the mean of a weight only (theory C.5: wrong)."""
    return reduced(operation="tanh(2 * w * u)", law="1")


def check_measured(measured):
    """The verdict on measurements."""
    from mfderive.verdict.verdict import judge

    return judge(measured)

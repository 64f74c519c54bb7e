"""Small networks and systems built by hand, so that these tests need no other room."""

from __future__ import annotations

from typing import Any

import sympy as sp

from mfderive.algebra.laws import End, Law, LawKind, Reference, Variable
from mfderive.algebra.system import ForwardSystem
from mfderive.algebra.terms import Axis, AxisKind
from mfderive.network.network import DataSpec, Loss, Network, Output, Training


def network(kind: str, loss: str = "squared", outputs: int | None = None, **options: Any) -> Network:
    """A network without layers over a kind of data."""
    return Network(
        title="test",
        data=DataSpec(kind, tuple(options.items())),
        loss=Loss(loss),
        layers=(),
        output=Output((), outputs),
        training=Training(0.1, 10),
    )


def law(kind: LawKind, *arguments: Any, **references: Reference) -> Law:
    """A law with numbers or text for arguments; references by the name of their symbol."""
    table = tuple((sp.Symbol(name), reference) for name, reference in references.items())
    known = {symbol.name: symbol for symbol, _ in table}
    return Law(kind, tuple(sp.sympify(a, locals=known) for a in arguments), table, text=f"{kind}{arguments}")


def parameter(name: str, axes: tuple[str, ...], its_law: Law) -> Variable:
    """A trained parameter; an axis called noise makes it a weight with noise."""
    noise = next((axis for axis in axes if axis.startswith("noise")), None)
    return Variable(name, axes, its_law, sp.Integer(1), noise=noise)


def system(*parameters: Variable) -> ForwardSystem:
    """Populations h1 and h2 (twice as wide), 3 inputs, 2 outputs, a noise axis; no equations."""
    axes = (
        Axis("data", AxisKind.DATA),
        Axis("inputs", AxisKind.FINITE, 3),
        Axis("outputs", AxisKind.FINITE, 2),
        Axis("h1", AxisKind.POPULATION),
        Axis("h2", AxisKind.POPULATION, width=2.0),
        Axis("noise h2.weight", AxisKind.NOISE),
    )
    return ForwardSystem("test", axes, (), parameters, ())


def correlated() -> ForwardSystem:
    """h2.weight ~ normal(2 * source.w[1] + target.gain, 0.1), listed before what it refers to."""
    return system(
        parameter(
            "h2.weight",
            ("h2", "h1", "noise h2.weight"),
            law(
                LawKind.NORMAL,
                "2*a + b",
                0.1,
                a=Reference(End.SOURCE, "h1.weight", (1,)),
                b=Reference(End.TARGET, "h2.gain"),
            ),
        ),
        parameter("h1.weight", ("h1", "inputs"), law(LawKind.NORMAL, 0, 1)),
        parameter("h2.gain", ("h2",), law(LawKind.UNIFORM, -1, 3)),
        parameter("output.weight", ("outputs", "h2"), law(LawKind.RADEMACHER, 2)),
        parameter("output.bias", ("outputs",), law(LawKind.CONSTANT, "1/3")),
    )

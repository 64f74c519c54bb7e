"""Forward systems written by hand, so that the witness is tested without the rooms that build them."""

from __future__ import annotations

import numpy as np
import sympy as sp

from mfderive.algebra.functions import call
from mfderive.algebra.laws import Law, LawKind, Variable
from mfderive.algebra.system import ForwardSystem
from mfderive.algebra.terms import Access, Affine, Axis, AxisKind, Equation, Field, Index, Role, Term

CONSTANT = Law(LawKind.CONSTANT, (sp.Integer(0),))
NORMAL = Law(LawKind.NORMAL, (sp.Integer(0), sp.Integer(1)))
Z = Index("z", "data")


class Builder:
    """Collects axes, fields and equations of a ForwardSystem in the order in which they are written."""

    def __init__(self, finite: dict[str, int], populations: tuple[str, ...], noise: tuple[str, ...] = ()):
        self.axes = [Axis("data", AxisKind.DATA)]
        self.axes += [Axis(name, AxisKind.POPULATION) for name in populations]
        self.axes += [Axis(name, AxisKind.FINITE, size) for name, size in finite.items()]
        self.axes += [Axis(name, AxisKind.NOISE) for name in noise]
        self.fields: list[Field] = []
        self.parameters: list[Variable] = []
        self.equations: list[Equation] = []

    def inputs(self, x: tuple[str, ...], y: tuple[str, ...] = ("outputs",)) -> None:
        self.fields += [Field("x", ("data", *x), Role.INPUT), Field("y", ("data", *y), Role.INPUT)]

    def leaf(self, name: str, *axes: str, rate: object = 1, law: Law = NORMAL) -> None:
        self.fields.append(Field(name, axes, Role.PARAMETER))
        self.parameters.append(Variable(name, axes, law, sp.sympify(rate)))

    def equation(
        self, name: str, target: tuple[Index, ...], *terms: Term, role: Role = Role.FORWARD, selector: int = 0
    ) -> None:
        self.fields.append(Field(name, tuple(index.axis for index in target), role))
        self.equations.append(Equation(name, target, terms, selector))

    def system(self) -> ForwardSystem:
        return ForwardSystem(
            "by hand", tuple(self.axes), tuple(self.fields), tuple(self.parameters), tuple(self.equations)
        )


def term(target, reduced, expression, **accesses) -> Term:
    """A term; accesses by the name of their symbol: ``w=("W2", c2, c1)``."""
    table = tuple(
        (sp.Symbol(name), Access(field, tuple(slots))) for name, (field, *slots) in accesses.items()
    )
    return Term(tuple(target), tuple(reduced), sp.sympify(expression), table)


W, U, H, B, R, M, V, G = sp.symbols("w u h b r m v g")


def squared_loss(builder: Builder) -> None:
    k = Index("k", "outputs")
    yy, q = sp.symbols("yy q")
    builder.equation("loss", (Z,), term((Z,), (k,), (q - yy) ** 2, q=("yhat", Z, k), yy=("y", Z, k)))


def three_layer(inputs: int = 3, activation: str = "tanh") -> ForwardSystem:
    """yhat = mean b act(h2), h2 = mean over c1 and noise of w2 act(h1 + b1), h1 = sum w1 x."""
    builder = Builder({"inputs": inputs, "outputs": 1}, ("h1", "h2"), ("noise h2.weight",))
    c1, c2, i, k = Index("c1", "h1"), Index("c2", "h2"), Index("i", "inputs"), Index("k", "outputs")
    noise = Index("n", "noise h2.weight")
    builder.inputs(("inputs",))
    builder.leaf("h1.weight", "h1", "inputs", rate="1/(1 + t)")
    builder.leaf("h1.bias", "h1")
    builder.leaf("h2.weight", "h2", "h1", "noise h2.weight", rate=2)
    builder.leaf("h2.bias", "h2", rate=0)
    builder.leaf("output.weight", "outputs", "h2")
    builder.leaf("output.bias", "outputs")
    builder.equation("h1", (Z, c1), term((Z, c1), (i,), W * U, w=("h1.weight", c1, i), u=("x", Z, i)))
    outer = call(activation, H + B)
    builder.equation("h1.out", (Z, c1), term((Z, c1), (), outer, h=("h1", Z, c1), b=("h1.bias", c1)))
    builder.equation(
        "h2",
        (Z, c2),
        term((Z, c2), (c1, noise), W * U, w=("h2.weight", c2, c1, noise), u=("h1.out", Z, c1)),
    )
    builder.equation("h2.out", (Z, c2), term((Z, c2), (), outer, h=("h2", Z, c2), b=("h2.bias", c2)))
    builder.equation(
        "yhat",
        (Z, k),
        term((Z, k), (c2,), W * U, w=("output.weight", k, c2), u=("h2.out", Z, c2)),
        term((Z, k), (), B, b=("output.bias", k)),
    )
    squared_loss(builder)
    return builder.system()


def pooled_convolution() -> ForwardSystem:
    """9 positions, stride-2 padded kernel 3, hidden kernel 3, max over windows of 2, dense head."""
    builder = Builder(
        {"positions": 9, "h1.positions": 5, "h3.positions": 2, "h1.taps": 3, "window": 2, "outputs": 1},
        ("h1", "h2"),
    )
    c1, c2, p, q = (
        Index("c1", "h1"),
        Index("c2", "h2"),
        Index("p", "h1.positions"),
        Index("q", "h3.positions"),
    )
    a, s, k = Index("a", "h1.taps"), Index("s", "window"), Index("k", "outputs")
    builder.inputs(("positions",))
    builder.leaf("h1.weight", "h1", "h1.taps")
    builder.leaf("h2.weight", "h2", "h1", "h1.taps")
    builder.leaf("output.weight", "outputs", "h2", "h3.positions")
    into_x, into_h = Affine(((2, p), (1, a)), -1), Affine(((1, p), (1, a)), -1)
    window = Affine(((2, q), (1, s)), 0)
    builder.equation(
        "h1", (Z, c1, p), term((Z, c1, p), (a,), W * U, w=("h1.weight", c1, a), u=("x", Z, into_x))
    )
    builder.equation("h1.out", (Z, c1, p), term((Z, c1, p), (), call("tanh", H), h=("h1", Z, c1, p)))
    builder.equation(
        "h2",
        (Z, c2, p),
        term((Z, c2, p), (c1, a), W * U, w=("h2.weight", c2, c1, a), u=("h1.out", Z, c1, into_h)),
    )
    builder.equation(
        "h3.first",
        (Z, c2, q, s),
        term((Z, c2, q, s), (), H, h=("h2", Z, c2, window)),
        role=Role.FROZEN,
        selector=1,
    )
    builder.equation(
        "h3",
        (Z, c2, q),
        term((Z, c2, q), (s,), B * H, b=("h3.first", Z, c2, q, s), h=("h2", Z, c2, window)),
    )
    builder.equation(
        "yhat",
        (Z, k),
        term((Z, k), (c2, q), B * call("tanh", H), b=("output.weight", k, c2, q), h=("h3", Z, c2, q)),
    )
    squared_loss(builder)
    return builder.system()


def residual() -> ForwardSystem:
    """A stream of one population: gate, sigma* nonlinear in w inside it, used twice, and a transposed tie."""
    builder = Builder({"inputs": 3, "outputs": 1}, ("P", "Q"))
    c, c_, e, i, k = (
        Index("c", "P"),
        Index("c_", "P"),
        Index("e", "Q"),
        Index("i", "inputs"),
        Index("k", "outputs"),
    )
    builder.inputs(("inputs",))
    builder.leaf("W1", "P", "inputs")
    builder.leaf("V", "P", "P")
    builder.leaf("T", "Q", "P")
    builder.leaf("gate", "P")
    builder.leaf("B", "outputs", "P")
    builder.equation("H0", (Z, c), term((Z, c), (i,), W * U, w=("W1", c, i), u=("x", Z, i)))
    for step in (1, 2):
        previous = f"H{step - 1}"
        builder.equation(
            f"H{step}",
            (Z, c),
            term((Z, c), (), H + B * call("sin", H), h=(previous, Z, c), b=("gate", c)),
            term((Z, c), (c_,), call("tanh", W * call("tanh", H)), w=("V", c, c_), h=(previous, Z, c_)),
        )
    builder.equation("Z", (Z, e), term((Z, e), (c,), W * call("tanh", H), w=("T", e, c), h=("H2", Z, c)))
    builder.equation(
        "H3",
        (Z, c),
        term((Z, c), (), H, h=("H2", Z, c)),
        term((Z, c), (e,), W * call("tanh", H), w=("T", e, c), h=("Z", Z, e)),
    )
    builder.equation("yhat", (Z, k), term((Z, k), (c,), B * call("tanh", H), b=("B", k, c), h=("H3", Z, c)))
    squared_loss(builder)
    return builder.system()


def random_state(system: ForwardSystem, widths: dict[str, int], seed: int = 0) -> dict[str, object]:
    """Normal values for every parameter of a system whose noise has been drawn, and weights 1/n."""
    rng = np.random.default_rng(seed)
    sizes = {axis.name: axis.size for axis in system.axes if axis.size is not None} | widths
    state: dict[str, object] = {
        parameter.name: rng.standard_normal([sizes[a] for a in parameter.axes if a in sizes])
        for parameter in system.parameters
    }
    state["p"] = {name: np.full(width, 1 / width) for name, width in widths.items()}
    return state

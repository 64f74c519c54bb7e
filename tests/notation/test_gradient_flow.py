"""Two-layer networks as gradient flows: what is printed holds in numbers, and is printed where it holds."""

import dataclasses

import numpy as np
import pytest
import sympy as sp

from mfderive.algebra.system import draw_noise
from mfderive.notation import measure_form, text
from mfderive.notation.measure_nodes import LOSS_VALUE, Divergence, Laplacian, Slope, Square
from mfderive.notation.nodes import head_name
from mfderive.tensor.interpreter import interpret

from . import systems
from .measure_values import MeasureValues
from .test_measure import drawn

LAYER = {"name": "h1", "from": "x", "weight": systems.LAW, "activation": "tanh"}
OUTPUT = {"from": "h1", "weight": systems.weight("2")}
STEP = 1e-4


class FlowValues(MeasureValues):
    """Numbers out of the trees of a gradient flow: its own quantities by their equations, slopes by -G."""

    def __init__(self, form, values, weights, sizes):
        super().__init__(form, values, weights, sizes)
        for tree in reversed(form.flow.trees):  # of two equations of one quantity the first defines it
            if not isinstance(tree.lhs, sp.Add):
                self.defined[head_name(tree.lhs) if tree.lhs.is_Function else str(tree.lhs)] = tree

    def application(self, node, place):
        if getattr(node, "is_Function", False) and head_name(node) == LOSS_VALUE:
            z = place[sp.Symbol("z")]
            return float(((self.values["yhat"] - self.values["y"]) ** 2).reshape(-1)[z])
        return super().application(node, place)

    def symbol(self, node, place):
        if node.name == "y":
            return float(self.values["y"].reshape(-1)[place[sp.Symbol("z")]])
        return super().symbol(node, place)

    def evaluate(self, node, place):
        if isinstance(node, Square):
            return float(np.sum(np.square(self.evaluate(node.args[0], place))))
        if isinstance(node, Slope):
            _, variable = self.variable(node.args[0])
            gradient = self.arrays[self.alphabet.gradient(variable.parameters[0])]
            return -self.read(*gradient, [], [], dict([place[node.args[0]]]))
        return super().evaluate(node, place)


def particles(system, seed=1):
    """A state of three neurons, two of whom come again moved a little and without weight, and a batch."""
    state, x, y = drawn(system, seed)
    moved = {
        name: np.take(array, [0, 1, 2, 0, 0], axis=system.field[name].axes.index("h1"))
        for name, array in state.items()
        if name != "p"
    }
    moved["p"] = {name: np.array([0.5, 0.2, 0.3, 0.0, 0.0]) for name in state["p"]}
    return moved, x, y


def values_of(system, state, x, y):
    values, _ = interpret(system, state, x, y)
    form = measure_form(system)
    sizes = {axis.name: axis.size for axis in draw_noise(system).axes}
    return form, FlowValues(form, {**values, "x": x, "y": y}, state["p"], sizes)


def test_potential_and_its_slopes():
    """Psi by the loss's derivative = V + int U rho, and differences of Psi = -G without the rate.

    Rounding: 1e-12. Central differences of step 1e-4: error of order 1e-8 of the third derivative, 1e-6.
    """
    system = systems.derived([LAYER], OUTPUT)
    base, x, y = particles(system)
    for parameter in ("h1.weight", "output.weight"):
        state = {name: array if name == "p" else array.copy() for name, array in base.items()}
        axis = system.field[parameter].axes.index("h1")
        np.moveaxis(state[parameter], axis, 0)[3].flat[0] += STEP
        np.moveaxis(state[parameter], axis, 0)[4].flat[0] -= STEP
        form, reader = values_of(system, state, x, y)
        first, _, _, second, *_ = form.flow.trees
        assert second.lhs == first.lhs
        found = []
        for node in range(5):
            at = dict.fromkeys(first.lhs.args[:-1], ("h1", node))
            found.append(reader.evaluate(first.rhs, at))
            assert reader.evaluate(second.rhs, at) == pytest.approx(found[-1], abs=1e-12)
        slope = (found[3] - found[4]) / (2 * STEP)
        gradient = np.moveaxis(reader.values[system.velocity_of[parameter]], axis, 0)[0].flat[0]
        assert slope == pytest.approx(-gradient, abs=1e-6) and abs(slope) > 1e-2


def test_the_energy_falls_as_printed():
    """d/dt R by the printed formula = the difference of R along the flow, with the rates 1 and 2.

    Central difference of step 1e-4: 1e-6 of the value.
    """
    system = systems.derived([LAYER], OUTPUT)
    state, x, y = particles(system)
    form, reader = values_of(system, state, x, y)
    rate = sp.Symbol(form.alphabet.rate("output.weight"))
    energy, fall = form.flow.trees[-2:]
    velocity = {p.name: float(p.rate) * reader.values[system.velocity_of[p.name]] for p in system.parameters}
    around = []
    for sign in (1, -1):
        moved = {name: a if name == "p" else a + sign * STEP * velocity[name] for name, a in state.items()}
        around.append(values_of(system, moved, x, y)[1].evaluate(energy.rhs, {}))
    printed = reader.evaluate(fall.rhs.xreplace({rate: sp.Integer(2)}), {})
    assert printed == pytest.approx((around[0] - around[1]) / (2 * STEP), rel=1e-6) and printed < -1e-2


def with_learning(system, **changes):
    return dataclasses.replace(system, learning=dataclasses.replace(system.learning, **changes))


def sections(document):
    return {block.split("\n")[0]: block for block in text(document, "measure").split("\n\n")}


def spec(training, **tables):
    import mfderive as mf

    return mf.derive(
        mf.load(
            {
                "format": 1,
                "data": {"kind": "isotropic-gaussians", "dimension": 3, "separation": 0.4},
                "loss": {"kind": "squared"},
                "layers": [LAYER],
                "output": OUTPUT,
                "training": {"learning_rate": 0.01, "batch_size": 4, "steps": 1, **training},
                **tables,
            }
        )
    )


def test_the_fokker_planck_equation():
    """With noise the Laplacians stand beside the transport: T times the rate; decay stands in Psi and F."""
    limit = spec({"noise": 0.1, "weight_decay": 0.5})
    flow = measure_form(limit).flow
    law = next(tree for tree in flow.trees if tree.atoms(Laplacian))
    laplacians = sorted(map(str, (term.as_coeff_Mul()[0] for term in law.rhs.args if term.atoms(Laplacian))))
    assert laplacians == ["1/10", "1/10"] and len(law.rhs.atoms(Divergence)) == 2
    shown = sections(limit)["Gradient flow"]
    for words in ("0.1 log(ρ₁)", "0.25 |w|²", "d/dt F(ρ₁) = ", "∂ₜ ρ₁ = ", "one temperature"):
        assert words in shown, words
    assert "Gradient flow" not in sections(spec({"optimizer": {"kind": "momentum", "mu": 0.9}}))
    uneven = sections(spec({"noise": {"h1.weight": 0.1}}))["Gradient flow"]
    assert "no one temperature" in uneven and "d/dt F" not in uneven


def test_where_there_is_none():
    """Deeper networks, outputs that are not linear in the law and statistics have no such section."""
    deep = [LAYER, {"name": "h2", "from": "h1", "weight": systems.LAW, "activation": "tanh"}]
    assert measure_form(systems.derived(deep, {"from": "h2", "weight": systems.LAW})).flow is None
    centred = [{**LAYER, "activation": "tanh(h - mean(h))"}]
    assert measure_form(systems.derived(centred, OUTPUT)).flow is None
    assert measure_form(systems.derived([LAYER], OUTPUT, outputs=2)).flow is None
    classes = measure_form(systems.derived([LAYER], OUTPUT, loss="logistic")).flow
    assert classes is not None and not any("U(" in str(tree) for tree in classes.trees)

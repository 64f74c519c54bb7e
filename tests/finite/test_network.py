"""The interpretation of single terms: affine slots, unused indices, selectors, scattered targets."""

import itertools

import numpy as np
import pytest
import sympy as sp

from mfderive.algebra.terms import Affine, Index, Role
from mfderive.finite import patches
from mfderive.finite.finite_network import FiniteNetwork
from mfderive.finite.namespace import NUMPY, jax_namespace, precision
from mfderive.finite.patches import gather

from .systems import B, Builder, H, U, W, Z, term

P, Q, T = Index("p", "P"), Index("q", "Q"), Index("t", "T")
SIZES = {"P": 4, "Q": 3, "T": 2}
SLOTS = [
    Affine(((2, P), (1, T)), -1),
    Affine(((1, T), (3, Q), (1, P)), -2),
    Affine(((-1, P),), 3),
    Affine(((-2, P), (1, Q)), 5),
    Affine(((1, P), (1, P)), -3),
    Affine(((0, P), (1, T)), 1),
    Affine(((5, P),), 0),
    Affine((), 2),
    Affine((), 9),
    Affine((), -1),
]


@pytest.mark.parametrize("slots", [0, 64])
@pytest.mark.parametrize("slot", SLOTS, ids=str)
def test_affine_slots_read_zero_out_of_range(slot: Affine, slots: int, monkeypatch) -> None:
    """Against a loop over every index, through slices and through index arrays."""
    monkeypatch.setattr(patches, "MOST_SLICES", slots)
    array = np.random.default_rng(0).standard_normal((2, 7))
    found, labels = gather(NUMPY, array, (), (Q, slot), {**SIZES, "Q": 2})
    inner = tuple(dict.fromkeys(index for _, index in slot.parts))
    sizes = {**SIZES, "Q": 2}
    assert labels == tuple(dict.fromkeys((Q, *inner)))
    for values in itertools.product(*(range(sizes[index.axis]) for index in labels)):
        at = dict(zip(labels, values, strict=True))
        place = sum(c * at[index] for c, index in slot.parts) + slot.constant
        expected = array[at[Q], place] if 0 <= place < 7 else 0.0
        assert found[values] == expected


def run(builder: Builder, namespace=NUMPY, **values: np.ndarray):
    finite = FiniteNetwork(builder.system())
    shapes = {parameter.name: values[parameter.name].shape for parameter in finite.system.parameters}
    sizes = finite.sizes(shapes, len(values["x"]))
    return finite.evaluate(values, sizes, namespace)


def test_an_unused_sum_counts_and_an_unused_mean_does_not() -> None:
    builder = Builder({"inputs": 3, "P": 4}, ("h",))
    i, c = Index("i", "inputs"), Index("c", "h")
    builder.inputs(("inputs",), ())
    builder.leaf("w", "h")
    builder.equation("f", (Z, P), term((Z, P), (i, c, Q), U, u=("x", Z, i)), term((Z, P), (), sp.Integer(2)))
    builder.axes.append(builder.axes[-1].__class__("Q", builder.axes[-1].kind, 5))
    x = np.arange(6.0).reshape(2, 3)
    found = run(builder, x=x, w=np.ones(7))["f"]
    np.testing.assert_allclose(found, np.repeat(5 * x.sum(1, keepdims=True) + 2, 4, axis=1), rtol=1e-15)


def test_a_selector_marks_the_first_maximum_in_row_major_order() -> None:
    builder = Builder({"P": 2, "Q": 3}, ())
    builder.inputs(("P", "Q"), ())
    whole = term((Z, P, Q), (), U, u=("x", Z, P, Q))
    builder.equation("last", (Z, P, Q), whole, role=Role.FROZEN, selector=1)
    builder.equation("both", (Z, P, Q), whole, role=Role.FROZEN, selector=2)
    x = np.array([[[1.0, 3.0, 3.0], [3.0, 0.0, 3.0]], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]])
    found = run(builder, x=x)
    np.testing.assert_array_equal(found["last"], [[[0, 1, 0], [1, 0, 0]], [[1, 0, 0], [1, 0, 0]]])
    np.testing.assert_array_equal(found["both"], [[[0, 1, 0], [0, 0, 0]], [[1, 0, 0], [0, 0, 0]]])


def test_an_affine_target_scatters_and_drops_what_falls_outside() -> None:
    builder = Builder({"P": 4, "T": 2, "O": 6}, ())
    builder.inputs(("P", "T"), ())
    o = Index("o", "O")
    place = Affine(((2, P), (1, T)), -1)
    scattered = term((Z, place), (), U, u=("x", Z, P, T))
    builder.equation("f", (Z, o), scattered, term((Z, o), (), sp.Integer(1)))
    x = np.random.default_rng(1).standard_normal((3, 4, 2))
    expected = np.ones((3, 6))
    for p, t in itertools.product(range(4), range(2)):
        if 0 <= 2 * p + t - 1 < 6:
            expected[:, 2 * p + t - 1] += x[:, p, t]
    np.testing.assert_allclose(run(builder, x=x)["f"], expected, rtol=1e-15)


def test_frozen_fields_carry_no_derivative_in_both_arithmetics() -> None:
    """f = frozen(w x) * w x: the derivative in w is frozen * x alone, x**2 at w = 1, and not 2 x**2."""
    import jax

    builder = Builder({}, ())
    builder.inputs((), ())
    builder.leaf("w")
    product = term((Z,), (), W * U, w=("w",), u=("x", Z))
    builder.equation("h", (Z,), product)
    builder.equation("k", (Z,), term((Z,), (), H, h=("h", Z)), role=Role.FROZEN)
    builder.equation("f", (Z,), term((Z,), (), B * H, b=("k", Z), h=("h", Z)))
    finite = FiniteNetwork(builder.system())
    x = np.array([3.0, -2.0])
    sizes = finite.sizes({"w": ()}, 2)
    stepped = finite.evaluate({"w": np.array([1 + 1e-40j]), "x": x}, sizes, NUMPY, replicated=["w"])
    np.testing.assert_allclose(stepped["f"].imag / 1e-40, [x**2], rtol=1e-15)
    with precision(jax, "float64"):
        found = jax.jacobian(lambda w: finite.evaluate({"w": w, "x": x}, sizes, jax_namespace())["f"])(1.0)
    np.testing.assert_allclose(found, x**2, rtol=1e-15)

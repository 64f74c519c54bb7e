"""The name of the regime of a spec, from its laws and rates."""

from typing import Any

import pytest

import mfderive as mf
from mfderive.advice.advise import advise
from mfderive.scaling.regimes import Change, RegimeKind
from tests.reduction.specs import chain, document, layer

FIXED = {"law": "normal(0, 1)", "rate": 0}


def two_layers(first: Any, last: Any) -> mf.Network:
    return mf.load(document([{**layer("h1", "x", first)}], {"from": "h1", "weight": last}))


def without_bias(depth: int, hidden: str) -> mf.Network:
    layers = [layer("h1", "x", "normal(0, 1)")]
    layers += [layer(f"h{k}", f"h{k - 1}", hidden) for k in range(2, depth + 1)]
    return mf.load(document(layers, {"from": f"h{depth}", "weight": "normal(0, 1)"}))


CASES = {
    "mean field": (without_bias(3, "normal(1, 0.1)"), RegimeKind.MEAN_FIELD, ("h2.weight", "h3.weight")),
    "centred": (mf.load(chain(2, "normal(0, 1)")), RegimeKind.CENTRED, ("h2.weight",)),
    "stationary": (without_bias(3, "normal(0, 1)"), RegimeKind.STATIONARY, None),
    "two layers": (two_layers("normal(0, 1)", "normal(0, 1)"), RegimeKind.COMMON, ()),
    "random features": (two_layers(FIXED, "normal(0, 1)"), RegimeKind.LAZY, ("output.weight",)),
    "hidden weights of 0": (mf.load(chain(2, "0")), RegimeKind.CENTRED, ("h2.weight",)),
    "finite": (
        mf.load(
            document([layer("h1", "x", "normal(0, 1)", size=4)], {"from": "h1", "weight": "normal(1, 1)"})
        ),
        RegimeKind.FINITE,
        (),
    ),
    "nothing": (two_layers(FIXED, FIXED), RegimeKind.UNTRAINED, ()),
}


@pytest.mark.parametrize("case", CASES)
def test_the_regime_has_its_name(case: str) -> None:
    network, kind, subjects = CASES[case]
    found = mf.scalings(network)
    assert found.regime.kind is kind
    assert subjects is None or found.regime.why.subjects == subjects
    assert found.data["regime"]["changes"]


def test_a_start_that_rests_is_the_one_of_the_warnings() -> None:
    """What is held is what the limit's own warning names, and the ways out are three."""
    network = CASES["stationary"][0]
    found = mf.scalings(network).regime
    limit = mf.derive(network)
    warned = {f.kind: f.subjects for f in advise(network, limit, mf.reduce(limit))}
    assert set(found.why.subjects) == set(warned["stationary"])
    assert [each.kind for each in found.changes] == [Change.UNCENTRE, Change.WIDEN, Change.FIRST_STEP]


def test_what_is_said_to_change_the_regime_does() -> None:
    """A mean other than 0 ends the rest; a mean of 0 brings it; a trained first layer is no longer lazy."""
    rest = mf.scalings(CASES["stationary"][0]).regime
    assert rest.changes[0].subjects == ("h2.weight", "h3.weight")
    assert mf.scalings(without_bias(3, "normal(0.5, 1)")).regime.kind is RegimeKind.MEAN_FIELD
    lazy = mf.scalings(CASES["random features"][0]).regime
    assert lazy.changes[0].kind is Change.UNFREEZE and lazy.changes[0].subjects == ("h1.weight",)


def test_no_change_leads_to_what_a_convention_refuses() -> None:
    """A tied embedding has no NTK, and a weight inside a function no entries of size sqrt(n)."""
    means = {"kind": "gaussian-mixture", "means": [[1.0, 0.0], [-1.0, 0.5]], "deviations": 0.3}
    tied = document(
        [layer("e", "x", {"name": "E", "law": "normal(0, 1)"})],
        {"from": "e", "weight": {"name": "E", "transpose": True}},
        data={**means, "labels": [0, 1], "y": "x"},
    )
    assert mf.scalings(mf.load(tied)).regime.changes == ()
    inside = mf.scalings(mf.load("specs/five_layer_parameters.toml")).regime
    (wider,) = [each for each in inside.changes if each.kind == Change.WIDEN]
    assert wider.subjects == ("h3.weight", "h4.weight")
    assert wider.facts["sizes"] == ("sqrt(n_h2)", "sqrt(n_h3)")


def test_a_gated_output_of_two_trained_parameters_is_not_lazy() -> None:
    """Fixed features, but a product of two trained parameters: not affine in what moves."""
    spec = document(
        [{**layer("h1", "x", FIXED), "activation": "gain * tanh(h)", "parameters": {"gain": "normal(1, 1)"}}],
        {"from": "h1", "weight": "normal(1, 1)"},
    )
    assert mf.scalings(mf.load(spec)).regime.kind is RegimeKind.COMMON

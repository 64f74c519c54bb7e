"""Attention at random weights: scores are means over neurons and vanish, so that every position reads the
average."""

import numpy as np
import pytest

import mfderive as mf
from tests.signals.documents import document
from tests.signals.test_against_networks import deviations, inputs


def token_wise(name, source, **keys):
    """A layer that reads each position alone; with ``neurons`` in the long form."""
    read = {"from": source, "kind": "convolution", "kernel": [1], "weight": "normal(0, 1)"}
    return {"name": name, "connections": [read], **keys}


def attention(positions, keys="asked", channels=2):
    """Values, queries, keys, one attention, and an output over its average."""
    mixed = {"from": "value", "kind": "dot-attention", "queries": "query", "keys": keys}
    layers = [
        token_wise("value", "x"),
        token_wise("query", "value"),
        token_wise("asked", "value", neurons="query"),
        {"name": "mixed", "neurons": "value", "connections": [mixed]},
        token_wise("after", "mixed", activation="tanh"),
        {"name": "pooled", "from": "after", "kind": "average-pool", "window": "all"},
    ]
    return mf.load(document(layers, "pooled", shape=[channels, positions]))


def test_tokens_collapse() -> None:
    """Tokens of size 1 and overlap p are p + (1 - p)/T of each other after one layer, at all pairs of
    positions: for many tokens the phase q = p of weak attention (Giorlandino and Goldt), to rounding."""
    count, p = 5, 0.3
    root = np.linalg.cholesky(p + (1 - p) * np.eye(count))
    x = np.sqrt(count) * root.T  # [channels, positions]: overlaps are the products over channels
    found = mf.signal(attention(count, channels=count), sigma_w2=1.0).by_depth(x, x)
    np.testing.assert_allclose(found.kernel("value", 1, 1), p + (1 - p) * np.eye(count), atol=1e-13)
    np.testing.assert_allclose(found.kernel("mixed", 1, 1), p + (1 - p) / count, atol=1e-13)
    assert found.gradients and found.tangent > 0


@pytest.mark.study
def test_networks_show_the_kernels() -> None:
    """Fields and gradients of networks of width 200: within five standard errors of 10 networks, and 12/n
    for the bias, which scores of size 1/sqrt(n) add to."""
    net = attention(3)
    names, off, error = deviations(net, inputs(net), (200,), 10)
    kept = [n for n, name in enumerate(names) if "query" not in name and "asked" not in name]
    assert len(kept) > 5
    assert (off[kept] <= 5 * error[kept] + 12 / 200).all(), list(zip(names, off, error, strict=True))


def test_scores_that_stay_are_refused() -> None:
    """Keys that are the queries: scores are kernels, and a maximum of numbers is no random field, but is not
    derived."""
    with pytest.raises(mf.MfError, match="scores that vanish"):
        mf.signal(attention(3, keys="query"), sigma_w2=1.0)

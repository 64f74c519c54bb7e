"""Kinds that no shipped spec has, against networks written by hand in numpy loops and JAX."""

from __future__ import annotations

import numpy as np
import pytest

import mfderive as mf
from mfderive.finite.namespace import precision
from mfderive.finite.network_fields import network_fields
from mfderive.state.draw import initial_state
from mfderive.tensor.interpreter import interpret

from .documents import GRAPHS, HEAD, convolution, document, layer


def fields(document_, seed: int = 3):
    """Forward fields of a network of width 3 with its parameters and inputs."""
    network = mf.load(document_)
    state = initial_state(mf.forward_system(network), 3, seed)
    x, _ = network.source.batch(1, 4)
    return network_fields(network, state, x), state, x


def pooled(u, window, stride, padding, choose):
    """Pooling of [sample, channel, row, column] with plain loops; padding as (before, after) an axis."""
    sizes = [(u.shape[a + 2] + sum(padding[a]) - window[a]) // stride[a] + 1 for a in (0, 1)]
    result = np.empty((*u.shape[:2], *sizes))

    def real(place, axis):
        start = place * stride[axis] - padding[axis][0]
        return [p for p in range(start, start + window[axis]) if 0 <= p < u.shape[axis + 2]]

    for i, j in np.ndindex(*sizes):
        result[:, :, i, j] = choose(u[:, :, real(i, 0)][:, :, :, real(j, 1)], axis=(2, 3))
    return result


@pytest.mark.parametrize(("name", "choose"), [("max-pool", np.max), ("average-pool", np.mean)])
def test_pooling(name: str, choose) -> None:
    """All values negative, so that a padding of 0 would win every maximum: it must not count."""
    given = document(
        [
            convolution("c", "x", [2, 2], activation="h - 100"),
            layer("top", "c", kind=name, window=[2, 3], stride=[1, 2], padding=[[1, 0], [1, 1]]),
        ],
        HEAD,
        [2, 4, 5],
    )
    found, _, _ = fields(given)
    expected = pooled(found["c.out"], (2, 3), (1, 2), ((1, 0), (1, 1)), choose)
    np.testing.assert_allclose(found["top"], expected, rtol=1e-14)
    assert np.all(found["top"] < -50)


def test_first_maximum_takes_the_derivative() -> None:
    """Every channel is constant in space, so all windows tie: the first real position is chosen."""
    given = document(
        [
            convolution("c", "x", [1, 1], weight="0", activation="h - 1"),
            layer("top", "c", kind="max-pool", window=[2, 2], stride=[1, 1], padding=[1, 1]),
        ],
        HEAD,
        [1, 2, 2],
    )
    chosen = fields(given)[0]["top.select1"][0, 0]
    first = {(0, 0): (1, 1), (0, 1): (1, 0), (1, 0): (0, 1), (1, 1): (0, 0), (2, 2): (0, 0), (1, 2): (0, 0)}
    for position, tap in first.items():
        assert chosen[position].sum() == 1
        assert chosen[(*position, *tap)] == 1


def test_global_pooling() -> None:
    found, _, _ = fields(GRAPHS["global pooling"])
    np.testing.assert_allclose(found["m"], found["c.out"].max(axis=(2, 3)), rtol=1e-14)
    np.testing.assert_allclose(found["top"], found["c.out"].mean(axis=(2, 3)), rtol=1e-14, atol=1e-15)


def test_transposed_convolution() -> None:
    """The transpose of the matrix of the convolution that it turns round, built by unit vectors."""
    found, state, _ = fields(GRAPHS["transposed convolution"])
    weight, u = state["W"], found["code.out"]  # [code, c, tap]
    expected = np.zeros(found["top"].shape)
    for place in range(u.shape[2]):
        for tap in range(3):
            position = 2 * place + tap - 1
            if 0 <= position < expected.shape[2]:
                expected[:, :, position] += u[:, :, place] @ weight[:, :, tap] / (3 * u.shape[1])
    np.testing.assert_allclose(found["top"], expected, rtol=1e-13, atol=1e-15)


def test_three_dimensional_convolution() -> None:
    import jax

    found, state, x = fields(GRAPHS["three-dimensional convolution"])
    with precision(jax, "float64"):
        expected = jax.lax.conv_general_dilated(
            x, state["top.weight"], (1, 2, 1), "SAME", dimension_numbers=("NCDHW", "OIDHW", "NCDHW")
        )
    np.testing.assert_allclose(found["top"], expected, rtol=1e-12, atol=1e-13)


def test_statistics_over_steps() -> None:
    found, state, x = fields(GRAPHS["statistics over steps"])
    u, steps = np.zeros((4, 3)), []
    for step in range(3):
        u = np.tanh(x[:, step] @ state["r.weight.x"].T + u @ state["r.weight.r"].T / 3)
        steps.append(u)
    h = np.stack(steps, axis=2)
    share = np.exp(h**2) / np.exp(h**2).sum(axis=2, keepdims=True)
    common = h.max(axis=2) + (h.mean(axis=1, keepdims=True) * h).mean(axis=2) - h.sum(axis=2)
    for step in range(3):
        expected = share[..., step] * h[..., step] + common
        np.testing.assert_allclose(found[f"top.step{step + 1}.out"], expected, rtol=1e-12)


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def test_long_short_term_memory() -> None:
    found, p, x = fields(GRAPHS["long short-term memory"])
    cell, out = np.zeros((4, 3)), np.zeros((4, 3))
    for step in range(2):
        h = x[:, step] @ p["cell.weight.x"].T + out @ p["cell.weight.top"].T / 3
        g = x[:, step] @ p["cell.weight.x.g"].T
        f = x[:, step] @ p["cell.weight.x.f"].T + out @ p["cell.weight.top.f"].T / 3
        cell = sigmoid(f + p["cell.b"]) * cell + sigmoid(h) * np.tanh(g)
        out = np.tanh(cell)
        np.testing.assert_allclose(found[f"top.step{step + 1}.out"], out, rtol=1e-12)


def test_gated_recurrent_unit_with_a_reset_before_the_candidate() -> None:
    """Cho et al. (2014), its update gate with a peephole; arrays in numpy."""
    found, p, x = fields(GRAPHS["gated recurrent unit, reset before"])
    state = np.zeros((4, 3))
    for step in range(3):
        reset = sigmoid(x[:, step] @ p["kept.weight.x"].T + state @ p["kept.weight.top"].T / 3)
        update = x[:, step] @ p["top.weight.x.z"].T + state @ p["top.weight.top"].T / 3
        update = sigmoid(update + p["top.peep"] * state)
        new = x[:, step] @ p["top.weight.x"].T + (reset * state) @ p["top.weight.kept"].T / 3
        state = update * state + (1 - update) * np.tanh(new)
        np.testing.assert_allclose(found[f"top.step{step + 1}.out"], state, rtol=1e-12)


def test_grouped_convolution() -> None:
    """Blocks of channels, statistics over all neurons, gates of one group, sums over all groups, in loops."""
    found, p, x = fields(GRAPHS["grouped convolution"])
    h = np.zeros((4, 3, 2, 4))  # sample, neuron, group, position
    around = np.pad(x, ((0, 0), (0, 0), (1, 1)))
    for group, member, tap in np.ndindex(2, 2, 3):
        read = around[:, 2 * group + member, tap : tap + 4]
        h[:, :, group] += read[:, None] * p["c.weight"][:, member, group, tap, None]
    np.testing.assert_allclose(found["c"], h, rtol=1e-12, atol=1e-13)
    gain, b = p["c.gain"][..., None], p["c.b"][..., None]
    u = np.tanh(gain * (h - h.mean(axis=(1, 2), keepdims=True)) + h.max(axis=3, keepdims=True) * b)
    m = p["m.gate"][..., None] * gain * u
    behind = np.pad(u, ((0, 0), (0, 0), (0, 0), (0, 1)))
    for tap in range(2):
        m += np.einsum("zckp,dck->zdkp", behind[..., tap : tap + 4], p["m.weight.c"][..., tap]) / 6
    m += np.einsum("zcgp,dckg->zdkp", u, p["m.weight.c.2"][..., 0]) / 3
    m += np.einsum("zip,dikp->zdk", x, p["m.weight.x"])[..., None]
    np.testing.assert_allclose(found["m"], m, rtol=1e-12, atol=1e-13)
    top = np.tanh(m + p["m.b"][..., None]).reshape(4, 3, 2, 2, 2).max(axis=4)
    top = np.tanh(top + p["top.bias"][..., None])
    yhat = np.einsum("zckp,jckp->zj", top, p["output.weight.top"]) / 3
    yhat += np.einsum("zckp,jckp->zj", u, p["output.weight.c"]) / (3 * 2 * 4)
    np.testing.assert_allclose(found["yhat"], yhat, rtol=1e-12, atol=1e-13)


def test_groups_of_groups() -> None:
    """Group k of two reads groups 2 k and 2 k + 1 of four; divided by two, as average says."""
    found, p, x = fields(GRAPHS["groups of groups"])
    c = sum(np.einsum("zkrs,dk->zdkrs", x[:, :, tap : tap + 2], p["W"][:, 0, :, tap, 0]) for tap in range(2))
    u = np.tanh(c).reshape(4, 3, 2, 2, 2, 2)  # sample, neuron, group, member, row, column
    weight = p["m.weight"][..., 0, :]
    m = sum(np.einsum("zckmr,dckm->zdkr", u[..., tap], weight[..., tap]) for tap in range(2)) / (3 * 2)
    np.testing.assert_allclose(found["m"][..., 0], m, rtol=1e-12, atol=1e-13)
    out = np.tanh(m + p["m.bias"][..., None])
    top = np.einsum("zckr,dckt->zdkrt", out, p["top.weight"][..., 0]).reshape(4, 3, 2, 4) / 3
    np.testing.assert_allclose(found["top"][..., 0], top, rtol=1e-12, atol=1e-13)


def test_losses_on_inner_layers() -> None:
    """Training descends the sum, in numpy; the loss that is reported is that of the output."""
    given = GRAPHS["losses on inner layers"]
    found, p, x = fields(given)
    network = mf.load(given)
    y = np.linspace(-1, 1, 8).reshape(4, 2)
    late = np.tanh(found["r.step3.out"] @ p["late.weight"].T / 3 + p["late.bias"])
    early = x[:, -1] @ p["early.weight"].T
    total = ((found["yhat"] - y) ** 2).sum(axis=1) + 0.25 * ((late - y) ** 2).sum(axis=1)
    total += ((early - y) ** 4 + early[:, :1] * y[:, 1:]).sum(axis=1)
    values, _ = interpret(mf.derive(network), p, x, y)
    np.testing.assert_allclose(values["loss"], total, rtol=1e-12)
    path = mf.simulate(network, width=3, seeds=1, steps=1, evaluation=20)[0]
    sample = network.source.evaluation(20)
    shown = ((path.predict(sample[0], t=0.0) - sample[1]) ** 2).sum(axis=1).mean()
    np.testing.assert_allclose(path.loss[0], shown, rtol=1e-6)  # networks are evaluated in single precision


def test_two_cross_entropies() -> None:
    """Each has its own largest output and its own sum of exponentials."""
    layers = [
        layer("top", "x", weight="normal(0, 1)", activation="tanh"),
        layer("guess", "top", size=3, weight="normal(0, 3)"),
    ]
    given = document(layers, HEAD, [2]) | {
        "data": {"kind": "arrays", "shape": [2]},
        "loss": {"kind": "cross-entropy"},
        "losses": [{"from": "guess", "kind": "cross-entropy", "weight": 2}],
    }
    x = np.array([[0.1, 0.2], [1.0, -1.0], [2.0, 0.5]])
    network = mf.load(given, data=(x, np.array([0, 1, 2])))
    system = mf.derive(network)
    state = initial_state(system, 3, 1)
    y = np.eye(3)
    values, _ = interpret(system, state, x, y)

    def cross_entropy(yhat):
        return -(y * (yhat - np.log(np.exp(yhat).sum(axis=1, keepdims=True)))).sum(axis=1)

    expected = cross_entropy(values["yhat"]) + 2 * cross_entropy(values["guess"])
    np.testing.assert_allclose(values["loss"], expected, rtol=1e-12)
    exact = mf.finite_velocity(network, state, x, y)
    by_jax = mf.finite_velocity(network, state, x, y, method="jax")
    for name, value in exact.items():
        np.testing.assert_allclose(value, by_jax[name], rtol=1e-10, atol=1e-12, err_msg=name)

"""The shipped specs with convolutions, pooling, recurrence, gates and products, written by hand in JAX.

As in ``shipped_oracles``; nothing here knows mfderive.
"""

import jax
import jax.numpy as jnp

from .oracles import cross_entropy, huber, squared


def convolution(u, weight, stride, padding):
    """[sample, channel, row, column] or [sample, channel, position], summed over channels and taps."""
    layout = ("NCHW", "OIHW", "NCHW") if u.ndim == 4 else ("NCH", "OIH", "NCH")
    return jax.lax.conv_general_dilated(
        u, weight, stride, padding, dimension_numbers=layout, precision="highest"
    )


def max_pool(u, window, stride, padding):
    """Largest value of every window. JAX sends the derivative of a tie to the first one as well."""
    return jax.lax.reduce_window(
        u, -jnp.inf, jax.lax.max, (1, 1, *window), (1, 1, *stride), ((0, 0), (0, 0), *padding)
    )


def average_pool(u, window, stride, padding):
    """Sum of every window over the number of real positions in it."""

    def total(values):
        return jax.lax.reduce_window(
            values, 0.0, jax.lax.add, (1, 1, *window), (1, 1, *stride), ((0, 0), (0, 0), *padding)
        )

    return total(u) / total(jnp.ones_like(u))


def shifted(u, bias):
    """A bias of every channel."""
    return u + bias.reshape(-1, *(1,) * (u.ndim - 2))


def cnn_digits(p, x):
    one = (1, 1)
    u = jax.nn.relu(shifted(convolution(x, p["c1.weight"], one, "SAME"), p["c1.bias"]))
    u = max_pool(u, (2, 2), (2, 2), ((0, 0), (0, 0)))
    u = convolution(u, p["c2.weight"], one, "SAME") / (9 * u.shape[1])
    u = average_pool(jax.nn.relu(shifted(u, p["c2.bias"])), (3, 3), (2, 2), ((0, 1), (0, 1)))
    return jnp.einsum("zcij,kcij->zk", u, p["output.weight"]) / u.shape[1] + p["output.bias"]


def grouped_convolution(u, weight, bias):
    """Groups of channels one after the other; weight [target, source, group, tap], bias [target, group]."""
    targets, _, groups, _ = weight.shape
    kernel = jnp.moveaxis(weight, 2, 0).reshape(groups * targets, *weight.shape[1::2])
    h = jax.lax.conv_general_dilated(
        u,
        kernel,
        (1,),
        "SAME",
        dimension_numbers=("NCH", "OIH", "NCH"),
        feature_group_count=groups,
        precision="highest",
    )
    return h, bias.T.reshape(-1)


def cnn_grouped(p, x):
    n = p["point.bias"].shape[0]
    u = jnp.tanh(shifted(*grouped_convolution(x, p["depth.weight"], p["depth.bias"])))
    h, bias = grouped_convolution(u, p["group.weight"], p["group.bias"])
    u = average_pool(jnp.tanh(shifted(h / (3 * n), bias)), (2,), (2,), ((0, 0),))
    kernel = jnp.moveaxis(p["point.weight"], 2, 1).reshape(n, 4 * n, 1)
    u = jnp.tanh(shifted(convolution(u, kernel, (1,), "VALID") / (4 * n), p["point.bias"]))
    return jnp.einsum("zcp,kcp->zk", u, p["output.weight"]) / (3 * n) + p["output.bias"]


def table1(p, x):
    """Table 1: 32 x 32 -> 16 -> 8 -> 8 -> 8 -> 8, pooled to 4 -> 4 -> 4, pooled to 2."""
    u = jax.nn.relu(shifted(convolution(x, p["c1.weight"], (2, 2), ((0, 1), (0, 1))), p["c1.bias"]))
    for number in range(2, 8):
        step = 2 if number == 2 else 1
        margin = (0, 1) if number == 2 else (1, 1)
        u = convolution(u, p[f"c{number}.weight"], (step, step), (margin, margin)) / (9 * u.shape[1])
        u = jax.nn.relu(shifted(u, p[f"c{number}.bias"]))
        if number in (5, 7):
            u = max_pool(u, (3, 3), (2, 2), ((0, 1), (0, 1)))
    return jnp.einsum("zcij,kcij->zk", u, p["output.weight"]) / (4 * u.shape[1]) + p["output.bias"]


def residual_blocks(p, x):
    s = x @ p["s.weight"].T
    n = s.shape[1]
    for copy in (1, 2, 3):
        inner = jnp.tanh(jnp.tanh(s) @ p[f"inner_{copy}.weight"].T / n + p[f"inner_{copy}.bias"])
        s = s + inner @ p[f"add_{copy}.weight"].T / n
    for copy in (1, 2):
        middle = jnp.tanh(s @ p[f"middle_{copy}.weight"].T / n + p[f"middle_{copy}.bias"])
        s = jnp.tanh(s + middle @ p[f"sum_{copy}.weight"].T / n)
    return s @ p["output.weight"].T / n + p["output.bias"]


def recurrent_elman(p, x):
    n = p["r.bias"].shape[0]
    u, total = jnp.zeros((x.shape[0], n)), 0.0
    for step in range(6):
        u = jnp.tanh(x[:, step] @ p["r.weight.x"].T + u @ p["r.weight.r"].T / n + p["r.bias"])
        total = total + u @ p["output.weight"].T / n
    return total / 6 + p["output.bias"]


def lstm(p, x):
    n = p["r.b_o"].shape[0]
    c = u = jnp.zeros((x.shape[0], n))

    def gate(layer, name, step):
        suffix = f".{name}" if layer == "cell" else ""
        from_x = x[:, step] @ p[f"{layer}.weight.x{suffix}"].T
        return from_x + u @ p[f"{layer}.weight.r{suffix}"].T / n + p[f"{layer}.b_{name}"]

    for step in range(4):
        forget, write = (jax.nn.sigmoid(gate("cell", name, step)) for name in "fi")
        c = forget * c + write * jnp.tanh(gate("cell", "g", step))
        u = jax.nn.sigmoid(gate("r", "o", step)) * jnp.tanh(c)
    return u @ p["output.weight"].T / n + p["output.bias"]


def gru(p, x):
    n = p["s.b_z"].shape[0]
    u = jnp.zeros((x.shape[0], n))
    for step in range(4):
        reset, update = (
            jax.nn.sigmoid(
                x[:, step] @ p[f"s.weight.x.{name}"].T + u @ p[f"s.weight.s.{name}"].T / n + p[f"s.b_{name}"]
            )
            for name in "rz"
        )
        inner = reset * (u @ p["s.weight.s.q"].T / n)
        new = jnp.tanh(x[:, step] @ p["s.weight.x.n"].T + p["s.b_n"] + inner)
        u = update * u + (1 - update) * new
    return u @ p["output.weight"].T / n + p["output.bias"]


def first_layer(p, x):
    return jnp.tanh(x @ p["h1.weight"].T + p["h1.bias"])


def deep_supervision(p, x):
    u = first_layer(p, x)
    u = jnp.tanh(u @ p["h2.weight"].T / u.shape[1] + p["h2.bias"])
    return u @ p["output.weight"].T / u.shape[1] + p["output.bias"]


def deeply_supervised(p, x, y):
    u = first_layer(p, x)
    guess = u @ p["guess.weight"].T / u.shape[1] + p["guess.bias"]
    return squared(deep_supervision(p, x), y) + 0.5 * huber(guess, y, delta=0.5)


# What is descended where it is more than the loss of the output: a function of p, x and y.
DESCENDED = {"deep_supervision": deeply_supervised}


def gated(p, x):
    h1 = (x @ p["h1.weight.x"].T) * jax.nn.sigmoid(x @ p["h1.weight.x.g"].T + p["h1.b"])
    n = h1.shape[1]
    h2 = p["h2.carry"] * h1 + h1 @ p["h2.weight"].T / n
    h2 = jnp.tanh(p["h2.scale"] * h2 / jnp.sqrt((h2**2).mean(axis=1, keepdims=True) + 0.01))
    h3 = jnp.tanh(h2 @ p["h3.weight.h2"].T / n) * jax.nn.sigmoid(h1 @ p["h3.weight.h1"].T / n)
    return h3 @ p["output.weight"].T / n + p["output.bias"]


def bottleneck(p, x):
    u = jnp.tanh(x @ p["h1.weight"].T + p["h1.bias"])
    code = u @ p["code.weight"].T / u.shape[1] + p["code.bias"]
    u = jnp.tanh(code @ p["h2.weight"].T + p["h2.bias"])
    return u @ p["output.weight"].T / u.shape[1] + p["output.bias"]


def bilinear(p, x):
    left = jnp.tanh(x @ p["left.weight"].T + p["left.bias"])
    right = jnp.tanh(x @ p["right.weight"].T + p["right.bias"])
    h = left @ p["b.weight.left"].T / left.shape[1] + x @ p["b.weight.x"].T
    b = h * (right @ p["b.weight.right"].T / right.shape[1]) + jnp.tanh(h)
    return (
        b @ p["output.weight.b"].T / b.shape[1]
        + right @ p["output.weight.right"].T / right.shape[1]
        + p["output.bias"]
    )


def attention_positions(p, x):
    e = convolution(x, p["e.weight"], (1,), "SAME")
    e = e - e.mean(axis=2, keepdims=True)
    e = e / jnp.sqrt((e**2).mean(axis=2, keepdims=True) + 0.1)
    e = jnp.tanh(shifted(e * p["e.gain"][:, None], p["e.shift"]))
    n = e.shape[1]
    values = jnp.einsum("zcp,dc->zdp", e, p["a.weight.e"][..., 0]) / n
    scores = jnp.einsum("zcp,dc->zdp", e, p["a.weight.e.g"][..., 0]) / n
    scores = scores + jnp.einsum("zip,di->zdp", x, p["a.weight.x"][..., 0])
    a = (jax.nn.softmax(scores, axis=2) * values).sum(axis=2)
    f = jnp.tanh(a @ p["f.weight"].T / n + p["f.bias"])
    head = jnp.einsum("zcp,kcp->zk", e, p["output.weight.e"]) / (n * e.shape[2])
    return f @ p["output.weight.f"].T / n + head + p["output.bias"]


def slots(one="", two="", none="output.bias"):
    """Parameter -> number of populations that index it."""
    found = dict.fromkeys(one.split(), 1) | dict.fromkeys(two.split(), 2)
    return found | dict.fromkeys(none.split(), 0)


HIDDEN = range(2, 8)
TABLE1_RATES = {"c1.weight": 9.0, "output.weight": 40.0, "output.bias": 10.0}
TABLE1_RATES |= {f"c{number}.weight": 81.0 if number < 7 else 36.0 for number in HIDDEN}
TABLE1_RATES |= {f"c{number}.bias": 9.0 if number < 7 else 4.0 for number in range(1, 8)}

GRAPHS = {
    "cnn_digits": (
        cnn_digits,
        cross_entropy,
        slots("c1.weight c1.bias c2.bias output.weight", "c2.weight"),
        {},
    ),
    "cnn_grouped": (
        cnn_grouped,
        squared,
        slots("depth.weight depth.bias group.bias point.bias output.weight", "group.weight point.weight"),
        {},
    ),
    "cnn_nguyen_table1": (
        table1,
        cross_entropy,
        slots(
            "c1.weight output.weight " + " ".join(f"c{number}.bias" for number in range(1, 8)),
            " ".join(f"c{number}.weight" for number in HIDDEN),
        ),
        TABLE1_RATES,
    ),
    "residual_blocks": (
        residual_blocks,
        squared,
        slots(
            "s.weight output.weight inner_1.bias inner_2.bias inner_3.bias middle_1.bias middle_2.bias",
            "inner_1.weight inner_2.weight inner_3.weight add_1.weight add_2.weight add_3.weight "
            "middle_1.weight middle_2.weight sum_1.weight sum_2.weight",
        ),
        {},
    ),
    "recurrent_elman": (
        recurrent_elman,
        squared,
        slots("r.bias r.weight.x output.weight", "r.weight.r"),
        {},
    ),
    "lstm": (
        lstm,
        squared,
        slots(
            "cell.b_f cell.b_i cell.b_g r.b_o cell.weight.x.f cell.weight.x.i cell.weight.x.g r.weight.x "
            "output.weight",
            "cell.weight.r.f cell.weight.r.i cell.weight.r.g r.weight.r",
        ),
        {},
    ),
    "gru": (
        gru,
        squared,
        slots(
            "s.b_r s.b_z s.b_n s.weight.x.r s.weight.x.z s.weight.x.n output.weight",
            "s.weight.s.r s.weight.s.z s.weight.s.q",
        ),
        {},
    ),
    "gated": (
        gated,
        squared,
        slots(
            "h1.b h1.weight.x h1.weight.x.g h2.scale h2.carry output.weight",
            "h2.weight h3.weight.h2 h3.weight.h1",
        ),
        {},
    ),
    "deep_supervision": (
        deep_supervision,
        squared,
        slots(
            "h1.weight h1.bias guess.weight h2.bias output.weight",
            "h2.weight",
            none="guess.bias output.bias",
        ),
        {},
    ),
    "bottleneck": (
        bottleneck,
        squared,
        slots("h1.weight h1.bias code.weight h2.weight h2.bias output.weight", none="code.bias output.bias"),
        {},
    ),
    "bilinear": (
        bilinear,
        squared,
        slots(
            "left.weight left.bias right.weight right.bias b.weight.x output.weight.b output.weight.right",
            "b.weight.left b.weight.right",
        ),
        {},
    ),
    "attention_positions": (
        attention_positions,
        squared,
        slots(
            "e.weight e.gain e.shift a.weight.x f.bias output.weight.f output.weight.e",
            "a.weight.e a.weight.e.g f.weight",
        ),
        {},
    ),
}

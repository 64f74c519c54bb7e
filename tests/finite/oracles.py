"""Networks written by hand in JAX, one for each kind of layer; nothing here knows mfderive.

Every oracle takes the parameters p (arrays [target, source, taps]) and x and returns yhat [sample, outputs];
``SCALES`` says by which product of widths its plain gradients are multiplied in the mean-field time.
"""

import jax
import jax.numpy as jnp


def three_layer(p, x):
    h1 = x @ p["h1.weight"].T
    u1 = jnp.tanh(h1 + p["h1.bias"])
    h2 = u1 @ p["h2.weight"].T / u1.shape[1]
    u2 = jnp.tanh(h2 + p["h2.bias"])
    return u2 @ p["output.weight"].T / u2.shape[1] + p["output.bias"]


def five_layer_parameters(p, x):
    """Per-neuron gain and shift; the second edge is tanh(w u), the third w sin(u) gated by both ends."""
    u = p["h1.gain"] * jnp.tanh(x @ p["h1.weight"].T + p["h1.shift"])
    h = jnp.tanh(p["h2.weight"][None] * u[:, None, :]).mean(axis=2)
    u = p["h2.gain"] * jnp.tanh(h)
    h3 = (
        jnp.sin(u) @ p["h3.weight"].T / u.shape[1] * p["h3.gain"]
        + (p["h3.weight"] ** 2 @ p["h2.gain"]) / u.shape[1]
    )
    u = jax.nn.gelu(p["h3.gain"] * h3, approximate=False)
    h4 = u @ p["h4.weight"].T / u.shape[1]
    u = jax.nn.silu(h4) + jnp.exp(-(h4**2)) / (1 + h4**2)
    return u @ p["output.weight"].T / u.shape[1]


def layer_norm(p, x):
    h = x @ p["h1.weight"].T
    centred = h - h.mean(axis=1, keepdims=True)
    scale = jnp.sqrt((centred**2).mean(axis=1, keepdims=True) + 0.001)
    u = jnp.tanh(p["h1.gain"] * centred / scale + p["h1.shift"])
    u = jax.nn.softplus(u @ p["h2.weight"].T / u.shape[1] + p["h2.bias"])
    return u @ p["output.weight"].T / u.shape[1] + p["output.bias"]


def residual(p, x):
    """A stream h0 -> r1 -> r2 over the same neurons: gate, dense edge inside, a second pre-activation."""
    h0 = x @ p["h0.weight"].T
    u0 = jnp.tanh(h0 + p["h0.bias"])
    n = u0.shape[1]
    r1 = p["r1.gate"] * u0 + u0 @ p["U"].T / n
    g1 = u0 @ p["V"].T / n
    u1 = r1 * jax.nn.sigmoid(g1)
    inner = jnp.tanh(u1 @ p["inner.weight"].T / n)
    r2 = u1 + inner @ p["r2.weight"].T / inner.shape[1]
    return jnp.tanh(r2) @ p["output.weight"].T / n


def autoencoder_tied(p, x):
    u1 = jnp.tanh(x @ p["W1"].T)
    u2 = jnp.tanh(u1 @ p["W2"].T / u1.shape[1])
    u3 = jnp.tanh(u2 @ p["W2"] / u2.shape[1] + p["h3.bias"])
    return u3 @ p["W1"] / u3.shape[1]


def convolution(p, x):
    """x [sample, 2, 9]; stride 2 and padding 1 with kernel 3, then "same"; a head by position."""

    def layer(u, weight, stride, padding):
        return jax.lax.conv_general_dilated(
            u, weight, (stride,), [padding], dimension_numbers=("NCH", "OIH", "NCH"), precision="highest"
        )

    u = jax.nn.softplus(layer(x, p["c1.weight"], 2, (1, 1)) + p["c1.bias"][:, None])
    h = layer(u, p["c2.weight"], 1, (1, 1)) / u.shape[1] / 3
    u = jnp.tanh(h + p["c2.bias"][:, None])
    h3 = jnp.einsum("zcp,acp->za", u, p["h3.weight"]) / u.shape[1]
    u3 = jnp.where(h3 > 0, h3, 0.01 * h3)
    return u3 @ p["output.weight"].T / u3.shape[1]


NETWORKS = {
    function.__name__: function
    for function in (three_layer, five_layer_parameters, layer_norm, residual, autoencoder_tied, convolution)
}

SCALES = {
    "three_layer": {
        "h1.weight": ("h1",),
        "h1.bias": ("h1",),
        "h2.weight": ("h2", "h1"),
        "h2.bias": ("h2",),
        "output.weight": ("h2",),
        "output.bias": (),
    },
    "five_layer_parameters": {
        "h1.weight": ("h1",),
        "h1.gain": ("h1",),
        "h1.shift": ("h1",),
        "h2.weight": ("h2", "h1"),
        "h2.gain": ("h2",),
        "h3.weight": ("h3", "h2"),
        "h3.gain": ("h3",),
        "h4.weight": ("h4", "h3"),
        "output.weight": ("h4",),
    },
    "layer_norm": {
        "h1.weight": ("h1",),
        "h1.gain": ("h1",),
        "h1.shift": ("h1",),
        "h2.weight": ("h2", "h1"),
        "h2.bias": ("h2",),
        "output.weight": ("h2",),
        "output.bias": (),
    },
    "residual": {
        "h0.weight": ("h0",),
        "h0.bias": ("h0",),
        "r1.gate": ("h0",),
        "U": ("h0", "h0"),
        "V": ("h0", "h0"),
        "inner.weight": ("inner", "h0"),
        "r2.weight": ("h0", "inner"),
        "output.weight": ("h0",),
    },
    "autoencoder_tied": {"W1": ("h1",), "W2": ("h2", "h1"), "h3.bias": ("h1",)},
    "convolution": {
        "c1.weight": ("c1",),
        "c1.bias": ("c1",),
        "c2.weight": ("c2", "c1"),
        "c2.bias": ("c2",),
        "h3.weight": ("h3", "c2"),
        "output.weight": ("h3",),
    },
}


def squared(yhat, y):
    return ((yhat - y) ** 2).sum(axis=1)


def cross_entropy(yhat, y):
    return -(y * jax.nn.log_softmax(yhat, axis=1)).sum(axis=1)


def logistic(yhat, y):
    return jnp.logaddexp(0.0, -y * yhat).sum(axis=1)


def huber(yhat, y, delta=0.7):
    size = jnp.abs(yhat - y)
    return jnp.where(size <= delta, 0.5 * size**2, delta * (size - 0.5 * delta)).sum(axis=1)


LOSSES = {"squared": squared, "cross-entropy": cross_entropy, "logistic": logistic, "huber": huber}


def compiled_quickly(function):
    """A function compiled as a whole and without optimisations, which take longer than one call can win."""
    return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})

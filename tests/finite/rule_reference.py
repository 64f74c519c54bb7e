"""Steps of learning rules on a network of two hidden layers, written from theory A.5 and B.1-B.9.

Nothing here knows mfderive. Gradients are complex steps: exact to rounding, and not those of any program.
"""

from __future__ import annotations

import numpy as np

STEP = 1e-30


def outputs(p, x):
    """Two dense tanh layers; hidden sums are divided by the width that they run over."""
    u = np.tanh(x @ p["h1.weight"].T + p["h1.bias"])
    u = np.tanh(u @ p["h2.weight"].T / u.shape[1] + p["h2.bias"])
    return u @ p["output.weight"].T / u.shape[1] + p["output.bias"]


def widths(p):
    """The product of the widths of every parameter: its gradient is multiplied by it (A.5)."""
    n1, n2 = len(p["h1.weight"]), len(p["h2.weight"])
    return {
        "h1.weight": n1,
        "h1.bias": n1,
        "h2.weight": n1 * n2,
        "h2.bias": n2,
        "output.weight": n2,
        "output.bias": 1,
    }


def scaled_gradient(p, x, y):
    """g: the product of widths times the gradient of the mean squared loss."""
    found = {}
    for name, width in widths(p).items():
        g = np.zeros(p[name].shape)
        for place in np.ndindex(g.shape):
            moved = p[name].astype(complex)
            moved[place] += 1j * STEP
            g[place] = ((outputs({**p, name: moved}, x) - y) ** 2).sum(1).mean().imag / STEP
        found[name] = width * g
    return found


def rule_step(rule, c, theta, g, memory, alpha, xi, k):
    """What the rule alone makes of one parameter (B.1, B.4, B.9), and its new memories."""
    if rule == "sgd":
        return theta - alpha * xi * g, {}
    if rule == "momentum":
        m = c["mu"] * memory["m"] + g
        return theta - alpha * xi * m, {"m": m}
    if rule == "heavy-ball":
        m = memory["m"] + alpha * (-c["gamma"] * memory["m"] - xi * g)
        return theta + alpha * m, {"m": m}
    m = c["beta1"] * memory["m"] + (1 - c["beta1"]) * g
    v = c["beta2"] * memory["v"] + (1 - c["beta2"]) * g * g
    ahead, size = m / (1 - c["beta1"] ** k), np.sqrt(v / (1 - c["beta2"] ** k))
    return theta - alpha * xi * ahead / (size + c["eps"]), {"m": m, "v": v}


def step(p, memories, x, y, alpha, k, how, draws):
    """All parameters after step k, and their memories: clip (B.7), decay (B.2), rule, decay, noise (B.3).

    ``how``: rule, constants, clip, and by parameter: rate, decay, noise; decoupled.
    """
    g = scaled_gradient(p, x, y)
    if how["clip"] is not None:
        norm = np.sqrt(sum((g[name] ** 2).sum() / width for name, width in widths(p).items()))
        g = {name: each * min(1.0, how["clip"] / norm) for name, each in g.items()}
    after, kept = {}, {}
    for name, theta in p.items():
        xi, decay, noise = how["rate"][name], how["decay"].get(name, 0.0), how["noise"].get(name, 0.0)
        pulled = g[name] + (0.0 if how["decoupled"] else decay * theta)
        moved, kept[name] = rule_step(
            how["rule"], how["constants"], theta, pulled, memories[name], alpha, xi, k
        )
        if how["decoupled"]:
            moved = moved - alpha * xi * decay * theta
        after[name] = moved + np.sqrt(2 * noise * alpha * xi) * draws[name]
    return after, kept

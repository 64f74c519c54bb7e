"""Typed by hand from the paper: Eqs. (16)-(24) and section 3.2 of Nguyen (2019), with the errata.

Corrections (theory.md H): H1 rates stand in the transport terms; H2 the last term of G_l differentiates
along G_{l-1}, not G_{f,l-1}; H3 d_t f_l is G_l for l >= 3 too; H4 G_l is needed up to l = L; H5 the
transport of theta uses G_{theta,l-1}. The paper's script G_l is written with a bar here.

Nothing in this file reads a system.
"""

from __future__ import annotations

import sympy as sp

from mfderive.notation.measure_nodes import (
    DOT,
    Apply,
    Change,
    Frechet,
    Gradient,
    Inner,
    Integral,
    Rate,
)
from mfderive.notation.nodes import Mean, head

x, y, w, f, g, z = sp.symbols("x y w f g z")
β, θ, θ_ = sp.Symbol("β"), sp.Symbol("θ"), sp.Symbol("θ'")


def expectation(yhat, delta):
    """-E_P[d_2 L(y, yhat(x)) Delta]."""
    return -Mean(head("∂_2 L", y, yhat) * delta, z)


def three_layer(ξ0=1, ξ1=1, ξ2=1):
    """Eqs. (16)-(24), with the rates of section 2.4 (H1 corrected): name -> (left, right)."""
    ρ1, ρ2 = sp.symbols("ρ_1 ρ_2")
    yhat = head("ŷ", x, ρ1, ρ2)
    h1 = head("H_1", w, x)
    h2 = head("H_2", f, x, ρ1)
    δβ = head("Δ_β", f, x, ρ1)
    δh2 = head("Δ_{H_2}", β, f, x, ρ1)
    δw2 = head("Δ_{w_2}", β, f, w, x, ρ1)
    δh1 = head("Δ_{H_1}", w, x, ρ1, ρ2)
    δw1 = head("Δ_{w_1}", w, x, ρ1, ρ2)
    gw = head("G_w", w, ρ1, ρ2)
    gf = head("G_f", β, f, w, ρ1, ρ2)
    gβ = head("G_β", f, ρ1, ρ2)
    return {
        "ŷ": (yhat, Integral(β * head("σ", h2), f, β, ρ2)),
        "H_1": (h1, Inner(w, x)),
        "H_2": (h2, Integral(Apply(f, w) * head("σ", h1), w, ρ1)),  # (16)
        "Δ_β": (δβ, head("σ", h2)),  # (17)
        "Δ_{H_2}": (δh2, β * head("σ'", h2)),  # (18)
        "Δ_{w_2}": (δw2, δh2 * head("σ", h1)),  # (19)
        "Δ_{H_1}": (δh1, head("σ'", h1) * Integral(Apply(f, w) * δh2, f, β, ρ2)),  # (20)
        "Δ_{w_1}": (δw1, δh1 * x),  # (21)
        "G_w": (gw, expectation(yhat, δw1)),
        "G_f": (gf, expectation(yhat, δw2)),
        "G_β": (gβ, expectation(yhat, δβ)),
        "d w": (Rate(w), ξ1 * gw),  # (22)
        "d f": (Change(Apply(f, w)) + ξ1 * Inner(Gradient(Apply(f, w), 0), gw), ξ2 * gf),  # (23)
        "d β": (Rate(β), ξ0 * gβ),  # (24)
    }


class Section32:
    """Section 3.2 for L hidden layers; ``rate`` and ``theta_rate`` give xi_l and xi_{theta,l}."""

    def __init__(self, L, rate=lambda layer: 1, theta_rate=lambda layer: 1):
        self.L, self.ξ, self.ξθ = L, rate, theta_rate
        self.ρ = [sp.Symbol(f"ρ_{i}") for i in range(1, L + 1)]
        self.yhat = head("ŷ", x, *self.ρ)

    def own(self, layer, function=f):
        """What a neuron of a layer has beside theta: w in the first layer, a function above."""
        return w if layer == 1 else function

    def pre_activation(self, layer, function):
        return head(f"H_{layer}", function, x, *self.ρ[: layer - 1])

    def laws(self, layer):
        """{rho_i} up to L - 1 for the last layer, all of rho below."""
        return self.ρ[:-1] if layer == self.L else self.ρ

    def delta(self, kind, layer, theta, function):
        return head(f"Δ_{{{kind},{layer}}}", theta, function, x, *self.laws(layer))

    def weight_delta(self, layer, *state):
        return head(f"Δ_{{W,{layer}}}", *state, x, *self.laws(layer))

    def gradient(self, kind, layer, *state):
        return head(f"G_{{{kind},{layer}}}", *state, *self.ρ)

    def bar(self, layer, *state):
        return head(f"Ḡ_{layer}", *state, *self.ρ)

    def forward(self):
        last = self.own(self.L)
        σ = head(f"σ_{self.L}", θ, self.pre_activation(self.L, last))
        table = {
            "ŷ": (self.yhat, Integral(σ, θ, last, self.ρ[-1])),
            "H_1": (self.pre_activation(1, w), Inner(w, x)),
        }
        for layer in range(2, self.L + 1):
            below = self.own(layer - 1, g)
            σ = head(f"σ_{layer - 1}", θ, self.pre_activation(layer - 1, below))
            integral = Integral(Apply(f, θ, below) * σ, θ, below, self.ρ[layer - 2])
            table[f"H_{layer}"] = (self.pre_activation(layer, f), integral)
        return table

    def backward(self):
        table = {}
        for layer in range(1, self.L + 1):
            own = self.own(layer)
            h = self.pre_activation(layer, own)
            if layer == self.L:
                above = 1
            else:
                next_delta = self.delta("H", layer + 1, θ_, g)
                above = Integral(Apply(g, θ, own) * next_delta, θ_, g, self.ρ[layer])
            for kind, derivative in (("θ", "∇_1"), ("H", "∂_2")):
                left = self.delta(kind, layer, θ, own)
                table[f"Δ_{{{kind},{layer}}}"] = (left, above * head(f"{derivative} σ_{layer}", θ, h))
            if layer == 1:
                table["Δ_{W,1}"] = (self.weight_delta(1, θ, w), self.delta("H", 1, θ, w) * x)
            else:
                below = self.own(layer - 1, g)
                σ = head(f"σ_{layer - 1}", θ_, self.pre_activation(layer - 1, below))
                left = self.weight_delta(layer, θ, f, θ_, below)
                table[f"Δ_{{W,{layer}}}"] = (left, self.delta("H", layer, θ, f) * σ)
        return table

    def gradients(self):
        table = {"G_{W,1}": (self.gradient("W", 1, θ, w), expectation(self.yhat, self.weight_delta(1, θ, w)))}
        for layer in range(1, self.L + 1):
            own = self.own(layer)
            delta = self.delta("θ", layer, θ, own)
            table[f"G_{{θ,{layer}}}"] = (self.gradient("θ", layer, θ, own), expectation(self.yhat, delta))
            if layer > 1:
                state = (θ, f, θ_, self.own(layer - 1, g))
                delta = self.weight_delta(layer, *state)
                table[f"G_{{f,{layer}}}"] = (self.gradient("f", layer, *state), expectation(self.yhat, delta))
        return table

    def evolution(self):
        θ1 = sp.Symbol("θ_1")
        table = {"d w": (Rate(w), self.ξ(1) * self.gradient("W", 1, θ1, w))}
        for layer in range(1, self.L + 1):
            θl, fl = sp.Symbol(f"θ_{layer}"), sp.Symbol(f"f_{layer}")
            own = w if layer == 1 else fl
            table[f"d θ_{layer}"] = (Rate(θl), self.ξθ(layer) * self.gradient("θ", layer, θl, own))
            if layer == 1:
                continue
            below = self.own(layer - 1, g)
            value = Apply(f, θ_, below)
            along_theta = self.ξθ(layer - 1) * Inner(
                Gradient(value, 1), self.gradient("θ", layer - 1, θ_, below)
            )  # H5
            if layer == 2:
                transport = self.ξ(1) * Inner(Gradient(value, 2), self.gradient("W", 1, θ_, w))  # H1
            else:
                transport = Frechet(value, 2, self.bar(layer - 1, θ_, g, DOT, DOT))  # H2
            learning = self.ξ(layer) * self.gradient("f", layer, θ, f, θ_, below)
            bar = self.bar(layer, θ, f, θ_, below)
            table[f"Ḡ_{layer}"] = (bar, learning - along_theta - transport)
            change = Change(Apply(fl, θ, below))
            table[f"d f_{layer}"] = (change, self.bar(layer, θl, fl, θ, below))  # H3
        return table

    def table(self):
        return {**self.forward(), **self.backward(), **self.gradients(), **self.evolution()}

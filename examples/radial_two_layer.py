"""The equation of the law of a two-layer network as a partial differential equation in one dimension.

The data are isotropic and so is the law of the first weights w, so that the density rho_t(r) of r = |w| is
all that there is to know (Mei, Montanari and Nguyen 2018). It obeys

    d rho/dt = d/dr [rho (dPsi/dr - T (d - 1)/r)] + T d^2 rho/dr^2,   Psi(r; rho) = E[2 (yhat - y) S(r, |x|)],

with yhat(|x|) = int S(r, |x|) rho(dr) and S(r, s) the mean of sigma(r s u) over the cosine u of a uniform
angle. Here it is solved by finite volumes and held against the limit's own solution (characteristics: nodes
that carry weights) and, with noise, against particles. Run it from the root of the repository:
``python examples/radial_two_layer.py``.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import gammaln, roots_jacobi, roots_legendre

import mfderive as mf

Array = Any

SPEC = {
    "format": 1,
    "title": "Two layers whose law is one density of |w|",
    "data": {"kind": "isotropic-gaussians", "dimension": 6, "separation": 0.5},
    "loss": {"kind": "squared"},
    "layers": [
        {
            "name": "h1",
            "from": "x",
            "weight": "normal(0, sqrt(1/6))",
            "activation": "2 * tanh(h)**2 - 1",
        }
    ],
    "output": {"from": "h1", "weight": {"law": "1", "rate": "0"}},
    "training": {"learning_rate": 0.02, "batch_size": 100, "steps": 100},
}


@dataclass(frozen=True)
class Radial:
    """The network of SPEC in lengths: w ~ N(0, I/d), x ~ N(0, (1 + y D)^2 I), sigma = 2 tanh^2 - 1.

    ``noise``: the temperature T of dw = G dt + sqrt(2 T) dB. Times are t, the sum of the learning rates.
    """

    dimension: int = 6
    separation: float = 0.5
    noise: float = 0.0
    largest: float = 4.0  # beyond this length there is no weight

    @cached_property
    def data(self) -> tuple[Array, Array, Array]:
        """Lengths of x, labels and weights: Gauss nodes of the chi law, for both classes."""
        d = self.dimension
        nodes, weights = roots_legendre(40)
        s = (nodes + 1) / 2 * (np.sqrt(d) + 6)
        weights = weights * np.exp((d - 1) * np.log(s) - s * s / 2 - (d / 2 - 1) * np.log(2) - gammaln(d / 2))
        weights = weights / weights.sum()
        lengths = np.concatenate([(1 + self.separation) * s, (1 - self.separation) * s])
        return lengths, np.repeat([1.0, -1.0], len(s)), np.concatenate([weights, weights]) / 2

    @cached_property
    def cosines(self) -> tuple[Array, Array]:
        """Gauss nodes of the cosine u between w and x, of density proportional to (1 - u^2)^((d - 3)/2)."""
        power = (self.dimension - 3) / 2
        nodes, weights = roots_jacobi(24, power, power)
        return nodes, weights / weights.sum()

    def kernel(self, radii: Array) -> tuple[Array, Array]:
        """S(r, |x|) and its derivative in r, both (radii, nodes of the data)."""
        u, weights = self.cosines
        product = self.data[0][:, None] * u
        h = np.tanh(radii[:, None, None] * product)
        return (2 * h * h - 1) @ weights, (4 * h * (1 - h * h) * product) @ weights

    @cached_property
    def table(self) -> tuple[Array, Array, Array]:
        """Lengths, S and its derivative there: what particles read."""
        grid = np.linspace(0.0, self.largest, 2001)
        return grid, *self.kernel(grid)

    def initial_mass(self, faces: Array) -> Array:
        """The mass of the law of |w|, w ~ N(0, I/d), between neighbouring faces."""
        from scipy.stats import chi

        return np.diff(chi.cdf(faces * np.sqrt(self.dimension), self.dimension))

    def loss(self, radii: Array, mass: Array) -> float:
        """E (y - yhat)^2 of a law of |w|."""
        _, y, weights = self.data
        return float(weights @ (mass @ self.kernel(radii)[0] - y) ** 2)


def finite_volumes(problem: Radial, cells: int, times: Array) -> tuple[Array, Array]:
    """Middles of the cells, and the mass in each at every time (times, cells).

    Fluxes at faces by the velocity there and a linear profile in the cell that it comes from, limited
    (minmod); diffusion by differences; steps in time by scipy. Nothing flows through the ends.
    """
    faces = np.linspace(0.0, problem.largest, cells + 1)
    middles, width = (faces[1:] + faces[:-1]) / 2, faces[1]
    values, _ = problem.kernel(middles)
    _, slopes = problem.kernel(faces[1:-1])
    _, y, weights = problem.data
    outwards = problem.noise * (problem.dimension - 1) / faces[1:-1]

    def change(_: float, mass: Array) -> Array:
        velocity = outwards - slopes @ (2 * weights * (mass @ values - y))  # -dPsi/dr, and what noise adds
        density = mass / width
        jump = np.diff(density)
        before, after = np.append(0.0, jump), np.append(jump, 0.0)
        tilt = np.where(before * after > 0, np.sign(after) * np.minimum(np.abs(before), np.abs(after)), 0.0)
        left, right = (density + tilt / 2)[:-1], (density - tilt / 2)[1:]
        flux = np.where(velocity > 0, velocity * left, velocity * right) - problem.noise * jump / width
        return -np.diff(flux, prepend=0.0, append=0.0)

    start = problem.initial_mass(faces)
    found = solve_ivp(change, (0.0, times[-1]), start, "RK45", times, rtol=1e-6, atol=1e-9)
    return middles, found.y.T


def particles(problem: Radial, count: int, steps: int, end: float, seed: int) -> Array:
    """Vectors w of ``count`` neurons (neurons, d) at the end: Euler's steps on the law of the data.

    The field that moves them is the mean field of the particles themselves. Kernels are read from a table in
    r, between whose 2001 places they are linear: an error of about 1e-6.
    """
    random = np.random.default_rng(seed)
    w = random.standard_normal((count, problem.dimension)) / np.sqrt(problem.dimension)
    _, y, weights = problem.data
    grid, values, slopes = problem.table
    step = end / steps
    for _ in range(steps):
        lengths = np.linalg.norm(w, axis=1)
        place = np.minimum(lengths / grid[1], len(grid) - 1.001)
        below, share = place.astype(int), place % 1
        mass = np.bincount(below, 1 - share, len(grid)) + np.bincount(below + 1, share, len(grid))
        pull = slopes @ (2 * weights * (mass @ values / count - y))
        w = w - step * (np.interp(lengths, grid, pull) / lengths)[:, None] * w
        if problem.noise:
            w = w + np.sqrt(2 * problem.noise * step) * random.standard_normal(w.shape)
    return w


def characteristics(nodes: int, end: float) -> tuple[Array, Array]:
    """The limit's own solution: lengths of its nodes at the end, and their weights."""
    net = mf.load(SPEC)
    options = {"method": "flow", "data": "quadrature", "rtol": 1e-6, "stated_error": False}
    path = mf.solve(net, nodes=nodes, horizon=end, **options)
    state = path.checkpoints[-1].state
    return np.abs(state["h1.weight"]).ravel(), np.asarray(state["p"]["h1"])


def main(figure: Path | None = None) -> dict[str, float]:
    times = np.linspace(0.0, 2.0, 5)
    problem, end = Radial(), float(times[-1])
    exact = problem.loss(*characteristics(64, end))
    print(f"loss of the limit at t = {end:g}: {exact:.6f}")
    for cells in (50, 100, 200, 400):
        middles, mass = finite_volumes(problem, cells, times)
        print(f"{cells:4d} cells: off by {problem.loss(middles, mass[-1]) - exact:+.1e}")
    noisy = Radial(noise=0.02)
    middles, mass = finite_volumes(noisy, 400, times)
    lengths = np.linalg.norm(particles(noisy, 20_000, 400, end, seed=1), axis=1)
    density, drawn = (
        noisy.loss(middles, mass[-1]),
        noisy.loss(lengths, np.full(len(lengths), 1 / len(lengths))),
    )
    print(f"with noise: loss of the density {density:.5f}, of 20,000 particles {drawn:.5f}")
    if figure is not None:
        draw(figure, problem, noisy, times, lengths)
    return {"limit": exact, "density": density, "particles": drawn}


def draw(file: Path, problem: Radial, noisy: Radial, times: Array, lengths: Array) -> None:
    """Densities of |w| without and with noise; the bars are particles at the end."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 3.9), layout="constrained")
    both = ((problem, "gradient flow, T = 0"), (noisy, f"Fokker-Planck, T = {noisy.noise:g}"))
    for number, (one, title) in enumerate(both):
        axes = figure.add_subplot(1, 2, number + 1)
        middles, mass = finite_volumes(one, 400, times)
        if one.noise:
            axes.hist(lengths, bins=60, density=True, color="#bbbbbb", label=f"particles, t = {times[-1]:g}")
        for place, (time, row) in enumerate(zip(times, mass, strict=True)):
            colour = colormaps["viridis"](0.88 * place / (len(times) - 1))
            axes.plot(middles, row / (middles[1] - middles[0]), color=colour, label=f"t = {time:g}")
        axes.set_xlim(0, 2.6)
        axes.set_ylim(0, None)
        axes.set_title(title)
        axes.set_xlabel("r = |w|")
        axes.set_ylabel("density ρ(r)")
        axes.legend(frameon=False)
    figure.savefig(file, dpi=140, facecolor="white", metadata={"Software": "mfderive"})


if __name__ == "__main__":
    main(Path("radial_two_layer.png"))

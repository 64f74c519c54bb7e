"""Fig. 7 of Nguyen (2019): four layers, ReLU, MNIST; two initialisations that start alike and part.

Run it from the root of the repository: ``python examples/paper/figure_7.py --data FOLDER`` with MNIST's idx
files in FOLDER, or without --data on a stand-in (``--help`` lists the flags).
"""

from paper_data import UNSTATED, mnist
from paper_figures import SPECS, TRAINING_AND_TEST, Figure, Row, Setting, run

NARROW = Setting(SPECS / "figure_1.toml", "τ₂ = 0.1", {"nodes": 512})
WIDE = Setting(SPECS / "figure_7_wide.toml", "τ₂ = 2", {"nodes": 512})

FIGURE = Figure(
    name="figure_7",
    title="Fig. 7: four-layer ReLU networks on MNIST, two initialisations",
    rows=(
        Row(
            "τ₂ = 0.1 and τ₂ = 2",
            (NARROW, WIDE),
            (25, 50, 100),
            2000,
            (100, 200, 400, 800, 1600),
            data=mnist,
        ),
    ),
    panels=TRAINING_AND_TEST,
    says="τ₂ changes neither the output nor the pre-activations at the start as n → ∞, and yet the two "
    "initialisations yield two different trajectories.",
    unchecked=(
        *UNSTATED,
        "that both start alike holds as n → ∞ only: with τ₂ = 2 a network of width n starts at a distance of "
        "the order τ₂ n^(-1/2) from its limit, which is large at the default widths.",
    ),
)

if __name__ == "__main__":
    run(FIGURE)

"""Fig. 9 of Nguyen (2019): four layers, ReLU, CIFAR-10; two initialisations that start alike.

Run it from the root of the repository: ``python examples/paper/figure_9.py --data FOLDER`` with the unpacked
CIFAR-10 in FOLDER, or without --data on a stand-in (``--help`` lists the flags).
"""

from paper_data import UNSTATED, cifar10
from paper_figures import SPECS, TRAINING_AND_TEST, Figure, Row, Setting, run

FIGURE = Figure(
    name="figure_9",
    title="Fig. 9: four-layer ReLU networks on CIFAR-10, two initialisations",
    rows=(
        Row(
            "τ₂ = 0.1 and τ₂ = 2",
            (
                Setting(SPECS / "figure_8_layers_4.toml", "τ₂ = 0.1", {"nodes": 512}),
                Setting(SPECS / "figure_9_wide.toml", "τ₂ = 2", {"nodes": 1024}),
            ),
            (25, 50, 100),
            2000,
            (200, 400, 800, 1600, 2400),
            data=cifar10,
        ),
    ),
    panels=TRAINING_AND_TEST,
    says="both start with the same outputs as n → ∞, and yet τ₂ = 2 takes another way than τ₂ = 0.1.",
    unchecked=(
        "CIFAR-10 is not part of the program: whatever is said of these images needs --data and --full;",
        *UNSTATED,
    ),
)

if __name__ == "__main__":
    run(FIGURE)

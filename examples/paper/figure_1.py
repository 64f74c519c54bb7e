"""Fig. 1 of Nguyen (2019): four layers, ReLU, MNIST. The widest curves coincide, and the networks learn.

Run it from the root of the repository: ``python examples/paper/figure_1.py --data FOLDER`` with MNIST's idx
files in FOLDER, or without --data on a stand-in (``--help`` lists the flags).
"""

from paper_data import UNSTATED, mnist
from paper_figures import SPECS, TRAINING_AND_TEST, Figure, Row, Setting, run

FIGURE = Figure(
    name="figure_1",
    title="Fig. 1: four-layer ReLU networks on MNIST",
    rows=(
        Row(
            "four layers, τ₂ = 0.1",
            (Setting(SPECS / "figure_1.toml", "τ₂ = 0.1", {"nodes": 512}),),
            (25, 50, 100),
            4000,
            (100, 200, 400, 800, 1600),
            data=mnist,
        ),
    ),
    panels=TRAINING_AND_TEST,
    says="curves of the wide networks coincide, while the networks reach a performance that is not trivial.",
    unchecked=UNSTATED,
)

if __name__ == "__main__":
    run(FIGURE)

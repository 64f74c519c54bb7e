"""Fig. 6 of Nguyen (2019): three, four and five layers, ReLU, MNIST. Wider networks match better.

Run it from the root of the repository: ``python examples/paper/figure_6.py --data FOLDER`` with MNIST's idx
files in FOLDER, or without --data on a stand-in (``--help`` lists the flags).
"""

from paper_data import UNSTATED, mnist
from paper_figures import SPECS, TRAINING_AND_TEST, Figure, Row, Setting, run

# Four layers are those of Fig. 1.
SPEC = {3: "figure_6_layers_3.toml", 4: "figure_1.toml", 5: "figure_6_layers_5.toml"}
SHORT, PAPER = (25, 50, 100), (100, 200, 400, 800, 1600)

FIGURE = Figure(
    name="figure_6",
    title="Fig. 6: ReLU networks on MNIST",
    rows=tuple(
        Row(
            f"{layers} layers, τ₂ = 0.1",
            (Setting(SPECS / SPEC[layers], "τ₂ = 0.1", {"nodes": 512}),),
            SHORT,
            2000,
            PAPER,
            data=mnist,
        )
        for layers in (3, 4, 5)
    ),
    panels=TRAINING_AND_TEST,
    says="in each plot the curves match increasingly over the whole training as n grows, their dynamics are "
    "highly nonlinear, and the performance at the end is not trivial.",
    unchecked=(
        *UNSTATED,
        "its count of non-positive pre-activations is reported in words (a significant fraction) without a "
        "number.",
    ),
)

if __name__ == "__main__":
    run(FIGURE)

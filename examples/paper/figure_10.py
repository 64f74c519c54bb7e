"""Fig. 10 of Nguyen (2019): tanh on isotropic Gaussians, MNIST and CIFAR-10, at an annealed learning rate.

Run it from the root of the repository: ``python examples/paper/figure_10.py --data FOLDER`` with MNIST's idx
files in FOLDER/mnist and the unpacked CIFAR-10 in FOLDER/cifar10; what is not there has a stand-in
(``--help`` lists the flags).
"""

from paper_data import UNSTATED, cifar10_in, mnist_in
from paper_figures import SPECS, TRAINING_AND_TEST, Figure, Row, Setting, run

FIGURE = Figure(
    name="figure_10",
    title="Fig. 10: tanh networks with annealed learning rates",
    rows=(
        Row(
            "isotropic Gaussians, 5 layers, τ₂ = 3",
            (Setting(SPECS / "figure_10_gaussians.toml", "τ₂ = 3"),),
            (50, 100, 200),
            2000,
            (50, 100, 200, 400, 800),
        ),
        Row(
            "MNIST, 4 layers, τ₂ = 2",
            (Setting(SPECS / "figure_10_mnist.toml", "τ₂ = 2", {"nodes": 1024}),),
            (25, 50, 100),
            2000,
            (100, 400, 600, 800, 1600),
            data=mnist_in,
        ),
        Row(
            "CIFAR-10, 4 layers, τ₂ = 2",
            (Setting(SPECS / "figure_10_cifar10.toml", "τ₂ = 2", {"nodes": 1024}),),
            (25, 50, 100),
            2000,
            (200, 400, 800, 1600, 2400),
            data=cifar10_in,
        ),
    ),
    panels=TRAINING_AND_TEST,
    says="with tanh in place of the ReLU, too, curves match the better the larger n.",
    unchecked=(
        "CIFAR-10 is not part of the program: the third row needs --data and --full;",
        *UNSTATED,
    ),
)

if __name__ == "__main__":
    run(FIGURE)

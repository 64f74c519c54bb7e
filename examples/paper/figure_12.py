"""Fig. 12 of Nguyen (2019), appendix C: the eight-layer convolutional networks of Table 1 on CIFAR-10.

Run it from the root of the repository: ``python examples/paper/figure_12.py --data FOLDER`` with CIFAR-10's
batches in FOLDER, or without --data on a stand-in (``--help`` lists the flags).
"""

from paper_data import UNSTATED
from paper_figures import SPECS, TRAINING_AND_TEST, Figure, Row, Setting, run
from paper_images import cifar10_images

FIGURE = Figure(
    name="figure_12",
    title="Fig. 12: eight-layer convolutional networks on CIFAR-10",
    rows=(
        Row(
            "Table 1, n filters in each layer",
            (Setting(SPECS / "figure_12.toml", "Table 1", {"nodes": 128}),),
            (5, 10, 20),
            200,
            (100, 200, 400, 800),
            50_000,
            data=cifar10_images,
        ),
    ),
    panels=TRAINING_AND_TEST,
    says="the larger n, the better the networks match; the test error with n = 400 is about 27 %.",
    unchecked=(
        *UNSTATED,
        "appendix C does not say whether sums over the nine taps of a filter and over the four positions "
        "before the head are divided, nor how gradients of filters are scaled; without the division by taps "
        "the signal grows about ninefold in each of six layers, so they are divided, as in the author's "
        "public code, whose factors are the rates in the spec;",
        "its N(1, 0.1) is read as a deviation of 0.1, as in the same code and as τ₂ in the dense networks; "
        "by the letter of the paper 0.1 would be the variance;",
        "the number of steps is not stated: the axis shows 10^3 and ends before 10^5, --full takes 50,000;",
        "without CIFAR-10's files the 27 % cannot be checked, only the statement about widths.",
    ),
)

if __name__ == "__main__":
    run(FIGURE)

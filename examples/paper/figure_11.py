"""Fig. 11 of Nguyen (2019): four layers, ReLU, on VGG16's features of CIFAR-10.

Run it from the root of the repository: ``python examples/paper/figure_11.py --data FOLDER`` with
vgg16_features.npz in FOLDER (docs/paper-figures.md says what must be in it), or without --data on a stand-in
(``--help`` lists the flags).
"""

from paper_data import UNSTATED
from paper_figures import SPECS, TRAINING_AND_TEST, Figure, Row, Setting, run
from paper_images import vgg16_features

FIGURE = Figure(
    name="figure_11",
    title="Fig. 11: four-layer ReLU networks on VGG16's features of CIFAR-10",
    rows=(
        Row(
            "four layers, τ₂ = 0.1",
            (Setting(SPECS / "figure_11.toml", "τ₂ = 0.1", {"nodes": 512}),),
            (25, 50, 100),
            1000,
            (200, 400, 800, 1600, 2400),
            data=vgg16_features,
        ),
    ),
    panels=TRAINING_AND_TEST,
    says="the larger n, the better the curves match; at the end the network with n = 800 has a test error of "
    "about 14 %, far below that on raw images (about 43 %, Fig. 8).",
    unchecked=(
        *UNSTATED,
        "the features are computed by a VGG16 trained on ImageNet, whose weights are not in this program: "
        "without a file of features the digits that stand in check the statement about widths alone, and "
        "neither the 14 % nor the comparison with raw images;",
        "how the images were enlarged to 128 x 128 and normalised before VGG16, and whether its features "
        "were scaled afterwards, is not stated; here they are taken as they are in the file.",
    ),
)

if __name__ == "__main__":
    run(FIGURE)

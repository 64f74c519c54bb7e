"""Fig. 5 of Nguyen (2019): five layers, ReLU, isotropic Gaussians; two initialisations that start alike.

Run it from the root of the repository: ``python examples/paper/figure_5.py`` (``--help`` lists the flags).
"""

from paper_figures import POPULATION, SPECS, Figure, Row, Setting, run

NARROW = Setting(SPECS / "figure_5_narrow.toml", "τ₂ = 0.1")
WIDE = Setting(SPECS / "figure_5_wide.toml", "τ₂ = 3")
SHORT, PAPER = (50, 100, 200), (50, 100, 200, 400, 800)

FIGURE = Figure(
    name="figure_5",
    title="Fig. 5: five-layer ReLU networks on isotropic Gaussians",
    rows=(
        Row("top row: τ₂ = 0.1", (NARROW,), SHORT, 2000, PAPER),
        Row("bottom row: τ₂ = 0.1 and τ₂ = 3", (NARROW, WIDE), SHORT, 2000, PAPER),
    ),
    panels=POPULATION,
    says="curves match increasingly as n grows, errors come close to 0, and τ₂ = 3 leads elsewhere than "
    "τ₂ = 0.1 although both start with the same outputs as n → ∞.",
    unchecked=(
        "the paper prints no numbers for this figure: final losses and errors stand in its curves alone;",
        "its seeds, and whether all widths saw the same batches, are not stated;",
        "that curves are those of the limit is a statement about n → ∞, and widths are finite.",
    ),
)

if __name__ == "__main__":
    run(FIGURE)

"""Products of powers of widths: what they are worth, and how they are written."""

from fractions import Fraction

import pytest

from mfderive.scaling.width_product import HALF, ONE, WidthProduct

A, B = WidthProduct.of(("a",)), WidthProduct.of(("b",))


@pytest.mark.parametrize(
    ("product", "text"),
    [
        (ONE, "1"),
        (A, "n_a"),
        (A * B, "n_a n_b"),
        (ONE / (A * B), "1/(n_a n_b)"),
        (B / A, "n_b/n_a"),
        ((A * B) ** HALF, "sqrt(n_a n_b)"),
        (A ** Fraction(3, 2), "n_a^3/2"),
        (ONE / A**HALF / B, "1/(n_b sqrt(n_a))"),
        (WidthProduct.of(("a", "a")), "n_a^2"),
    ],
)
def test_text(product: WidthProduct, text: str) -> None:
    assert product.text == str(product) == text


def test_latex() -> None:
    """Names are text, with their underscores."""
    assert (WidthProduct.of(("h_1",)) / A).latex == r"\frac{n_{\text{h\_1}}}{n_{\text{a}}}"
    assert (A**-HALF).latex == r"\frac{1}{\sqrt{n_{\text{a}}}}"


def test_arithmetic() -> None:
    """Equal products are equal objects; what cancels is gone; ratios of widths count as 1 where n grows."""
    assert A * B == B * A and A / A == ONE and (A * B).degree == 2
    assert (A / B).counted == ONE and (A**HALF).counted == A**HALF
    assert (A * B**-HALF).value({"a": 6, "b": 9}) == 2

"""Equations as text, LaTeX, MathML and display trees. Nothing computes with what is printed here."""

from .display import Display, display
from .document import html, latex, latex_document, mathml, text
from .embedding import equation_text
from .measure_form import MeasureForm, measure_form
from .registry import NotationPrinter
from .tree import display_equation, display_tree

__all__ = [
    "Display",
    "MeasureForm",
    "NotationPrinter",
    "display",
    "display_equation",
    "display_tree",
    "equation_text",
    "html",
    "latex",
    "latex_document",
    "mathml",
    "measure_form",
    "text",
]

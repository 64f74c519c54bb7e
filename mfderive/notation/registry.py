"""Lets systems print themselves: ``print(limit)``, ``limit.forward["h2"]``, a notebook's rendering."""

from __future__ import annotations

from typing import Any

from ..algebra.showing import register_html
from ..algebra.system import ForwardSystem, register_printer
from .display import display
from .document import html, text


class NotationPrinter:
    """The printer of this room (see :class:`mfderive.algebra.system.Printer`)."""

    def text(self, system: ForwardSystem) -> str:
        """The equations as readable plain text."""
        return text(system)

    def tree(self, system: ForwardSystem, part: str, name: str) -> Any:
        """The display tree of one equation; ``part`` is a part of the system, such as forward or flow."""
        return getattr(display(system), part)[name]


register_printer(NotationPrinter())
register_html(ForwardSystem, html)

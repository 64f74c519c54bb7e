"""The documentation as pages that need no network: ``sphinx-build -W -b html docs build/docs``.

Sphinx, since the docstrings are written for it (cross-references by role, one page for what the package
offers), its search works from a folder of files, and warnings can be errors. Pages are Markdown (MyST).
Formulas become MathML by latex2mathml, which the program itself uses: no script, no font and no server.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

sys.path.insert(0, str(Path(__file__).parent))
from notebook_pages import with_notebooks

project = "mfderive"
author = "the authors of mfderive"
copyright = author
version = release = version_of("mfderive")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
source_suffix = {".md": "markdown"}
root_doc = "index"
exclude_patterns = ["build"]
nitpicky = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"

html_theme = "furo"
html_title = f"mfderive {version}"
html_copy_source = False
html_show_sphinx = False
html_theme_options: dict[str, Any] = {"navigation_with_keys": True}
html_math_renderer = "mathml"


_ALIGNED = re.compile(r'columnalign="(left|right)"')


def write_math(translator: Any, node: nodes.Element, display: str) -> None:
    """A formula as MathML; its LaTeX stays readable for those who copy it."""
    # The converter knows align* and split, but not aligned: it would put all of it in one row.
    formula = node.astext().replace("{aligned}", "{align*}")
    written = convert(formula, display=display)
    # MathML Core, which browsers have, aligns columns by style alone.
    translator.body.append(_ALIGNED.sub(r'\g<0> style="text-align: \1"', written))
    raise nodes.SkipNode


def readable(lines: list[str]) -> None:
    """Docstrings as they are written for terminals, made into what docutils reads, in place.

    A list of options is one of definitions; stars and bars outside of code are
    no markup, as in [sample, *input_shape].
    """
    found: list[str] = []
    inside = False
    for line in lines:
        inside = line == "Options:" or inside
        option = _OPTION.fullmatch(line) if inside else None
        if line == "Options:":
            found.append(line)
        elif option is not None:
            found += [f"    ``{option[1]}``", f"        {option[2]}"]
        elif inside and line[4:5].isspace():
            found.append(f"    {line}")
        elif inside and line:
            found += ["", line]
        else:
            found.append("".join(_plain(piece) for piece in _CODE.split(line)))
    lines[:] = found


_OPTION = re.compile(r"    (\w+): (.*)")
_CODE = re.compile(r"(``.*?``)")


def _plain(piece: str) -> str:
    return piece if piece.startswith("``") else re.sub(r"([*|])", r"\\\1", piece)


# A place in a page that others link to, as it is written for readers of the files.
_ANCHOR = re.compile(r'^<a id="(.+?)"></a>[ \n]*', re.MULTILINE)
# A link to one: places have capital letters, headings' own anchors have none.
_LINK = re.compile(r"\]\((?:\w+\.md)?#([A-Z][\w.]*)\)")


def with_places(text: str) -> str:
    """A page with its own places, and links to them, in MyST's words."""
    return _LINK.sub(r"](#\1)", _ANCHOR.sub(r"(\1)=\n", text))


def setup(app: Any) -> None:
    """Formulas as MathML; anchors of pages and docstrings as Sphinx reads them."""
    app.add_html_math_renderer(
        "mathml",
        inline_renderers=(lambda translator, node: write_math(translator, node, "inline"), None),
        block_renderers=(lambda translator, node: write_math(translator, node, "block"), None),
    )
    app.connect("autodoc-process-docstring", lambda _app, _what, _name, _o, _options, lines: readable(lines))
    app.connect("source-read", read)


def read(_app: Any, _page: str, source: list[str]) -> None:
    """The source of a page, before it is parsed."""
    source[0] = with_places(with_notebooks(source[0]))

"""The syntax tree of a text, held against limits on characters, length, brackets, depth and size."""

from __future__ import annotations

import ast
import re
import warnings

from ..errors import SpecError, quoted

MAX_LENGTH = 4000
MAX_BRACKETS = 50
MAX_DEPTH = 200
MAX_NODES = 1500
# What stands in the place of comparisons and cases.
CASES = (
    "Comparisons are written with heaviside(e), which is 1 where e > 0 and else 0: "
    "1 - 0.9 * heaviside(k - 100) is 1 up to k = 100 and 0.1 after it. "
)
_SAID = {
    "leading zeros": "a number begins with 0",
    "decimal literal": "a number runs into a name (write * between them)",
    "cannot mix": "it is no expression",
}
_CHARACTERS = re.compile(r"[A-Za-z0-9_.,+\-*/()\[\]\s]*", re.ASCII)


def syntax_tree(text: str) -> ast.expr:
    """The syntax tree of a text that is short, shallow and of harmless characters."""
    _check_text(text)
    flat = " ".join(text.split())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(flat, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        remedy = "Expressions are written as in Python, with * for products and ** for powers"
        raise SpecError(f"{quoted(text)} is not an expression: {_detail(error)}", remedy=remedy) from None
    _check_tree(tree, text)
    return tree


def _detail(error: Exception) -> str:
    """What Python says of a text that it cannot read, without what only helps with programs."""
    said = str(getattr(error, "msg", None) or "it is too deep or too long")
    for sign, words in _SAID.items():
        if sign in said:
            return words
    return said.partition(". ")[0].rstrip(".?")


def _check_text(text: str) -> None:
    if not text.strip():
        raise SpecError("the expression is empty")
    if len(text) > MAX_LENGTH:
        raise SpecError(
            f"{quoted(text)} is too long for an expression: more than {MAX_LENGTH} characters",
            remedy="Split it, for instance into layers or parameters",
        )
    match = _CHARACTERS.match(text)
    if match is not None and match.end() < len(text):
        found = text[match.end()]
        power = " (powers are written **)" if found == "^" else ""
        raise SpecError(
            f"the character {found!r} in {quoted(text)} has no meaning in an expression{power}",
            remedy=f"{CASES if found in '<>=' else ''}Allowed are letters, digits and _ . , + - * / ( ) [ ]",
            word=found,
        )
    depth = deepest = 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        deepest = max(deepest, depth)
    if deepest > MAX_BRACKETS:
        raise SpecError(
            f"{quoted(text)} has brackets nested {deepest} deep, more than {MAX_BRACKETS}",
            remedy="Split it, for instance into layers or parameters",
        )


def _check_tree(tree: ast.expr, text: str) -> None:
    """Count nodes and depth without recursion, before anything walks the tree with it."""
    stack: list[tuple[ast.AST, int]] = [(tree, 1)]
    count = 0
    while stack:
        node, depth = stack.pop()
        count += 1
        if count > MAX_NODES or depth > MAX_DEPTH:
            raise SpecError(
                f"{quoted(text)} is too large (more than {MAX_NODES} parts or {MAX_DEPTH} levels)",
                remedy="Split it, for instance into layers or parameters",
            )
        stack.extend((child, depth + 1) for child in ast.iter_child_nodes(node))

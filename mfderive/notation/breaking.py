"""Breaks long right-hand sides of LaTeX equations into lines that fit a page.

Widths are estimated in ems from the metrics of Computer Modern, a little on the wide side. Lines end before
a sum's sign or between the factors of a product, as far outside of brackets as a good line allows; never
inside braces (fractions, subscripts, roots).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

# A4 landscape with margins of 12 mm at 10 pt is 77 em wide; the page of a run about 60.
DOCUMENT_WIDTH = 75.0
PAGE_WIDTH = 56.0
CONTINUED = 2.0  # how far later lines stand in
_DOT = 0.9  # a dot at the beginning of a line is so much wider than the space that it stands for
_LEAST = 0.35  # no line is shorter than this share of the room, if others break better
_TOKEN = re.compile(r"\\(?:left|right)\s*(?:\\[a-zA-Z]+|\\.|.)|\\[a-zA-Z]+|\\.|.", re.DOTALL)
_SCRIPT = 0.73
_BRACKETS = {"(": 0.39, ")": 0.39, "[": 0.28, "]": 0.28, r"\{": 0.5, r"\}": 0.5, "|": 0.28}
_ANGLES = {r"\langle": 0.39, r"\rangle": 0.39, r"\lVert": 0.5, r"\rVert": 0.5}
_WIDTHS = {
    **_BRACKETS, **_ANGLES, "m": 0.88, "w": 0.74,
    "+": 1.22, "-": 1.22, "=": 1.34, "<": 1.34, ">": 1.34, ",": 0.45, ";": 0.45, ":": 0.6, ".": 0.28,
    "'": 0.3, "/": 0.5, " ": 0.0, "~": 0.34, r"\,": 0.17, r"\;": 0.28, r"\quad": 1.0, r"\qquad": 2.0,
    r"\ ": 0.34, r"\displaystyle": 0.0, r"\int": 1.0, r"\cdot": 0.72, r"\Delta": 0.84, r"\nabla": 0.84,
    r"\partial": 0.6, r"\mid": 0.84, r"\mapsto": 1.56, r"\infty": 1.0, r"\to": 1.56, r"\in": 1.2,
    r"\Bigl": 0.3, r"\Bigr": 0.3, r"\le": 1.34, r"\ge": 1.34,
}  # fmt: skip
# Signs under which their indices stand in displayed formulas.
_LIMITS = {r"\sum": 1.6, r"\max": 1.9, r"\min": 1.8}
# Commands with braces behind them: what they add to what stands inside.
_WRAPPERS = {r"\mathrm": 0.0, r"\text": 0.0, r"\mathbb": 0.0, r"\mathbf": 0.1, r"\mathcal": 0.1}
_WRAPPERS |= {r"\hat": 0.05, r"\bar": 0.05, r"\sqrt": 1.0, r"\operatorname": 0.2, r"\mathsf": 0.0}


class _Kind(StrEnum):
    PLAIN = "plain"
    OPEN = "open"
    CLOSE = "close"
    SUM = "sum"
    PRODUCT = "product"
    COMMA = "comma"


@dataclass(frozen=True)
class _Atom:
    """A piece of a formula that is never broken; brackets and signs are atoms of their own.

    ``parts`` of a fraction: the atoms above the bar, and what stands below it.
    """

    text: str
    width: float
    kind: _Kind = _Kind.PLAIN
    parts: tuple[tuple[_Atom, ...], _Atom] | None = None


def width(formula: str) -> float:
    """The width of a displayed formula in ems, an estimate on the wide side."""
    return _width(_atoms(formula))


def broken(formula: str, room: float) -> list[str]:
    """The formula in lines of at most ``room`` ems where places to break allow it.

    Later lines begin with their sign (``{} + ...``) or, inside a product, with a dot.
    """
    atoms = _merged_signs(_atoms(formula))
    if _width(atoms) <= room:
        return [formula]
    while True:
        lines = _lines(atoms, room)
        wide = [k for k, line in enumerate(lines) if _width(line) > _limit(room, k)]
        fractions = [atom for k in wide for atom in lines[k] if atom.parts is not None]
        if not fractions:
            break
        # A fraction that is too wide for its line becomes a product, which can be broken.
        widest = max(fractions, key=lambda atom: atom.width)
        position = next(k for k, atom in enumerate(atoms) if atom is widest)
        atoms = [*atoms[:position], *_product(widest), *atoms[position + 1 :]]
    return [_joined(line, first=not number) for number, line in enumerate(_fixed_brackets(lines))]


def _width(atoms: Sequence[_Atom]) -> float:
    return sum(atom.width for atom in atoms)


def _limit(room: float, number: int) -> float:
    """The room of a line: later ones are indented, and may begin with a dot."""
    return room - CONTINUED - _DOT if number else room


def _lines(atoms: Sequence[_Atom], room: float) -> list[Sequence[_Atom]]:
    """The atoms in lines; a line that cannot be broken may be too wide."""
    lines: list[Sequence[_Atom]] = []
    while _width(atoms) > _limit(room, len(lines)):
        position = _best_position(atoms, _limit(room, len(lines)))
        if position is None:
            break
        lines.append(atoms[:position])
        atoms = atoms[position:]
    return [*lines, atoms]


def _product(fraction: _Atom) -> list[_Atom]:
    """A fraction as 1 over what stands below, times what stands above."""
    above, below = fraction.parts or ((), fraction)
    inside = _merged_signs(above)
    if any(atom.kind is _Kind.SUM or atom.text.startswith((r"\sum", r"\int", r"\max")) for atom in inside):
        inside = [_single(r"\left("), *inside, _single(r"\right)")]
    inverse = _Atom(r"\frac{1}" + below.text, below.width + 0.24)
    return [inverse, _Atom(r"\, ", 0.17, _Kind.PRODUCT), *inside]


def _best_position(atoms: Sequence[_Atom], limit: float) -> int | None:
    """The number of atoms of the first line: few brackets open, a sum before a product, then the longest.

    Arguments are parted only where nothing else helps.
    """
    best: tuple[tuple[bool, bool, int, bool, float], int] | None = None
    used, depth, before = 0.0, 0, _Kind.PLAIN
    for position, atom in enumerate(atoms):
        comma = before is _Kind.COMMA and depth > 0
        if position and (comma or atom.kind in (_Kind.SUM, _Kind.PRODUCT)) and _has_text(atoms[:position]):
            late = used > limit
            if late and best is not None and not best[0][0]:
                break
            short = late or used < _LEAST * limit
            key = (short, comma, depth, atom.kind is _Kind.PRODUCT, used if late else -used)
            if best is None or key < best[0]:
                best = (key, position)
        used += atom.width
        depth += {_Kind.OPEN: 1, _Kind.CLOSE: -1}.get(atom.kind, 0)
        before = atom.kind if atom.text.strip() else before
    return None if best is None else best[1]


def _has_text(atoms: Sequence[_Atom]) -> bool:
    return any(atom.text.strip() for atom in atoms)


def _joined(atoms: Sequence[_Atom], *, first: bool) -> str:
    if first or atoms[0].kind not in (_Kind.SUM, _Kind.PRODUCT):
        return "".join(atom.text for atom in atoms).strip()
    head, rest = atoms[0], "".join(atom.text for atom in atoms[1:]).strip()
    return f"{{}} {head.text.strip()} {rest}" if head.kind is _Kind.SUM else rf"{{}} \cdot {rest}"


def _fixed_brackets(lines: Sequence[Sequence[_Atom]]) -> Iterator[list[_Atom]]:
    r"""``\left`` and ``\right`` must meet on one line: pairs that are broken get a fixed size."""
    places = [(number, k) for number, line in enumerate(lines) for k in range(len(line))]
    result = [list(line) for line in lines]
    open_places: list[tuple[int, int]] = []
    for number, k in places:
        atom = lines[number][k]
        if atom.kind is _Kind.OPEN:
            open_places.append((number, k))
        elif atom.kind is _Kind.CLOSE and open_places:
            start, other = open_places.pop()
            if start != number:
                for line, position, sign, size in (
                    (start, other, r"\left", r"\Bigl"),
                    (number, k, r"\right", r"\Bigr"),
                ):
                    one = result[line][position]
                    result[line][position] = replace(one, text=one.text.replace(sign, size))
    yield from result


# ---------------------------------------------------------------------------------------- reading LaTeX


def _atoms(formula: str) -> list[_Atom]:
    return _read(_TOKEN.findall(formula), 0)[0]


def _read(tokens: Sequence[str], position: int) -> tuple[list[_Atom], int]:
    """The atoms up to the end or to a closing brace, and the position behind it."""
    found: list[_Atom] = []
    while position < len(tokens) and tokens[position] != "}":
        token = tokens[position]
        if token in ("_", "^"):
            script, position = _argument(tokens, position + 1)
            _attach(found, token + script.text, script.width * _SCRIPT)
            continue
        if token == r"\frac":
            above, after = _argument(tokens, position + 1)
            below, position = _argument(tokens, after)
            wide = max(above.width, below.width) + 0.24
            parts = (tuple(_atoms(above.text[1:-1])), below)
            found.append(_Atom(token + above.text + below.text, wide, parts=parts))
            continue
        if token in _WRAPPERS or token == "{":
            inside, position = _argument(tokens, position + (token != "{"))
            more = _WRAPPERS.get(token, 0.0)
            found.append(_Atom((token if token != "{" else "") + inside.text, inside.width + more))
            continue
        found.append(_single(token))
        position += 1
    return found, position + 1


def _argument(tokens: Sequence[str], position: int) -> tuple[_Atom, int]:
    """What stands behind a command: one token, or braces; as one atom."""
    while position < len(tokens) and tokens[position] == " ":
        position += 1
    if position >= len(tokens):
        return _Atom("", 0.0), position
    if tokens[position] != "{":
        return replace(_single(tokens[position]), kind=_Kind.PLAIN), position + 1
    inside, after = _read(tokens, position + 1)
    text = "{" + "".join(atom.text for atom in inside) + "}"
    return _Atom(text, sum(atom.width for atom in inside)), after


def _attach(found: list[_Atom], text: str, wide: float) -> None:
    """A subscript or superscript belongs to the atom before it."""
    if not found:
        found.append(_Atom(text, wide))
        return
    base = found.pop()
    sign = _LIMITS.get(base.text)
    # Under a sum only what is wider than the sign takes room.
    added = max(0.0, wide - sign) if sign is not None else wide
    found.append(replace(base, text=base.text + text, width=base.width + added))


def _single(token: str) -> _Atom:
    if token.startswith((r"\left", r"\right")):
        return _Atom(token, 0.76, _Kind.OPEN if token.startswith(r"\left") else _Kind.CLOSE)
    if token in ("(", "[", r"\{", r"\langle"):
        return _Atom(token, _WIDTHS[token], _Kind.OPEN)
    if token in (")", "]", r"\}", r"\rangle"):
        return _Atom(token, _WIDTHS[token], _Kind.CLOSE)
    if token in ("+", "-"):
        return _Atom(token, _WIDTHS[token], _Kind.SUM)
    if token in (",", ";"):
        return _Atom(token, _WIDTHS[token], _Kind.COMMA)
    if token == r"\,":
        return _Atom(token, _WIDTHS[token], _Kind.PRODUCT)
    if token in _WIDTHS:
        return _Atom(token, _WIDTHS[token])
    if token in _LIMITS:
        return _Atom(token, _LIMITS[token])
    if token.startswith("\\"):
        # Greek letters are about 0.6 wide, named functions (tanh) upright words.
        return _Atom(
            token, 0.65 if re.fullmatch(r"\\[a-z]{2,7}", token) and token not in _NAMED else _word(token)
        )
    return _Atom(token, 0.8 if token.isupper() else 0.57)


_NAMED = {r"\tanh", r"\sinh", r"\cosh", r"\exp", r"\log", r"\sin", r"\cos", r"\tan", r"\arctan"}


def _word(token: str) -> float:
    return 0.17 + 0.52 * (len(token) - 1)


def _merged_signs(atoms: Sequence[_Atom]) -> list[_Atom]:
    """No line is broken at the sign of a number, behind an opening bracket or at the beginning."""
    result: list[_Atom] = []
    before: _Atom | None = None
    for atom in atoms:
        leading = before is None or before.kind in (_Kind.OPEN, _Kind.SUM) or before.text in (",", ";", "=")
        if leading and atom.kind in (_Kind.SUM, _Kind.PRODUCT):
            atom = replace(atom, kind=_Kind.PLAIN)
        result.append(atom)
        if atom.text.strip():
            before = atom
    return result

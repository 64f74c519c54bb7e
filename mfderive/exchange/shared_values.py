"""Values that several layers would compute anew, each with a copy of what is trained: these become layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .layering import Made
from .signal_values import Atom, Owns, Signal
from .translate import Translator


def shared_values(translator: Translator, parts: Iterable[Made]) -> set[str]:
    """The values of a translated graph that must be layers of their own.

    A weighted connection or numbers of neurons that stand in two layers come from one value which these read
    in common: the first one that has several readers.
    """
    counted = Counter(id(atom) for made in parts for atom in _trained(made))
    twice = {number for number, count in counted.items() if count > 1}
    symbols = [symbol for symbol, atom in translator.layers.atoms.items() if id(atom) in twice]
    readers = translator.graph.readers()
    branching = [
        name
        for operation in translator.graph.operations
        for name in operation.outputs
        if len(readers.get(name, [])) + (name in translator.graph.outputs) > 1
    ]
    found = set()
    for symbol in symbols:
        for name in branching:
            value = translator.values[name]
            if isinstance(value, Signal) and symbol in value.expression.free_symbols:
                found.add(name)
                break
    return found


def _trained(made: Made) -> list[Atom]:
    """What is trained in a layer: each connection with a weight, and the numbers of its neurons."""
    own: list[Atom] = [owns for _, owns in made.own if isinstance(owns, Owns)]
    return own + [drawn.reads for drawn in made.connections if drawn.reads.weight is not None]

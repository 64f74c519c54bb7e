"""Keys of ``[training]`` as arguments of the functions that run something, as the command line has them.

``mf.solve(net, learning_rate=0.1)`` is ``mf.solve(net.replace(training={"learning_rate": 0.1}))``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from ..errors import ArgumentError, nearest_word, quoted
from .network import Network
from .tables import TRAINING

P = ParamSpec("P")
R = TypeVar("R")


def takes_training(function: Callable[P, R]) -> Callable[P, R]:
    """A function of a network that also takes the keys of ``[training]`` by name; None changes nothing.

    What the function has itself (``steps``) it keeps. A name that neither has is answered with the nearest
    (ArgumentError), not with Python's own TypeError.
    """
    parameters = inspect.signature(function).parameters.values()
    own = {each.name for each in parameters if each.kind is not each.VAR_KEYWORD}
    open_ended = any(each.kind is each.VAR_KEYWORD for each in parameters)
    training = [name for name in TRAINING if name not in own]

    @wraps(function)
    def call(*positional: P.args, **named: P.kwargs) -> R:
        keywords: dict[str, Any] = dict(named)
        changes = {name: keywords.pop(name) for name in training if name in keywords}
        for name in keywords:
            if name not in own and not open_ended:
                advice = nearest_word(name, [*own, *training])
                raise ArgumentError(f"{function.__name__} has no option {quoted(name)}. {advice}")
        changes = {name: value for name, value in changes.items() if value is not None}
        rest: list[Any] = list(positional)
        if changes:
            network = rest.pop(0) if rest else keywords.pop("network", None)
            if not isinstance(network, Network):
                raise ArgumentError(f"{', '.join(changes)} can only be changed for a network")
            rest.insert(0, network.replace(training=changes))
        return function(*rest, **keywords)

    call.__doc__ = f"{function.__doc__}{_DOC}" if function.__doc__ else _DOC
    return call


_DOC = """
    Keys of [training] may be given by name as well (learning_rate, batch_size, steps, schedule, optimizer,
    weight_decay, decoupled, noise, clip, dropout); they take the place of what the spec says.
    """

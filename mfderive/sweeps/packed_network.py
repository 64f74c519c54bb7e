"""A network on its way to workers: with its data, and with all layer kinds and learning rules."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import fields
from typing import Any

from ..algebra.update_rules import RULES, UpdateRule, register_rule
from ..forward.kinds import KINDS, ConnectionKind, register_kind
from ..network.network import Network

# The network that this process unpacked last, by the digest of what it was packed in.
_LAST: dict[str, Network] = {}


def packed(network: Network) -> bytes:
    """A network as bytes, with all kinds and learning rules: some may be registered in this process alone."""
    import cloudpickle

    kinds = [{each.name: getattr(kind, each.name) for each in fields(kind)} for kind in KINDS.values()]
    rules = [{each.name: getattr(rule, each.name) for each in fields(rule)} for rule in RULES.values()]
    found: bytes = cloudpickle.dumps({"kinds": kinds, "rules": rules, "network": pickle.dumps(network)})
    return found


def unpacked(content: bytes) -> Network:
    """The network of some bytes, once in every process."""
    digest = hashlib.sha256(content).hexdigest()
    if digest not in _LAST:
        parts: dict[str, Any] = pickle.loads(content)
        for kind in parts["kinds"]:
            if kind["name"] not in KINDS:
                register_kind(ConnectionKind(**kind))
        for rule in parts["rules"]:
            if rule["name"] not in RULES:
                register_rule(UpdateRule(**rule))
        _LAST.clear()
        _LAST[digest] = pickle.loads(parts["network"])
    return _LAST[digest]

"""The witness: finite-width networks from the forward equations alone."""

from .evaluation import network_fields

__all__ = ["network_fields"]

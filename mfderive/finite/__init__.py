"""The witness: finite-width networks from the forward equations alone."""

from .network_fields import network_fields

__all__ = ["network_fields"]

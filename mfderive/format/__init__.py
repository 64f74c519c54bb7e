"""Spec files and graphs to networks and back: every error names file, table and key; the JSON Schema."""

"""Findings about a limit before it is solved, and their sentences."""

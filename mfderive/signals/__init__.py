"""Signals at initialisation: how wide random networks carry them, and what is critical."""

"""Sweeps: one run for each setting of a grid, on the workers of Dask, kept so that they survive."""

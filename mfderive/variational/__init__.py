"""Mean field in its first sense: Ising models on graphs, and variational posteriors by coordinate ascent."""

"""From a network to its forward equations: layer kinds, windows, statistics and the loss."""

"""From a limit to its exact reduction: one pass per file, with the way there and back, and a log."""

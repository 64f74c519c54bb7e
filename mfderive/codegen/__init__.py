"""From a limit to an importable solver: the protocol, the backends, and the files on disk."""

"""Every file here is a backend: its name is the backend's, and its ``generate`` makes a solver."""

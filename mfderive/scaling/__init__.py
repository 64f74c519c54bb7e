"""Which factor belongs on which parameter, why, and whether a network has them: scalings and coordinates."""

"""Do finite networks approach the limit? Measurements, tests, and the verdict."""

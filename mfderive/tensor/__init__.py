"""How equations are computed, whatever the backend: contractions, schedule, and the reference interpreter."""

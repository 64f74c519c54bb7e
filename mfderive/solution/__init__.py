"""The limit solved: options, time steps, observation, refinement, networks drawn from a solution."""

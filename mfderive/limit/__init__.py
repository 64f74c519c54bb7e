"""From forward equations to the mean-field limit, by one reverse pass."""

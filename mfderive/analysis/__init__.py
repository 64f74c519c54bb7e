"""What is true of a system: dependencies, affinity, constants, symmetries; reduction and advice ask it."""

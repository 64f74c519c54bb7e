"""Predicted fluctuations of finite networks around their limit, from the linearised system (theory D)."""

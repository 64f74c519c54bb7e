"""What a run leaves and when it looks: schedule, loss and error, trajectories and their archives."""

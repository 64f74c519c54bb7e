"""What a run shows: the page, figures, the drawing of the network."""

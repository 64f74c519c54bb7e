"""States: initial draws, weighted nodes for labels, and checks of states that are given."""

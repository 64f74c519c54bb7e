"""The data: files, laws that are drawn, sources of batches, and weighted nodes for the law of the data."""

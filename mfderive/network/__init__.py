"""The network as a spec states it: the object, the names in it, and the keys of every table."""

"""Pickles: the symbolic machine that follows them, and the list of what they may use."""

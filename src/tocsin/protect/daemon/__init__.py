"""The processes that are always there, and the protocols they speak."""

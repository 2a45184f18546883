"""Named tasks at certain times."""

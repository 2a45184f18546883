"""Where a machine keeps what it runs without being asked, one family of places a module."""

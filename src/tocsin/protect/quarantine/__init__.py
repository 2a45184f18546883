"""What was taken away, kept so that it can be put back exactly."""

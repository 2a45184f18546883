"""The settings file: read, checked whole, and described from the types that hold it."""

"""Moving over from ClamAV: its settings read, and what becomes of each said."""

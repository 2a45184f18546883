"""A device kept safe: the daemon and its protocols, the guard, the quarantine, the journal.

This room acts on the engine's verdicts and knows nothing of how a signature looks.
"""

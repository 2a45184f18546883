"""Scanning a file before anybody opens or executes it (fanotify)."""

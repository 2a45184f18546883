"""The daemon as a part of a machine: account, folders, settings, service; and all of it undone."""

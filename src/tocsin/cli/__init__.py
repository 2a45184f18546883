"""The command line: one module a verb, which parses, calls one function and prints.

Enters: arguments. Leaves: text for people, JSON for programs, and an exit status. Nothing is
decided here.
"""

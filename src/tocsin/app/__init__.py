"""Composition: what joins the rooms to serve a user.

It walks over the paths a user names, keeps the user's own exceptions and what was found
clean before, and runs the engine in one process or several. It knows no terminal and no
file format.
"""

"""Lists of installed or pinned packages in, components out: one file a kind.

`interface` lists the readers. A list of what is installed and one of what a project asks for are
read alike; the component's `kind` is the package manager's name in package URLs.
"""

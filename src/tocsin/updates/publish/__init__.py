"""Publishing: from pinned sources and a folder of keys to a folder of static files.

A publisher's folder holds `repository/`, which is all that others ever see and which any web
server or USB stick can carry; `trust/`, what a user needs to begin with; and `work/`, what is
unfinished. Keys are in a folder apart. Whatever is published is first staged as a whole
(`publication`), then logged, then cosigned by the witnesses that the policy asks for, and only
then shown to readers, by the one file that TUF reads first. Killed anywhere, the next run goes on.
"""

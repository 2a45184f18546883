"""Signature languages: files that analysts wrote in, plain records out.

`sources` reads files, folders and ClamAV's archives; `clamav/`, `yara` and `digest_lists`
hold one language a module; `parse` is the table that joins a kind of record with its parser.
How a signature is matched is not known here.
"""

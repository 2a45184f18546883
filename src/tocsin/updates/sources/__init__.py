"""Sources that people already use: ClamAV's databases, YARA archives, lists of digests.

Enters: where a source lies (`catalogue`) and a folder. Leaves: signature files in that folder that
the engine reads, and `sources.json` beside them, which says where each came from, when, under
which licence and with which digest. What decides does no I/O: `cdiff` applies differences,
`clamav_plan` says what to ask for, `digest_feeds` and `yara_archive` read what came, `dns_message`
reads a resolver's answer, `clamsign` checks a detached signature. Around them `http`, `dns`,
`state` and `store` ask and write; `clamav` and `fetch` put them in order.

Nothing replaces what is there before it is whole, checked and on disk.
"""

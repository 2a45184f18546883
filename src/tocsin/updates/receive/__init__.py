"""Receiving: what a device fetches, and what has to be true before it uses it.

Bytes come in from anywhere (`http`, `fetch`, `mirrors`, `bundle`) and none of these is believed.
`tuf_client` follows the publisher's metadata, `gate` and `consent` hold back a root that changes
the publisher, `verify` says whether a version was logged and who saw it, `choose` which version
this device is to have. `updater` orders all this and keeps the state (`state`) good whatever
happens.
"""

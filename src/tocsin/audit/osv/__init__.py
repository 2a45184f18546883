"""What is known of packages' versions: records in OSV's format (ossf.github.io/osv-schema, 1.x).

Records come in, from a folder, an export of a database or the malicious-packages collection; what
they say of components comes out (`matching`). Which of two versions is the later is decided by each
ecosystem's own rules (`versions`).
"""

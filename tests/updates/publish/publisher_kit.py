"""A publisher for tests: cheap keys, a clock that is set, witnesses in memory, a TUF client."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import Updater
from tuf.ngclient.fetcher import FetcherInterface

from tocsin.transparency.coding import decode_hash
from tocsin.transparency.cosignature import cosign
from tocsin.transparency.errors import TransparencyError
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.merkle import verify_consistency
from tocsin.transparency.note import SignedNote, verify
from tocsin.transparency.tree_head import Checkpoint
from tocsin.transparency.verifier_key import KeyType, VerifierKey
from tocsin.updates.layout import Publisher
from tocsin.updates.publish.ceremony import (
    draft_first_root,
    finish,
    make_log_key,
    write_policy,
)
from tocsin.updates.publish.keys import KeyFolder, PublicKey, make_key
from tocsin.updates.publish.roots import RoleKeys, Roles
from tocsin.updates.publish.session import Session
from tocsin.updates.publish.witnesses import Answer
from tocsin.updates.publish.workspace import PublisherSettings, Workspace

CHEAP = 2  # scrypt's cost: these keys protect nothing
START = datetime(2026, 11, 28, 6, tzinfo=UTC)
ORIGIN = "example.org/log"


def secrets(_name: str) -> bytes:
    return b"a passphrase"


class MemoryWitness:
    """A witness as C2SP tlog-witness has it, in memory."""

    def __init__(self, name: str, kind: KeyType = KeyType.ED25519_COSIGNATURE) -> None:
        self.key = SigningKey.generate(name, kind)
        self.logs: dict[str, VerifierKey] = {}
        self.seen: dict[str, Checkpoint] = {}
        self.down = False
        self.time = int(START.timestamp())
        self.requests = 0

    def add_checkpoint(self, body: bytes) -> Answer:
        self.requests += 1
        head, _, note_bytes = body.partition(b"\n\n")
        first, *proof = head.decode().split("\n")
        old = int(first.removeprefix("old "))
        note = SignedNote.parse(note_bytes)
        new = Checkpoint.parse(note.text)
        if new.origin not in self.logs:
            return Answer(404, "text/plain", b"")
        try:
            verify(note, [self.logs[new.origin]])
        except TransparencyError:
            return Answer(403, "text/plain", b"")
        seen = self.seen.get(new.origin)
        if old != (seen.size if seen else 0):
            return Answer(409, "text/x.tlog.size", b"%d\n" % (seen.size if seen else 0))
        if seen and seen.size:
            if seen.size == new.size:
                if seen.root != new.root:
                    return Answer(422, "text/plain", b"")
            else:
                try:
                    hashes = [decode_hash(line) for line in proof]
                    verify_consistency(old, seen.root, new.size, new.root, hashes)
                except TransparencyError:
                    return Answer(422, "text/plain", b"")
        self.seen[new.origin] = new
        return Answer(200, "text/plain", cosign(note.text, self.key, self.time).line().encode())


class World:
    """A publisher's folder, its keys, its witnesses and its clock."""

    def __init__(self, folder: Path, witnesses: int = 0, quorum: int = 0) -> None:
        self.folder = folder / "publisher"
        self.keys = folder / "keys"
        self.now = START
        self.witnesses = [MemoryWitness(f"w{n}.example") for n in range(witnesses)]
        self.quorum = quorum
        self.made: dict[str, PublicKey] = {}

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    def post(self, url: str, body: bytes) -> Answer:
        for witness in self.witnesses:
            if url == f"https://{witness.key.verifier.name}/add-checkpoint":
                if witness.down:
                    raise OSError("connection refused")
                return witness.add_checkpoint(body)
        raise AssertionError(url)

    def policy(self) -> bytes:
        if not self.witnesses:
            return b""
        names = " ".join(f"w{n}" for n in range(len(self.witnesses)))
        lines = [
            f"witness w{n} {w.key.verifier.vkey} https://{w.key.verifier.name}"
            for n, w in enumerate(self.witnesses)
        ]
        return "\n".join([*lines, f"group all {self.quorum} {names}", "quorum all"]).encode()

    def key(self, name: str) -> PublicKey:
        if name not in self.made:
            self.made[name] = make_key(self.keys, name, b"a passphrase", log2_n=CHEAP)
        return self.made[name]

    def role(self, *names: str, threshold: int = 1) -> RoleKeys:
        return RoleKeys(tuple(self.key(name).key for name in names), threshold)

    def roles(self, custodians: RoleKeys | None = None) -> Roles:
        return Roles(
            self.role("root-1", "root-2", "root-3", threshold=2),
            self.role("targets-1"),
            self.role("snapshot-1"),
            self.role("timestamp-1"),
            custodians,
        )

    def session(self, keys: Path | None = None) -> Session:
        for witness in self.witnesses:
            witness.time = int(self.now.timestamp())
        return Session.open(self.folder, secrets, self.now, post=self.post, keys=keys)

    def prepare(self, settings: PublisherSettings | None = None) -> Session:
        """Everything that comes before the first root."""
        workspace = Workspace(self.folder)
        workspace.create(
            settings or PublisherSettings(ORIGIN, str(self.keys), keep=3, deltas=2),
            b"quorum none\n",
        )
        session = self.session()
        self.keys.mkdir(parents=True, exist_ok=True)
        make_log_key(session, log2_n=CHEAP)
        for witness in self.witnesses:
            witness.logs[ORIGIN] = session.log().verifier
        write_policy(session, self.policy())
        return session

    def begin(self, custodians: RoleKeys | None = None) -> World:
        """The whole ceremony."""
        session = self.prepare()
        draft_first_root(session, self.roles(custodians), Publisher("The Example Guild"))
        finish(session)
        return self

    def sources(self, name: str, *digests: str) -> Path:
        """A file of sources that pins one list of digests."""
        import hashlib

        folder = self.folder.parent / "sources"
        folder.mkdir(exist_ok=True)
        data = "".join(f"{digest}:{int(digest[:4], 16)}:Test.{digest[:6]}\n" for digest in digests)
        (folder / f"{name}.hsb").write_text(data)
        sha256 = hashlib.sha256(data.encode()).hexdigest()
        pinned = folder / f"{name}.toml"
        pinned.write_text(
            f'[[source]]\nname = "test.hsb"\npath = "{name}.hsb"\nsha256 = "{sha256}"\n'
            'uri = "https://example.org/test.hsb"\nlicence = "CC0-1.0"\n'
        )
        return pinned

    def later(self, **by: int) -> World:
        self.now += timedelta(**by)
        return self


def give_away(world: World, *names: str) -> KeyFolder:
    """Take keys out of the publisher's folder, as the ceremony does with root keys."""
    away = world.keys.parent / "away"
    away.mkdir(exist_ok=True)
    for name in names:
        shutil.move(world.keys / f"{name}.key", away / f"{name}.key")
        shutil.copy(world.keys / f"{name}.pub", away / f"{name}.pub")
    return KeyFolder(away, secrets)


def root_1(world: World) -> bytes:
    return (world.repository / "metadata" / "1.root.json").read_bytes()


class FolderFetcher(FetcherInterface):
    """python-tuf's way to a folder of static files; counts what was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []

    def _fetch(self, url: str):
        path = url.removeprefix("https://repo.example/")
        self.asked.append(path)
        try:
            yield (self.folder / path).read_bytes()
        except OSError:
            raise DownloadHTTPError("not there", 404) from None


class Reader:
    """python-tuf's own client over a folder, which trusts the root it is given."""

    def __init__(self, repository: Path, state: Path, root: bytes) -> None:
        self.repository, self.state, self.root = repository, state, root
        state.mkdir(parents=True, exist_ok=True)
        (state / "files").mkdir(exist_ok=True)

    def refreshed(self, now: datetime) -> Updater:
        self.fetcher = FolderFetcher(self.repository)
        updater = Updater(
            str(self.state),
            "https://repo.example/metadata/",
            str(self.state / "files"),
            "https://repo.example/targets/",
            fetcher=self.fetcher,
            bootstrap=self.root,
        )
        updater._trusted_set.reference_time = now
        updater.refresh()
        return updater


def what_readers_see(world: World, state: Path, root: bytes, now: datetime | None = None) -> int:
    """Check all that a device would, as far as python-tuf and the log go.

    Returns:
        The newest database's version; 0 when none is offered.
    """
    import hashlib

    import zstandard

    from tocsin.transparency.policy import Policy
    from tocsin.transparency.proof import TlogProof
    from tocsin.updates.layout import DatabaseTarget, entry_path, parse_custom, proof_path
    from tocsin.updates.statement import parse_envelope, verified_by

    updater = Reader(world.repository, state, root).refreshed(now or world.now)
    trusted = updater._trusted_set
    role = trusted.root.roles["targets"]
    keys = {keyid: trusted.root.keys[keyid] for keyid in role.keyids}
    policy = Policy.parse((world.folder / "trust" / "policy").read_bytes())
    newest = 0
    for target in trusted.targets.targets.values():
        path = updater.download_target(updater.get_targetinfo(target.path))
        custom = parse_custom(target.custom)
        if not isinstance(custom, DatabaseTarget):
            continue
        plain = zstandard.ZstdDecompressor().decompress(Path(path).read_bytes())
        assert hashlib.sha256(plain).hexdigest() == custom.sha256
        entry = (world.repository / entry_path(custom.sha256)).read_bytes()
        proof = TlogProof.parse((world.repository / proof_path(custom.sha256)).read_bytes())
        proof.verify(entry, policy)
        envelope = parse_envelope(entry)
        assert len(verified_by(envelope, keys)) >= role.threshold
        assert envelope.statement.sha256 == custom.sha256
        assert envelope.statement.predicate.version == custom.version
        newest = max(newest, custom.version)
    return newest

"""A whole publisher with its log and witnesses, small and in one folder, and devices to update.

The publisher here is written with python-tuf and the log's own modules, not with `publish/`, so
that a mistake made there is not made here too.
"""

from __future__ import annotations

import copy
import hashlib
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import zstandard
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from tocsin.database.portable import build_portable
from tocsin.signatures.records import Kind, Record, Source
from tocsin.transparency.cosignature import cosign
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.log import Log
from tocsin.transparency.note import KeyType
from tocsin.transparency.policy import Policy
from tocsin.updates.delta import make_delta
from tocsin.updates.layout import (
    PUBLISHER_FIELD,
    WITHDRAWN_FIELD,
    Custodians,
    DatabaseTarget,
    DeltaTarget,
    Publisher,
    Withdrawn,
    database_name,
    database_target,
    delta_target,
    entry_path,
    proof_path,
    root_name,
    stored_target,
    write_field,
    write_withdrawn,
)
from tocsin.updates.receive.fetch import Fetcher, FolderFetcher, SchemeFetcher
from tocsin.updates.receive.mirrors import MirrorFetcher
from tocsin.updates.receive.state import UpdateState
from tocsin.updates.receive.trust import Trust
from tocsin.updates.receive.updater import Outcome, Update, Wishes
from tocsin.updates.statement import (
    DatabasePredicate,
    RootPredicate,
    Statement,
    WithdrawalPredicate,
    sign_statement,
)

NOW = datetime.now(UTC).replace(microsecond=0)
_ROLES = (("timestamp", Timestamp), ("snapshot", Snapshot), ("targets", Targets))


def database_bytes(version: int, records: int = 40) -> bytes:
    """A portable database of which most is the same in every version."""
    source = Source("feed.hsb", hashlib.sha256(b"%d" % version).hexdigest())
    numbers = [*range(records), 1_000_000 + version]
    lines = [hashlib.sha256(b"sample %d" % n).hexdigest() + f":100:Sample.{n}" for n in numbers]
    return build_portable(Record(Kind.FILE_DIGEST, line, source, False, 0, "") for line in lines)


class Repository:
    """A publisher with a folder of static files.

    Attributes:
        folder: the repository.
        root_keys: the publisher's own root keys.
        custodians: keys of others who may appoint a successor.
        witnesses: three cosigners.
    """

    def __init__(self, folder: Path, *, name: str = "Example", seed: int = 0) -> None:
        self.folder = folder
        for each in ("metadata", "targets", "log", "proofs"):
            (folder / each).mkdir(parents=True)
        self.root_keys = [CryptoSigner.generate_ed25519() for _ in range(3)]
        self.custodians = [CryptoSigner.generate_ed25519() for _ in range(3)]
        self.online = {role: CryptoSigner.generate_ed25519() for role, _ in _ROLES}
        self.log_key = SigningKey.generate(f"log{seed}.example/1")
        self.witnesses = [
            SigningKey.generate(f"w{n}.example", KeyType.ED25519_COSIGNATURE) for n in range(3)
        ]
        self.log = Log.init(folder / "log", self.log_key)
        self.plain: dict[int, bytes] = {}
        self.versions = dict.fromkeys(("timestamp", "snapshot", "targets"), 0)
        self.targets = Metadata(Targets(version=1, expires=NOW + timedelta(days=30)))
        self.expires = NOW + timedelta(days=30)
        self.cosigned_at = NOW
        self.root = self._first_root(name)
        self.write_root(self.root, self.root_keys[:2])
        self.publish_metadata()

    def copied(self, folder: Path) -> Repository:
        """The same publisher, going on in another folder."""
        shutil.copytree(self.folder, folder)
        made = Repository.__new__(Repository)
        made.__dict__ = {**self.__dict__}
        made.folder, made.log = folder, Log(folder / "log", self.log.verifier)
        made.plain, made.versions = dict(self.plain), dict(self.versions)
        made.targets = copy.deepcopy(self.targets)
        return made

    # --- root -------------------------------------------------------------------------------

    def _first_root(self, name: str) -> Metadata[Root]:
        root = Root(version=1, expires=NOW + timedelta(days=300), consistent_snapshot=True)
        for signer in (*self.root_keys, *self.custodians):
            root.add_key(signer.public_key, "root")
        for role, signer in self.online.items():
            root.add_key(signer.public_key, role)
        root.roles["root"].threshold = 2
        self.claim(root, name)
        return Metadata(root)

    def claim(self, root: Root, name: str) -> None:
        """Let a root say who its publisher is and which keys are the custodians'."""
        keyids = tuple(signer.public_key.keyid for signer in self.custodians)
        root.unrecognized_fields[PUBLISHER_FIELD] = write_field(
            Publisher(name, "mail@example.org", NOW, Custodians(keyids, 2))
        )

    def next_root(self, change: Callable[[Root], None] = lambda _: None) -> Metadata[Root]:
        """The next root, not signed yet."""
        signed = copy.deepcopy(self.root.signed)
        signed.version += 1
        change(signed)
        return Metadata(signed)

    def write_root(
        self, root: Metadata[Root], signers: Iterable[CryptoSigner], *, logged: bool = True
    ) -> bytes:
        """Sign a root, log it and put it into the repository."""
        root.signatures.clear()
        for signer in signers:
            root.sign(signer, append=True)
        data = root.to_bytes(JSONSerializer())
        version = root.signed.version
        (self.folder / root_name(version)).write_bytes(data)
        self.root = root
        if logged:
            predicate = RootPredicate(version, "whoever")
            self.vouch(root_name(version), data, predicate)
        return data

    def root_bytes(self, version: int) -> bytes:
        return (self.folder / root_name(version)).read_bytes()

    # --- log --------------------------------------------------------------------------------

    def vouch(
        self,
        name: str,
        data: bytes,
        predicate: Any,
        *,
        witnesses: slice = slice(0, 3),
        signer: CryptoSigner | None = None,
    ) -> None:
        """Log a statement, have it cosigned, and put entry and proof into the repository."""
        sha256 = hashlib.sha256(data).hexdigest()
        envelope = sign_statement(
            Statement(name, sha256, predicate), [signer or self.online["targets"]]
        )
        entry = envelope.to_bytes()
        grown = self.log.integrate([entry], self.log_key)
        self.cosign(witnesses)
        (self.folder / entry_path(sha256)).write_bytes(entry)
        proof = self.log.prove(grown.first)
        (self.folder / proof_path(sha256)).write_bytes(proof.to_bytes())

    def cosign(self, witnesses: slice = slice(0, 3)) -> None:
        text = self.log.newest().note.text
        at = int(self.cosigned_at.timestamp())
        self.log.publish([cosign(text, key, at) for key in self.witnesses[witnesses]])

    def policy_text(self, quorum: str = "group q 2 w0 w1 w2\nquorum q\n") -> bytes:
        lines = [f"log {self.log_key.verifier.vkey}"]
        lines += [f"witness w{n} {key.verifier.vkey}" for n, key in enumerate(self.witnesses)]
        return ("\n".join(lines) + "\n" + quorum).encode()

    # --- databases --------------------------------------------------------------------------

    def add(
        self,
        version: int,
        *,
        data: bytes | None = None,
        delta: bool = True,
        logged: bool = True,
        witnesses: slice = slice(0, 3),
        signer: CryptoSigner | None = None,
        **custom: Any,
    ) -> bytes:
        """Publish a database; the metadata is for `publish_metadata`."""
        plain = database_bytes(version) if data is None else data
        self.plain[version] = plain
        sha256 = hashlib.sha256(plain).hexdigest()
        described = DatabaseTarget(
            version, sha256, len(plain), **{"channels": {"stable": NOW, "fast": NOW}, **custom}
        )
        packed = zstandard.compress(plain, 3)
        self.put_target(database_target(version), packed, write_field(described))
        if delta and version - 1 in self.plain:
            self.add_delta(version - 1, version)
        if logged:
            predicate = DatabasePredicate(version, NOW, None, len(plain), (), 1, 1, {"digest": 41})
            self.vouch(database_name(version), plain, predicate, witnesses=witnesses, signer=signer)
        return plain

    def add_delta(self, old: int, new: int) -> None:
        place = self.folder.parent / f"{self.folder.name}-delta"
        files = []
        for version in (old, new):
            files.append(place.with_suffix(f".{version}"))
            files[-1].write_bytes(self.plain[version])
        make_delta(files[0], files[1], place)
        ends = [hashlib.sha256(self.plain[version]).hexdigest() for version in (old, new)]
        custom = write_field(DeltaTarget(*ends, old, new))
        self.put_target(delta_target(old, new), place.read_bytes(), custom)

    def put_target(self, path: str, data: bytes, custom: dict[str, Any]) -> None:
        target = TargetFile.from_data(path, data, ["sha256"])
        target.unrecognized_fields["custom"] = custom
        self.targets.signed.targets[path] = target
        self.stored(path).parent.mkdir(parents=True, exist_ok=True)
        self.stored(path).write_bytes(data)

    def stored(self, path: str) -> Path:
        target = self.targets.signed.targets[path]
        return self.folder / stored_target(path, target.hashes["sha256"])

    def withdraw(self, version: int, reason: str) -> None:
        self.targets.signed.unrecognized_fields[WITHDRAWN_FIELD] = write_withdrawn(
            (Withdrawn(version, reason, NOW),)
        )

    def log_withdrawal(
        self, version: int, reason: str, *, signer: CryptoSigner | None = None
    ) -> None:
        """Let the log say that a version is pulled back; the metadata is for `withdraw`."""
        sha256 = hashlib.sha256(self.plain[version]).hexdigest()
        predicate = WithdrawalPredicate(version, reason, NOW)
        statement = Statement(database_name(version), sha256, predicate)
        entry = sign_statement(statement, [signer or self.online["targets"]]).to_bytes()
        self.log.integrate([entry], self.log_key)
        self.cosign()

    def publish_metadata(self, **signers: CryptoSigner) -> None:
        """Sign targets, snapshot and timestamp anew and put them into the repository."""
        keys = {**self.online, **signers}
        for role in self.versions:
            self.versions[role] += 1
        self.targets.signed.version = self.versions["targets"]
        self.targets.signed.expires = self.expires
        self._write("targets", self.targets, keys["targets"], numbered=True)
        snapshot = Snapshot(self.versions["snapshot"], expires=self.expires)
        snapshot.meta["targets.json"] = MetaFile(self.versions["targets"])
        data = self._write("snapshot", Metadata(snapshot), keys["snapshot"], numbered=True)
        timestamp = Timestamp(self.versions["timestamp"], expires=self.expires)
        timestamp.snapshot_meta = MetaFile.from_data(self.versions["snapshot"], data, ["sha256"])
        self._write("timestamp", Metadata(timestamp), keys["timestamp"], numbered=False)

    def _write(self, role: str, metadata: Any, signer: CryptoSigner, *, numbered: bool) -> bytes:
        metadata.signatures.clear()
        metadata.sign(signer)
        name = f"{metadata.signed.version}.{role}.json" if numbered else f"{role}.json"
        data: bytes = metadata.to_bytes(JSONSerializer())
        (self.folder / "metadata" / name).write_bytes(data)
        return data


class Device:
    """A device that trusts a publisher's first root and a policy."""

    def __init__(self, folder: Path, repository: Repository, *, quorum: str | None = None) -> None:
        text = repository.policy_text() if quorum is None else repository.policy_text(quorum)
        self.folder = folder
        self.trust = Trust(repository.root_bytes(1), Policy.parse(text))
        self.mirrors = [str(repository.folder)]
        self.activated: list[Path] = []
        self.refuses: Exception | None = None
        self.max_age = 0
        self.channel = "stable"
        self.fetcher: MirrorFetcher | None = None
        self.schemes: dict[str, Fetcher] = {"file": FolderFetcher([Path("/")])}

    @property
    def state(self) -> UpdateState:
        return UpdateState(self.folder)

    @property
    def version(self) -> int:
        return self.state.installed().current

    def activate(self, database: Path) -> None:
        self.activated.append(database)
        if self.refuses:
            raise self.refuses

    def forget_looks(self) -> None:
        """As if the last look into the log and at other mirrors were long ago."""
        seen = self.state.seen()
        self.state.keep_seen(msgspec.structs.replace(seen, looked=None, confirmed=None))

    def forget_mirrors_asked(self) -> None:
        """As if no other mirror had been asked for long."""
        seen = self.state.seen()
        self.state.keep_seen(msgspec.structs.replace(seen, confirmed=None))

    def update(self, *, at: datetime | None = None, again: bool = False) -> Outcome:
        self.fetcher = MirrorFetcher(self.mirrors, SchemeFetcher(self.schemes))
        wishes = Wishes(
            lambda target, channel, device, now: channel in target.channels,
            self.channel,
            self.max_age,
            at,
            again,
        )
        return Update(self.state, self.trust, self.fetcher, wishes, self.activate).run()

    def snapshot(self) -> dict[str, bytes]:
        """Everything that decides what is in use."""
        state = self.state
        held = {"installed": msgspec.json.encode(state.installed())}
        for version in state.kept_versions():
            held[str(version)] = state.database(version).read_bytes()
        return held


def role_of(root: Root, role: str) -> Role:
    return root.roles[role]

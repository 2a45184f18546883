"""A day of updates on one machine, by real processes over loopback, with every step's cost.

    python benchmarks/a_day.py [--records 1000000] [--json] [--keep FOLDER]

A publisher with a log, three witnesses of which one is not ours, two mirrors of which one lies,
and three devices: one that has nothing yet, one that was off for some days, one of yesterday.
A sample that is made as this runs becomes known; each device takes the update from whom it can
verify, asks for two of the three witnesses, and finds the sample, which it did not before. Then
the liar shows old metadata and a log of its own. Bytes are those on the wire, with HTTP's headers.

Exit status 0 when everything came as it has to, 1 when not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from day_processes import (
    PASSPHRASE,
    TOCSIN,
    Counted,
    DayFailed,
    Place,
    Server,
    Wire,
    independent_witness,
)

from tocsin.transparency.keys import SCRYPT_LOG2_N, SigningKey
from tocsin.transparency.log import Log
from tocsin.transparency.policy import Policy
from tocsin.transparency.verifier_key import KeyType
from tocsin.updates.publish.keys import make_key
from tocsin.updates.publish.witnesses import ask_witnesses, post_over_http

ORIGIN = "day.example/log"
CHEAP = 2
_ROLES = {"root": 3, "targets": 1, "snapshot": 1, "timestamp": 1}
_DAYS = 3
_KEPT = ("before", "version", "way", "left_aside", "vouched")


@dataclass
class Step:
    """One part of the day.

    Attributes:
        name: what was done.
        milliseconds: of wall time, with the start of each process.
        bytes: over the wires.
        requests: over the wires.
        said: what it came to.
    """

    name: str
    milliseconds: float = 0.0
    bytes: int = 0
    requests: int = 0
    said: str = ""


@dataclass
class Day:
    """Everything that is there.

    Args:
        folder: for all of it.
        records: digests in the database.
        quick: cheap keys, and devices without tocsin's own signatures.
        peer: the independent witness's program; None for a third of ours.
        say: whether steps are shown as they end.
    """

    folder: Path
    records: int
    quick: bool
    peer: Path | None
    say: bool = True
    steps: list[Step] = field(default_factory=list)
    wires: dict[str, Wire] = field(default_factory=dict)
    witnesses: list[str] = field(default_factory=list)
    open: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.cost = CHEAP if self.quick else SCRYPT_LOG2_N
        self.publisher = Place(self.folder / "publisher")
        self.pub = self.publisher.folder / "pub"
        self.repository = self.pub / "repository"
        self.mirrors = {name: Place(self.folder / name) for name in ("honest", "liar")}
        self.devices = {name: Place(self.folder / name) for name in ("fresh", "behind", "current")}
        self.sample = secrets.token_bytes(4096)
        (self.folder / "sample").write_bytes(self.sample)
        self.digests = [hashlib.sha256(b"%d" % n).hexdigest() for n in range(self.records)]

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Measure what is done meanwhile."""
        step, began, before = Step(name), time.perf_counter(), self._counted()
        yield step
        step.milliseconds = round((time.perf_counter() - began) * 1000, 1)
        step.bytes, step.requests = self._counted() - before
        self.steps.append(step)
        if self.say:
            cost = f"{step.milliseconds:9,.0f} ms {step.bytes:11,} B {step.requests:3} requests"
            print(f"{step.name:<46}{cost}  {step.said}", flush=True)

    def _counted(self) -> Counted:
        counted = [wire.counted for wire in self.wires.values()]
        return Counted(sum(c.bytes for c in counted), sum(c.requests for c in counted))

    def serve(self, name: str, command: list[object], place: Place, says: str) -> Wire:
        """Start a server, with a wire before it that counts."""
        server = Server(command, place, says)
        self.open.callback(server.stop)
        wire = self.wires[name] = Wire(server.port)
        self.open.callback(wire.close)
        return wire

    # --- who is there -----------------------------------------------------------------------

    def make_keys(self) -> SigningKey:
        """The publisher's keys and the log's."""
        keys = self.publisher.folder / "keys"
        for role, count in _ROLES.items():
            for number in range(1, count + 1):
                make_key(keys, f"{role}-{number}", PASSPHRASE.encode(), log2_n=self.cost)
        log_key = SigningKey.generate(ORIGIN)
        log_key.save(keys / "log.key", PASSPHRASE.encode(), log2_n=self.cost)
        return log_key

    def our_witness(self, name: str, log_key: SigningKey) -> None:
        """One of ours, which knows the log."""
        place = Place(self.folder / name)
        state = place.folder / "witness"
        state.mkdir()
        key = SigningKey.generate(f"{name}.example", KeyType.ED25519_COSIGNATURE)
        key.save(state / "ed25519.key", PASSPHRASE.encode(), log2_n=self.cost)
        place.run("witness", "add-log", state, log_key.verifier.vkey)
        command = [*TOCSIN, "witness", "serve", state, "--listen", "127.0.0.1:0", "--json"]
        wire = self.serve(name, command, place, r"127\.0\.0\.1:(\d+)")
        self.witnesses.append(f"witness {name} {key.verifier.vkey} {wire.url}")

    def their_witness(self, program: Path, log_key: SigningKey) -> None:
        """The independent one, in an environment of its own."""
        import subprocess

        place = Place(self.folder / "w3")
        config = ["--config", "witness.json"]

        def run(*words: str) -> str:
            done = subprocess.run(
                [str(program), *words, *config],
                cwd=place.folder,
                env=place.environment,
                capture_output=True,
                text=True,
                timeout=60,
            )
            if done.returncode:
                raise DayFailed(f"aics-witness {words[0]}: {done.stderr}")
            return done.stdout

        vkey = re.search(r"\S+\+[0-9a-f]{8}\+\S+", run("init", "--name", "peer.example/w3"))
        if vkey is None:
            raise DayFailed("aics-witness says no key")
        run("add-log", "--origin", ORIGIN, "--vkey", log_key.verifier.vkey)
        command: list[object] = [program, "serve", *config, "--listen", "127.0.0.1:0"]
        wire = self.serve("w3", command, place, r"listening on http://127\.0\.0\.1:(\d+)")
        self.witnesses.append(f"witness w3 {vkey[0]} {wire.url}")

    def begin(self) -> None:
        """The ceremony: keys, witnesses, the policy, root 1, the mirrors, whom devices trust."""
        with self.step("keys of publisher and log"):
            log_key = self.make_keys()
        with self.step("three witnesses begin") as step:
            self.our_witness("w1", log_key)
            self.our_witness("w2", log_key)
            if self.peer is not None:
                self.their_witness(self.peer, log_key)
            else:
                self.our_witness("w3", log_key)
            step.said = f"w3 is {'aics-witness' if self.peer else 'one of ours too'}"
        policy = self.publisher.folder / "witnesses"
        group = "group all 2 w1 w2 w3\nquorum all\n"
        policy.write_text("\n".join([*self.witnesses, group]))
        keys = self.publisher.folder / "keys"
        named = [
            word
            for role, count in _ROLES.items()
            for number in range(1, count + 1)
            for word in ("--public-key", f"{role}={keys / f'{role}-{number}.pub'}")
        ]
        with self.step("root 1, logged and cosigned") as step:
            begin = ["publish", "init", self.pub, "--keys", keys, "--name", "The Day's Guild"]
            more = ["--origin", ORIGIN, "--policy", policy, "--root-threshold", 2, *named]
            code, said, _ = self.publisher.run(*begin, *more, status=(0, 1))
            if code:
                said = self.publisher.run("publish", "finish", self.pub)[1]
            step.said = said.strip().splitlines()[-1]

    # --- a day ------------------------------------------------------------------------------

    def publish(self, number: int, *, known: bool) -> None:
        """Publish a day's database: some digests come, some go; the sample when it is known."""
        change = max(1, self.records // 1000)
        day = self.digests[number * change :]
        lines = [f"{digest}:*:Day.{digest[:8]}:73" for digest in day]
        lines += [
            f"{hashlib.sha256(b'new %d %d' % (number, n)).hexdigest()}:*:Day.New{number}.{n}:73"
            for n in range(change)
        ]
        if known:
            lines.append(f"{hashlib.sha256(self.sample).hexdigest()}:4096:Day.Sample")
        data = "\n".join([*lines, ""]).encode()
        source = self.publisher.folder / "day.hsb"
        source.write_bytes(data)
        pinned = self.publisher.folder / "sources.toml"
        pinned.write_text(
            '[[source]]\nname = "day.hsb"\npath = "day.hsb"\n'
            f'sha256 = "{hashlib.sha256(data).hexdigest()}"\n'
        )
        at_once = ("--fast-after", "0s", "--stable-after", "0s", "--ring", "100:0s")
        tried: list[object] = ["--untried"]
        if known:
            good, bad = (self.publisher.folder / name for name in ("good", "bad"))
            for folder, content in ((good, b"dear reader, " * 9), (bad, self.sample)):
                folder.mkdir(exist_ok=True)
                (folder / "file").write_bytes(content)
            tried = ["--benign", good, "--malicious", bad]
        name = f"version {number} built, logged, cosigned"
        with self.step(name + (", tried before" if known else "")) as step:
            said = self.publisher.values("publish", "add", self.pub, pinned, *tried, *at_once)
            step.said = f"+{said['added']:,} -{said['removed']:,}"

    def copy(self) -> None:
        """Bring the mirrors up to date; the liar takes what the other has, and checks nothing."""
        with self.step("the mirror copies, and checks") as step:
            place = self.mirrors["honest"]
            www = place.folder / "www"
            source = ("--mirror", self.wires["publisher"].url, "--trust", self.pub / "trust")
            values = place.values("update", "mirror", www, *source)
            step.said = f"version {values['version']}, {values['files']} files"
        self.serve_another(www)

    def serve_folders(self) -> None:
        """The publisher and both mirrors serve what they have; anybody's web server would do."""
        folders = {name: place.folder / "www" for name, place in self.mirrors.items()}
        for name, folder in (("publisher", self.repository), *folders.items()):
            folder.mkdir(exist_ok=True)
            code = "import sys, pathlib; from tocsin.app.serve_mirror import serve_folder as s; "
            code += "s(pathlib.Path(sys.argv[1]), '127.0.0.1:0', lambda t: print(t, flush=True))"
            command: list[object] = [sys.executable, "-c", code, folder]
            place = self.mirrors.get(name, self.publisher)
            self.serve(name, command, place, r"at http://127\.0\.0\.1:(\d+)")

    def trust(self) -> None:
        """Each device is told whom to trust, and both mirrors, the liar first."""
        mirrors = [
            word for name in ("liar", "honest") for word in ("--mirror", self.wires[name].url)
        ]
        for device in self.devices.values():
            (device.folder / "config").mkdir()
            if self.quick:
                own = device.folder / "own.ndb"
                own.write_text(f"Own.List:0:*:{b'a list of their own'.hex()}\n")
                settings = f'[database]\nsources = ["{own}"]\nwith_default = false\n'
                (device.folder / "config" / "tocsin.toml").write_text(settings)
            root, policy = self.pub / "trust" / "root.json", self.pub / "trust" / "policy"
            device.run("update", "trust", "--root", root, "--policy", policy, *mirrors)

    def update(self, device: str, lie: str = "") -> dict[str, Any]:
        """A device updates; what its command said."""
        about = f"; {lie}" if lie else ""
        with self.step(f"{device!r} updates{about}") as step:
            values = self.devices[device].values("update")
            step.said = f"{values['before']} → {values['version']} {values['way']}"
            if values["left_aside"]:
                (reason,) = set(values["left_aside"].values())
                step.said += f"; left aside: {reason[:90]}"
        if lie and list(values["left_aside"]) != [f"{self.wires['liar'].url}/"]:
            raise DayFailed(f"the liar was not found out ({lie}): {values}")
        return values

    def finds(self, device: str) -> bool:
        """Whether a device finds the sample."""
        code, _, _ = self.devices[device].run("scan", self.folder / "sample", status=(0, 1))
        return code == 1

    # --- lies -------------------------------------------------------------------------------

    @property
    def lying(self) -> Path:
        """What the liar serves."""
        return self.mirrors["liar"].folder / "www"

    def flip(self, pattern: str) -> None:
        """Change one byte in the middle of each of some files."""
        for place in self.lying.glob(pattern):
            data = bytearray(place.read_bytes())
            data[len(data) // 2] ^= 1
            place.write_bytes(data)

    def serve_another(self, folder: Path) -> None:
        """Have the liar serve what is in another folder."""
        shutil.rmtree(self.lying)
        shutil.copytree(folder, self.lying)

    def fork_log(self, old: Path) -> list[str]:
        """Make the liar's log another one from an old state on, with the log's own stolen key.

        Returns:
            The witnesses that cosign it; none will.
        """
        shutil.rmtree(self.lying / "log")
        shutil.copytree(old / "log", self.lying / "log")
        key = SigningKey.load(self.publisher.folder / "keys" / "log.key", PASSPHRASE.encode())
        log = Log(self.lying / "log", key.verifier)
        grown = log.integrate([b"for one device only, %d" % n for n in range(9)], key)
        policy = Policy.parse((self.pub / "trust" / "policy").read_bytes())
        with self.step("the liar asks for cosignatures on its log") as step:
            note = grown.checkpoint.note
            asked = ask_witnesses(policy, note, log.consistency, {}, post_over_http)
            step.said = "; ".join(f"{name}: {said}" for name, said in asked.answers.items())
        log.publish(asked.signatures)
        return [name for name, said in asked.answers.items() if said == "cosigned"]


def run_day(day: Day) -> dict[str, Any]:
    """The whole day.

    Returns:
        What came of it, for programs.

    Raises:
        DayFailed: something did not come as it has to.
    """
    day.begin()
    day.serve_folders()
    day.trust()
    history = day.folder / "history"
    for number in range(1, _DAYS):
        day.publish(number, known=False)
        day.copy()
        if number == 1:
            day.update("behind")
            shutil.copytree(day.lying, history)
    day.update("current")
    with day.step("nothing new: a check") as step:
        step.said = day.devices["current"].values("update")["why"]
    before = {name: day.finds(name) for name in day.devices}

    day.publish(_DAYS, known=True)
    day.copy()
    whole = day.folder / "whole"
    shutil.copytree(day.lying, whole)
    updates = {}
    day.flip("targets/databases/*")
    updates["fresh"] = day.update("fresh", "one byte of the database is another")
    day.serve_another(whole)
    day.flip("targets/deltas/*")
    updates["behind"] = day.update("behind", "one byte of each delta is another")
    day.serve_another(history)
    updates["current"] = day.update("current", "the metadata of two versions ago")
    after = {name: day.finds(name) for name in day.devices}
    vouched = {}
    for name, device in day.devices.items():
        with day.step(f"{name!r} looks at everything again, off line") as step:
            values = device.values("update", "verify")
            seen = next(w for w in values["versions"] if w["in_use"])["witnesses"]
            vouched[name] = {w["name"]: w["standing"] for w in seen}
            step.said = ", ".join(f"{name} {said}" for name, said in vouched[name].items())

    day.publish(_DAYS + 1, known=True)
    day.copy()
    cosigned = day.fork_log(history)
    updates["split"] = day.update("current", "a log of its own, signed with the log's key")
    result = {
        "found_before": before,
        "found_after": after,
        "vouched": vouched,
        "fork_cosigned_by": cosigned,
        "peer": day.peer is not None,
        "updates": {
            name: {
                key: values[key] for key in ("before", "version", "way", "left_aside", "vouched")
            }
            for name, values in updates.items()
        },
        "steps": [asdict(step) for step in day.steps],
    }
    if any(before.values()) or not all(after.values()):
        raise DayFailed(f"found before the update: {before}, after it: {after}")
    if cosigned:
        raise DayFailed(f"a log of two histories was cosigned by {', '.join(cosigned)}")
    return result


def main() -> int:
    """Run it; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--records", type=int, default=100_000, help="digests in the database")
    parser.add_argument("--quick", action="store_true", help="cheap keys, few records")
    parser.add_argument("--witness", type=Path, help="the program aics-witness, if not installed")
    parser.add_argument("--own", action="store_true", help="a third witness of ours instead")
    parser.add_argument("--keep", type=Path, help="do it in this new folder and leave it there")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args()
    peer = None if asked.own else independent_witness(asked.witness)
    if peer is None and not asked.own:
        print("aics-witness cannot be installed here: the third witness is ours", file=sys.stderr)
    folder = asked.keep or Path(tempfile.mkdtemp(prefix="tocsin-day-"))
    folder.mkdir(parents=True, exist_ok=True)
    records = min(asked.records, 500) if asked.quick else asked.records
    day = Day(folder.resolve(), records, asked.quick, peer)
    day.say = not asked.json
    try:
        with day.open:
            result = run_day(day)
    except DayFailed as error:
        print(f"a_day: {error}", file=sys.stderr)
        return 1
    finally:
        if not asked.keep:
            shutil.rmtree(folder, ignore_errors=True)
    if asked.json:
        print(json.dumps(result))
    else:
        spent = sum(step.milliseconds for step in day.steps) / 1000
        sent = sum(step.bytes for step in day.steps)
        print(f"Found by no device before, by all after. {spent:.1f} s, {sent:,} bytes on wires.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

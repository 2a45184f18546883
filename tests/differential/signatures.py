"""Signatures of every kind made at random, each with the files that test it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from typing import NamedTuple

from differential import hosts, patterns
from formats.images import pe_with_imports, pe_with_version

LEVEL = "Engine:51-255"
GAP_SIGNATURES = "".join(f"Gap.T{t}:{t}:*:7a7a2a7a*7a7a2b7a\n" for t in (0, 1, 6, 14))
"""clamscan evaluates byte comparisons only where a pattern with a gap is loaded too."""


class Case(NamedTuple):
    """One or more database lines, by the ending of their file, and files to scan."""

    lines: dict[str, str]
    files: list[bytes]


class Numbering:
    """Gives each signature its own name, so that many share a database."""

    def __init__(self) -> None:
        self._last = 0

    def name(self, kind: str) -> str:
        self._last += 1
        return f"D.{kind}.{self._last}"


def _offset(rng: random.Random, host: hosts.Host, size: int) -> tuple[str, int]:
    """An offset and the place it means, or almost."""
    shift = rng.choice((0, 0, 3, 8))
    tail = f",{shift}" if shift or rng.random() < 0.1 else ""
    slip = rng.choice((0, 0, 0, shift, shift, shift + 1, -1))
    roll = rng.random()
    if roll < 0.4:
        place = host.room + rng.randint(0, 40)
        return "*", place
    if roll < 0.6 or (roll < 0.9 and not host.anchors):
        place = host.room + rng.randint(0, 40)
        return f"{place}{tail}", place + slip
    if roll < 0.7:
        back = size + rng.randint(0, 6)
        return f"EOF-{back}{tail}", len(host.data) - back + slip
    if not host.anchors:
        return "*", host.room + rng.randint(0, 40)
    anchor = rng.choice(sorted(host.anchors))
    base = host.anchors[anchor]
    if anchor.startswith("SE"):
        return f"{anchor}{tail}", base + rng.choice((-4, 0, shift, shift + 1))
    distance = rng.randint(0, 24)
    if anchor == "EP" and rng.random() < 0.3:
        return f"EP-{distance}{tail}", base - distance + slip
    return f"{anchor}+{distance}{tail}", base + distance + slip


def _planted(
    rng: random.Random, host: hosts.Host, text: str, place: int, modifiers: str = ""
) -> list[bytes]:
    """Files that hold the pattern, and some that almost do."""
    whole = patterns.modify(patterns.realise(text, rng), modifiers, rng)
    slipped = patterns.modify(patterns.realise(text, rng, slip=0.7), modifiers, rng)
    texts = [whole, slipped, patterns.almost(whole, rng), patterns.almost(slipped, rng)]
    return [hosts.plant(host, place, text) for text in texts]


def _host(rng: random.Random) -> hosts.Host:
    return hosts.make_host(rng, rng.choice((0, 0, 0, 14, 1, 1, 6)))


def _some_wrapped(files: list[bytes], rng: random.Random) -> list[bytes]:
    return [hosts.maybe_wrapped(file, rng)[0] if rng.random() < 0.25 else file for file in files]


def extended(rng: random.Random, names: Numbering) -> Case:
    """`.ndb` and `.sdb`."""
    host = _host(rng)
    text = patterns.pattern(rng, dense=rng.random() < 0.15)
    offset, place = _offset(rng, host, 12)
    levels = rng.choice(("", "", "", ":51", ":51:255", ":217", ":1:215"))
    line = f"{names.name('Ext')}:{host.target}:{offset}:{text}{levels}"
    ending = rng.choice(("ndb", "ndb", "sdb"))
    return Case({ending: line}, _some_wrapped(_planted(rng, host, text, place), rng))


def version_info(rng: random.Random, names: Numbering) -> Case:
    """`.ndb` with offset VI: keys and values of a version resource."""
    keys = ["CompanyName", "FileVersion", "LegalCopyright"]
    key = rng.choice(keys)
    value = rng.choice(("Acme", "1.0", ""))
    file = pe_with_version([(name, value if name == key else "other") for name in keys])
    wanted = key + rng.choice(("", "\0\0"))
    line = f"{names.name('Vi')}:1:VI:{wanted.encode('utf-16-le').hex()}"
    moved = file.replace(key.encode("utf-16-le"), key.swapcase().encode("utf-16-le"))
    return Case({"ndb": line}, [file, moved])


def plain(rng: random.Random, names: Numbering) -> Case:
    """`.db`."""
    host = hosts.make_host(rng, 0)
    text = patterns.literal(rng, 4, 9).hex()
    if rng.random() < 0.5:
        text += patterns.gap(rng) + patterns.part(rng, modified=False)
    files = _planted(rng, host, text, host.room + rng.randint(0, 30))
    return Case({"db": f"{names.name('Db')}={text}"}, _some_wrapped(files, rng))


def digest(rng: random.Random, names: Numbering) -> Case:
    """`.hdb` and `.hsb`: three algorithms, with and without size, wrong in one way or none."""
    data = hosts.make_host(rng, rng.choice((0, 1))).data + patterns.literal(rng)
    algorithm = rng.choice(("md5", "sha1", "sha256"))
    value = hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()
    size = rng.choice((str(len(data)), str(len(data)), "*", str(len(data) + 1)))
    value = value.upper() if rng.random() < 0.2 else value
    tail = ":73" if size == "*" else rng.choice(("", ":1", ":1:300", ":217"))
    ending = "hdb" if algorithm == "md5" else "hsb"
    line = f"{value}:{size}:{names.name('Dig')}{tail}"
    return Case({ending: line}, [data, hosts.maybe_wrapped(data, rng)[0], data + b"\0"])


def allowed(rng: random.Random, names: Numbering) -> Case:
    """`.fp` and `.sfp`, for a file, for what is inside, or for what is around it."""
    text = patterns.literal(rng, 5, 8)
    host = hosts.make_host(rng, 0)
    inner = hosts.plant(host, host.room + 5, text)
    outer = hosts.wrap(rng.choice(hosts.CONTAINERS), inner)
    protected = rng.choice((inner, outer))
    algorithm = rng.choice(("md5", "sha256"))
    value = hashlib.new(algorithm, protected, usedforsecurity=False).hexdigest()
    ending = "fp" if algorithm == "md5" else "sfp"
    size = rng.choice((str(len(protected)), "*"))
    tail = ":73" if size == "*" else ""
    name = names.name("Fp")
    own = hashlib.md5(outer, usedforsecurity=False).hexdigest()
    return Case(
        {
            "ndb": f"{name}:0:*:{text.hex()}",
            "hdb": f"{own}:{len(outer)}:{name}.Outer",
            ending: f"{value}:{size}:{name}.Allow{tail}",
        },
        [inner, outer, inner + b"\xf0", hosts.wrap(hosts.CONTAINERS[2], outer)],
    )


def section(rng: random.Random, names: Numbering) -> Case:
    """`.mdb` and `.msb`: a section of a PE file."""
    host = hosts.make_host(rng, 1)
    place = rng.choice((0x400, 0x600))
    data = hosts.plant(host, place + 8, patterns.literal(rng, 6, 12))
    end = host.anchors["SE0" if place == 0x400 else "SE1"]
    algorithm = rng.choice(("md5", "sha1", "sha256"))
    value = hashlib.new(algorithm, data[place:end], usedforsecurity=False).hexdigest()
    size = rng.choice((str(end - place), str(end - place), "*", str(end - place - 1)))
    tail = ":73" if size == "*" else ""
    ending = "mdb" if algorithm == "md5" else "msb"
    changed = data[: place + 8] + b"\0" + data[place + 9 :]
    files = [data, changed, hosts.maybe_wrapped(data, rng)[0], data + b"overlay"]
    return Case({ending: f"{size}:{value}:{names.name('Sec')}{tail}"}, files)


_LIBRARIES = ("KERNEL32.dll", "user32.DLL", "foo.bar.dll", "drv.drv", "Ctl.OCX", "WS2_32.dll")
_FUNCTIONS = ("ExitProcess", "CreateFileA", "_hidden", "a.b", "Beep")


def imports(rng: random.Random, names: Numbering) -> Case:
    """`.imp`: the digest of a PE file's imports."""
    libraries = []
    parts = []
    for library in rng.sample(_LIBRARIES, rng.randint(1, 3)):
        functions: list[str | int] = list(rng.sample(_FUNCTIONS, rng.randint(1, 3)))
        if library != "WS2_32.dll" and rng.random() < 0.4:
            functions.append(rng.randint(1, 900))
        libraries.append((library, functions))
        stem, dot, ending = library.lower().partition(".")
        stem = stem if dot and ending[:3] in ("dll", "ocx", "sys") else library.lower()
        parts += [
            f"{stem}.{f.lower()}" if isinstance(f, str) else f"{stem}.ord{f}" for f in functions
        ]
    text = ",".join(parts)
    value = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    size = rng.choice((str(len(text)), str(len(text)), "*", str(len(text) + 1)))
    tail = ":73" if size == "*" else ""
    file = pe_with_imports(libraries)
    other = pe_with_imports([*libraries, ("late.dll", ["Late"])])
    plus = pe_with_imports(libraries[::-1])
    files = [file, other, plus, hosts.maybe_wrapped(file, rng)[0]]
    return Case({"imp": f"{value}:{size}:{names.name('Imp')}{tail}"}, files)


def container(rng: random.Random, names: Numbering) -> Case:
    """`.cdb`: what a zip or tar says of a member."""
    inner = hosts.make_host(rng, 0).data
    member = rng.choice(("dir/Tool.EXE", "a.txt", "x+y.js"))
    kind = hosts.CONTAINERS[rng.randrange(3)]
    file = hosts.wrap(kind, inner, member)

    def near(value: int) -> str:
        low, high = value - rng.randint(0, 3), value + rng.randint(0, 3)
        exact = f"{value + rng.choice((0, 0, 0, 1))}"
        return rng.choice(("*", "*", exact, f"{max(0, low)}-{high}", f"{value + 1}-{value + 9}"))

    fields = (
        rng.choice(("*", f"CL_TYPE_{kind.type_name}", "CL_TYPE_ZIP")),
        near(len(file)),
        rng.choice(("*", r"\.EXE$", r"\.exe$", "^dir/", "(txt|js)$", r"x\+y", "[a-z]{3}$", "^a")),
        "*",
        near(len(inner)),
        rng.choice(("*", "0", "0", "1")),
        near(1),
        "*",
        "*",
    )
    files = [file, hosts.wrap(kind, inner + b"\0", member), hosts.wrap(kind, inner, "b/" + member)]
    files.append(hosts.wrap(hosts.CONTAINERS[3], file))
    return Case({"cdb": f"{names.name('Cdb')}:{':'.join(fields)}"}, files)


def ignored(rng: random.Random, names: Numbering) -> Case:
    """`.ign2`: a name, or a name with the digest of the line."""
    text = patterns.literal(rng, 5, 8)
    name = names.name("Ign")
    lines = [f"{name}:0:*:{text.hex()}", f"{name}.More:0:*:{text.hex()}"]
    own = hashlib.md5(lines[0].encode(), usedforsecurity=False).hexdigest()
    wrong = hashlib.md5(b"", usedforsecurity=False).hexdigest()
    rule = rng.choice((name, f"{name}:{own}", f"{name}:{wrong}", name.lower(), f"{name}.More"))
    host = hosts.make_host(rng, 0)
    return Case({"ndb": "\n".join(lines), "ign2": rule}, [hosts.plant(host, host.room, text)])


def shared(rng: random.Random, names: Numbering) -> Case:
    """One pattern in signatures of several targets, offsets and spellings."""
    text = patterns.pattern(rng, modified=True)
    name = names.name("Shr")
    simple, logical_lines = [], []
    for number, target in enumerate(rng.sample((0, 1, 6, 14), 3)):
        offset = rng.choice(("*", "*", "EOF-40,40", "1040,80"))
        modifiers = rng.choice(("", "", "::i", "::a"))
        written = text if offset == "*" else f"{offset}:{text}"
        expression = rng.choice(("0", "0", "0=1", "0>1", "0=0"))
        logical_lines.append(
            f"{name}.L{number};{LEVEL},Target:{target};{expression};{written}{modifiers}"
        )
        simple.append(f"{name}.N{number}:{rng.choice((0, 1, 6, 14))}:{offset}:{text}")
    files = []
    for target in (0, 1, 6):
        host = hosts.make_host(rng, target)
        data = patterns.modify(patterns.realise(text, rng), rng.choice(("", "i")), rng)
        files.append(hosts.plant(host, host.room + rng.randint(0, 40), data))
    return Case({"ndb": "\n".join(simple), "ldb": "\n".join(logical_lines)}, files)


# Logical signatures


class _Logical(NamedTuple):
    text: str
    realise: Callable[[], bytes]
    place: int | None


def _content(rng: random.Random, host: hosts.Host) -> _Logical:
    modifiers = rng.choice(("", "", "", "i", "i", "w", "f", "a", "wa", "iw", "iwa", "fi"))
    dense = rng.random() < 0.25
    # `f` and `w` make every [n-m] a gap, which would leave parts without two literal bytes.
    text = patterns.pattern(rng, modified=bool(modifiers), dense=dense)
    if modifiers and "[" in text:
        text = patterns.literal(rng, 3, 6).hex()
    offset, place = _offset(rng, host, 10)
    written = text if offset == "*" and rng.random() < 0.8 else f"{offset}:{text}"
    if modifiers:
        written += f"::{modifiers}"
    return _Logical(
        written,
        lambda: patterns.modify(patterns.realise(text, rng, slip=0.1), modifiers, rng),
        None if offset == "*" else place,
    )


_REGEXES: tuple[tuple[str, bytes], ...] = (
    (r"qq[0-9]{2,4}z", b"qq123z"),
    (r"(?:foo|bar)+[^a]k", b"foobar.k"),
    (r"^start", b"start"),
    (r"tail$", b"tail"),
    (r"a.c\x2fd", b"a\nc/d"),
    (r"x y z", b"xyz"),
    (r"W(?=in)\w+", b"Windows"),
    (r"(k)\1{2}", b"kkk"),
    (r"n+?o", b"nnno"),
)


def _regex(rng: random.Random, host: hosts.Host, earlier: int) -> _Logical:
    regex, example = rng.choice(_REGEXES)
    flags = "".join(sorted({rng.choice("ismxAEUgre") for _ in range(rng.choice((0, 0, 1, 2, 3)))}))
    trigger = _expression(rng, list(range(earlier)))
    offset, place = _offset(rng, host, 6)
    prefix = "" if offset == "*" else f"{offset}:"
    return _Logical(
        f"{prefix}{trigger}/{regex}/{flags}",
        lambda: example.swapcase() if rng.random() < 0.2 else example,
        None if offset == "*" else place,
    )


def _comparison(rng: random.Random, earlier: int) -> tuple[_Logical, bytes]:
    """A byte comparison and what has to stand behind the match it refers to."""
    kind = rng.choice("hdai")
    order = rng.choice("lb") if kind in "hi" else rng.choice(("b", ""))
    if kind == "a":
        order = "b"
    length = rng.choice((1, 2, 4, 8)) if kind == "i" else rng.randint(2, 6)
    field = bytes(rng.randrange(1, 100) for _ in range(length))
    if kind != "i":
        digits = "0123456789abcdef" if kind == "h" else "0123456789"
        field = "".join(rng.choice(digits) for _ in range(length)).encode()
    exact = "e" if kind != "i" and rng.random() < 0.3 else ""
    value = _value(field, kind, order)
    bound = rng.choice((f"={value}", f"={value}", f"<{value + 1}", f">{value}", f">1,<{value + 2}"))
    text = f"{rng.randrange(earlier)}(>>{rng.randint(3, 6)}#{kind}{order}{exact}{length}#{bound})"
    return _Logical(text, lambda: b"", None), field


def _value(field: bytes, kind: str, order: str) -> int:
    if kind == "i":
        return int.from_bytes(field, "little" if order == "l" else "big", signed=len(field) == 8)
    if kind == "h":
        text = field.decode()
        if order == "l":
            text = "0" + text if len(text) % 2 else text
            text = "".join(reversed([text[i : i + 2] for i in range(0, len(text), 2)]))
        return int(text, 16)
    return int(field)


def _expression(rng: random.Random, indices: list[int]) -> str:
    """An expression over all these sub-signatures."""
    if len(indices) == 1:
        bound = rng.choice(("", "", "", "=1", "=0", ">0", ">1", "=2", "<3", "<1"))
        return f"{indices[0]}{bound}"
    cut = rng.randint(1, len(indices) - 1)
    left = _expression(rng, indices[:cut])
    right = _expression(rng, indices[cut:])
    joined = f"{left}{rng.choice('&|')}{right}"
    roll = rng.random()
    if roll < 0.35:
        return f"({joined})"
    if roll < 0.7:
        matches = rng.randint(0, 3)
        distinct = rng.choice(("", "", ",1", ",2", ",3"))
        return f"({joined}){rng.choice('><=')}{matches}{distinct}"
    return joined


def _conditions(rng: random.Random, host: hosts.Host) -> str:
    block = f"{LEVEL},Target:{host.target}"
    size = len(host.data)
    if rng.random() < 0.2:
        low = size + rng.choice((-40, -5, 0, 1))
        block += f",FileSize:{max(0, low)}-{size + rng.choice((-1, 0, 60, 200))}"
    if host.sections and rng.random() < 0.3:
        low = host.sections + rng.choice((-1, 0, 1))
        block += f",NumberOfSections:{low}-{low + rng.randint(0, 2)}"
    if host.anchors and rng.random() < 0.3:
        entry = host.anchors["EP"] + rng.choice((-1, 0, 0, 1))
        block += f",EntryPoint:{entry}-{entry + rng.randint(0, 4)}"
    roll = rng.random()
    types = ("ZIP", "GZ", "POSIX_TAR", "BZ", "XZ", "ANY")
    if roll < 0.15:
        block += f",Container:CL_TYPE_{rng.choice(types)}"
    elif roll < 0.25:
        ways = ">".join(f"CL_TYPE_{rng.choice(types[:5])}" for _ in range(rng.randint(1, 2)))
        block += f",Intermediates:{ways}"
    return block


def logical(rng: random.Random, names: Numbering) -> Case:
    """`.ldb` with body patterns, regular expressions and byte comparisons."""
    host = _host(rng)
    subs = [_content(rng, host)]
    field = b""
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        roll = rng.random()
        if roll < 0.55:
            subs.append(_content(rng, host))
        elif roll < 0.8:
            subs.append(_regex(rng, host, len(subs)))
        else:
            sub, field = _comparison(rng, len(subs))
            subs.append(sub)
    block = _conditions(rng, host)
    expression = _expression(rng, list(range(len(subs))))
    line = f"{names.name('Log')};{block};{expression};{';'.join(sub.text for sub in subs)}"
    files = [_logical_file(rng, host, subs, field) for _ in range(4)]
    if "Container" in block or "Intermediates" in block:
        files = [hosts.maybe_wrapped(file, rng)[0] for file in files]
    return Case({"ldb": line}, _some_wrapped(files, rng))


def _logical_file(
    rng: random.Random, host: hosts.Host, subs: list[_Logical], field: bytes
) -> bytes:
    """A file with each sub-signature some times, now and then a wrong one."""
    data = host.data
    at = host.room + rng.randint(0, 10)
    for sub in subs:
        for _ in range(rng.choice((0, 1, 1, 1, 1, 2, 3))):
            text = sub.realise()
            if rng.random() < 0.15:
                text = patterns.almost(text, rng)
            if field and rng.random() < 0.6:
                text += field
            place = at if sub.place is None else sub.place
            data = hosts.plant(host._replace(data=data), place, text)
            at += len(text) + rng.randint(0, 3)
    return data


def counted(rng: random.Random, names: Numbering) -> Case:
    """`.ldb`: one pattern of two letters and its exact number of matches."""
    host = hosts.make_host(rng, 14)
    text = patterns.pattern(rng, dense=True)
    name = names.name("Cnt")
    lines = "\n".join(f"{name}.{count};{LEVEL},Target:14;0={count};{text}" for count in range(5))
    files = []
    for _ in range(5):
        letters = bytes(rng.choice(b"aaabbb. ") for _ in range(rng.randint(6, 22)))
        files.append(hosts.plant(host, host.room + 2, letters + patterns.realise(text, rng)))
    return Case({"ldb": lines}, files)


def macro(rng: random.Random, names: Numbering) -> Case:
    """`.ldb` with a macro group, whose members are in an `.ndb`."""
    group = rng.randrange(32)
    leader = patterns.literal(rng, 4, 6)
    member = patterns.literal(rng, 4, 6)
    low = rng.randint(0, 12)
    high = low + rng.randint(0, 12)
    name = names.name("Mac")
    block = f"{LEVEL},Target:14"
    # clamscan 1.4.6 crashes where the macro has a count other than 0 of its own.
    expression = rng.choice(("0&1", "0&1", "0>1&1", "0&1=0"))
    line = f"{name};{block};{expression};{leader.hex()};${{{low}-{high}}}{group}$"
    members = f"{name}.Member:14:${group}$:{member.hex()}"
    host = hosts.make_host(rng, 14)
    files = []
    for _ in range(4):
        text = b""
        for _ in range(rng.randint(1, 3)):
            text += leader + hosts.noise(rng, rng.randint(0, 10))
            if rng.random() < 0.8:
                text += member + hosts.noise(rng, rng.randint(0, 10))
        files.append(hosts.plant(host, host.room, text))
    return Case({"ldb": line, "ndb": members}, files)


MAKERS: tuple[tuple[Callable[[random.Random, Numbering], Case], int], ...] = (
    (extended, 36),
    (logical, 44),
    (counted, 8),
    (plain, 5),
    (digest, 6),
    (allowed, 3),
    (section, 5),
    (imports, 4),
    (container, 8),
    (ignored, 3),
    (macro, 6),
    (version_info, 2),
    (shared, 8),
)
"""Each kind and its weight."""

ALONE = frozenset({allowed, ignored, macro})
"""Kinds that change what others in the same database find; each gets a database of its own."""


def make_case(rng: random.Random, names: Numbering) -> tuple[Case, bool]:
    """A case, and whether it needs a database of its own."""
    makers, weights = zip(*MAKERS, strict=True)
    maker = rng.choices(makers, weights)[0]
    return maker(rng, names), maker in ALONE

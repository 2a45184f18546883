"""ClamAV's signed database archives, `.cvd` and `.cld`: header, verification, members.

A CVD is a header of 512 bytes and a gzipped tar; the header's digital signature is textbook
RSA over the MD5 of the tar, so it proves no more than MD5 does. A CLD is what an updater
leaves after applying differences: a plain tar whose header signature no longer fits; there
the `.info` member, signed with RSASSA-PSS, lists every member's SHA-256. Here a CVD must
pass the first check, a CLD the second, and an `.info` that is signed must hold in both.

Source: ClamAV manual, "CVD format"; keys as published with ClamAV.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple

from tocsin.errors import VerificationError
from tocsin.signatures.clamav.numbers import is_number

HEADER_BYTES = 512
MAGIC = b"ClamAV-VDB:"
COPYING = "COPYING"
MAX_MEMBERS = 10_000
MAX_MEMBER_BYTES = 1 << 30
MAX_TOTAL_BYTES = 1 << 32
_PIECE = 1 << 18
"""Bytes read at a time; an `.info` is smaller, and has to be."""
_COPYING_BYTES = 4096


class PublicKey(NamedTuple):
    """An RSA public key as two numbers."""

    modulus: int
    exponent: int


HEADER_KEY = PublicKey(
    int(
        "118640995551645342603070001658453189751527774412027743746599405743243142607464"
        "144767361060640655844749760788890022283424922762488917565551002467771109669598"
        "189410434699034532232228621591089508178591428456220796841621637175567590476666"
        "928698770143328137383952820383197532047771780196576957695822641224262693037"
    ),
    100001027,
)
INFO_KEY = PublicKey(
    int(
        "110888949830485454736595561066271949239289417917950476205916586974135810433227"
        "159121724968065253810558809645206184002243333205346602992339837553417406795028"
        "668299096799557343913926683783612215242053966310901051516412708572770803107343"
        "209516537005089417174191687239425078907029047027075874516216910507543078503833"
        "998653464872037984641785373922114027864813598244611972311028954150937703942166"
        "663244845939357624084685168266331921408266679234948220458053478099328484548458"
        "869717064243605586678627758760720594377033653802091016977385775154769350854694"
        "55279994113145977994084618328482151013142393373316337519977244732747977"
    ),
    100002049,
)
CDIFF_KEY = PublicKey(
    int(
        "147839058740774670902622285165579175702545996383762035320319892141055528472696"
        "874897719757921234421858172876949519498009087915275420171156005013033947786185"
        "358648452357000415900563182301024496122174585490160893133065913885907907965158"
        "196541023207257123008223563487240112326548375032417361779077841987008344406811"
        "247270605400357546996581058950500965762267530085968816988281856524249019216687"
        "583265784620032479064709820922981067896572119054889862810783463614695244848295"
        "595608862271980919954984406766396398304635932113860550653602884223940539981344"
        "58623712540683294034953818412458362198117811990006021989844180721010947"
    ),
    100002053,
)
_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"


class Header(NamedTuple):
    """The first 512 bytes, field by field.

    Attributes:
        built: when it was built, as written.
        version: version of the database.
        signatures: number of signatures, as written.
        level: functionality level it asks for.
        md5: MD5 of everything after the header, lower-case hex.
        signature: digital signature over it in ClamAV's alphabet.
        builder: who built it.
    """

    built: str
    version: int
    signatures: int
    level: int
    md5: str
    signature: str
    builder: str


class Member(NamedTuple):
    """One file inside.

    Attributes:
        name: of it.
        size: in bytes.
        sha256: of its content, lower-case hex.
        start: where it begins in a file of all members' bytes, one after the other.
    """

    name: str
    size: int
    sha256: str
    start: int


class Archive(NamedTuple):
    """What is in a database archive.

    Attributes:
        header: of it.
        members: the files inside, as they stand.
        info: the first `.info` member, whole; empty when there is none.
        copying: the beginning of the licence; empty when there is none.
    """

    header: Header
    members: list[Member]
    info: bytes
    copying: bytes


def parse_header(data: bytes, name: str) -> Header:
    """Read the header of a CVD or CLD.

    Raises:
        VerificationError: it is not one.
    """
    if len(data) < HEADER_BYTES or not data.startswith(MAGIC):
        raise VerificationError(f"{name}: not a ClamAV database archive (no ClamAV-VDB header)")
    fields = data[:HEADER_BYTES].decode("latin-1").rstrip(" \0\n").split(":")
    if len(fields) < 8 or not all(map(is_number, fields[2:5])):
        raise VerificationError(f"{name}: the ClamAV-VDB header is damaged; fetch the file again")
    return Header(
        built=fields[1],
        version=int(fields[2]),
        signatures=int(fields[3]),
        level=int(fields[4]),
        md5=fields[5].lower(),
        signature=fields[6],
        builder=fields[7],
    )


def made_at(path: Path) -> float | None:
    """When an archive says that it was made, in seconds since 1970; None when it is none.

    The header alone is read, and not verified: whoever opens the database does that.

    Raises:
        OSError: it cannot be read.
    """
    if path.suffix.lower() not in (".cvd", ".cld"):
        return None
    with path.open("rb") as file:
        fields = file.read(HEADER_BYTES).split(b":")
    try:
        stated = fields[1].decode("ascii")
        return datetime.strptime(stated, "%d %b %Y %H-%M %z").timestamp()
    except (IndexError, ValueError):
        return None


def verify(
    file: BinaryIO,
    name: str,
    *,
    header_key: PublicKey = HEADER_KEY,
    info_key: PublicKey = INFO_KEY,
    kept: BinaryIO | None = None,
) -> Archive:
    """Check a CVD (by name: a CLD when it ends in `.cld`), a piece at a time.

    Args:
        file: the whole file, which can be read again and again.
        name: for messages, and to tell a CLD from a CVD.
        header_key: key of the header's signature.
        info_key: key of the `.info` member's signature.
        kept: where the members' bytes are written one after the other; None to drop them.

    Raises:
        VerificationError: damaged, altered, or not signed by these keys.
        OSError: a file cannot be read or written.
    """
    header = _read_header(file, name)
    local = name.lower().endswith(".cld")
    if not local:
        state = hashlib.md5(usedforsecurity=False)
        while piece := file.read(_PIECE):
            state.update(piece)
        md5 = state.digest()
        if md5.hex() != header.md5:
            raise VerificationError(f"{name}: MD5 does not fit the header; fetch the file again")
        if not hmac.compare_digest(_open_signature(header.signature, header_key, 16), md5):
            raise VerificationError(f"{name}: the digital signature is not ClamAV's")
    archive = _unpacked(header, file, name, kept)
    if archive.info:
        _verify_info(archive, name, info_key)
    elif local:
        raise VerificationError(f"{name}: a .cld without .info cannot be verified")
    return archive


def read_unsigned(file: BinaryIO, name: str, *, kept: BinaryIO | None = None) -> Archive:
    """What is in a `.cud`, which nobody signs.

    Args:
        file: the whole file.
        name: for messages.
        kept: where the members' bytes are written one after the other; None to drop them.

    Raises:
        VerificationError: damaged.
    """
    return _unpacked(_read_header(file, name), file, name, kept)


def _read_header(file: BinaryIO, name: str) -> Header:
    file.seek(0)
    return parse_header(file.read(HEADER_BYTES), name)


def _unpacked(header: Header, file: BinaryIO, name: str, kept: BinaryIO | None) -> Archive:
    import gzip  # the daemon asks for headers alone, and need not keep these
    import tarfile

    members: list[Member] = []
    info = copying = b""
    start = 0
    file.seek(HEADER_BYTES)
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(HEADER_BYTES)
    plain: BinaryIO | gzip.GzipFile = gzip.GzipFile(fileobj=file) if packed else file
    try:
        # As a stream: nothing makes it go back and unpack from the beginning again.
        with tarfile.open(fileobj=plain, mode="r|", bufsize=_PIECE) as tar:
            for number, entry in enumerate(tar):
                if number >= MAX_MEMBERS:
                    raise VerificationError(f"{name}: more than {MAX_MEMBERS:,} files in it")
                content = tar.extractfile(entry) if entry.isreg() else None
                if content is None:
                    continue
                if entry.size > MAX_MEMBER_BYTES:
                    raise VerificationError(f"{name}: member {entry.name} is larger than 1 GiB")
                if start + entry.size > MAX_TOTAL_BYTES:
                    raise VerificationError(f"{name}: it unpacks to more than 4 GiB")
                member, head = _kept(content, entry.name, start, kept)
                start += member.size
                if entry.name == COPYING and not copying:
                    copying = head[:_COPYING_BYTES]
                elif entry.name.endswith(".info") and not info:
                    if member.size > len(head):
                        raise VerificationError(f"{name}: {entry.name} is larger than any")
                    info = head
                members.append(member)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk, not what is on it
        raise VerificationError(f"{name}: the archive inside is damaged: {error}") from error
    except Exception as error:  # zlib.error is not exported by tarfile and has no other base
        if type(error).__name__ != "error":
            raise
        raise VerificationError(f"{name}: the archive inside is damaged: {error}") from error
    return Archive(header, members, info, copying)


def _kept(content: IO[bytes], name: str, start: int, kept: BinaryIO | None) -> tuple[Member, bytes]:
    """Read a member to its end; gives it and its beginning."""
    state = hashlib.sha256()
    size, head = 0, b""
    while piece := content.read(_PIECE):
        head = head or piece
        size += len(piece)
        state.update(piece)
        if kept is not None:
            kept.write(piece)
    return Member(name, size, state.hexdigest(), start), head


def _verify_info(archive: Archive, name: str, key: PublicKey) -> None:
    listing = next(m.name for m in archive.members if m.name.endswith(".info"))
    body, marker, signature = archive.info.partition(b"DSIG:")
    if not marker:
        raise VerificationError(f"{name}: {listing} is not signed")
    if not pss_valid(body, signature.decode("latin-1").strip(), key):
        raise VerificationError(f"{name}: the signature of {listing} is not ClamAV's")
    stated: dict[str, tuple[int, str]] = {}
    for line in body.decode("latin-1").splitlines()[1:]:
        listed, _, rest = line.partition(":")
        size, _, digest = rest.partition(":")
        if is_number(size):
            stated[listed] = (int(size), digest)
    for member in archive.members:
        if member.name in (listing, COPYING):
            continue
        if stated.get(member.name) != (member.size, member.sha256):
            raise VerificationError(f"{name}: {member.name} is not what {listing} states")


def _signature_number(text: str) -> int:
    number = 0
    for place, char in enumerate(text):
        value = _ALPHABET.find(char)
        if value < 0:
            return 0
        number |= value << (6 * place)
    return number


def _open_signature(text: str, key: PublicKey, length: int) -> bytes:
    plain = pow(_signature_number(text), key.exponent, key.modulus)
    if plain.bit_length() > 8 * length:
        return b""
    return plain.to_bytes(length, "big")


_PSS_SALT_BYTES = 32


def pss_valid(message: bytes, text: str, key: PublicKey) -> bool:
    """Whether a text in ClamAV's alphabet signs a message: `.info` members and differences."""
    return pss_digest_valid(hashlib.sha256(message).digest(), text, key)


def pss_digest_valid(message_digest: bytes, text: str, key: PublicKey) -> bool:
    """The same from the SHA-256 of the message.

    RSASSA-PSS with SHA-256 (RFC 8017, 9.1.2), except for one bit.

    The key has 2047 bits, so the RFC would clear the two highest bits of the data block.
    ClamAV's signer clears one, and a library that follows the RFC refuses about half of its
    signatures. Hence this function of our own.
    """
    length = (key.modulus.bit_length() + 7) // 8
    encoded = _open_signature(text, key, length)
    hash_bytes = hashlib.sha256().digest_size
    block_bytes = length - hash_bytes - 1
    if len(encoded) != length or encoded[-1] != 0xBC:
        return False
    masked, digest = encoded[:block_bytes], encoded[block_bytes:-1]
    mask = b"".join(
        hashlib.sha256(digest + counter.to_bytes(4, "big")).digest()
        for counter in range(-(-block_bytes // hash_bytes))
    )
    block = bytearray(a ^ b for a, b in zip(masked, mask, strict=False))
    block[0] &= 0x7F
    padding, marker, salt = bytes(block).partition(b"\x01")
    if padding.strip(b"\0") or not marker or len(salt) != _PSS_SALT_BYTES:
        return False
    expected = hashlib.sha256(bytes(8) + message_digest + salt).digest()
    return hmac.compare_digest(expected, digest)

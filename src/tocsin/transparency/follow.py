"""Following a log: whether a tree that it shows now and one that was kept are one history.

Whoever follows keeps the hash tiles of the largest tree, so that a smaller one is judged without
asking anybody. A larger one is judged by the tiles that the log shows for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from tocsin.transparency.checkpoint import Checkpoint, OpenedCheckpoint
from tocsin.transparency.coding import HASH_BYTES
from tocsin.transparency.errors import (
    BadProof,
    BadSignature,
    LogDamaged,
    MalformedKey,
    MalformedNote,
    SplitView,
)
from tocsin.transparency.log_files import LogFiles
from tocsin.transparency.merkle import EMPTY_ROOT, leaf_hash, verify_consistency
from tocsin.transparency.note import SignedNote, VerifierKey, verify
from tocsin.transparency.reader import Fetch, LogReader
from tocsin.transparency.tiles import (
    ENTRIES,
    WIDTH,
    Tile,
    decode_entries,
    encode_entries,
    encode_hashes,
    tile_at,
    tiles_of,
)

_EVERY = 16


def one_origin(log_keys: Collection[VerifierKey]) -> str:
    """The origin of the log whose keys these are.

    Raises:
        MalformedKey: there is none, or they are of several logs.
    """
    names = {key.name for key in log_keys}
    if len(names) != 1:
        raise MalformedKey(
            "one log is followed at a time: give its key"
            + (f", of one of: {', '.join(sorted(names))}" if names else "")
        )
    return names.pop()


def open_by_any(data: bytes, log_keys: Collection[VerifierKey]) -> OpenedCheckpoint:
    """Read a checkpoint that one of a log's keys signed.

    Raises:
        MalformedNote: it is none.
        BadSignature: none of them signed it, or it is of another log.
    """
    note = SignedNote.parse(data)
    signer = verify(note, log_keys)[0].key
    head = Checkpoint.parse(note.text)
    if head.origin != signer.name:
        raise BadSignature(f"the checkpoint is of the log {head.origin!r}, not {signer.name!r}")
    return OpenedCheckpoint(head, note, signer)


def reader_beyond(
    held: OpenedCheckpoint | None, own: Fetch, shown: OpenedCheckpoint, fetch: Fetch
) -> LogReader | None:
    """Judge a tree that is shown by the one that was kept.

    Args:
        held: the largest that was kept; None for none.
        own: gets the tiles that were kept with it.
        shown: whose log's signature was checked.
        fetch: gets the tiles that the log shows.

    Returns:
        A reader of the tree that is shown; None where it is not larger than the one kept, which
        begins with it.

    Raises:
        SplitView: they are two histories.
        LogDamaged: tiles are missing or do not fit the checkpoint, so that nothing is decided.
    """
    if held is None:
        return LogReader(fetch, shown.head, own=own)
    if shown.head.size == held.head.size and shown.head.root == held.head.root:
        return None
    if shown.head.size <= held.head.size:
        # What is damaged here the source may have whole: it is checked as what is here is.
        require_beginning(LogReader(fetch, held.head, own=own), held, shown)
        return None
    reader = LogReader(fetch, shown.head, own=own)
    require_beginning(reader, shown, held)
    return reader


def require_beginning(
    reader: LogReader, larger: OpenedCheckpoint, smaller: OpenedCheckpoint
) -> None:
    """Check that a tree begins as a smaller one, or one of its size, that the log signed too.

    Args:
        reader: of the larger tree.
        larger: its checkpoint.
        smaller: the other's.

    Raises:
        SplitView: it does not, with what proves it.
        LogDamaged: tiles are missing or do not fit the checkpoint, so that nothing is decided.
    """
    size = smaller.head.size
    root = reader.root_at(size)
    if root == smaller.head.root:
        return
    proof: tuple[bytes, ...] = ()
    if 0 < size < larger.head.size:
        proof = (root, *reader.consistency_proof(size))
    sizes = f"of {size} entries" if size == larger.head.size else f"{size} and {larger.head.size}"
    raise SplitView(
        f"the log {larger.head.origin!r} signed two trees, {sizes}, that are not one history",
        (smaller.note.to_bytes(), larger.note.to_bytes()),
        proof,
    )


def require_split(
    evidence: tuple[bytes, bytes], proof: tuple[bytes, ...], log_keys: Collection[VerifierKey]
) -> None:
    """Check that evidence proves what `SplitView` says, without asking anybody.

    Args:
        evidence: two signed checkpoints, that of the smaller tree first.
        proof: as `SplitView` has it.
        log_keys: the log's.

    Raises:
        BadProof: it does not.
        BadSignature: the log did not sign both.
        MalformedNote: they are no checkpoints.
    """
    smaller, larger = (open_by_any(data, log_keys).head for data in evidence)
    if smaller.origin != larger.origin:
        raise BadProof("the two checkpoints are of two logs")
    if smaller.size == larger.size:
        if smaller.root == larger.root:
            raise BadProof("the two checkpoints are of one tree")
        return
    if smaller.size == 0 and smaller.root != EMPTY_ROOT:
        return  # every tree begins as the empty one, and this is not it
    if not 0 < smaller.size < larger.size or not proof:
        raise BadProof("the proof that the larger tree has another beginning is missing")
    verify_consistency(smaller.size, proof[0], larger.size, larger.root, proof[1:])
    if proof[0] == smaller.root:
        raise BadProof("the larger tree begins as the smaller one")


def keep_tree(
    files: LogFiles,
    own: Fetch,
    reader: LogReader,
    *,
    grown_from: int = 0,
    entries_from: int | None = 0,
    observe: Callable[[int], None] = lambda _: None,
) -> int:
    """Keep the files of a tree, each checked, durably; those that are there already stay.

    Args:
        files: where to.
        own: gets what is there.
        reader: of the tree.
        grown_from: entries of the tree whose files are there for certain.
        entries_from: index of the first entry that is kept too; None for none.
        observe: is told now and then how many files were looked at.

    Returns:
        How many files were written.

    Raises:
        LogDamaged: a file is missing or wrong at the source.
        LogNotWritten: it cannot be written.
    """
    written = 0
    for number, tile in enumerate(tiles_of(reader.head.size, grown_from=grown_from), 1):
        if number % _EVERY == 0:
            observe(number)
        if tile.level != ENTRIES:
            content = encode_hashes(reader.tile(tile))
            if _there(own, tile) == content:
                continue
        else:
            wanted = entries_from is not None and (tile.place + 1) * WIDTH > entries_from
            if not wanted or _holds_entries(own, tile, reader):
                continue
            content = encode_entries(reader.bundle(tile.place))
        files.write(tile.path, content)
        written += 1
    files.settle()
    return written


def all_there(folder: Path, size: int) -> bool:
    """Whether the files of a tree are there and as long as they must be; nobody looks into them.

    Args:
        folder: of the log.
        size: entries of the tree.
    """
    return all(_is_there(folder, tile) or _is_there(folder, tile.full) for tile in tiles_of(size))


def _is_there(folder: Path, tile: Tile) -> bool:
    try:
        found = os.stat(folder / tile.path)
    except OSError:
        return False
    if tile.level == ENTRIES:  # each has its length, of two bytes, before it
        return 2 * tile.width <= found.st_size <= tile.max_bytes
    return found.st_size == HASH_BYTES * tile.width


def _there(own: Fetch, tile: Tile) -> bytes | None:
    with suppress(FileNotFoundError, LogDamaged):
        return own(tile.path, tile.max_bytes)
    return None


def _holds_entries(own: Fetch, tile: Tile, reader: LogReader) -> bool:
    content = _there(own, tile)
    if content is None:
        return False
    try:
        held = decode_entries(content, tile)
    except MalformedNote:
        return False
    wanted = reader.tile(tile_at(0, tile.place, reader.head.size))
    return [leaf_hash(entry) for entry in held] == wanted

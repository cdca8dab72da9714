"""Whether the database's write-ahead log was damaged in its middle (sqlite.org/fileformat2.html, section 4).

SQLite takes the first frame that does not fit for the log's end, as it is after a crash: what was committed behind it
is gone without a word. A crash leaves one transaction there at most, for each is synced before the next is written.
"""

from __future__ import annotations

import sqlite3
import struct
from pathlib import Path

_HEADER_BYTES = 32
#: Of a frame: the page's number, the pages of the database when it ends a transaction (or else 0), the log's two salts.
_FRAME = struct.Struct(">IIII")
_FRAME_HEADER_BYTES = 24


def has_lost_commits(connection: sqlite3.Connection, database: Path) -> bool:
    """Whether transactions that were committed lie behind a damage. Asked before anything is written in this life."""
    page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
    # It says how many frames SQLite has found, too.
    found = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
    try:
        log = database.with_name(f"{database.name}-wal").open("rb")
    except FileNotFoundError:
        return False
    with log:
        header = log.read(_HEADER_BYTES)
        if len(header) < _HEADER_BYTES:
            return False
        step = _FRAME_HEADER_BYTES + page_bytes
        # Where the header is damaged nothing is found: all there is lies behind it.
        salts = struct.unpack(">II", header[16:24]) if _is_whole(header) else None
        number = behind = 0
        while True:
            log.seek(_HEADER_BYTES + number * step)
            frame = log.read(_FRAME.size)
            if len(frame) < _FRAME.size:
                return behind > 1
            _page, pages, *salt = _FRAME.unpack(frame)
            number += 1
            # What an earlier use of the file has left has other salts.
            behind += number > found and pages > 0 and (salts is None or tuple(salt) == salts)


def _is_whole(header: bytes) -> bool:
    order = ">" if header[3] & 1 else "<"
    first = second = 0
    words = struct.unpack(f"{order}6I", header[:24])
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = first + even + second & 0xFFFFFFFF
        second = second + odd + first & 0xFFFFFFFF
    return (first, second) == struct.unpack(">II", header[24:])

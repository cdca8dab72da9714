"""The form of a backup: a tar archive that any tar reads, of which only one way to write it is taken back.

Headers are those of POSIX.1-2017 pax, "ustar Interchange Format", with an extended header for the size of what is
larger than 8 GiB. Python's `tarfile` reads every dialect there is, and a backup comes from wherever somebody got it: so
the reader here knows just what the writer writes. Whatever a header says is written anew and compared, so that links,
devices, owners, odd names and every other thing a header might say are refused without being looked at.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ndfd.errors import BackupError, InputError

BLOCK = 512
#: Of one read and one write.
CHUNK = 1 << 20

_HEADER = struct.Struct("100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12x")
_CHECKSUM = slice(148, 156)
_FILE, _EXTENDED = b"0", b"x"
#: Largest size that the eleven octal digits of a header hold.
_PLAIN_MAX = 8**11 - 1
_EXTENDED_NAME = "././@PaxHeader"
_SIZE_RECORD = re.compile(rb"[1-9][0-9] size=([1-9][0-9]{9,18})\n")
_END = bytes(2 * BLOCK)


class Member(NamedTuple):
    """A file of the archive."""

    name: str
    size: int


class ArchiveWriter:
    """Puts files one after the other through `write`, which is given bytes and takes all of them."""

    def __init__(self, write: Callable[[bytes | memoryview], None], made_at: float) -> None:
        self._write = write
        #: Of all files in it, in whole seconds since 1970.
        self.mtime = int(made_at)
        self.size = 0

    def begin(self, name: str, size: int) -> None:
        """The next file; its bytes follow by `put`, so many as said here, then `end`."""
        self.put(header(name, size, self.mtime))

    def put(self, data: bytes | memoryview) -> None:
        """Bytes of the file."""
        self._write(data)
        self.size += len(data)

    def end(self) -> None:
        """The file is whole."""
        self.put(bytes(-self.size % BLOCK))

    def add(self, name: str, content: bytes) -> None:
        """A small file, whole."""
        self.begin(name, len(content))
        self.put(content)
        self.end()

    def close(self) -> None:
        """The end of the archive."""
        self.put(_END)


class ArchiveReader:
    """Reads what `ArchiveWriter` writes; `BackupError`, with the place, for everything else."""

    def __init__(self, source: io.BufferedIOBase, name: str) -> None:
        self._source = source
        #: Of the file, for messages.
        self.name = name
        #: Bytes read so far.
        self.position = 0
        self._buffer = bytearray(CHUNK)

    def next(self) -> Member | None:
        """The next file, whose bytes `content` then gives; None at the end of the archive."""
        start = self.position
        raw = self._block()
        if raw == bytes(BLOCK):
            if self._block() != raw or self._source.read(1):
                raise self.refusal("something follows the end of the archive", start)
            return None
        size: int | None = None
        if raw[156:157] == _EXTENDED:
            extended = self._block()
            match = _SIZE_RECORD.match(extended)
            if match is None:
                raise self._foreign(start)
            size = int(match[1])
            raw += extended + self._block()
        member, mtime = _parsed(raw[-BLOCK:])
        if size is not None:
            member = Member(member.name, size)
        if raw != header(*member, mtime):
            raise self._foreign(start)
        return member

    def content(self, member: Member) -> Iterator[memoryview]:
        """The bytes of the file that `next` gave last, in chunks that are good until the next one is asked for."""
        rest = member.size
        while rest:
            view = memoryview(self._buffer)[: min(rest, CHUNK)]
            self._fill(view)
            rest -= len(view)
            yield view
        padding = memoryview(self._buffer)[: -member.size % BLOCK]
        self._fill(padding)
        if any(padding):
            raise self._foreign(self.position - len(padding))

    def small(self, member: Member, size_max: int) -> bytes:
        """The whole file."""
        if member.size > size_max:
            raise self.refusal(f"{member.name} has {member.size} bytes, and at most {size_max} are taken")
        return b"".join(bytes(chunk) for chunk in self.content(member))

    def refusal(self, what: str, position: int | None = None) -> BackupError:
        """The error that says so of this archive."""
        return BackupError(f"{self.name}: {what} (at byte {self.position if position is None else position})")

    def _foreign(self, position: int) -> BackupError:
        if position == 0:
            return BackupError(f"{self.name} is no backup of ndfd", hint="name a file that `ndfd backup` made")
        return self.refusal("not as a backup is written: it is damaged, or was changed", position)

    def _block(self) -> bytes:
        view = memoryview(self._buffer)[:BLOCK]
        self._fill(view)
        return bytes(view)

    def _fill(self, view: memoryview) -> None:
        """Fills it all."""
        while view:
            try:
                count = self._source.readinto(view)
            except OSError as error:
                raise InputError(f"{self.name}: {error.strerror} (at byte {self.position})") from error
            if not count:
                if self.position < BLOCK:
                    raise self._foreign(0)
                raise self.refusal("cut short")
            self.position += count
            view = view[count:]


def header(name: str, size: int, mtime: int) -> bytes:
    """All blocks before the bytes of a file: root's, readable by the owner alone."""
    if size <= _PLAIN_MAX:
        return _plain(name, size, mtime, _FILE)
    # "%d %s=%s\n": the length is that of the whole record, its own two digits with it.
    record = b" size=%d\n" % size
    record = b"%d%s" % (len(record) + 2, record)
    extended = _plain(_EXTENDED_NAME, len(record), mtime, _EXTENDED) + record.ljust(BLOCK, b"\0")
    return extended + _plain(name, 0, mtime, _FILE)


def _plain(name: str, size: int, mtime: int, kind: bytes) -> bytes:
    zero = b"0000000\0"
    times = b"%011o\0" % size, b"%011o\0" % mtime
    fields = (name.encode("ascii"), b"0000600\0", zero, zero, *times, b" " * 8, kind)
    block = bytearray(_HEADER.pack(*fields, b"", b"ustar\0", b"00", b"", b"", zero, zero, b""))
    block[_CHECKSUM] = b"%06o\0 " % sum(block)
    return bytes(block)


def _parsed(block: bytes) -> tuple[Member, int]:
    """What a header seems to say: nothing is believed of it but what is the same when it is written anew."""
    fields = _HEADER.unpack(block)
    name = fields[0].rstrip(b"\0").decode("ascii", "replace").replace("�", "?")
    return Member(name, _octal(fields[4])), _octal(fields[5])


def _octal(field: bytes) -> int:
    digits = field[:11]
    return int(digits, 8) if re.fullmatch(rb"[0-7]{11}", digits) else 0

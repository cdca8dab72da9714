"""What a backup says of itself: its first file, and the last but one."""

from __future__ import annotations

import hashlib

import msgspec

from ndfd.model.jobs import BackupReport

#: Of the form of backups; raised when an older ndfd could not read what a newer one writes.
FORMAT = 1

#: The files of a backup, in their order; those of the spool, by name, lie between the second and the third.
HEAD = "ndfd-backup.json"
DATABASE = "jobs.db"
MANIFEST = "manifest.json"
#: As sha256sum(1) reads it, of every file before it: `sha256sum -c SHA256SUMS`, after `tar -x`.
SUMS = "SHA256SUMS"
SPOOL = "spool"

#: Damaged files of the spool that a backup bears with; a disk that has more of them is not one to make a backup of.
DAMAGED_MAX = 10_000
#: Of the first file.
HEAD_MAX_BYTES = 4096
#: Of the manifest: 64 digits, two quotes and a comma for each file that is named.
MANIFEST_MAX_BYTES = HEAD_MAX_BYTES + 2 * 67 * DAMAGED_MAX


class Head(msgspec.Struct, frozen=True):
    """What a reader has to know before anything else."""

    format: int
    #: Of the ndfd that made it.
    version: str
    #: Seconds since 1970.
    made_at: float


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is in it, once all of it is."""

    report: BackupReport
    #: Files of the spool, by their SHA-256 in hexadecimal digits and in that order, whose bytes are others by now: they
    #: are in the backup as they were found, and not in its checksums.
    damaged: tuple[str, ...]
    #: Those that were not there.
    missing: tuple[str, ...]


class Sums:
    """The list of checksums, hashed while it grows: the list of a million files needs no memory."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.size = 0

    def add(self, name: str, digest: str) -> bytes:
        """One more file; returns its line."""
        line = f"{digest}  {name}\n".encode()
        self._hash.update(line)
        self.size += len(line)
        return line

    def digest(self) -> str:
        """Of the list as it is now."""
        return self._hash.hexdigest()


def spool_name(digest: bytes) -> str:
    """Where the file with this SHA-256 lies in the backup, wherever a spool has it."""
    text = digest.hex()
    return f"{SPOOL}/{text[:2]}/{text[2:]}"

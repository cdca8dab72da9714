"""Sizes ("4GB", "512MiB"), durations ("2m30s"), CPU lists ("0-3,8") and shares ("50%") as people write them."""

from __future__ import annotations

import re

from ndfd.model.topology import format_cpus as format_cpus

# IEC 80000-13: kB, MB, GB are powers of 1000; KiB, MiB, GiB are powers of 1024.
_SIZE_UNITS = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "tb": 1000**4,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
    "tib": 1024**4,
}
#: No file system and no memory is larger (2**63 - 1 bytes, off_t).
_SIZE_MAX_BYTES = 2.0**63
_SIZES_SHOWN = (
    ("TB", 1000**4),
    ("TiB", 1024**4),
    ("GB", 1000**3),
    ("GiB", 1024**3),
    ("MB", 1000**2),
    ("MiB", 1024**2),
    ("kB", 1000),
    ("KiB", 1024),
)
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
#: In milliseconds, so that the remainders are exact.
_DURATIONS_SHOWN = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_CPUS = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?", re.ASCII)
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%", re.ASCII)


def parse_size(text: str) -> int:
    """Bytes of a size such as "4GB", "1.5 GiB" or "65536"; ValueError, saying what is accepted, for anything else."""
    match = _SIZE.fullmatch(text.strip().lower())
    if match is None or match[2] not in _SIZE_UNITS:
        raise ValueError(f"{text!r} is not a size: write a number and B, kB, MB, GB, KiB, MiB or GiB, as in 4GB")
    size_bytes = float(match[1]) * _SIZE_UNITS[match[2]]
    if size_bytes > _SIZE_MAX_BYTES:
        raise ValueError(f"{text.strip()[:20]!r} is a size beyond all machines")
    return int(size_bytes)


def format_size(size_bytes: int) -> str:
    """A size in the largest unit in which it is whole: "4GB", "512MiB", "65537"; `parse_size` reads it back."""
    for name, unit in _SIZES_SHOWN:
        # A float of `parse_size` holds whole numbers up to 2**53 exactly.
        if size_bytes >= unit and size_bytes % unit == 0 and size_bytes < 2**53:
            return f"{size_bytes // unit}{name}"
    return str(size_bytes)


def parse_duration(text: str) -> float:
    """Seconds of a duration such as "2m30s", "1.5h", "500ms", or "90" (seconds); ValueError for anything else."""
    text = text.strip().lower()
    if _NUMBER.fullmatch(text):
        return float(text)
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration: write numbers with ms, s, m, h or d, as in 2m30s")
    return sum(float(number) * _DURATION_UNITS[unit] for number, unit in _DURATION_PART.findall(text))


def format_duration(duration_s: float) -> str:
    """A duration as "2m30s", exact to a millisecond; shorter parts of it are given in seconds."""
    rest = duration_s * 1000
    if rest != int(rest) or rest == 0:
        return f"{duration_s:.15g}"
    rest = int(rest)
    parts = []
    for name, unit in _DURATIONS_SHOWN:
        count, rest = divmod(rest, unit)
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts)


def parse_cpus(text: str) -> frozenset[int]:
    """The CPUs of a list such as "0-3,8" (cpuset(7), "List format"); ValueError for anything else."""
    cpus: set[int] = set()
    for part in text.split(","):
        match = _CPUS.fullmatch(part.strip())
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise ValueError(f"{text!r} is not a list of CPUs: write numbers and ranges, as in 0-3,8")
        cpus.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return frozenset(cpus)


def parse_share(text: str) -> float | None:
    """The number of a share such as "50%"; None for what is none."""
    match = _SHARE.fullmatch(text.strip())
    return None if match is None else float(match[1])

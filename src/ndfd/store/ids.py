"""Names of jobs: 26 characters that sort by time, as ULIDs do (github.com/ulid/spec), and that nobody can guess."""

from __future__ import annotations

import secrets

#: Crockford's base 32: no i, l, o, u.
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH = 26
#: A shorter beginning of an id may stand for it only if it is at least this long.
PREFIX_MIN = 6
_PAIRS = tuple(a + b for a in _DIGITS for b in _DIGITS)


def new_id(now: float) -> str:
    """An id of this moment (seconds since 1970): 48 bits of milliseconds, then 80 random ones."""
    value = (int(now * 1000) & 0xFFFF_FFFF_FFFF) << 80 | secrets.randbits(80)
    return "".join([_PAIRS[value >> shift & 1023] for shift in range(120, -1, -10)])

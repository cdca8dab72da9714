"""What callers may ask of a conversion and of a job: what is wrong with it is said before anything is kept."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import msgspec

from ndfd.admission import Limits
from ndfd.errors import UsageError
from ndfd.model.conversion import ConvertOptions
from ndfd.model.jobs import (
    KEY_MAX_CHARACTERS,
    LABEL_NAME_MAX_CHARACTERS,
    LABEL_VALUE_MAX_CHARACTERS,
    LABELS_MAX,
    LIST_MAX,
    PRIORITY_MAX,
    PRIORITY_MIN,
    JobOptions,
    JobQuery,
)
from ndfd.model.printable import printable

#: Name and password travel to the worker in one frame of at most 64 KiB (`ndfd.protocol.frames`).
NAME_MAX_CHARACTERS = 1024
PASSWORD_MAX_CHARACTERS = 1024

_LABEL_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._/-]*")
_LABEL_HINT = "a label is NAME=VALUE; a name begins with a letter or digit, and has letters, digits and ._/- after it"
#: Of the users that a kernel knows; -1 is whoever came over the network.
_UID_MIN, _UID_MAX = -1, 2**32 - 2
#: An id is 26 characters long, and so is a cursor; what is longer is cut in messages.
_CURSOR_MAX_CHARACTERS = 64


def check_convert_options(options: ConvertOptions) -> None:
    """`UsageError` names what is wrong."""
    if options.name is not None and len(options.name) > NAME_MAX_CHARACTERS:
        raise UsageError(f"the name has {len(options.name)} characters; at most {NAME_MAX_CHARACTERS} are taken")
    if options.password is not None and len(options.password) > PASSWORD_MAX_CHARACTERS:
        raise UsageError(f"the password has more than {PASSWORD_MAX_CHARACTERS} characters")
    deadline_s = options.deadline_s
    if deadline_s is not None and not (deadline_s > 0 and math.isfinite(deadline_s)):
        raise UsageError(f"the deadline of {deadline_s} s is not a positive time")


def with_deadline(options: ConvertOptions, limits: Limits) -> ConvertOptions:
    """The options with the deadline that holds for them."""
    deadline_s = min(options.deadline_s or limits.default_deadline_s, limits.max_deadline_s)
    return msgspec.structs.replace(options, deadline_s=deadline_s)


def check_job_options(options: JobOptions) -> None:
    """`UsageError` names what is wrong."""
    check_convert_options(options.convert)
    if not PRIORITY_MIN <= options.priority <= PRIORITY_MAX:
        raise UsageError(
            f"the priority {_short(options.priority)} is out of range",
            hint=f"give one from {PRIORITY_MIN} to {PRIORITY_MAX}; 0 is that of a job that names none",
        )
    if options.key is not None:
        _check_key(options.key)
    if options.labels:
        _check_labels(options.labels)


def check_query(query: JobQuery) -> None:
    """`UsageError` names what is wrong."""
    if not 1 <= query.limit <= LIST_MAX:
        raise UsageError(f"the limit {_short(query.limit)} is out of range", hint=f"give one from 1 to {LIST_MAX}")
    if query.uid is not None and not _UID_MIN <= query.uid <= _UID_MAX:
        raise UsageError(
            f"the user id {_short(query.uid)} is out of range", hint="give the number of a user, as `id -u` says it"
        )
    if query.cursor is not None and not (0 < len(query.cursor) <= _CURSOR_MAX_CHARACTERS and query.cursor.isalnum()):
        raise UsageError(
            f"the cursor {printable(query.cursor, 80)!r} is none", hint="give back the `cursor` of the answer before"
        )
    _check_labels(query.labels)


def _check_key(key: str) -> None:
    if not 0 < len(key) <= KEY_MAX_CHARACTERS:
        raise UsageError(
            f"the idempotency key has {len(key)} characters; from 1 to {KEY_MAX_CHARACTERS} are taken",
            hint="a random UUID does well",
        )
    if not key.isprintable():
        raise UsageError(
            f"the idempotency key {printable(key, 80)!r} has characters that cannot be printed",
            hint="a random UUID does well",
        )


def _check_labels(labels: Mapping[str, str]) -> None:
    if len(labels) > LABELS_MAX:
        raise UsageError(f"there are {len(labels)} labels; at most {LABELS_MAX} are taken")
    for name, value in labels.items():
        if len(name) > LABEL_NAME_MAX_CHARACTERS or not _LABEL_NAME.fullmatch(name):
            raise UsageError(
                f"{printable(name, 80)!r} is no name of a label",
                hint=f"{_LABEL_HINT}, {LABEL_NAME_MAX_CHARACTERS} at most",
            )
        if len(value) > LABEL_VALUE_MAX_CHARACTERS:
            raise UsageError(
                f"the value of the label {name!r} has {len(value)} characters; "
                f"at most {LABEL_VALUE_MAX_CHARACTERS} are taken"
            )
        if not value.isprintable():
            raise UsageError(
                f"the value of the label {name!r} has characters that cannot be printed: {printable(value, 80)}",
                hint="give text on one line",
            )


def _short(number: int) -> str:
    return printable(str(number), 24)

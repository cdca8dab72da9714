"""The one decision: take a conversion on, or refuse it before anything of it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ndfd.errors import Busy, DocumentTooLarge, EmptyDocument

if TYPE_CHECKING:
    # A value with a user in it. Imported, its module would bring sockets into a decision that needs none.
    from ndfd.platform import Peer


@dataclass(frozen=True, slots=True)
class Spec:
    """What is asked."""

    #: Size of the document; None while it is still to come.
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Usage:
    """What is going on when it is asked; conversions that run and that wait for a worker count alike."""

    #: Conversions taken on and not ended.
    conversions: int
    #: Those of them that the same user asked for.
    conversions_of_user: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What the daemon takes on. Each limit itself is still allowed."""

    document_max_bytes: int
    #: Workers and queue places together: one more conversion would wait longer than callers do.
    conversions_max: int
    #: Less than `conversions_max`, so that no single user can fill the queue for all the others.
    conversions_per_user_max: int
    #: Seconds for a conversion whose caller named no deadline, and the most that a caller gets.
    default_deadline_s: float = 300.0
    max_deadline_s: float = 3600.0


def check_size(size_bytes: int, limits: Limits) -> None:
    """`EmptyDocument` or `DocumentTooLarge` for what no waiting mends."""
    if size_bytes == 0:
        raise EmptyDocument("the document has 0 bytes")
    if size_bytes > limits.document_max_bytes:
        raise DocumentTooLarge(
            f"the document has {size_bytes} bytes; at most {limits.document_max_bytes} are taken",
            hint="split the document, or have the daemon's limit raised: [document] max_size",
        )


def admit(spec: Spec, peer: Peer, usage: Usage, limits: Limits) -> None:
    """Returns when the conversion is taken on; raises what `check_size` does, or `Busy`."""
    if spec.size_bytes is not None:
        check_size(spec.size_bytes, limits)
    if usage.conversions_of_user >= limits.conversions_per_user_max:
        raise Busy(
            f"user {peer.uid} has {usage.conversions_of_user} conversions running or waiting, "
            f"of at most {limits.conversions_per_user_max}"
        )
    if usage.conversions >= limits.conversions_max:
        raise Busy(f"{usage.conversions} conversions are running or waiting, of at most {limits.conversions_max}")

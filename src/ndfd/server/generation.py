"""What one configuration makes of the doors, and the place where the doors find the one that holds."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from ndfd.protocol.varlink import MAX_MESSAGE_BYTES
from ndfd.server.methods import Methods


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """What a door allows its callers."""

    #: An idle connection costs one descriptor and some 10 KiB.
    connections_max: int = 512
    #: So that no single user can keep all others out. Who comes over the network counts as no user.
    connections_per_user_max: int = 128
    #: A peer that leaves a message unfinished, or an answer unread, is cut off after this time.
    stall_s: float = 30.0
    #: A stream of events in which nothing happens is kept alive by a comment each time this has passed.
    heartbeat_s: float = 15.0
    #: Of the Varlink door, which takes a message in whole.
    message_max_bytes: int = MAX_MESSAGE_BYTES


@dataclass(frozen=True, slots=True)
class Generation:
    """One configuration as it serves: a request takes the current one at its beginning and keeps it to its end."""

    methods: Methods
    door: DoorLimits = field(default_factory=DoorLimits)
    #: What whoever comes over the network must show; None: nobody gets in that way.
    token: str | None = field(default=None, repr=False)
    #: Whether GET /metrics is answered.
    metrics_enabled: bool = True

    @property
    def number(self) -> int:
        """Which of the daemon's configurations it is, counted from 1; every answer carries it."""
        return self.methods.generation

    def lets_in(self, token: str) -> bool:
        """Whether this is the token. Takes as long for a wrong one as for the right one."""
        # An empty one is none, or else who shows none would show it.
        return bool(self.token and hmac.compare_digest(token.encode(), self.token.encode()))


class Serving:
    """Holds the generation that new requests get; the daemon replaces it in one step.

    There is one before the first door opens.
    """

    current: Generation

    def __init__(self, current: Generation | None = None) -> None:
        if current is not None:
            self.current = current

"""A service manager's store of descriptors, as doors meet it: duplicates, which outlive the daemon that stored them."""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Iterator, Sequence

from ndfd.platform import PassedDescriptor


class StoringManager:
    """Keeps duplicates until they are passed on; what hung up is dropped, as systemd does."""

    def __init__(self) -> None:
        self.stored: list[PassedDescriptor] = []
        #: While it is set, nothing is taken.
        self.busy = False

    def store(self, name: str, fds: Sequence[int]) -> bool:
        """As `ServiceManager.store`."""
        if not self.busy:
            self.stored += [PassedDescriptor(name, os.dup(fd)) for fd in fds]
        return not self.busy

    def passed(self) -> list[PassedDescriptor]:
        """Duplicates of what is kept, for the next daemon."""
        self.drop_hung_up()
        return [PassedDescriptor(each.name, os.dup(each.fd)) for each in self.stored]

    def drop_hung_up(self) -> None:
        """Whatever has hung up since it was stored."""
        poll = select.poll()
        for each in self.stored:
            poll.register(each.fd, 0)
        gone = {fd for fd, _ in poll.poll(0)}
        for each in self.stored:
            if each.fd in gone:
                os.close(each.fd)
        self.stored = [each for each in self.stored if each.fd not in gone]

    def close(self) -> None:
        """Drops everything."""
        for each in self.stored:
            os.close(each.fd)
        self.stored.clear()


@contextlib.contextmanager
def storing_manager() -> Iterator[StoringManager]:
    """One that is closed at the end of the block."""
    manager = StoringManager()
    try:
        yield manager
    finally:
        manager.close()

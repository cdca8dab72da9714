"""A daemon's life as far as watch folders go, ended by SIGKILL at its n-th durable step: python -m … STATE INBOX N.

Steps are those of the store, and each renaming and each fsync of what is done in folders. With N = 0 it ends by itself,
when nothing is left in the inbox.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from ndfd import platform
from ndfd.dispatch.deliveries import Deliveries
from ndfd.dispatch.watches import Watch
from ndfd.dispatch.watching import Watching
from ndfd.model.conversion import OutputFormat
from ndfd.store import Store
from tests.deliveries.conftest import Desk


class Steps:
    """Counts them, and kills."""

    def __init__(self, kill_at: int) -> None:
        self.left = kill_at

    def passed(self, *_: object) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def watch_of(inbox: Path) -> Watch:
    return Watch(inbox, "*.pdf", True, OutputFormat.MARKDOWN, inbox / "results", "move", inbox / "done", 0.1)


async def live(state: Path, inbox: Path, kill_at: int) -> None:
    steps = Steps(kill_at)
    rename, sync = platform.files.rename_new, platform.storage.sync

    def rename_new(old: str, new: str, old_folder_fd: int, new_folder_fd: int) -> None:
        steps.passed()
        rename(old, new, old_folder_fd, new_folder_fd)
        steps.passed()

    def synced(fd: int) -> None:
        sync(fd)
        steps.passed()

    store = Store.open(state, keep_free_bytes=0, reached=steps.passed)
    await store.start()
    platform.files.rename_new = rename_new  # type: ignore[method-assign]
    platform.storage.sync = synced  # type: ignore[method-assign]
    desk, watches = Desk(store), {"w": watch_of(inbox)}
    desk.work()
    deliveries, watching = Deliveries(store), Watching(desk.submit, store)
    await deliveries.start({}, watches)
    await watching.reconfigure(watches)
    while list(inbox.glob("*.pdf")) or list(inbox.glob("sub/*.pdf")) or await store.delivery_moments():
        await asyncio.sleep(0.02)
    await watching.stop()
    await deliveries.stop()
    await desk.rest()
    await store.close()


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))

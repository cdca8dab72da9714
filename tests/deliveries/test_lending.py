"""Files that are refused because who put them there may not be allowed to read them."""

from __future__ import annotations

import os
import stat

import pytest

from ndfd.dispatch.lending import lent

ALICE, BOB, DAEMON = 1001, 1002, 990
SCANS = 500


def folder(uid: int, mode: int = 0o755, gid: int | None = None) -> os.stat_result:
    return _status(stat.S_IFDIR | mode, uid, uid if gid is None else gid, 2)


def file(uid: int, mode: int = 0o600, *, links: int = 1, gid: int | None = None) -> os.stat_result:
    return _status(stat.S_IFREG | mode, uid, uid if gid is None else gid, links)


def _status(mode: int, uid: int, gid: int, links: int) -> os.stat_result:
    return os.stat_result((mode, 1, 1, links, uid, gid, 0, 0, 0, 0))


ROOT = folder(0)


@pytest.mark.parametrize(
    ("ways", "what"),
    [
        ((ROOT, folder(ALICE)), file(ALICE)),
        ((ROOT, folder(ALICE)), file(ALICE, links=2)),
        ((ROOT, folder(ALICE)), file(BOB, 0o644)),
        ((ROOT, folder(ALICE)), file(0, 0o644, links=2)),
        # Of root and of the daemon's user nobody else has a say.
        ((ROOT, folder(0, 0o700)), file(BOB, links=2)),
        ((ROOT, folder(DAEMON, 0o700)), file(DAEMON, links=2)),
        # Boxes that several users drop files into.
        ((ROOT, folder(0, 0o1777)), file(ALICE)),
        ((ROOT, folder(0, 0o2770, SCANS)), file(ALICE, gid=SCANS)),
        ((ROOT, folder(0, 0o2770, SCANS)), file(0, 0o640, gid=SCANS)),
        ((ROOT, folder(0, 0o1777), folder(ALICE)), file(ALICE)),
        # The group is the user's own.
        ((ROOT, folder(ALICE, 0o775)), file(ALICE, links=2)),
        # Nothing is known of the folders.
        ((), file(BOB)),
    ],
)
def test_what_those_could_read_who_could_put_it_there_is_taken(
    ways: tuple[os.stat_result, ...], what: os.stat_result
) -> None:
    assert lent(ways, what, DAEMON) is None


@pytest.mark.parametrize(
    ("ways", "what"),
    [
        # Moved there from another folder of the user's, or linked.
        ((ROOT, folder(ALICE)), file(0)),
        ((ROOT, folder(ALICE)), file(BOB, 0o640)),
        ((ROOT, folder(ALICE)), file(DAEMON)),
        ((ROOT, folder(ALICE), folder(BOB)), file(BOB)),
        # Everybody could read it, but for the folder that was moved there with it.
        ((ROOT, folder(ALICE), folder(0, 0o700)), file(0, 0o644)),
        ((ROOT, folder(ALICE), folder(0, 0o700), folder(0)), file(0, 0o644)),
        # Into a box that is open to several.
        ((ROOT, folder(0, 0o1777)), file(ALICE, links=2)),
        ((ROOT, folder(0, 0o1777)), file(0)),
        ((ROOT, folder(0, 0o2770, SCANS)), file(0, 0o600)),
        ((ROOT, folder(ALICE, 0o2770, SCANS)), file(BOB)),
        ((ROOT, folder(ALICE, 0o2770, SCANS)), file(ALICE, links=2)),
    ],
)
def test_what_somebody_may_have_put_there_who_cannot_read_it_is_refused(
    ways: tuple[os.stat_result, ...], what: os.stat_result
) -> None:
    assert lent(ways, what, DAEMON) is not None

"""What happens in real folders is heard, by each way in which the system tells of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from ndfd import platform
from ndfd.dispatch.folder_events import folder_events
from ndfd.platform.folder_events import FolderEvents as NoEvents


@pytest.fixture(params=["told", "polled"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "polled":
        monkeypatch.setattr(platform, "FolderEvents", NoEvents)
    return str(request.param)


async def heard_of(folders: list[Path], act: Callable[[], object], *, recursive: bool = False) -> None:
    """Returns when the act, done again and again until the watch has begun, was heard of."""
    async with contextlib.aclosing(folder_events(folders, 0.01, recursive=recursive)) as events:
        waiting = asyncio.ensure_future(anext(events))
        while not waiting.done():
            act()
            await asyncio.wait([waiting], timeout=0.05)
        await waiting


@pytest.mark.usefixtures("way")
def test_a_new_file_is_heard_of(tmp_path: Path) -> None:
    numbers = iter(range(1_000_000))
    asyncio.run(heard_of([tmp_path], lambda: (tmp_path / f"{next(numbers)}.pdf").touch()))


@pytest.mark.usefixtures("way")
def test_a_file_that_is_written_to_is_heard_of(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    numbers = iter(range(1_000_000))
    asyncio.run(heard_of([tmp_path], lambda: (tmp_path / "file").write_text(str(next(numbers)))))


def test_a_folder_below_is_heard_of_where_that_is_asked(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    numbers = iter(range(1_000_000))
    asyncio.run(heard_of([tmp_path], lambda: (below / str(next(numbers))).touch(), recursive=True))


def test_all_that_happens_at_once_is_given_once_and_waiting_goes_on(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()

    async def scenario() -> None:
        events: AsyncGenerator[None, None] = folder_events([tmp_path, other], 0.05)
        async with contextlib.aclosing(events):
            first = asyncio.ensure_future(anext(events))
            # It watches once it waits.
            await asyncio.sleep(0)
            for number in range(100):
                (tmp_path / str(number)).touch()
                (other / str(number)).touch()
            await first
            second = asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait([second], timeout=0.2)
            assert not done
            (other / "0").unlink()
            await second

    asyncio.run(scenario())


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.touch()], ids=["none", "a file"])
def test_what_is_no_folder_is_refused_with_nothing_left_open(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "folder")
    before = platform.process.open_descriptors()

    async def scenario() -> int | None:
        with pytest.raises(OSError, match=r"No such file|Not a directory"):
            await anext(folder_events([tmp_path, tmp_path / "folder"], 0.01))
        # The loop has some of its own.
        return platform.process.open_descriptors()

    loop_has = 3
    assert asyncio.run(scenario()) == (before or 0) + loop_has
    assert platform.process.open_descriptors() == before

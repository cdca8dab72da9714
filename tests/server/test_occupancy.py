"""Who has work going on is counted, and is waited for."""

from __future__ import annotations

import asyncio
import contextlib

from ndfd.server.occupancy import Held, Occupancy


def test_conversions_are_counted_for_all_and_for_each_user_until_they_end() -> None:
    occupancy = Occupancy()
    with occupancy.one_more(1000), occupancy.one_more(-1):
        with contextlib.suppress(KeyError), occupancy.one_more(1000):
            assert (occupancy.conversions, occupancy.of_user(1000), occupancy.of_user(-1)) == (3, 2, 1)
            raise KeyError
        assert (occupancy.conversions, occupancy.of_user(1000)) == (2, 1)
    assert (occupancy.conversions, occupancy.of_user(1000), occupancy.of_user(4711)) == (0, 0, 0)


def test_what_nobody_ever_held_is_free() -> None:
    asyncio.run(asyncio.wait_for(Held().free(), 20))


def test_what_is_held_is_free_when_the_last_has_left() -> None:
    async def hold() -> None:
        held = Held()
        with held:
            with held:
                waiting = asyncio.create_task(held.free())
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not waiting.done()
        await waiting

    asyncio.run(hold())

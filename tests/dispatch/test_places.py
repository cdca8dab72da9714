"""Places at the workers."""

from __future__ import annotations

import asyncio

from ndfd.dispatch.places import Places
from tests.dispatch.scene import run, settle


async def waiting(places: Places, count: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(places.take()) for _ in range(count)]
    await settle()
    return tasks


def done(tasks: list[asyncio.Task[None]]) -> list[int]:
    return [place for place, task in enumerate(tasks) if task.done() and not task.cancelled()]


def test_places_are_given_in_the_order_in_which_they_were_asked_for() -> None:
    async def body() -> None:
        places = Places(2)
        tasks = await waiting(places, 4)
        assert done(tasks) == [0, 1]
        places.give_back()
        await settle()
        assert done(tasks) == [0, 1, 2]
        places.give_back()
        await asyncio.gather(*tasks)

    run(body())


def test_who_does_not_want_it_any_more_leaves_it_to_the_next() -> None:
    async def body() -> None:
        places = Places(1)
        tasks = await waiting(places, 4)
        tasks[1].cancel()
        await settle()
        # Cancelled, and the place given before it has heard of that.
        tasks[2].cancel()
        places.give_back()
        await settle()
        assert done(tasks) == [0, 3]

    run(body())


def test_a_place_that_was_given_to_who_is_cancelled_in_the_same_moment_is_not_lost() -> None:
    async def body() -> None:
        places = Places(1)
        tasks = await waiting(places, 3)
        places.give_back()
        tasks[1].cancel()
        await settle()
        assert done(tasks) == [0, 2]

    run(body())


def test_more_places_are_given_at_once_and_fewer_as_they_come_back() -> None:
    async def body() -> None:
        places = Places(1)
        tasks = await waiting(places, 5)
        places.resize(3)
        await settle()
        assert done(tasks) == [0, 1, 2]
        places.resize(1)
        places.give_back()
        places.give_back()
        await settle()
        assert done(tasks) == [0, 1, 2]
        places.give_back()
        await settle()
        assert done(tasks) == [0, 1, 2, 3]
        places.give_back()
        await asyncio.gather(*tasks)

    run(body())

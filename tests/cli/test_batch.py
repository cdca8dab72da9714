"""Many documents at once."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import pytest

from ndfd.cli.batch import Batch, DaemonGone
from ndfd.client import Client
from ndfd.errors import NdfdError
from ndfd.model.conversion import ConvertOptions
from tests.server.doors import Doors


def same(client: Client, item: int) -> int:
    client.info()
    return item


def test_results_come_in_the_order_of_the_items_however_they_end(doors: Doors) -> None:
    last_begun = threading.Event()

    def work(client: Client, item: int) -> int:
        if item == 2:
            last_begun.set()
        else:
            assert last_begun.wait(20)
        return item

    with Batch(partial(Client.connect, doors.varlink_path), 3, work) as batch:
        assert list(batch.results([0, 1, 2], 3)) == [0, 1, 2]


def test_no_more_items_are_begun_ahead_than_allowed(doors: Doors) -> None:
    begun: list[int] = []

    def work(client: Client, item: int) -> int:
        begun.append(item)
        return item

    with Batch(partial(Client.connect, doors.varlink_path), 1, work) as batch:
        results = batch.results(range(100), 4)
        assert next(results) == 0
        assert len(begun) <= 4


def test_each_thread_keeps_its_connection_and_makes_a_new_one_when_it_broke(doors: Doors) -> None:
    seen: list[Client] = []

    def work(client: Client, item: int) -> int:
        seen.append(client)
        if item == 1:
            client.close()
        return item

    with Batch(partial(Client.connect, doors.varlink_path), 1, work) as batch:
        assert list(batch.results([0, 1, 2, 3], 1)) == [0, 1, 2, 3]
    assert seen[0] is seen[1]
    assert seen[1] is not seen[2]
    assert seen[2] is seen[3]


def test_a_daemon_that_is_gone_ends_the_batch_instead_of_failing_each_item(tmp_path: Path) -> None:
    with Batch(partial(Client.connect, tmp_path / "no.sock"), 2, same) as batch, pytest.raises(DaemonGone) as gone:
        list(batch.results(range(10), 4))
    assert gone.value.error.code == "daemon-unavailable"


def test_leaving_early_wakes_the_threads_that_wait_for_the_daemon(doors: Doors) -> None:
    ended: list[NdfdError] = []

    def work(client: Client, item: int) -> int:
        if item == 1:
            try:
                client.convert(b"x", ConvertOptions(name="hang"))
            except NdfdError as error:
                ended.append(error)
        return item

    with Batch(partial(Client.connect, doors.varlink_path), 1, work) as batch:
        assert next(batch.results([0, 1, 2], 2)) == 0
        assert doors.conversions.started.wait(20)
    assert [error.code for error in ended] == ["daemon-unavailable"]
    assert doors.conversions.cancelled.wait(20)

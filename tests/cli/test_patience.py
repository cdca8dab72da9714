"""What a command does about a daemon that takes nothing for now."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ndfd.cli.patience import Patience, PatientConnection
from ndfd.client import Client
from ndfd.errors import DamagedDocument, NdfdError, QuotaExceeded, StoreDamaged, StoreError, Unavailable
from tests.server.doors import Doors


class Clock:
    """Goes on by a second each time somebody looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def busy(retry_after_s: float = 0.001) -> QuotaExceeded:
    error = QuotaExceeded("too many jobs")
    error.retry_after_s = retry_after_s
    return error


@pytest.mark.parametrize("error", [DamagedDocument("x"), StoreDamaged("x"), NdfdError("x")])
def test_what_time_does_not_mend_is_raised_at_once(error: NdfdError) -> None:
    said: list[str] = []
    with Patience(1000, said.append) as patience, pytest.raises(type(error)):
        patience.wait(error)
    assert said == []


@pytest.mark.parametrize("error", [busy(), Unavailable("x"), StoreError("x")])
def test_what_time_may_mend_is_waited_for_and_said_so(error: NdfdError) -> None:
    said: list[str] = []
    with Patience(600, said.append) as patience:
        patience.wait(error)
    (line,) = said
    assert line.startswith(f"ndfd: {error} ({error.code}); ")
    assert line.endswith("; trying again for up to 10m")


def test_it_is_up_so_long_after_the_first_refusal_that_nothing_has_gone_through() -> None:
    with Patience(10, lambda line: None, Clock()) as patience:
        for _ in range(8):
            patience.wait(busy())
        patience.succeeded()
        for _ in range(8):
            patience.wait(busy())
        patience.wait(busy())
        patience.wait(busy())
        with pytest.raises(QuotaExceeded):
            patience.wait(busy())


def test_without_any_the_first_refusal_is_raised() -> None:
    with Patience(0, lambda line: None) as patience, pytest.raises(QuotaExceeded):
        patience.wait(busy())


def test_the_same_is_said_once_a_minute() -> None:
    said: list[str] = []
    with Patience(1000, said.append, Clock()) as patience:
        for _ in range(50):
            patience.wait(busy())
        patience.wait(Unavailable("gone"))
        assert len(said) == 2
        for _ in range(50):
            patience.wait(busy())
            patience.succeeded()
    assert len(said) == 3


def test_leaving_wakes_whoever_waits() -> None:
    said = threading.Event()
    raised: list[NdfdError] = []

    def wait() -> None:
        try:
            patience.wait(busy(retry_after_s=1000))
        except NdfdError as error:
            raised.append(error)

    with Patience(100_000, lambda line: said.set()) as patience:
        thread = threading.Thread(target=wait)
        thread.start()
        assert said.wait(20)
    thread.join(20)
    assert [error.code for error in raised] == ["quota-exceeded"]


def test_what_goes_through_wakes_those_that_were_told_to_come_much_later() -> None:
    said = threading.Event()
    woken = threading.Event()

    def wait() -> None:
        patience.wait(busy(retry_after_s=1000))
        woken.set()

    with Patience(100_000, lambda line: said.set()) as patience:
        thread = threading.Thread(target=wait)
        thread.start()
        assert said.wait(20)
        while not woken.wait(0.01):
            assert thread.is_alive()
            patience.succeeded()
    thread.join(20)


def test_a_connection_that_broke_is_made_anew_and_the_call_with_it(at_work: Doors) -> None:
    seen: list[Client] = []

    def work(client: Client) -> str:
        seen.append(client)
        if len(seen) == 1:
            client.close()
        return client.info().product

    with Patience(60, lambda line: None) as patience, PatientConnection(at_work.varlink_path, patience) as connection:
        assert connection.call(work) == "ndfd"
        assert connection.call(work) == "ndfd"
    assert seen[0] is not seen[1]
    assert seen[1] is seen[2]


def test_a_closed_connection_makes_no_further_call(tmp_path: Path) -> None:
    with Patience(1000, lambda line: None) as patience, PatientConnection(tmp_path / "no.sock", patience) as connection:
        connection.close()
        with pytest.raises(Unavailable):
            connection.call(lambda client: client.info())

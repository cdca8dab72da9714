"""The pace of trying again."""

from __future__ import annotations

from ndfd.supervisor.back_off import FIRST_S, LAST_S, BackOff


def test_each_wait_is_twice_the_last_up_to_a_limit() -> None:
    back_off = BackOff()
    waits = [back_off.next_s() for _ in range(20)]
    assert waits[:3] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert waits[-1] == LAST_S


def test_success_starts_over() -> None:
    back_off = BackOff()
    back_off.next_s()
    back_off.reset()
    assert back_off.next_s() == FIRST_S

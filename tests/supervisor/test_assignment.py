"""Who gets which worker."""

from __future__ import annotations

from collections.abc import Iterable

from ndfd.supervisor import assignment
from ndfd.supervisor.assignment import Assignment, Idle, Reuse, Waiting


def assign(waiting: Iterable[Waiting], idle: Iterable[Idle], coming: int, reuse: Reuse = Reuse.UID) -> Assignment:
    return assignment.assign(waiting, idle, coming, reuse)


def users(*uids: int) -> list[Waiting]:
    return [Waiting(uid) for uid in uids]


def test_who_came_first_is_served_first() -> None:
    assert assign(users(7, 7, 7), [Idle(1, None), Idle(2, None)], 0) == ({0: 1, 1: 2}, [])


def test_a_worker_that_knows_the_user_is_preferred_to_a_fresh_one() -> None:
    assert assign(users(7), [Idle(1, None), Idle(2, 7)], 0).give == {0: 2}


def test_a_worker_that_has_seen_another_users_document_is_replaced_and_not_given() -> None:
    assert assign(users(8), [Idle(1, 7)], 0) == ({}, [1])


def test_nobody_is_replaced_while_a_fresh_worker_is_on_its_way() -> None:
    assert assign(users(8), [Idle(1, 7)], 1) == ({}, [])


def test_each_who_waits_has_one_worker_replaced_and_no_more() -> None:
    assert assign(users(8, 9), [Idle(1, 7), Idle(2, 7), Idle(3, 7)], 1).replace == [1]


def test_who_waits_for_a_fresh_worker_does_not_hold_up_those_behind() -> None:
    assert assign(users(8, 7), [Idle(1, 7), Idle(2, 7)], 0) == ({1: 2}, [1])


def test_nobody_overtakes_while_every_worker_is_busy() -> None:
    assert assign(users(8, 7), [], 0) == ({}, [])


def test_root_is_a_user_like_any_other() -> None:
    assert assign(users(0), [Idle(1, 1000)], 0) == ({}, [1])


def test_a_second_attempt_gets_a_worker_that_has_seen_nothing_not_even_the_same_users_document() -> None:
    assert assign([Waiting(7, fresh=True)], [Idle(1, 7), Idle(2, None)], 0).give == {0: 2}
    assert assign([Waiting(7, fresh=True)], [Idle(1, 7)], 0) == ({}, [1])
    assert assign([Waiting(7, fresh=True), Waiting(7)], [Idle(1, 7)], 1) == ({1: 1}, [])


def test_where_any_worker_will_do_nobody_waits_for_a_fresh_one() -> None:
    assert assign(users(8), [Idle(1, 7)], 0, Reuse.ANY) == ({0: 1}, [])
    assert assign(users(8), [Idle(1, None), Idle(2, 7), Idle(3, 8)], 0, Reuse.ANY).give == {0: 3}
    assert assign(users(8), [Idle(1, None), Idle(2, 7)], 0, Reuse.ANY).give == {0: 2}


def test_a_second_attempt_gets_a_fresh_worker_even_where_any_would_do() -> None:
    assert assign([Waiting(7, fresh=True)], [Idle(1, 7), Idle(2, None)], 0, Reuse.ANY).give == {0: 2}


def test_where_none_is_used_again_not_even_the_same_user_gets_one_that_has_seen_a_document() -> None:
    assert assign(users(7), [Idle(1, 7)], 0, Reuse.NEVER) == ({}, [1])
    assert assign(users(7), [Idle(1, 7), Idle(2, None)], 0, Reuse.NEVER) == ({0: 2}, [])

"""Users who want more than there is get the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ndfd.scheduler import Usage
from tests.scheduler.simulation import Asked, Simulation, always


@pytest.mark.parametrize("slots", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("lengths", [(1, 1), (1, 10), (1, 1, 1), (1, 10, 60), (60, 1, 1, 1, 1)])
def test_users_who_always_have_work_get_the_same_time_of_the_workers(lengths: tuple[int, ...], slots: int) -> None:
    until = 900.0
    jobs = [job for uid, seconds in enumerate(lengths) for job in always(uid, seconds, until, slots)]
    had = Simulation(jobs, slots).run(until).had
    fair = until * slots / len(lengths)
    # Whoever has just begun a job of the longest kind is ahead by that, on each of the workers.
    assert all(abs(had[uid] - fair) <= max(lengths) * slots for uid in range(len(lengths))), had


def test_what_one_user_does_not_want_is_shared_by_the_others() -> None:
    until, slots = 2000.0, 4
    modest = [Asked(float(at), 0, 0.5) for at in range(0, int(until), 2)]
    jobs = [*modest, *always(1, 3, until, slots), *always(2, 7, until, slots)]
    had = Simulation(jobs, slots).run(until).had
    assert had[0] == pytest.approx(len(modest) * 0.5, abs=5)
    # Not quite the same: who has the shorter jobs is asked to give way more often.
    rest = until * slots - had[0]
    assert had[1] == pytest.approx(rest / 2, rel=0.1)
    assert had[2] == pytest.approx(rest / 2, rel=0.1)


def test_a_user_who_comes_later_gets_its_share_from_then_on_and_no_more() -> None:
    until, slots = 4000.0, 2
    late = [job._replace(at=2000.0) for job in always(1, 5, 2000.0, slots)]
    had = Simulation([*always(0, 5, until, slots), *late], slots).run(until).had
    assert had[1] == pytest.approx(2000.0, abs=20)


def test_a_user_who_sends_the_next_job_when_the_last_is_done_gets_no_more_than_its_share() -> None:
    usage = Usage()
    usage.wanted_by({1, 2}, 0.0)
    usage.begun(1, 0.0)
    usage.ended(1, 0.0, 60.0)
    usage.wanted_by({2}, 60.0)
    usage.wanted_by({1, 2}, 60.1)
    assert usage.used_s(1, 60.1) == 60.0
    assert usage.used_s(2, 60.1) == 0.0


def test_nobody_pays_for_the_time_in_which_nobody_else_wanted_anything() -> None:
    usage = Usage()
    usage.wanted_by({1}, 0.0)
    usage.begun(1, 0.0)
    usage.wanted_by({1, 2}, 3600.0)
    assert usage.used_s(2, 3600.0) == usage.used_s(1, 3600.0) == 3600.0


def test_when_nobody_wants_anything_all_is_forgotten() -> None:
    usage = Usage()
    usage.wanted_by({1, 2}, 0.0)
    usage.begun(1, 0.0)
    usage.ended(1, 0.0, 60.0)
    usage.wanted_by(set(), 61.0)
    assert usage.used_s(1, 61.0) == 0.0


def test_no_more_of_a_user_run_than_it_may_have() -> None:
    it = Simulation(always(0, 1, 100, 4), 4, per_user_max=3).run(100)
    assert max(each.beside for each in it.begun) == 2
    assert it.had[0] == pytest.approx(300)


@given(
    users=st.lists(st.floats(0.1, 30.0), min_size=2, max_size=6),
    slots=st.integers(1, 5),
)
@settings(deadline=None, max_examples=60)
def test_shares_are_equal_for_any_lengths(users: list[float], slots: int) -> None:
    until = 200.0
    jobs = [job for uid, seconds in enumerate(users) for job in always(uid, seconds, until, slots)]
    had = Simulation(jobs, slots).run(until).had
    fair = until * slots / len(users)
    assert all(abs(had[uid] - fair) <= max(users) * slots + 1e-6 for uid in range(len(users)))

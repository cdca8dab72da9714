"""Everybody's turn comes: how many later jobs can overtake one."""

from __future__ import annotations

import bisect

from hypothesis import given, settings
from hypothesis import strategies as st

from ndfd.model.jobs import PRIORITY_MAX, PRIORITY_MIN
from ndfd.scheduler import PRIORITY_STEP_S, rank
from tests.scheduler.simulation import Asked, Simulation

PRIORITIES = st.integers(PRIORITY_MIN, PRIORITY_MAX)
STEPS = PRIORITY_MAX - PRIORITY_MIN


#: As a clock tells it: what lies closer together than a float can hold beside a priority has no order.
MOMENTS = st.integers(0, 10**8).map(lambda milliseconds: milliseconds / 1000)
_ROUNDED_S = 1e-6


@given(st.lists(st.tuples(MOMENTS, PRIORITIES, st.floats(1, 50)), min_size=2, max_size=60), st.integers(1, 3))
@settings(deadline=None)
def test_of_one_user_only_what_comes_within_twenty_minutes_can_overtake(
    jobs: list[tuple[float, int, float]], slots: int
) -> None:
    begun = Simulation([Asked(at, 0, seconds, priority) for at, priority, seconds in jobs], slots).run().begun
    assert len(begun) == len(jobs)
    arrivals = sorted(job.at for job in (each.job for each in begun))
    for place, each in enumerate(begun):
        overtaken_by = [before.job for before in begun[:place] if before.job.at > each.job.at]
        for job in overtaken_by:
            assert job.at < each.job.at + (job.priority - each.job.priority) * PRIORITY_STEP_S + _ROUNDED_S
        bound = bisect.bisect_left(arrivals, each.job.at + STEPS * PRIORITY_STEP_S + _ROUNDED_S)
        assert len(overtaken_by) <= bound - bisect.bisect_right(arrivals, each.job.at)


@given(st.floats(0, 2e9), PRIORITIES, PRIORITIES, st.floats(0, 1e6))
def test_a_step_of_priority_is_worth_a_minute(at: float, one: int, other: int, later_s: float) -> None:
    overtakes = rank(at + later_s, other) < rank(at, one)
    minutes = (at + later_s - at) / PRIORITY_STEP_S
    assert overtakes == (minutes < other - one) or abs(minutes - (other - one)) < 1e-6


@given(
    arrivals=st.lists(st.floats(0, 100), min_size=1, max_size=10),
    others=st.lists(st.tuples(st.floats(0, 100), st.integers(1, 60)), min_size=1, max_size=5),
    slots=st.integers(1, 4),
)
@settings(deadline=None, max_examples=60)
def test_however_much_work_others_have_each_of_them_overtakes_only_a_few_times(
    arrivals: list[float], others: list[tuple[float, int]], slots: int
) -> None:
    """Jobs of equal length. The bound knows the users and the workers, not how many jobs there are."""
    jobs = [Asked(at, 0, 1.0) for at in arrivals]
    # Each begins with a pile of work and goes on to bring more, of the highest priority, all the time.
    for uid, (at, count) in enumerate(others, 1):
        jobs += [Asked(at, uid, 1.0, PRIORITY_MAX)] * count
        jobs += [Asked(at + step / 2, uid, 1.0, PRIORITY_MAX) for step in range(100)]
    begun = Simulation(jobs, slots).run().begun
    mine = [(place, each) for place, each in enumerate(begun) if each.job.uid == 0]
    line_free_at = 0.0
    for place, each in mine:
        first_in_line_at = max(each.job.at, line_free_at)
        overtaking = sum(1 for before in begun[:place] if before.job.uid != 0 and before.at > first_in_line_at)
        assert overtaking <= len(others) * 2 * (slots + 1)
        line_free_at = each.at

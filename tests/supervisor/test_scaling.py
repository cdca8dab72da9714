"""How many workers there should be, as a function of values."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndfd.platform import Pressure
from ndfd.supervisor import PoolLimits
from ndfd.supervisor.scaling import (
    CPU_CROWDED_PERCENT,
    MEMORY_SHORT_PERCENT,
    MEMORY_TIGHT_PERCENT,
    PATIENCE_S,
    STEP_S,
    WAIT_TARGET_S,
    Decision,
    History,
    Load,
    decide,
)

LIMITS = PoolLimits(1, 8, 100, idle_timeout_s=60)
CALM = Pressure(5.0, 0.0)
TIGHT = Pressure(5.0, MEMORY_TIGHT_PERCENT)
SHORT = Pressure(5.0, MEMORY_SHORT_PERCENT)
CROWDED = Pressure(CPU_CROWDED_PERCENT, 0.0)
LONG_AGO = math.inf


def load(in_flight: int, waiting: int = 0, oldest_wait_s: float = 0.0, p95_wait_s: float = 0.0, peak: int = 0) -> Load:
    return Load(in_flight, waiting, oldest_wait_s, p95_wait_s, max(peak, in_flight))


@pytest.mark.parametrize("pressure", [None, CALM])
def test_there_is_a_worker_for_each_conversion_at_once_up_to_the_most(pressure: Pressure | None) -> None:
    assert decide(LIMITS, 1, load(5, 4), pressure, LONG_AGO) == Decision(5)
    assert decide(LIMITS, 1, load(50, 49), pressure, LONG_AGO) == Decision(8)


def test_long_waits_keep_a_quarter_more_ready() -> None:
    assert decide(LIMITS, 4, load(4, p95_wait_s=WAIT_TARGET_S), CALM, LONG_AGO) == Decision(4)
    assert decide(LIMITS, 4, load(4, p95_wait_s=2 * WAIT_TARGET_S), CALM, LONG_AGO) == Decision(5)
    assert decide(LIMITS, 8, load(8, p95_wait_s=2 * WAIT_TARGET_S), CALM, LONG_AGO) == Decision(8)


def test_down_goes_only_what_nothing_has_needed_for_a_while() -> None:
    assert decide(LIMITS, 6, load(0, peak=6), CALM, LONG_AGO) == Decision(6)
    assert decide(LIMITS, 6, load(2, peak=4), CALM, LONG_AGO) == Decision(4)
    assert decide(LIMITS, 6, load(0), CALM, LONG_AGO) == Decision(1)


def test_to_zero_and_from_zero() -> None:
    limits = PoolLimits(0, 8, 100)
    assert decide(limits, 3, load(0), CALM, LONG_AGO) == Decision(0)
    assert decide(limits, 0, load(1, 1), CALM, LONG_AGO) == Decision(1)


def test_tight_memory_lets_nobody_come_and_nobody_go() -> None:
    assert decide(LIMITS, 3, load(8, 5), TIGHT, LONG_AGO) == Decision(3, held=True)
    assert decide(LIMITS, 3, load(1, peak=3), TIGHT, LONG_AGO) == Decision(3)


def test_short_memory_sends_idle_ones_away_one_step_at_a_time() -> None:
    assert decide(LIMITS, 5, load(2, peak=5), SHORT, LONG_AGO) == Decision(4, stepped=True)
    assert decide(LIMITS, 4, load(2, peak=5), SHORT, STEP_S / 2) == Decision(4)
    assert decide(LIMITS, 4, load(2, peak=5), SHORT, STEP_S) == Decision(3, stepped=True)
    # Those at work are let be.
    assert decide(LIMITS, 2, load(2, peak=5), SHORT, LONG_AGO) == Decision(2)
    assert decide(LIMITS, 2, load(6, 4, peak=6), SHORT, LONG_AGO) == Decision(2, held=True)


@pytest.mark.parametrize("pressure", [TIGHT, SHORT, CROWDED, Pressure(100.0, 100.0)])
def test_under_every_pressure_the_fewest_are_there_and_one_for_whoever_waits(pressure: Pressure) -> None:
    assert decide(PoolLimits(0, 8, 100), 0, load(3, 3), pressure, 0.0).workers == 1
    assert decide(PoolLimits(3, 8, 100), 3, load(0), pressure, LONG_AGO).workers == 3


def test_after_short_memory_nobody_comes_back_who_is_not_needed() -> None:
    assert decide(LIMITS, 2, load(1, peak=8), CALM, LONG_AGO) == Decision(2)


def test_crowded_cpus_let_one_come_at_a_time_and_only_for_who_has_waited() -> None:
    assert decide(LIMITS, 2, load(5, 3), CROWDED, LONG_AGO) == Decision(2, held=True)
    assert decide(LIMITS, 2, load(5, 3, PATIENCE_S), CROWDED, LONG_AGO) == Decision(3, held=True, stepped=True)
    assert decide(LIMITS, 3, load(5, 2, PATIENCE_S), CROWDED, STEP_S / 2) == Decision(3, held=True)
    assert decide(LIMITS, 4, load(5, 1, PATIENCE_S), CROWDED, STEP_S) == Decision(5, stepped=True)


def test_crowded_cpus_send_nobody_away() -> None:
    assert decide(LIMITS, 5, load(2, peak=5), Pressure(100.0, 0.0), LONG_AGO) == Decision(5)


@given(
    st.integers(0, 4),
    st.integers(1, 8),
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(0, 20),
    st.floats(0, 10),
    st.floats(0, 10),
    st.none() | st.builds(Pressure, st.floats(0, 100), st.floats(0, 100)),
    st.floats(0, 10),
)
def test_it_never_leaves_its_limits_nor_anyone_without_a_worker(
    least: int,
    more: int,
    current: int,
    in_flight: int,
    waiting: int,
    oldest_wait_s: float,
    p95_wait_s: float,
    pressure: Pressure | None,
    since_step_s: float,
) -> None:
    limits = PoolLimits(least, least + more, 100)
    asked = load(in_flight, min(waiting, in_flight), oldest_wait_s, p95_wait_s)
    workers = decide(limits, current, asked, pressure, since_step_s).workers
    assert limits.workers_min <= workers <= limits.workers_max
    assert workers >= 1 or in_flight == 0


@given(st.lists(st.tuples(st.floats(0.01, 20), st.integers(0, 12)), max_size=200))
def test_a_worker_that_was_started_stays_at_least_the_idle_time(waves: list[tuple[float, int]]) -> None:
    history, now, current = History(), 0.0, LIMITS.workers_min
    went_up_at = 0.0
    for pause_s, in_flight in waves:
        now += pause_s
        history.demanded(min(in_flight, LIMITS.workers_max), now)
        asked = Load(in_flight, 0, 0.0, 0.0, history.peak(LIMITS.idle_timeout_s, now))
        before, current = current, decide(LIMITS, current, asked, CALM, LONG_AGO).workers
        if current > before:
            went_up_at = now
        assert current >= before or now - went_up_at >= LIMITS.idle_timeout_s


def test_the_peak_is_forgotten_when_its_time_is_over_and_the_next_lower_one_holds() -> None:
    history = History()
    for now, workers in ((0.0, 5), (1.0, 2), (2.0, 3), (3.0, 0)):
        history.demanded(workers, now)
    assert (history.peak(10, 10.9), history.peak_ends_at(10)) == (5, 11.0)
    assert (history.peak(10, 11.0), history.peak_ends_at(10)) == (3, 13.0)
    assert (history.peak(10, 13.0), history.peak_ends_at(10)) == (0, None)


def test_a_demand_that_goes_on_is_the_peak_for_ever() -> None:
    history = History()
    history.demanded(4, 0.0)
    assert (history.peak(10, 1e9), history.peak_ends_at(10)) == (4, None)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(1, 30))
def test_the_peak_is_that_of_looking_at_every_moment(demands: list[int], within_s: int) -> None:
    history = History()
    for now, workers in enumerate(demands):
        history.demanded(workers, now)
        # A demand that began at `k` lasted until `k + 1`.
        lately = [demands[k] for k in range(now) if k + 1 > now - within_s]
        assert history.peak(within_s, now) == max([workers, *lately])


def test_p95_is_of_the_latest_waits_only() -> None:
    history = History()
    assert history.p95_wait_s(0.0) == 0.0
    for number in range(20):
        history.begun(float(number), 0.0)
    assert history.p95_wait_s(1.0) == 18.0
    assert history.p95_wait_s(100.0) == 0.0
    for _ in range(1000):
        history.begun(0.25, 100.0)
    assert history.p95_wait_s(101.0) == 0.25

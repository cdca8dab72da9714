"""The circuit against crash loops."""

from __future__ import annotations

import pytest

from ndfd.supervisor.back_off import FIRST_S, LAST_S
from ndfd.supervisor.circuit import FAILURES_MAX, WINDOW_S, Circuit, State


def fail_until_open(circuit: Circuit, now: float = 0.0) -> float:
    """Returns when it opens."""
    while circuit.state is State.CLOSED:
        pause_s = circuit.failed("it is broken", now)
        assert pause_s is not None
        if circuit.state is State.CLOSED:
            now += pause_s
            circuit.retry()
    return now


def test_it_opens_at_the_failure_that_is_one_too_many_after_ever_longer_pauses() -> None:
    circuit = Circuit()
    now, pauses = 0.0, []
    for _ in range(FAILURES_MAX):
        assert circuit.state is State.CLOSED
        pauses.append(circuit.failed("it is broken", now))
        circuit.retry() if len(pauses) < FAILURES_MAX else None
    assert circuit.state is State.OPEN
    assert pauses == [FIRST_S * 2**number for number in range(FAILURES_MAX)]


def test_failures_that_are_long_past_do_not_count() -> None:
    circuit = Circuit()
    for number in range(10 * FAILURES_MAX):
        assert circuit.failed("now and then", number * WINDOW_S) == FIRST_S
        circuit.retry()
    assert circuit.state is State.CLOSED


def test_failures_during_one_pause_are_one() -> None:
    circuit = Circuit()
    assert circuit.failed("all at once", 0.0) == FIRST_S
    assert [circuit.failed("all at once", 0.0) for _ in range(50)] == [None] * 50
    assert circuit.state is State.CLOSED


def test_open_it_lets_nobody_start_and_then_one_on_trial() -> None:
    circuit = Circuit()
    fail_until_open(circuit)
    assert circuit.startable(8, 0) == 0
    circuit.retry()
    assert circuit.state is State.HALF_OPEN
    assert (circuit.startable(8, 0), circuit.startable(8, 1), circuit.startable(0, 0)) == (1, 0, 0)


def test_each_trial_that_fails_doubles_the_pause_up_to_a_limit() -> None:
    circuit = Circuit()
    now = fail_until_open(circuit)
    assert circuit.retry_at is not None
    pauses = [circuit.retry_at - now]
    for _ in range(20):
        now += pauses[-1]
        circuit.retry()
        pause_s = circuit.failed("still broken", now)
        assert pause_s is not None
        pauses.append(pause_s)
        assert circuit.state is State.OPEN
    assert pauses[1:5] == pytest.approx([2 * pause_s for pause_s in pauses[:4]])
    assert pauses[-1] == LAST_S


def test_a_trial_that_proves_itself_closes_it_and_all_is_forgotten() -> None:
    circuit = Circuit()
    now = fail_until_open(circuit)
    circuit.retry()
    assert circuit.proved(now + 1)
    assert circuit.state is State.CLOSED
    assert circuit.startable(8, 3) == 8
    assert circuit.says(now + 1) is None
    assert circuit.failed("once more", now + 2) == FIRST_S


def test_a_worker_from_before_the_last_failure_proves_nothing() -> None:
    circuit = Circuit()
    now = fail_until_open(circuit)
    assert not circuit.proved(now - 100)
    circuit.retry()
    assert not circuit.proved(now - 100)
    assert circuit.state is State.HALF_OPEN


def test_it_says_what_is_the_matter_and_when_it_goes_on() -> None:
    circuit = Circuit()
    assert circuit.says(0.0) is None
    circuit.failed("no memory", 0.0)
    assert circuit.says(0.0) == "no worker can be started: no memory; the next one is tried in 0.1 s"
    circuit.retry()
    assert circuit.says(0.0) is None
    now = fail_until_open(circuit, 1.0)
    said = circuit.says(now)
    assert said is not None
    assert "the circuit is open" in said
    assert "it is broken; the next one is tried in 0.8 s" in said
    circuit.retry()
    said = circuit.says(now)
    assert said is not None
    assert "half-open" in said
    assert said.endswith("is on trial now")

"""The course of a Windows service, by a clock of its own: what it reports and does from start to end."""

from __future__ import annotations

import pytest

from ndfd.platform.windows_service_course import (
    ERROR_PROCESS_ABORTED,
    ERROR_SERVICE_REQUEST_TIMEOUT,
    ERROR_SERVICE_SPECIFIC_ERROR,
    Accept,
    CloseInput,
    Control,
    Event,
    Kill,
    Limits,
    Note,
    Outcome,
    Say,
    ServiceCourse,
    ServiceStatus,
    Severity,
    State,
    Step,
    describe_exit,
    failure_in,
)

LIMITS = Limits(start_s=30, drain_s=60, fast_s=4, kill_s=5, beat_s=1, hint_s=20)
READY = b'{"sockets": ["a", "b"]}\n'
STOPS = (Control.STOP, Control.PRESHUTDOWN, Control.SHUTDOWN)


def course() -> ServiceCourse:
    return ServiceCourse("ndfd", LIMITS, 100.0)


def running() -> ServiceCourse:
    made = course()
    made.spoke(READY, 105.0)
    return made


def events(steps: tuple[Step, ...]) -> list[Event]:
    return [step.event for step in steps if isinstance(step, Note)]


def test_it_starts_pending_with_checkpoints_that_rise_until_the_child_is_ready() -> None:
    made = course()
    assert made.status == ServiceStatus(State.START_PENDING, checkpoint=1, wait_hint_ms=20_000)
    assert made.wake_at == 101.0
    assert made.tick(101.0) == ()
    assert made.status == ServiceStatus(State.START_PENDING, checkpoint=2, wait_hint_ms=20_000)
    assert made.wake_at == 102.0
    assert events(made.spoke(READY, 101.5)) == [Event.STARTED]
    accepted = Accept.STOP | Accept.SHUTDOWN | Accept.PARAMCHANGE | Accept.PRESHUTDOWN
    assert made.status == ServiceStatus(State.RUNNING, accepted)
    assert made.wake_at is None


def test_a_tick_that_comes_early_raises_nothing() -> None:
    made = course()
    made.tick(100.5)
    assert made.status.checkpoint == 1


def test_a_pending_service_beats_well_within_its_hint() -> None:
    assert Limits().beat_s * 5 <= Limits().hint_s


def test_what_the_child_says_after_it_was_ready_changes_nothing() -> None:
    made = running()
    before = made.status
    assert made.spoke(b'{"error": {"message": "late"}}\n', 110.0) == ()
    assert made.status == before


def test_a_child_that_says_why_it_does_not_start_is_quoted_in_the_event() -> None:
    made = course()
    line = b'{"error": {"code": "configuration", "message": "2 mistakes", "hint": "see ndfd config check"}}\n'
    assert made.spoke(line, 101.0) == ()
    assert made.status.state is State.START_PENDING
    (note,) = made.ended(78, ("line 1", "line 2"))
    assert isinstance(note, Note)
    assert note.event is Event.START_FAILED
    assert note.text == (
        "The service ndfd did not start, with exit status 78: 2 mistakes; see ndfd config check\n\n"
        "Its log ends with:\nline 1\nline 2"
    )


@pytest.mark.parametrize("status", [64, 78])
def test_what_only_an_administrator_can_mend_is_reported_as_stopped_so_that_no_recovery_loops(status: int) -> None:
    made = course()
    made.ended(status, ())
    assert made.outcome == Outcome(ERROR_SERVICE_SPECIFIC_ERROR, status)
    assert made.status == ServiceStatus(State.STOPPED, win32_exit=ERROR_SERVICE_SPECIFIC_ERROR, specific_exit=status)


@pytest.mark.parametrize("status", [1, 69, 75, 0xC0000005])
@pytest.mark.parametrize("make", [course, running])
def test_a_child_that_dies_by_itself_is_recovered(status: int, make: object) -> None:
    made = make()  # type: ignore[operator]
    before = made.status
    (note,) = made.ended(status, ("boom",))
    assert made.outcome == Outcome(ERROR_SERVICE_SPECIFIC_ERROR, status, recover=True)
    # Nothing is reported: who reports STOPPED is not recovered.
    assert made.status == before
    assert note.event.severity is Severity.ERROR
    assert note.text.endswith("Its log ends with:\nboom")


def test_a_child_that_ends_in_peace_by_itself_stops_the_service_with_a_warning() -> None:
    made = running()
    assert events(made.ended(0, ())) == [Event.STOPPED_BY_ITSELF]
    assert made.outcome == Outcome()
    assert made.status == ServiceStatus(State.STOPPED)


def test_a_child_that_ends_in_peace_before_it_was_ready_did_not_start() -> None:
    made = course()
    assert events(made.ended(0, ())) == [Event.START_FAILED]
    assert made.outcome == Outcome(ERROR_PROCESS_ABORTED, recover=True)


def test_a_child_that_is_never_ready_is_ended_at_the_limit_and_recovered() -> None:
    made = course()
    assert made.tick(129.9) == ()
    assert made.tick(130.0) == (Kill(),)
    assert made.spoke(READY, 130.1) == ()
    assert made.status.state is State.START_PENDING
    assert events(made.ended(1, ())) == [Event.START_TIMEOUT]
    assert made.outcome == Outcome(ERROR_SERVICE_REQUEST_TIMEOUT, recover=True)


@pytest.mark.parametrize("control", [Control.STOP, Control.PRESHUTDOWN])
def test_a_stop_drains_and_beats_meanwhile(control: Control) -> None:
    made = running()
    assert made.asked(control, 200.0) == (Say(b"drain\n"),)
    assert made.status == ServiceStatus(State.STOP_PENDING, checkpoint=1, wait_hint_ms=20_000)
    assert made.wake_at == 201.0
    made.tick(201.0)
    assert made.status.checkpoint == 2
    assert events(made.ended(0, ())) == [Event.STOPPED]
    assert made.outcome == Outcome()
    assert made.status == ServiceStatus(State.STOPPED)


def test_a_child_that_does_not_drain_is_stopped_by_harder_and_harder_means() -> None:
    made = running()
    made.asked(Control.STOP, 200.0)
    assert made.tick(259.9) == ()
    assert made.tick(260.0) == (CloseInput(),)
    assert made.tick(263.9) == ()
    assert made.tick(264.0) == (Kill(),)
    assert made.tick(268.9) == ()
    assert events(made.tick(269.0)) == [Event.FORCED]
    assert made.outcome == Outcome(ERROR_SERVICE_REQUEST_TIMEOUT)
    assert made.status == ServiceStatus(State.STOPPED, win32_exit=ERROR_SERVICE_REQUEST_TIMEOUT)
    assert made.wake_at is None


def test_the_shutdown_of_the_machine_closes_the_input_at_once() -> None:
    made = running()
    assert made.asked(Control.SHUTDOWN, 200.0) == (CloseInput(),)
    assert made.tick(204.0) == (Kill(),)


def test_a_shutdown_hastens_a_stop_and_a_stop_hastens_no_shutdown() -> None:
    made = running()
    made.asked(Control.STOP, 200.0)
    assert made.asked(Control.STOP, 201.0) == ()
    assert made.asked(Control.SHUTDOWN, 202.0) == (CloseInput(),)
    assert made.asked(Control.SHUTDOWN, 203.0) == ()
    assert made.asked(Control.STOP, 203.0) == ()
    assert made.tick(206.0) == (Kill(),)


@pytest.mark.parametrize("control", STOPS)
def test_what_fails_on_the_way_down_is_told_and_not_recovered(control: Control) -> None:
    made = running()
    made.asked(control, 200.0)
    made.ended(70, ())
    assert made.outcome == Outcome(ERROR_SERVICE_SPECIFIC_ERROR, 70)


def test_param_change_reloads_while_it_runs_and_only_then() -> None:
    made = running()
    say, note = made.asked(Control.PARAMCHANGE, 200.0)
    assert say == Say(b"reload\n")
    assert events((note,)) == [Event.RELOAD]
    assert made.status.state is State.RUNNING
    made.asked(Control.STOP, 201.0)
    assert made.asked(Control.PARAMCHANGE, 202.0) == ()
    assert course().asked(Control.PARAMCHANGE, 101.0) == ()


def test_interrogation_changes_nothing() -> None:
    made = running()
    before = made.status
    assert made.asked(Control.INTERROGATE, 200.0) == ()
    assert made.status == before


def test_a_program_that_cannot_be_started_stops_the_service_with_the_systems_code() -> None:
    made = course()
    assert made.not_started(2, "ndfd.exe: not found").event is Event.START_FAILED
    assert made.status == ServiceStatus(State.STOPPED, win32_exit=2)


def test_nothing_moves_it_after_the_end() -> None:
    made = running()
    made.ended(0, ())
    assert made.ended(1, ()) == ()
    assert made.tick(1e9) == ()
    assert [made.asked(control, 1e9) for control in Control] == [()] * len(Control)
    assert made.outcome == Outcome()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"error": {"message": "no", "hint": "yes"}}', "no; yes"),
        (b'{"error": {}}', "it gave no reason"),
        (b'{"sockets": []}', None),
        (b'{"error": "text"}', None),
        (b"[1]", None),
        (b"ndfd 0.1.0 is ready", None),
        (b"\xff\xfe", None),
    ],
)
def test_a_line_says_failure_only_as_an_object_with_an_error(line: bytes, reason: str | None) -> None:
    assert failure_in(line) == reason


def test_codes_of_the_system_are_shown_as_they_are_looked_up() -> None:
    assert describe_exit(78) == "exit status 78"
    assert describe_exit(0xC0000005) == "exit code 0xC0000005"


def test_the_number_of_an_event_says_its_severity_and_is_one_that_the_message_file_has() -> None:
    assert {event.severity for event in Event} == set(Severity)
    assert all(1 <= event <= 1000 for event in Event)


def test_an_event_is_short_enough_for_the_log_whatever_the_child_wrote() -> None:
    made = course()
    (note,) = made.ended(1, ("x" * 65536,) * 10)
    assert isinstance(note, Note)
    assert len(note.text) < 31839

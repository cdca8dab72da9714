"""The judge of the crash tests sees each kind of loss and of doubling, and nothing where there is none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import pytest

from ndfd.model.conversion import OutputFormat
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job, JobChange, JobFault
from tests.crash.daemon_lives import expiry_faults
from tests.crash.judge import Kept, Rules, judge, judge_deliveries, judge_spool
from tests.crash.ledger import Journal, Ledger, Work, read_journal
from tests.crash.works import MadeWorks

WORKS = MadeWorks()
#: Of `MadeWorks`: one that succeeds, and one that fails.
GOOD, BAD = Work(0, 1000, "key-0", 3, own_bytes=True), Work(1, 1000, None, 8, own_bytes=True)
DRAINED = Rules(drained=True)


def ledger(*entries: list[object]) -> Ledger:
    """Of a client with both works, the good one acknowledged as job "a"."""
    made = Ledger()
    for work in (GOOD, BAD):
        made.apply(["work", dataclasses.asdict(work)])
    for entry in (["ask", "submit", 0], ["ack", "submit", 0, "a"], *entries):
        made.apply(list(entry))
    return made


def history(*events: str) -> tuple[JobChange, ...]:
    """What happened one after the other, with the state that each made."""
    states = {
        "accepted": "queued", "started": "running", "interrupted": "queued", "postponed": "queued", "retried": "queued",
        "result_lost": "queued", "delivery_added": "succeeded",
    }  # fmt: skip
    return tuple(
        JobChange(float(at), event, JobState(states.get(event, event)), 1) for at, event in enumerate(events, 1)
    )


def kept(*events: str, job_id: str = "a", work: Work = GOOD, **changes: object) -> Kept:
    """The job that these events made of a work."""
    told = history(*(events or ("accepted", "started", "succeeded")))
    state = told[-1].state
    job = Job(
        id=job_id,
        state=state,
        uid=1000,
        format=OutputFormat.MARKDOWN,
        size_bytes=len(WORKS.content(work)),
        version=len(told),
        accepted_at=1.0,
        finished_at=float(len(told)) if state.is_final else None,
        attempts=1,
        key=work.key,
        labels={"work": str(work.number)},
        fault=JobFault(MadeWorks.ERROR, "it is damaged", "", retryable=False) if state is JobState.FAILED else None,
    )
    result = WORKS.end(work).told if state is JobState.SUCCEEDED else None
    return Kept(msgspec.structs.replace(job, **changes), told, result)


SEEN = ["seen", "a", "succeeded", 3, 1, 3.0, None]


@pytest.mark.parametrize(
    ("said", "jobs"),
    [
        ((), [kept()]),
        ((), [kept("accepted", "started", "interrupted", "started", "succeeded")]),
        ((SEEN,), [kept()]),
        ((["ask", "submit", 1],), [kept()]),
        ((["ask", "submit", 1],), [kept(), kept("accepted", "started", "failed", job_id="b", work=BAD)]),
        ((["ask", "cancel", 0, "a"],), [kept()]),
        ((["ask", "cancel", 0, "a"],), [kept("accepted", "cancelled")]),
        ((["ask", "cancel", 0, "a"], ["ack", "cancel", 0, "a"]), [kept("accepted", "started", "cancelled")]),
        (
            (
                ["ask", "cancel", 0, "a"],
                ["ack", "cancel", 0, "a"],
                ["ask", "retry", 0, "a"],
                ["ack", "retry", 0, "a"],
            ),
            [kept("accepted", "cancelled", "retried", "started", "succeeded")],
        ),
        ((["ask", "forget", 0, "a"],), []),
        ((["ask", "forget", 0, "a"],), [kept()]),
        ((SEEN,), [kept("accepted", "started", "succeeded", "delivery_added", finished_at=3.0)]),
    ],
)
def test_what_may_be_is_no_fault(said: tuple[list[object], ...], jobs: list[Kept]) -> None:
    assert judge(ledger(*said), jobs, WORKS, DRAINED) == []


@pytest.mark.parametrize(
    ("said", "jobs", "fault"),
    [
        ((), [], "LOST: job a"),
        ((["ask", "cancel", 0, "a"],), [], "LOST: job a"),
        ((), [kept(), kept(job_id="b", key="key-0")], "work 0 became 2 jobs"),
        ((), [kept(), kept("accepted", "started", "failed", job_id="b", work=BAD)], "nobody asked for it"),
        ((), [kept("accepted", "cancelled")], "nobody asked for that"),
        ((), [kept("accepted", "started")], "still running at the end"),
        ((), [kept("accepted", "started", "failed")], "failed with document-damaged instead of succeeded"),
        ((), [kept("accepted", "started", "succeeded", "succeeded")], "its history cannot have been"),
        ((), [kept("accepted", "succeeded")], "its history cannot have been"),
        ((), [kept("accepted", "started", "succeeded", "result_lost", "started", "succeeded")], "its result was lost"),
        ((), [kept("accepted", "started", "succeeded", state=JobState.FAILED)], "its history ends succeeded"),
        ((), [kept(size_bytes=1)], "it is not what was asked for"),
        ((), [kept(uid=1001)], "it is not what was asked for"),
        ((SEEN,), [kept("accepted", "started", "interrupted", "started", "succeeded")], "it had ended as"),
        ((SEEN,), [kept("accepted", "started")], "is running again"),
        ((["ack", "submit", 0, "b"],), [kept()], "answered with b when handed in again"),
        (
            (["ask", "cancel", 0, "a"], ["ack", "cancel", 0, "a"]),
            [kept()],
            "it succeeded after cancelled",
        ),
        (
            (["ask", "cancel", 0, "a"], ["ack", "cancel", 0, "a"]),
            [kept("accepted", "cancelled", "retried", "started", "succeeded")],
            "it was retried 1 times, 0 of them acknowledged",
        ),
        ((["ask", "forget", 0, "a"], ["ack", "forget", 0, "a"]), [kept()], "it was forgotten and is there"),
        ((["refused", "retry", 0, "a", "job-unknown"],), [kept()], "is unknown to retry"),
        ((["fault", "something"],), [kept()], "something"),
    ],
)
def test_the_judge_sees(said: tuple[list[object], ...], jobs: list[Kept], fault: str) -> None:
    faults = judge(ledger(*said), jobs, WORKS, DRAINED)
    assert [each for each in faults if fault in each], faults


def test_a_document_that_is_blamed_for_a_kill_is_no_fault_until_the_end() -> None:
    fault = JobFault("document-kills-workers", "the daemon ended 10 times", "", retryable=False)
    blamed = kept("accepted", "started", "quarantined", fault=fault)

    assert judge(ledger(), [blamed], WORKS, Rules(drained=False, blamed=True)) == []
    assert len(judge(ledger(), [blamed], WORKS, DRAINED)) == 1


def test_another_result_is_seen() -> None:
    (fault,) = judge(ledger(), [dataclasses.replace(kept(), result="0" * 64)], WORKS, DRAINED)
    assert "succeeded with 000" in fault


def test_the_spool_has_every_file_whole_and_none_too_many() -> None:
    document, result = WORKS.document_hash(GOOD), WORKS.end(GOOD).told
    whole = {document: document, result: result}

    assert judge_spool(whole, [kept()], ledger(), WORKS) == []
    assert judge_spool({document: document}, [kept()], ledger(), WORKS)[0].startswith("LOST: the result of job a")
    assert judge_spool({**whole, "ab": "ab"}, [kept()], ledger(), WORKS) == ["ORPHAN: the file ab belongs to no job"]
    assert judge_spool({**whole, document: "e3"}, [kept()], ledger(), WORKS)[0].startswith("TORN")
    assert len(judge_spool(whole, [], ledger(), WORKS)) == 2


def test_each_result_is_delivered_once_and_whole() -> None:
    told = WORKS.end(GOOD).told

    assert judge_deliveries({"work-0.md": told}, [kept()], ledger(), WORKS) == []
    # Of a job that was forgotten since.
    assert judge_deliveries({"work-0.md": told}, [], ledger(), WORKS) == []
    assert "not delivered" in judge_deliveries({}, [kept()], ledger(), WORKS)[0]
    assert "2 times" in judge_deliveries({"work-0.md": told, "work-0-01a.md": told}, [kept()], ledger(), WORKS)[0]
    assert "other bytes" in judge_deliveries({"work-0.md": "e3"}, [kept()], ledger(), WORKS)[0]
    assert "belongs to no work" in judge_deliveries({".ndfd-1.part": told}, [], ledger(), WORKS)[0]
    assert "due" in judge_deliveries({"work-0.md": told}, [kept(deliveries_due=1)], ledger(), WORKS)[0]


def test_of_those_that_ended_the_oldest_expire() -> None:
    jobs = [kept(job_id=str(at), finished_at=float(at)) for at in range(6)]

    assert list(expiry_faults(jobs, jobs[3:], 3)) == []
    assert any("LOST: job 5" in fault for fault in expiry_faults(jobs, jobs[2:5], 3))
    assert any("instead of 3" in fault for fault in expiry_faults(jobs, jobs[2:], 3))
    changed = [kept(job_id="3", finished_at=3.5), *jobs[4:]]
    assert any("job 3 has changed" in fault for fault in expiry_faults(jobs, changed, 3))


def test_a_journal_tells_what_its_writer_knew(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", Ledger())
    journal.add(GOOD)
    journal.write("ask", "submit", 0)
    journal.write("ack", "submit", 0, "a")

    read = read_journal([tmp_path / "journal"])

    assert read.works == {0: GOOD}
    assert read.job_of == {0: "a"}
    assert read.jobs["a"] == journal.ledger.jobs["a"]


def test_what_is_answered_while_the_power_is_gone_is_believed_by_nobody() -> None:
    made = ledger()

    made.apply_asked(b'["ask", "submit", 1]\n["ack", "submit", 1, "b"]\n')
    assert made.asked[1] == 1
    assert 1 not in made.job_of
    assert made.faults == []

    # Asked before, answered afterwards: the disk may have had it. Asked afterwards: it cannot.
    made.apply_without_power(b'["ack", "submit", 1, "b"]\n')
    assert made.faults == []
    asked_before = b'["ask", "submit", 1]\n'
    made.apply_without_power(b'["ask", "submit", 1]\n["ack", "submit", 1, "b"]\n', asked_before)
    assert made.faults == []
    made.apply_without_power(b'["ask", "submit", 1]\n["ack", "submit", 1, "b"]\n')
    assert made.faults == ["acknowledged without power: ['submit', 1, 'b']"]

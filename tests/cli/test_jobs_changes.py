"""`ndfd jobs cancel`, `retry` and `forget`."""

from __future__ import annotations

import json
import os
import time

import msgspec
import pytest

from ndfd.client import Client
from ndfd.model.job_states import JobState
from tests.cli.conftest import Ndfd
from tests.cli.test_jobs_list import settled, submit
from tests.server.doors import Doors


def states(doors: Doors) -> dict[str, str]:
    return {job.id: job.state.value for job in doors.jobs._jobs.values()}


def test_jobs_named_are_cancelled_and_their_ids_printed(ndfd: Ndfd, at_work: Doors) -> None:
    ids = submit(at_work, "wait", "hang", "wait")
    ran = ndfd("jobs", "cancel", *ids[:2], ids[0])
    assert (ran.status, ran.stdout.split()) == (0, ids[:2])
    assert ran.stderr == "ndfd: 2 jobs cancelled\n"
    assert list(states(at_work).values()) == ["cancelled", "cancelled", "queued"]
    # Once more does no harm; and of one there is no summary.
    again = ndfd("jobs", "cancel", ids[0])
    assert (again.status, again.stdout, again.stderr) == (0, f"{ids[0]}\n", "")


def test_bad_ids_are_each_reported_and_the_rest_go_on(ndfd: Ndfd, at_work: Doors) -> None:
    (ended,) = settled(at_work, "a.pdf")
    (waiting,) = submit(at_work, "wait")
    ran = ndfd("jobs", "cancel", "job999999", "no\x1bid", ended, waiting)
    assert (ran.status, ran.stdout) == (65, f"{waiting}\n")
    first, second, third, summary = ran.stderr.splitlines()
    assert first.startswith("ndfd: job999999: there is no job 'job999999' (job-unknown)")
    assert second.startswith("ndfd: no\\x1bid: ")
    assert third.startswith(f"ndfd: {ended}: a job that is succeeded cannot be cancelled (job-state)")
    assert summary == "ndfd: 1 job cancelled; 3 not"
    assert ndfd("jobs", "cancel", "job999999", "job999998").status == 66


def test_one_json_object_for_each_job(ndfd: Ndfd, at_work: Doors) -> None:
    (waiting,) = submit(at_work, "wait")
    ran = ndfd("jobs", "cancel", "--json", waiting, "job999999")
    done, failed = map(json.loads, ran.stdout.splitlines())
    assert (done["id"], done["state"]) == (waiting, "cancelled")
    assert (failed["id"], failed["error"]["code"]) == ("job999999", "job-unknown")
    assert json.loads(ndfd("jobs", "forget", "--json", waiting).stdout) == {"id": waiting}


def test_all_that_fit_are_cancelled_and_no_others(ndfd: Ndfd, at_work: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ndfd.cli.job_selection.LIST_MAX", 10)
    chosen = submit(at_work, *["wait"] * 25, batch="7")
    others = submit(at_work, "wait", batch="8")
    ended = settled(at_work, "a.pdf", batch="7")
    ran = ndfd("jobs", "cancel", "--all", "--label", "batch=7")
    assert (ran.status, sorted(ran.stdout.split())) == (0, chosen)
    assert ran.stderr == "ndfd: 25 jobs cancelled\n"
    assert [states(at_work)[each] for each in (*others, *ended)] == ["queued", "succeeded"]
    assert ndfd("jobs", "cancel", "--all", "-q").stderr == ""
    assert states(at_work)[others[0]] == "cancelled"
    assert ndfd("jobs", "cancel", "--all").stderr == "ndfd: 0 jobs cancelled\n"


def test_all_are_ones_own_also_for_an_administrator(ndfd: Ndfd, at_work: Doors) -> None:
    (own, other) = submit(at_work, "wait", "wait")
    at_work.jobs._jobs[other] = msgspec.structs.replace(at_work.jobs._jobs[other], uid=os.geteuid() + 1)
    assert ndfd("jobs", "cancel", "--all").stdout.split() == [own]
    assert ndfd("jobs", "cancel", "--user", str(os.geteuid() + 1)).stdout.split() == [other]


def test_one_that_was_looked_for_and_has_ended_meanwhile_is_no_failure(
    ndfd: Ndfd, at_work: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = submit(at_work, "wait", "wait")
    cancel = Client.cancel

    def late(self: Client, job_id: str) -> object:
        if job_id == first:
            at_work.run(at_work.jobs.succeed(first))
        return cancel(self, job_id)

    monkeypatch.setattr(Client, "cancel", late)
    ran = ndfd("jobs", "cancel", "--all")
    assert (ran.status, ran.stdout, ran.stderr) == (0, f"{second}\n", "ndfd: 1 job cancelled\n")


@pytest.mark.parametrize("command", ["cancel", "retry", "forget"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [((), "no job is named"), (("job000001", "--all"), "by ID or chosen by options, not both")],
)
def test_no_job_or_both_ways_to_choose_are_wrong_usage(
    ndfd: Ndfd, command: str, arguments: tuple[str, ...], said: str
) -> None:
    ran = ndfd("jobs", command, *arguments)
    assert (ran.status, ran.stdout, ran.stderr.count("\n")) == (64, "", 1)
    assert said in ran.stderr


@pytest.mark.parametrize(
    ("command", "state", "choices"),
    [
        ("cancel", "failed", "'queued', 'running'"),
        ("retry", "succeeded", "'failed', 'quarantined', 'cancelled'"),
        ("forget", "running", "'succeeded', 'failed', 'quarantined', 'cancelled'"),
    ],
)
def test_states_in_which_it_cannot_be_done_are_wrong_usage(ndfd: Ndfd, command: str, state: str, choices: str) -> None:
    ran = ndfd("jobs", command, "--state", state)
    assert ran.status == 64
    assert f"{state!r} is not one of {choices}" in ran.stderr


def test_failed_jobs_run_anew(ndfd: Ndfd, at_work: Doors) -> None:
    failed, ended = settled(at_work, "fail:worker-crashed", "a.pdf")
    ran = ndfd("jobs", "retry", "--state", "failed")
    assert (ran.status, ran.stdout, ran.stderr) == (0, f"{failed}\n", "ndfd: 1 job in the queue again\n")
    assert states(at_work) == {failed: "queued", ended: "succeeded"}
    ran = ndfd("jobs", "retry", failed)
    assert ran.status == 65
    assert "(job-state)" in ran.stderr


def test_ended_jobs_are_erased(ndfd: Ndfd, at_work: Doors) -> None:
    ended, failed = settled(at_work, "a.pdf", "fail:document-damaged")
    (waiting,) = submit(at_work, "wait")
    assert ndfd("jobs", "forget", waiting).status == 65
    ran = ndfd("jobs", "forget", "--state", "succeeded", "--older-than", "7d")
    assert (ran.stdout, ran.stderr) == (f"{ended}\n", "ndfd: 1 job erased\n")
    assert states(at_work) == {failed: "failed", waiting: "queued"}


def test_younger_jobs_than_asked_for_are_kept(ndfd: Ndfd, at_work: Doors) -> None:
    old, young = settled(at_work, "a.pdf", "b.pdf")
    for job_id, ago_s in ((old, 7 * 86400 + 60), (young, 7 * 86400 - 60)):
        known = at_work.jobs._jobs[job_id]
        at_work.jobs._jobs[job_id] = msgspec.structs.replace(known, finished_at=time.time() - ago_s)
    assert ndfd("jobs", "forget", "--older-than", "7d").stdout.split() == [old]
    assert list(states(at_work)) == [young]


def test_a_list_of_ids_is_what_the_other_commands_take(ndfd: Ndfd, at_work: Doors) -> None:
    submit(at_work, "wait", "wait", "hang")
    ids = ndfd("jobs", "list", "-q", "--state", "queued").stdout.split()
    assert ndfd("jobs", "cancel", *ids).status == 0
    assert sorted(states(at_work).values()) == ["cancelled", "cancelled", "running"]
    assert all(at_work.jobs._jobs[each].state is JobState.CANCELLED for each in ids)


def test_a_daemon_that_goes_away_is_said_once(ndfd: Ndfd, at_work: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    # Many more than there are connections: each of those may break once.
    ids = submit(at_work, *["wait"] * 200)
    cancel = Client.cancel

    def leaving(self: Client, job_id: str) -> object:
        if job_id == ids[20]:
            at_work.run(at_work.varlink.stop(0))
            at_work.varlink_path.unlink(missing_ok=True)
        return cancel(self, job_id)

    monkeypatch.setattr(Client, "cancel", leaving)
    ran = ndfd("jobs", "cancel", *ids)
    assert ran.status == 69
    assert ran.stderr.splitlines()[-1].count("(daemon-unavailable)") == 1

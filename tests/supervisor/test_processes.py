"""The pool over a real zygote and real workers: what is killed, what lies, what hangs, what leaks."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
from pathlib import Path

import psutil
import pytest

from ndfd import platform
from ndfd.errors import (
    ConversionCpuLimit,
    ConversionOutOfMemory,
    ConversionTimeout,
    DamagedDocument,
    DocumentKillsWorkers,
    EmptyDocument,
    NativeMissing,
    NdfdError,
    ShuttingDown,
    WorkerStartFailed,
)
from ndfd.model.crash import CrashCause
from ndfd.model.status import WorkerState
from ndfd.supervisor import Pool, PoolLimits, Zygote
from ndfd.supervisor.zygote_process import ZygoteProcess
from tests.supervisor.ear import Ear
from tests.supervisor.fake_pool import run
from tests.supervisor.processes import MEMORY_BYTES, Running, open_descriptors, options, running


def test_a_document_goes_in_and_its_rendering_comes_out() -> None:
    async def body() -> None:
        async with running() as it:
            assert await it.convert("echo hello") == "hello"

    run(body())


def test_a_rendering_of_many_megabytes_comes_whole() -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            text = "0123456789" * 3_000_000
            assert await it.convert("echo " + text) == text

    run(body())


def test_every_page_is_told_in_order() -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            seen: list[int] = []
            await it.convert("pages 500", on_page=lambda page: seen.append(page.number))
            assert seen == list(range(1, 501))

    run(body())


def test_conversions_run_on_all_workers_at_once() -> None:
    async def body() -> None:
        async with running(workers=3) as it:
            calls = [await it.begin(f"wait {number}") for number in range(3)]
            pids = it.busy_pids()
            assert len(set(pids)) == 3
            for pid in pids:
                os.kill(pid, signal.SIGUSR1)
            assert sorted(await asyncio.gather(*calls)) == ["0", "1", "2"]

    run(body())


def test_many_more_conversions_than_workers_all_end() -> None:
    async def body() -> None:
        async with running(workers=3, jobs_per_worker=20) as it:
            texts = [f"n{number}" for number in range(200)]
            assert await asyncio.gather(*(it.convert("echo " + text) for text in texts)) == texts

    run(body())


def test_the_conversion_of_a_worker_that_was_killed_is_done_by_a_fresh_one_and_no_other_notices() -> None:
    async def body() -> None:
        async with running(workers=2) as it:
            victim = await it.begin("wait victim")
            (pid,) = it.busy_pids()
            bystander = await it.begin("wait bystander")
            (other,) = set(it.busy_pids()) - {pid}
            os.kill(pid, signal.SIGKILL)
            await it.busy_again(2, besides=pid)
            for busy in it.busy_pids():
                os.kill(busy, signal.SIGUSR1)
            assert (await victim, await bystander) == ("victim", "bystander")
            assert other in {worker.pid for worker in it.pool.snapshot().workers}

    run(body())


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_the_signal_that_ended_a_worker_is_named(number: signal.Signals) -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            with pytest.raises(DocumentKillsWorkers, match=f"was killed by {number.name} on page 2 of 3"):
                await it.convert(f"die {number.value}")
            assert await it.convert("echo next") == "next"

    run(body())


def test_a_conversion_that_uses_up_its_cpu_time_is_ended_and_not_tried_again() -> None:
    async def body() -> None:
        async with running(workers=1, cpu_s=1.0) as it:
            with pytest.raises(ConversionCpuLimit, match="its CPU time was used up on page 2 of 3"):
                await it.convert("burn")
            assert await it.convert("echo next") == "next"
            assert [(crash.cause, crash.signal, crash.attempt) for crash in it.crashes] == [
                (CrashCause.CPU, "SIGXCPU", 1)
            ]

    run(body())


def test_the_cpu_time_of_one_conversion_is_not_counted_for_the_next() -> None:
    async def body() -> None:
        async with running(workers=1, cpu_s=1.0) as it:
            pids = {await it.convert(f"burn 0.7 {at}") for at in range(4)}
            assert len(pids) == 1

    run(body())


def test_the_system_call_that_its_confinement_denied_a_worker_is_named() -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            with pytest.raises(DocumentKillsWorkers, match=r"attempted socket, .* on page 2 of 3"):
                await it.convert("open-socket")
            assert await it.convert("echo next") == "next"
            assert [(crash.cause, crash.call, crash.attempt, crash.page) for crash in it.crashes] == [
                (CrashCause.SANDBOX_VIOLATION, "socket", 1, 2),
                (CrashCause.SANDBOX_VIOLATION, "socket", 2, 2),
            ]

    run(body())


def test_a_worker_that_says_so_and_lives_on_is_ended() -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            with pytest.raises(DocumentKillsWorkers, match="attempted getpid"):
                await it.convert("claim-violation")
            assert await it.convert("echo next") == "next"

    run(body())


def test_an_engine_that_aborts_with_its_memory_used_up_ran_out_of_memory() -> None:
    async def body() -> None:
        async with running(workers=1, zygote_options=options(memory_bytes=400_000_000)) as it:
            with pytest.raises(ConversionOutOfMemory, match=r"page 2 of 3, with \d+ of 400000000 bytes in use"):
                await it.convert("eat-and-abort")
            assert await it.convert("echo next") == "next"

    run(body())


def test_the_status_that_a_worker_left_with_is_named() -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            with pytest.raises(DocumentKillsWorkers, match="exited with status 41 before its first page was done"):
                await it.convert("leave 41")

    run(body())


def test_an_answer_counts_even_when_its_worker_died_right_after() -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            for _ in range(5):
                before = it.pool.snapshot().workers[0].id
                assert await it.convert("answer-and-die") == "made in time"
                await worker_changes(it, before)

    run(body())


def test_a_worker_that_hangs_is_killed_at_the_deadline() -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            with pytest.raises(ConversionTimeout, match="on page 2 of 2"):
                await it.convert("wait for ever", deadline_s=0.3)
            assert await it.convert("echo next") == "next"

    run(body())


@pytest.mark.parametrize(
    "act",
    [
        "long-frame",
        "garbage",
        "zygotes-frame",
        "wrong-job",
        "page-with-descriptor",
        "many-descriptors",
        "done-without-result",
        "two-results",
        "unsealed-result",
        "result-of-another-size",
        "result-is-a-pipe",
        "endless-pages",
    ],
)
def test_a_worker_that_breaks_the_protocol_is_killed_and_its_descriptors_are_closed(act: str) -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            with pytest.raises(DocumentKillsWorkers, match="broke the protocol"):
                await it.convert(act)
            assert await it.convert("echo next") == "next"

    run(body())


@pytest.mark.parametrize("act", ["empty-frame", "close-channel"])
def test_a_worker_that_falls_silent_for_good_is_ended_without_waiting_for_the_deadline(act: str) -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            with pytest.raises(DocumentKillsWorkers):
                await it.convert(act)
            assert await it.convert("echo next") == "next"

    run(body())


def test_a_worker_that_speaks_after_its_answer_is_replaced() -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            before = it.pool.snapshot().workers[0].id
            assert await it.convert("speak-unasked") == ""
            await worker_changes(it, before)
            assert await it.convert("echo next") == "next"

    run(body())


def test_a_worker_gets_no_more_memory_than_its_limit() -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            with pytest.raises(ConversionOutOfMemory) as caught:
                await it.convert(f"eat {MEMORY_BYTES}")
            assert caught.value.page == 2
            with pytest.raises(ConversionOutOfMemory):
                await it.convert(f"fill-memfd {MEMORY_BYTES + 1}")
            assert await it.convert("echo next") == "next"

    run(body())


def test_a_worker_has_given_up_what_it_does_not_need() -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            await it.convert("echo first")
            said = (await it.convert("limits")).splitlines()
            assert "NoNewPrivs:\t1" in said
            assert "Threads:\t1" in said
            assert "core (0, 0)" in said
            assert f"space ({MEMORY_BYTES}, {MEMORY_BYTES})" in said
            # Standard input, output and error, its channel, and the mapped document.
            assert "descriptors 5" in said
            assert "dumpable 0" in said
            assert "alarm SIG_DFL" in said
            assert "blocked set()" in said

    run(body())


def test_zygote_and_workers_run_on_the_named_cpus_only() -> None:
    async def body() -> None:
        cpu = max(platform.allowed_cpus())
        async with running(zygote_options=dataclasses.replace(options(), cpus=frozenset({cpu}))) as it:
            for pid in (it.zygote.pid, *(worker.pid for worker in it.pool.snapshot().workers)):
                assert f"Cpus_allowed_list:\t{cpu}\n" in Path(f"/proc/{pid}/status").read_text()

    run(body())


def test_a_cpu_that_is_not_there_is_named() -> None:
    async def body() -> None:
        before = open_descriptors()
        cpus = platform.allowed_cpus() | {9998, 9999}
        pool = Pool(Zygote(dataclasses.replace(options(), cpus=cpus)), PoolLimits(1, 1, 1))
        with pytest.raises(WorkerStartFailed, match=r"\[swarm\] cpus .* not there or not allowed: 9998, 9999$"):
            await pool.start()
        await pool.stop()
        assert open_descriptors() == before

    run(body())


def test_workers_see_the_environment_they_are_given_and_no_more() -> None:
    async def body() -> None:
        given = {name: value for name, value in os.environ.items() if name != "HOME"} | {"NDFD_TEST": "given"}
        async with running(zygote_options=dataclasses.replace(options(), environment=given)) as it:
            assert await it.convert("environment NDFD_TEST") == "given"
            assert await it.convert("environment HOME") == "(not set)"

    run(body())


def test_shrinking_and_growing_over_real_processes_loses_no_conversion_and_no_process() -> None:
    async def body() -> None:
        async with running(workers=4) as it:
            calls = [asyncio.create_task(it.convert(f"echo n{number}")) for number in range(200)]
            for number, call in enumerate(calls):
                await call
                it.pool.reconfigure(PoolLimits(1 + number % 4, 1 + number % 4, 30 + number % 7))
            it.pool.reconfigure(PoolLimits(2, 2, 100))
            await all_idle(it)
            assert [call.result() for call in calls] == [f"n{number}" for number in range(200)]
            assert len(psutil.Process().children(recursive=True)) == 3

    run(body())


def test_what_the_engine_says_of_a_document_reaches_the_caller() -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            with pytest.raises(DamagedDocument, match="it is document-damaged") as caught:
                await it.convert("fail document-damaged")
            assert caught.value.page == 7
            with pytest.raises(EmptyDocument):
                await it.convert("")

    run(body())


def test_a_fault_of_the_engine_is_told_by_kind_and_its_traceback_goes_to_the_log(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            with pytest.raises(NdfdError) as caught:
                await it.convert("fault by zero")
            assert (caught.value.code, caught.value.message) == ("internal", "ZeroDivisionError: by zero")
            assert await it.convert("echo next") == "next"

    run(body())
    # The log is not set up here, so that its records are on stdout.
    assert "Traceback" in capfd.readouterr().out


def test_cancelling_a_conversion_frees_its_worker() -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            call = await it.begin("wait for ever")
            call.cancel()
            assert await it.convert("echo next") == "next"

    run(body())


def test_no_user_gets_a_worker_that_saw_anothers_document() -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            first = await it.convert("pid", uid=1000)
            assert await it.convert("pid", uid=1000) == first
            assert await it.convert("pid", uid=1001) != first

    run(body())


def test_killing_the_zygote_harms_no_conversion_and_a_new_one_takes_its_place() -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            running_on = await it.begin("wait survivor")
            (worker,) = it.busy_pids()
            before = it.zygote.pid
            assert before is not None
            os.kill(before, signal.SIGKILL)
            await zygote_changes(it, before)
            os.kill(worker, signal.SIGUSR1)
            assert await running_on == "survivor"
            # An orphan's exit code is nobody's to tell; its place is filled by the new zygote.
            with pytest.raises(DocumentKillsWorkers, match="ended, and nobody saw how"):
                await it.convert("die 9")
            assert await it.convert("echo next") == "next"
            assert it.zygote.pid != before

    run(body())


def test_killing_zygote_and_worker_together_is_mended() -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            call = await it.begin("wait victim")
            (worker,) = it.busy_pids()
            assert it.zygote.pid is not None
            os.kill(it.zygote.pid, signal.SIGKILL)
            os.kill(worker, signal.SIGKILL)
            await it.busy_again(1, besides=worker)
            os.kill(it.busy_pids()[0], signal.SIGUSR1)
            assert await call == "victim"
            assert await it.convert("echo next") == "next"

    run(body())


@pytest.mark.parametrize(
    ("word", "kind", "message"),
    [
        ("refuse", NativeMissing, "there is no engine here"),
        ("break", NdfdError, "ZeroDivisionError: a fault of the engine"),
        ("die", WorkerStartFailed, "the zygote was killed by SIGKILL"),
    ],
)
def test_a_zygote_that_cannot_work_says_why(word: str, kind: type[NdfdError], message: str) -> None:
    async def body() -> None:
        before = open_descriptors()
        pool = Pool(Zygote(options(word)), PoolLimits(1, 1, 1))
        with pytest.raises(kind, match=message):
            await pool.start()
        await pool.stop()
        assert open_descriptors() == before
        assert psutil.Process().children() == []

    run(body())


def test_a_worker_asked_of_a_zygote_that_has_just_died_comes_from_the_next() -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            assert it.zygote.pid is not None
            os.kill(it.zygote.pid, signal.SIGKILL)
            ear = Ear()
            worker = await it.zygote.spawn(99, ear)
            worker.kill()
            assert await ear.hears(1) == [("ended", -9)]

    run(body())


def test_what_the_zygote_said_before_it_was_killed_is_heard() -> None:
    async def body() -> None:
        async with running(workers=3) as it:
            calls = [await it.begin("wait for ever") for _ in range(3)]
            pids = it.busy_pids()
            assert it.zygote.pid is not None
            # The event loop stands still, so that all of it is there at once when it goes on.
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            while any(map(psutil.pid_exists, pids)) or psutil.Process(it.zygote.pid).status() != "sleeping":
                pass
            os.kill(it.zygote.pid, signal.SIGKILL)
            while psutil.Process(it.zygote.pid).status() != psutil.STATUS_ZOMBIE:
                pass
            await it.busy_again(3, besides=pids[0])
            for pid in it.busy_pids():
                os.kill(pid, signal.SIGKILL)
            for call in calls:
                with pytest.raises(DocumentKillsWorkers, match="first, the worker was killed by SIGKILL"):
                    await call

    run(body())


def test_a_zygote_that_is_asked_to_end_does_so_by_itself() -> None:
    async def body() -> None:
        process = ZygoteProcess(options())
        await process.ready()
        await process.close()
        assert process.ended.result() == 0

    run(body())


def test_draining_lets_what_runs_end() -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            call = await it.begin("wait drained")
            draining = asyncio.create_task(it.pool.drain())
            await asyncio.sleep(0)
            with pytest.raises(ShuttingDown):
                await it.convert("echo late")
            os.kill(it.busy_pids()[0], signal.SIGUSR1)
            assert await call == "drained"
            await draining

    run(body())


def test_stopping_ends_what_runs() -> None:
    async def body() -> None:
        async with running(workers=2) as it:
            call = await it.begin("wait for ever")
            await it.pool.stop()
            with pytest.raises(ShuttingDown, match="on page 2 of 2"):
                await call

    run(body())


def test_nothing_leaks_over_a_hundred_conversions() -> None:
    async def body() -> None:
        async with running(workers=2, jobs_per_worker=30) as it:
            await it.convert("echo warm")
            await all_idle(it)
            before = open_descriptors()
            for number in range(100):
                if number % 10 == 9:
                    with pytest.raises(NdfdError):
                        await it.convert(["garbage", "leave 1", "unsealed-result", "fail document"][number // 10 % 4])
                else:
                    await it.convert(f"echo {number}")
            await all_idle(it)
            assert open_descriptors() == before
            assert len(psutil.Process().children(recursive=True)) == 3

    run(body())


async def all_idle(it: Running) -> None:
    """Returns when every worker is idle: each killed one has been replaced by then."""
    while [worker.state for worker in it.pool.snapshot().workers] != [WorkerState.IDLE] * 2:
        await asyncio.sleep(0)


async def worker_changes(it: Running, before: int) -> None:
    """Returns when another worker is idle in the place of the only one."""
    while [(each.id == before, each.state) for each in it.pool.snapshot().workers] != [(False, WorkerState.IDLE)]:
        await asyncio.sleep(0)


async def zygote_changes(it: Running, before: int) -> None:
    """Returns when another zygote is there."""
    while it.zygote.pid in (None, before):
        await asyncio.sleep(0)

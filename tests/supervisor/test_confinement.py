"""No worker is given a document before the kernel has said that it is confined, and none speaks for itself."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from ndfd import platform
from ndfd.errors import SandboxIncomplete, WorkerStartFailed
from ndfd.model.conversion import ConvertOptions
from ndfd.model.measures import MEASURES, not_allowed
from ndfd.model.sandbox import Confinement, Sandbox, Seen
from ndfd.supervisor import Zygote, require
from ndfd.supervisor.confinement import verified
from tests.supervisor.ear import Ear
from tests.supervisor.fake_pool import run
from tests.supervisor.processes import open_descriptors, options, running

CONFINED = Sandbox(
    no_new_privs=True, dumpable=False, seccomp=2, seccomp_filters=2, calls=22, landlock_abi=7, denied=("open: EACCES",)
)
SEEN = Seen(no_new_privs=True, seccomp=2, seccomp_filters=2, capabilities=0)


@pytest.mark.parametrize(
    ("missing", "allow", "refused"),
    [
        ((), (), ()),
        (("mdwe", "landlock"), (), ("mdwe", "landlock")),
        (("mdwe", "landlock"), ("mdwe",), ("landlock",)),
        (("landlock-tcp", "landlock-scopes"), ("landlock-tcp",), ("landlock-scopes",)),
        # Who does without all of it does without its parts.
        (("landlock-tcp", "landlock-scopes"), ("landlock",), ()),
        (("landlock",), ("landlock-tcp", "landlock-scopes"), ("landlock",)),
    ],
)
def test_only_what_is_named_may_be_missing(
    missing: tuple[str, ...], allow: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    assert not_allowed(missing, allow) == refused


def test_the_refusal_names_what_to_write_with_what_is_allowed_already() -> None:
    with pytest.raises(SandboxIncomplete) as refused:
        require(Sandbox(missing=("landlock", "seccomp")), {"mdwe", "seccomp"})
    assert "(missing: landlock)" in refused.value.message
    assert '[sandbox] allow = ["mdwe", "landlock", "seccomp"]' in refused.value.hint
    assert "NDFD_SANDBOX__ALLOW=mdwe,landlock,seccomp" in refused.value.hint
    require(Sandbox(missing=MEASURES), MEASURES)


@pytest.mark.parametrize(
    ("seen", "lacking"),
    [
        (SEEN, ()),
        (Seen(no_new_privs=True, seccomp=2, seccomp_filters=3, capabilities=0), ()),
        (Seen(no_new_privs=True, seccomp=2, seccomp_filters=None, capabilities=0), ()),
        (Seen(no_new_privs=False, seccomp=2, seccomp_filters=2, capabilities=0), ("no_new_privs",)),
        (Seen(no_new_privs=True, seccomp=0, seccomp_filters=0, capabilities=0), ("seccomp",)),
        # That of a container around it alone is not ours.
        (Seen(no_new_privs=True, seccomp=2, seccomp_filters=1, capabilities=0), ("seccomp",)),
        (Seen(no_new_privs=True, seccomp=2, seccomp_filters=2, capabilities=1 << 21), ("capabilities",)),
    ],
)
def test_a_worker_with_less_than_was_measured_is_told_by_the_kernels_word(seen: Seen, lacking: tuple[str, ...]) -> None:
    assert CONFINED.lacking(seen) == lacking


def test_what_is_missing_in_all_is_not_missed_in_one() -> None:
    assert Sandbox(seccomp=0, seccomp_filters=0, capabilities=7).lacking(Seen(False, 0, 0, 7)) == ()


def test_the_kernel_is_believed_of_a_process_and_not_the_process() -> None:
    """This process is confined by nothing of ours."""
    status_fd = platform.process_status(os.getpid())
    assert status_fd is not None
    try:
        with pytest.raises(WorkerStartFailed, match=r"less confined than was measured: .*seccomp"):
            verified(os.getpid(), status_fd, Sandbox(no_new_privs=True, seccomp=2, seccomp_filters=100))
    finally:
        os.close(status_fd)


def test_a_process_that_is_not_there_is_not_taken_for_confined() -> None:
    gone = os.fork()
    if gone == 0:
        signal.pause()
    status_fd = platform.process_status(gone)
    assert status_fd is not None
    os.kill(gone, signal.SIGKILL)
    os.waitpid(gone, 0)
    assert platform.process_status(gone) is None
    assert platform.resident_bytes_of(status_fd) == 0
    for unknown in (status_fd, None):
        with pytest.raises(WorkerStartFailed, match="says nothing"):
            verified(gone, unknown, CONFINED)
    os.close(status_fd)
    # Where nothing is said of anybody, that is known and allowed, and nothing is claimed.
    unseen = Sandbox(seccomp=None, missing=("proc",))
    assert verified(gone, None, unseen) == Confinement(0, 0, 0, ("proc",), verified=False)


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("unconfined", "less confined than was measured: .*seccomp"),
        ("die-unconfined", "ended before it was confined"),
        ("mumble", "did not say that it is confined"),
        ("hang-unconfined", "was not confined after 0.5 s"),
    ],
)
def test_a_worker_that_is_not_confined_is_given_no_document(word: str, why: str) -> None:
    async def body() -> None:
        before = open_descriptors()
        zygote = Zygote(replace(options(word), spawn_wait_s=0.5))
        await zygote.start()
        ear = Ear()
        try:
            with pytest.raises(WorkerStartFailed, match=why):
                await zygote.spawn(1, ear)
        finally:
            await zygote.close()
        # To the pool it never was.
        assert ear.told == []
        assert open_descriptors() == before

    run(body())


def test_who_no_longer_waits_for_a_worker_leaves_none_behind() -> None:
    async def body() -> None:
        before = open_descriptors()
        zygote = Zygote(options("hang-unconfined"))
        await zygote.start()
        spawning = asyncio.create_task(zygote.spawn(1, Ear()))
        assert zygote.pid is not None
        while not children(zygote.pid):
            await asyncio.sleep(0)
        spawning.cancel()
        await asyncio.wait([spawning])
        # The zygote lives on, and buries it.
        while children(zygote.pid):
            await asyncio.sleep(0)
        await zygote.close()
        assert open_descriptors() == before

    run(body())


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_what_a_worker_says_of_its_own_confinement_is_replaced() -> None:
    async def body() -> None:
        async with running(workers=1) as it:
            document_fd = platform.sealed_memfd("document", b"boast")
            try:
                result = await it.pool.convert(document_fd, ConvertOptions(deadline_s=60.0), uid=0)
            finally:
                os.close(document_fd)
            os.close(result.fd)
            measured = it.zygote.sandbox
            assert measured is not None
            assert result.report.sandbox == measured.confinement(verified="proc" not in measured.missing)

    run(body())


def test_a_host_that_lacks_more_than_is_allowed_gets_no_zygote() -> None:
    async def body() -> None:
        before = open_descriptors()
        with pytest.raises(SandboxIncomplete, match=r"\(missing: mdwe\)"):
            await Zygote(options("lacking-mdwe")).start()
        assert open_descriptors() == before
        zygote = Zygote(replace(options("lacking-mdwe"), allow=frozenset({"mdwe"})))
        await zygote.start()
        assert zygote.sandbox is not None
        assert zygote.sandbox.missing == ("mdwe",)
        await zygote.close()

    run(body())

"""A worker in an attacker's hands can neither crash nor hang nor mislead the supervisor: real processes tell lies."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import socket
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ndfd import platform
from ndfd.errors import (
    ConversionTimeout,
    DocumentError,
    DocumentKillsWorkers,
    NdfdError,
    WorkerProtocolError,
)
from ndfd.model.conversion import ConversionReport, ConvertOptions, OutputFormat, PageReport
from ndfd.protocol import frames
from ndfd.supervisor import claims
from ndfd.supervisor.conversion import Conversion
from tests.supervisor.fake_pool import run
from tests.supervisor.forged import forged
from tests.supervisor.processes import MEMORY_BYTES, Running, lives, open_descriptors, processes, running

#: The first conversion of a pool.
JOB = 1
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202etxet\x00\r\nforged: line"


def pack(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


def page_frame(number: Any = 1, total: Any = 1, **more: Any) -> dict[str, Any]:
    return {"type": "job_page", "id": JOB, "page": {"number": number, "total": total, "status": "ok"}, **more}


def failed_frame(**fields: Any) -> dict[str, Any]:
    return {"type": "job_failed", "id": JOB, "code": "document", "message": "m", "hint": "h", **fields}


def with_bytes(frame: dict[str, Any], mark: str, by: bytes) -> bytes:
    """The frame with these bytes in the place of the text `mark`, which is as long."""
    assert len(mark) == len(by)
    return pack(frame).replace(mark.encode(), by)


#: What is no frame, whichever decoder reads it.
NO_FRAMES = {
    "one byte": b"\xc1",
    "text": b"GET / HTTP/1.1\r\n\r\n",
    "an array": pack([1, 2, 3]),
    "no type": pack({"id": JOB}),
    "an unknown type": pack({"type": ESCAPES}),
    "the type of a frame to workers": pack({"type": "job", "id": JOB, "options": {}, "deadline_s": 1.0}),
    "the type of a frame of the zygote": pack({"type": "exited", "worker": 1, "pid": 1, "exit_code": 0}),
    "a type that is a number": pack({"type": 1}),
    "half a frame": pack(page_frame())[:-3],
    "two frames in one": pack(page_frame()) * 2,
    "a fraction for a number": pack(page_frame(number=1.0)),
    "text for a number": pack(page_frame(number="1")),
    "nothing for a number": pack(page_frame(number=None)),
    "an unknown status": pack({**page_frame(), "page": {"number": 1, "total": 1, "status": ESCAPES}}),
    "text that is not UTF-8": with_bytes(failed_frame(message="MARK"), "MARK", b"\xff\xfe\xfd\xfc"),
    "a lone surrogate": with_bytes(failed_frame(message="ABC"), "ABC", b"\xed\xa0\x80"),
    "an overlong NUL": with_bytes(failed_frame(message="AB"), "AB", b"\xc0\x80"),
    "a key that is not UTF-8": with_bytes(failed_frame(), "message", b"\xff" * 7),
    "arrays without end": b"\x91" * 60_000,
    "an unknown field that nests without end": b"\x82\xa4type\xa8job_page\xa1x" + b"\x91" * 60_000,
    "maps without end": b"\x81\xa1x" * 20_000,
    "an array of 4 billion": b"\xdd\xff\xff\xff\xff",
    "a map of 4 billion": b"\xdf\xff\xff\xff\xff",
    "text of 4 billion": b"\xdb\xff\xff\xff\xff",
    "binary of 4 billion": b"\x81\xa4type\xc6\xff\xff\xff\xff",
    "an extension": b"\xc7\x08\x01" + b"x" * 8,
    "a time for a number": pack(page_frame()).replace(b"number\x01", b"number\xd6\xff\0\0\0\0"),
    "as long as may be, and malformed": b"\xc1" * frames.MAX_FRAME_BYTES,
    "longer than may be": b"\x80" * (frames.MAX_FRAME_BYTES + 1),
    "much longer than may be": b"\x80" * 200_000,
}


@pytest.mark.parametrize("data", NO_FRAMES.values(), ids=NO_FRAMES)
def test_no_bytes_get_past_the_decoder_but_as_a_frame_or_a_breach(data: bytes) -> None:
    with pytest.raises(WorkerProtocolError) as caught:
        frames.FrameDecoder[frames.FromWorker](frames.FromWorker).decode(data)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 400


#: Of two values of one key, decoders take the last.
TWO_IDS = b"\x84" + pack(page_frame())[1:] + b"\xa2id\x07"

#: Breaches that only a process makes: name -> the document.
BREACHES = {
    **{name: f"raw {data.hex()}" for name, data in NO_FRAMES.items()},
    "an answer to a former job": "answer-the-former-job",
    "another job's page": f"raw {pack({**page_frame(), 'id': JOB + 1}).hex()}",
    "a page for a negative job": f"raw {pack({**page_frame(), 'id': -1}).hex()}",
    "two ids": f"raw {TWO_IDS.hex()}",
    "page 0": "bad-page [[0, 3]]",
    "page -1": "bad-page [[-1, 3]]",
    "page 2 first": "bad-page [[2, 3]]",
    "a page twice": "bad-page [[1, 3], [1, 3]]",
    "pages backwards": "bad-page [[1, 3], [2, 3], [1, 3]]",
    "page 2^63": f"bad-page [[{2**63}, {2**63}]]",
    "page 1 of 2^63": f"bad-page [[1, {2**63}]]",
    "page 1 of none": "bad-page [[1, 0]]",
    "page 1 of less than none": "bad-page [[1, -5]]",
    "a page after the last": "bad-page [[1, 1], [2, 1]]",
    "a total that grows": "bad-page [[1, 3], [2, 4]]",
    "a total that shrinks": "bad-page [[1, 3], [2, 2]]",
    "3 descriptors": f"raw-with-descriptors 3 {pack(page_frame()).hex()}",
    "253 descriptors, the most that the kernel takes": f"raw-with-descriptors 253 {pack(page_frame()).hex()}",
    "253 descriptors with an error": f"raw-with-descriptors 253 {pack(failed_frame()).hex()}",
    "a descriptor with an error": f"raw-with-descriptors 1 {pack(failed_frame()).hex()}",
    "a result that is its channel": "result-is-its-channel",
    "a result that is a device": "result-is-a-device",
    "a result that is a pipe": "result-is-a-pipe",
    "an unsealed result": "unsealed-result",
    "a result that may shrink": f"half-sealed {fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL}",
    "a result that may be written": f"half-sealed {fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL}",
    "a result whose old mappings may be written": f"half-sealed {0x10 | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | 1}",
    "a result that is smaller": "of-another-size 1000000",
    "a result that is larger": "of-another-size 1",
    "a result of less than nothing": "of-another-size -1",
    "a result of 2^63 bytes": f"of-another-size {2**63}",
    "a result of which nothing was written": f"sparse {MEMORY_BYTES // 2}",
    "an error on page 0": 'fail-with {"page": 0}',
    "an error on page -1": 'fail-with {"page": -1}',
    "an error on page 2^63": f'fail-with {{"page": {2**63}}}',
}  # fmt: skip


def test_a_breach_ends_the_worker_at_once_and_is_named() -> None:
    run(all_are_breaches(BREACHES))


async def all_are_breaches(documents: dict[str, str]) -> None:
    """Each is a breach of protocol, said in harmless words, and the next conversion is served."""
    wrong = {}
    async with running(workers=1, zygote_options=forged()) as it:
        for name, document in documents.items():
            try:
                # Far from the deadline: who waited for that would time out instead.
                wrong[name] = await it.convert(document)
            except DocumentKillsWorkers as error:
                if "broke the protocol" not in error.message or not error.message.isprintable():
                    wrong[name] = error.message
            except NdfdError as error:
                wrong[name] = repr(error)
            assert await it.convert("echo next") == "next", name
    assert wrong == {}


@pytest.mark.parametrize(
    "data", [NO_FRAMES["text that is not UTF-8"], NO_FRAMES["an unknown field that nests without end"]]
)
def test_the_last_words_of_a_worker_cannot_hide_its_end(data: bytes) -> None:
    async def body() -> None:
        async with running(workers=1, zygote_options=forged()) as it:
            for _ in range(3):
                with pytest.raises(DocumentKillsWorkers):
                    await it.convert(f"raw-and-leave {data.hex()}")
            assert await it.convert("echo next") == "next"

    run(body())


FORGED_REPORTS: dict[str, dict[str, Any]] = {
    "a media type that ends an HTTP header": {"media_type": "text/html\r\nSet-Cookie: a=b\r\n\r\n<script>"},
    "another media type": {"media_type": "text/html; charset=utf-8"},
    "a media type beyond Latin-1": {"media_type": "text/☃"},
    "no media type": {"media_type": ""},
    "less than no pages": {"pages": -1},
    "more pages than there can be": {"pages": 2**31},
    "2^63 pages": {"pages": 2**63},
    "less than no partial pages": {"pages_partial": -1},
    "less than no failed pages": {"pages_failed": -(2**63)},
    "more bad pages than pages": {"pages": 3, "pages_partial": 2, "pages_failed": 2},
    "no number of seconds": {"cpu_s": float("nan")},
    "endless CPU time": {"cpu_s": float("inf")},
    "less than no CPU time": {"cpu_s": -1.0},
    "10^308 seconds of CPU time": {"cpu_s": 1e308},
    "less than no memory": {"rss_max_bytes": -1},
    "2^63 bytes of memory": {"rss_max_bytes": 2**63},
    "too many problems": {"pages": 500, "problems": [{"number": 1, "total": 500, "status": "partial"}] * 101},
    "a problem on a page that is not there": {"problems": [{"number": 2, "total": 1, "status": "failed"}]},
    "a problem on page 0": {"problems": [{"number": 0, "total": 1, "status": "failed"}]},
}


def test_a_forged_report_is_a_breach_and_its_result_is_thrown_away() -> None:
    run(all_are_breaches({name: f"forge {json.dumps(fields)}" for name, fields in FORGED_REPORTS.items()}))


def test_text_of_a_worker_is_cut_and_made_harmless() -> None:
    async def body() -> None:
        async with running(workers=1, zygote_options=forged()) as it:
            said = {"code": "document-damaged", "message": ESCAPES + "x" * 50_000, "hint": ESCAPES}
            with pytest.raises(DocumentError) as caught:
                await it.convert(f"fail-with {json.dumps(said)}")
            assert caught.value.message.startswith(r"\x1b]0;owned\x07\x1b[2J\x9b31m\u202etxet\x00  forged: line"), (
                caught.value.message[:100]
            )
            assert caught.value.message.isprintable()
            assert caught.value.hint.isprintable()
            assert len(caught.value.message) <= claims.MESSAGE_MAX_CHARACTERS
            told: list[PageReport] = []
            reasons = [ESCAPES, "y" * 5000, *["z"] * 100]
            await it.convert(f"page-with-reasons {json.dumps(reasons)}", on_page=told.append)
            assert len(told[0].reasons) == claims.REASONS_MAX
            assert all(reason.isprintable() for reason in told[0].reasons)
            assert max(map(len, told[0].reasons)) == claims.REASON_MAX_CHARACTERS

    run(body())


def test_a_worker_speaks_with_no_authority_but_its_own() -> None:
    codes = (
        "not-permitted", "not-authenticated", "daemon-unavailable", "daemon-stopping", "try-again", "configuration",
        "worker-crashed", "protocol", "socket-unusable", "\x1b[31m", "no-such-code",
    )  # fmt: skip

    async def body() -> None:
        async with running(workers=1, zygote_options=forged()) as it:
            for code in codes:
                said = {"code": code, "message": "ask root for the password", "hint": "run this as root"}
                with pytest.raises(NdfdError) as caught:
                    await it.convert(f"fail-with {json.dumps(said)}")
                assert type(caught.value) is NdfdError, code
                assert not caught.value.retryable
                assert caught.value.hint == NdfdError.default_hint
                assert caught.value.message.isprintable()

    run(body())


def test_a_second_answer_is_nobodys_and_costs_the_worker_its_life() -> None:
    async def body() -> None:
        async with running(workers=1, zygote_options=forged()) as it:
            before = it.pool.snapshot().workers[0].id
            assert await it.convert("answer-twice") == "made in time"
            while it.pool.snapshot().workers[0].id == before:
                await asyncio.sleep(0)
            assert await it.convert("echo next") == "next"

    run(body())


def test_a_result_that_its_worker_has_closed_is_whole() -> None:
    async def body() -> None:
        async with running(workers=1, zygote_options=forged()) as it:
            assert await it.convert("answer-and-close") == "made in time"
            assert await it.convert("echo next") == "next"

    run(body())


@pytest.mark.parametrize("document", ["stop", "never-read", "flood 1"])
def test_a_worker_that_stands_still_or_never_ends_is_killed_at_the_deadline(document: str) -> None:
    async def body() -> None:
        async with running(workers=1, zygote_options=forged()) as it:
            before = processes()
            begun = time.monotonic()
            if document == "never-read":
                assert await it.convert(document) == "made in time"
            with pytest.raises(ConversionTimeout):
                await it.convert(document, deadline_s=0.5)
            # Generously: a machine under load is late, a worker that is waited for never comes.
            assert time.monotonic() - begun < 10
            assert await it.convert("echo next") == "next"
            # All but the zygote were replaced.
            assert sum(map(lives, before)) == 1

    run(body())


def test_a_worker_that_leaves_in_the_middle_with_status_0_has_not_succeeded() -> None:
    async def body() -> None:
        async with running(workers=1, zygote_options=forged()) as it:
            with pytest.raises(DocumentKillsWorkers, match="status 0"):
                await it.convert("leave 0")

    run(body())


@pytest.mark.parametrize("document", ["flood 0", "flood 30", "print-without-end"])
def test_a_flood_leaves_the_supervisor_responsive(document: str) -> None:
    async def body() -> None:
        async with running(workers=3, zygote_options=forged()) as it:
            quiet = await _latency(it)
            floods = [asyncio.create_task(it.convert(document, uid=1, deadline_s=60)) for _ in range(2)]
            while [each.page for each in it.pool.snapshot().workers if each.busy_s is not None and each.page] == []:
                await asyncio.sleep(0)
            beside = await _latency(it)
            for flood in floods:
                flood.cancel()
            await asyncio.gather(*floods, return_exceptions=True)
            print(f"{document}: {quiet * 1e3:.2f} ms alone, {beside * 1e3:.2f} ms beside floods: {beside / quiet:.1f}x")
            # Two floods and the other user share the CPUs: a loop that only served floods would be slower without end.
            assert beside < 50 * quiet

    run(body())


async def _latency(it: Running) -> float:
    """The median time of another user's small conversions."""
    times = []
    for _ in range(50):
        begun = time.perf_counter()
        assert await it.convert("echo other", uid=2, deadline_s=30) == "other"
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


# What no confined worker can lay hands on, taken as if one had sent it


def _directory(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY)


def _file(folder: Path) -> int:
    (folder / "file").write_bytes(b"made in time")
    return os.open(folder / "file", os.O_RDONLY)


def _socket(folder: Path) -> int:
    return socket.socket(socket.AF_UNIX).detach()


def _zeros(folder: Path) -> int:
    return os.open("/dev/zero", os.O_RDWR)


def _process(folder: Path) -> int:
    return os.pidfd_open(os.getpid())


def _terabyte(folder: Path) -> int:
    fd = platform.memfd("result")
    os.truncate(fd, 2**40)
    platform.seal(fd)
    return fd


def _huge_pages(folder: Path) -> int:
    try:
        fd = os.memfd_create("result", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING | os.MFD_HUGETLB)
        os.truncate(fd, 2**21)
    except OSError as error:
        pytest.skip(f"no huge pages here: {error}")
    platform.seal(fd)
    return fd


@pytest.mark.parametrize(
    "made", [_directory, _file, _socket, _zeros, _process, _terabyte, _huge_pages], ids=lambda made: made.__name__[1:]
)
def test_a_descriptor_of_any_other_kind_is_no_result_and_is_closed(made: Callable[[Path], int], tmp_path: Path) -> None:
    async def body() -> None:
        asked = ConvertOptions(OutputFormat.TEXT, deadline_s=1.0)
        conversion = Conversion(JOB, 0, asked, 0, None, 1.0, 0.0)
        before = open_descriptors()
        fd = made(tmp_path)
        size = os.fstat(fd).st_size
        report = ConversionReport(1, 0, 0, asked.format.media_type, size, 0.0, 0)
        with pytest.raises(WorkerProtocolError):
            conversion.take(frames.JobDone(JOB, report), (fd,))
        assert open_descriptors() == before
        assert not conversion.outcome.done()

    run(body())

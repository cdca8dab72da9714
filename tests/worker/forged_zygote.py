"""A zygote whose workers are in an attacker's hands: they say what no sound worker says, as the document tells them.

Run as the zygote's program by tests. The first word of the document names a function here (with - for _), or one of
`zygote_double`; the rest is its argument. The daemon's built-in document is converted soundly, so that it starts.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import signal
import sys
from typing import Any

import msgspec

from ndfd import platform
from ndfd.model.conversion import ConversionReport, ConvertOptions, PageReport
from ndfd.model.document import PageStatus
from ndfd.model.sandbox import Confinement
from ndfd.protocol import frames
from ndfd.worker import nursery
from ndfd.worker.engine import Engine
from tests.worker import zygote_double as double
from tests.worker.zygote_double import OnPage, channel, hang, job_id, page, report, send

SECRET = b"made in time"


def convert(
    data: mmap.mmap, options: ConvertOptions, on_page: OnPage, confinement: Confinement
) -> tuple[bytes, ConversionReport]:
    document = bytes(data)
    if document.startswith(b"%PDF"):
        on_page(page(1, 1))
        result = b"converted"
        return result, ConversionReport(1, 0, 0, options.format.media_type, len(result), 0.0, 0)
    word, _, argument = document.decode().partition(" ")
    act = globals().get(word.replace("-", "_")) or getattr(double, word.replace("-", "_"))
    pages, result = act(argument, on_page)
    return result, ConversionReport(pages, 0, 0, options.format.media_type, 0, 0.0, 0)


def raw(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    """Sends messages of just these bytes."""
    _send_raw(argument)
    return hang()


def raw_and_leave(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    """The same, and ends before anybody can have read them."""
    _send_raw(argument)
    os._exit(0)


def raw_with_descriptors(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    count, _, data = argument.partition(" ")
    double.worker()._channel.send(_of_this_job(data), [0] * int(count))
    return hang()


def _send_raw(argument: str) -> None:
    for data in argument.split():
        os.write(channel(), _of_this_job(data))


def _of_this_job(data: str) -> bytes:
    """Where the id is 1, that of the job it has stands in its place."""
    return bytes.fromhex(data).replace(b"\xa2id\x01", b"\xa2id" + msgspec.msgpack.encode(job_id()))


def forge(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    """A sound result, and a report with these fields."""
    fd = platform.sealed_memfd("result", SECRET)
    fields: dict[str, Any] = json.loads(argument)
    fields["problems"] = tuple(PageReport(**each) for each in fields.pop("problems", ()))
    send(frames.JobDone(job_id(), msgspec.structs.replace(report(len(SECRET)), **fields)), fd)
    return hang()


def fail_with(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    """An error with these fields; then it ends, so that what follows gets a fresh worker."""
    fields: dict[str, Any] = {"code": "document", "message": "", "hint": ""} | json.loads(argument)
    send(frames.JobFailed(job_id(), **fields))
    os._exit(0)


def bad_page(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    """Pages with these numbers and totals."""
    for number, total in json.loads(argument):
        send(frames.JobPage(job_id(), page(number, total)))
    return hang()


def page_with_reasons(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    send(frames.JobPage(job_id(), PageReport(1, 1, PageStatus.PARTIAL, tuple(json.loads(argument)))))
    return 1, b"x"


def half_sealed(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    fd = platform.memfd("result")
    os.write(fd, SECRET)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, int(argument))
    send(frames.JobDone(job_id(), report(len(SECRET))), fd)
    return hang()


def of_another_size(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    send(frames.JobDone(job_id(), report(int(argument))), platform.sealed_memfd("result", SECRET))
    return hang()


def sparse(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    """As large as its limit lets it, and nothing of it written."""
    fd = platform.memfd("result")
    os.truncate(fd, int(argument))
    platform.seal(fd)
    send(frames.JobDone(job_id(), report(int(argument))), fd)
    return hang()


def result_is_its_channel(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    send(frames.JobDone(job_id(), report(0)), channel())
    return hang()


def result_is_a_device(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    """/dev/null, which is all of the kind that it has."""
    send(frames.JobDone(job_id(), report(0)), 0)
    return hang()


def answer_twice(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    for _ in range(2):
        send(frames.JobDone(job_id(), report(len(SECRET))), platform.sealed_memfd("result", SECRET))
    return hang()


def answer_the_former_job(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    send(frames.JobDone(job_id() - 1, report(len(SECRET))), platform.sealed_memfd("result", SECRET))
    return hang()


def answer_and_close(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    """Its own descriptor of the result is closed before anybody has looked at it."""
    fd = platform.sealed_memfd("result", SECRET)
    send(frames.JobDone(job_id(), report(len(SECRET))), fd)
    os.close(fd)
    os._exit(0)


def flood(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    """Sound pages without end, each with all the reasons that fit, as fast as they are taken."""
    reasons = tuple(["x" * 2000] * int(argument))
    number = 0
    while True:
        number += 1
        send(frames.JobPage(job_id(), PageReport(number, 2**31 - 1, PageStatus.PARTIAL, reasons)))


def print_without_end(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    on_page(page(1, 2))
    while True:
        os.write(2, b"\x1b[31mprinted by a worker\n" * 100)


def print_once(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    os.write(2, argument.encode())
    return 1, b"x"


def stop(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    """Stands still in the middle."""
    on_page(page(1, 2))
    signal.raise_signal(signal.SIGSTOP)
    raise AssertionError("nobody continues it")


def never_read(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    """Answers, and takes no job any more."""
    send(frames.JobDone(job_id(), report(len(SECRET))), platform.sealed_memfd("result", SECRET))
    return hang()


def prepare(font_dirs: Any) -> Engine:
    return double.prepare(font_dirs)._replace(convert=convert)


if __name__ == "__main__":
    double.widen_confinement()
    sys.exit(nursery.main(prepare, sys.argv[1:]))

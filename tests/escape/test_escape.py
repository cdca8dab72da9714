"""No attempt of a document to get out of its worker succeeds: a worker of the real nursery makes each one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ndfd import platform
from ndfd.model.conversion import ConvertOptions
from ndfd.model.sandbox import Sandbox
from ndfd.protocol import frames
from tests.escape.attempts import ATTEMPTS

_ROOT = Path(__file__).parents[2]
_MEMORY_BYTES = 1_000_000_000


class EscapeArtists:
    """A zygote, and a fresh worker for each attempt."""

    def __init__(self, channel: platform.Channel) -> None:
        self._channel = channel
        self._decoder = frames.FrameDecoder[frames.FromZygote](frames.FromZygote)
        ready = self._next()[0]
        assert isinstance(ready, frames.ZygoteReady), ready
        self.sandbox: Sandbox = ready.sandbox

    def outcome(self, attempt: str) -> str:
        """What the worker says of it, or what ended the worker."""
        self._channel.send(frames.encode(frames.Spawn(1)))
        frame, descriptors = self._next()
        assert isinstance(frame, frames.Spawned), frame
        for fd in descriptors[1:]:
            os.close(fd)
        worker = platform.channel_from_descriptor(descriptors[0], frames.MAX_FRAME_BYTES, frames.MAX_DESCRIPTORS)
        with contextlib.closing(worker):
            answer, call = self._ask(worker, attempt)
        ended = self._next()[0]
        assert isinstance(ended, frames.Exited), ended
        if answer is not None:
            return answer
        how = f"killed by {signal.Signals(-ended.exit_code).name}" if ended.exit_code < 0 else f"{ended.exit_code}"
        return how if call is None else f"{how} for {call}"

    def _ask(self, worker: platform.Channel, attempt: str) -> tuple[str | None, str | None]:
        """What it answered; the call for which it was ended."""
        confined = worker.receive()
        assert confined is not None, "the worker did not live until it was confined"
        frames.FrameDecoder[frames.FromFreshWorker](frames.FromFreshWorker).decode(confined.data)
        document = platform.sealed_memfd("document", f"{attempt}\n{os.getpid()}".encode())
        try:
            worker.send(frames.encode(frames.Job(1, ConvertOptions(), 60.0)), [document])
        finally:
            os.close(document)
        decoder = frames.FrameDecoder[frames.FromWorker](frames.FromWorker)
        begun = worker.receive()
        assert begun is not None, "the worker did not live until its attempt"
        assert isinstance(decoder.decode(begun.data), frames.JobPage)
        message = worker.receive()
        if message is None:
            return None, None
        answer = decoder.decode(message.data)
        if isinstance(answer, frames.JobFailed):
            return answer.message, None
        if isinstance(answer, frames.Violation):
            return None, platform.system_call_name(answer.call)
        assert isinstance(answer, frames.JobDone), answer
        (result,) = message.descriptors
        try:
            return os.pread(result, answer.report.size_bytes, 0).decode(), None
        finally:
            os.close(result)

    def _next(self) -> tuple[frames.FromZygote, tuple[int, ...]]:
        message = self._channel.receive()
        assert message is not None, "the zygote has ended"
        return self._decoder.decode(message.data), message.descriptors


@pytest.fixture(scope="module")
def artists() -> Iterator[EscapeArtists]:
    ours, theirs = platform.channel_pair(frames.MAX_FRAME_BYTES, frames.MAX_DESCRIPTORS)
    command = [sys.executable, "-m", "tests.escape.zygote"]
    command += ["--channel", str(theirs.fileno()), "--memory-limit", str(_MEMORY_BYTES)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), str(_ROOT / "src")])}
    with (
        subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=environment),
        contextlib.closing(ours),
    ):
        theirs.close()
        yield EscapeArtists(ours)


@pytest.mark.parametrize("attempt", list(ATTEMPTS))
def test_an_attempt_to_escape_is_stopped(artists: EscapeArtists, attempt: str) -> None:
    if "seccomp" in artists.sandbox.missing:
        pytest.skip("this host lets no process filter its system calls")
    became = artists.outcome(attempt)
    if became == "NotImplementedError":
        pytest.skip("this machine has no such call")
    assert became == ATTEMPTS[attempt].ends


def test_the_attempts_left_no_trace() -> None:
    assert not Path("/tmp/ndfd-escaped").exists()
    assert not Path("/tmp/ndfd-escaped-too").exists()


def test_there_are_as_many_attempts_as_a_serious_document_makes() -> None:
    assert len(ATTEMPTS) >= 100
    assert sum(each.ends.startswith("killed") for each in ATTEMPTS.values()) >= 80

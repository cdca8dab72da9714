"""The frames between the supervisor, the zygote and the workers.

Each frame is one message of a boundary-keeping socket pair (SOCK_SEQPACKET on Linux), MessagePack with a `type` tag, at
most `MAX_FRAME_BYTES` long, with the descriptors its docstring names as ancillary data. A frame that does not decode
strictly is a `WorkerProtocolError`: the sender is untrusted after it has seen a document.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

import msgspec

from ndfd.errors import WorkerProtocolError
from ndfd.model.conversion import ConversionReport, ConvertOptions, PageReport
from ndfd.model.printable import printable
from ndfd.model.process_tuning import TuningState
from ndfd.model.sandbox import Sandbox
from ndfd.model.sections import PAGES_MAX
from ndfd.model.status import EngineStatus

#: Room for a report of 100 bad pages; small enough for one socket buffer (net.core.wmem_default is 208 KiB).
MAX_FRAME_BYTES = 64 * 1024
#: Of the reason why a frame is malformed.
_ERROR_MAX_CHARACTERS = 300
#: That any frame may bring; `Spawned` brings as many.
MAX_DESCRIPTORS = 3


class ZygoteReady(msgspec.Struct, frozen=True, tag="zygote_ready", omit_defaults=True):
    """Zygote to supervisor, once: the document stack is imported and the engine is open."""

    pid: int
    engine: EngineStatus
    #: What confines each of its workers; a worker in which less is in force ends itself.
    sandbox: Sandbox
    #: What came of the knobs that it and its workers were to set for themselves.
    tuning: tuple[TuningState, ...] = ()


class ZygoteFailed(msgspec.Struct, frozen=True, tag="zygote_failed"):
    """Zygote to supervisor, instead of `ZygoteReady`: it cannot work, and ends."""

    code: str
    message: str
    hint: str


class Spawn(msgspec.Struct, frozen=True, tag="spawn"):
    """Supervisor to zygote: fork a worker."""

    worker: int


class Spawned(msgspec.Struct, frozen=True, tag="spawned"):
    """Zygote to supervisor.

    Descriptors: the supervisor's end of the worker's channel, the worker's pidfd, and what the kernel tells of it
    (`ndfd.platform.process_status`), which is left out where it cannot be had.
    """

    worker: int
    pid: int


class SpawnFailed(msgspec.Struct, frozen=True, tag="spawn_failed"):
    """Zygote to supervisor: the fork failed."""

    worker: int
    reason: str


class Exited(msgspec.Struct, frozen=True, tag="exited"):
    """Zygote to supervisor: a worker ended, and its status was reaped."""

    worker: int
    pid: int
    #: As `os.waitstatus_to_exitcode`: exit status, or minus the signal's number.
    exit_code: int
    #: Its peak resident set (getrusage(2)).
    rss_max_bytes: int


class Whole(msgspec.Struct, frozen=True, tag="whole", omit_defaults=True):
    """Convert the document; of one with more than `pages_max` pages read none, and answer `JobTooLong`."""

    pages_max: int | None = None


class Part(msgspec.Struct, frozen=True, tag="part"):
    """Read the pages `first` to `last`, one section of a document of `pages`, for `Compose`."""

    first: int
    last: int
    pages: int


class Compose(msgspec.Struct, frozen=True, tag="compose"):
    """Make what `Whole` makes of a document of `pages` out of its parts, each in a `JobPart` that follows, in order."""

    parts: int
    pages: int


Work = Whole | Part | Compose


class Job(msgspec.Struct, frozen=True, tag="job", omit_defaults=True):
    """Supervisor to worker. Descriptor: the document (a regular file or memfd, read-only)."""

    id: int
    options: ConvertOptions
    #: Seconds the worker may take; the supervisor kills it then, this is for the worker's own last-resort timer.
    deadline_s: float
    #: Seconds of CPU time it may take; None for no such limit.
    cpu_s: float | None = None
    work: Work = Whole()


class JobPart(msgspec.Struct, frozen=True, tag="job_part"):
    """Supervisor to worker. Descriptor: the result of a `Part`, a sealed memfd.

    Each in a frame of its own: a worker can use few descriptors at a time, and closes one before it takes the next.
    """

    id: int


class Confined(msgspec.Struct, frozen=True, tag="confined", omit_defaults=True):
    """Worker to supervisor, first and once: it has confined itself, and has been given no document."""

    #: What came of the knobs that it has of its own.
    tuning: tuple[TuningState, ...] = ()


class JobPage(msgspec.Struct, frozen=True, tag="job_page"):
    """Worker to supervisor: a page is finished."""

    id: int
    page: PageReport


class JobDone(msgspec.Struct, frozen=True, tag="job_done"):
    """Worker to supervisor. Descriptor: the rendered result or the part that was read, a sealed memfd."""

    id: int
    report: ConversionReport


class JobTooLong(msgspec.Struct, frozen=True, tag="job_too_long"):
    """Worker to supervisor: the document has more pages than the job allows, and none was read."""

    id: int
    pages: Annotated[int, msgspec.Meta(ge=1, le=PAGES_MAX)]


class JobFailed(msgspec.Struct, frozen=True, tag="job_failed", omit_defaults=True):
    """Worker to supervisor: the conversion ended in an error of the tree of `ndfd.errors`."""

    id: int
    code: str
    message: str
    hint: str
    page: int | None = None


class Violation(msgspec.Struct, frozen=True, tag="violation"):
    """Worker to supervisor, its last: it ends because it attempted what its confinement denies.

    Sent by a handler that knows nothing but where in the frame the number is: see `VIOLATION`.
    """

    #: Number of the system call, on this machine.
    call: int


FromZygote = ZygoteReady | ZygoteFailed | Spawned | SpawnFailed | Exited
ToZygote = Spawn
#: From a worker until it is given documents, and from then on.
FromFreshWorker = Confined
FromWorker = JobPage | JobDone | JobTooLong | JobFailed | Violation
ToWorker = Job | JobPart

Frame = FromZygote | ToZygote | FromFreshWorker | FromWorker | ToWorker

_encoder = msgspec.msgpack.Encoder()


def encode(frame: Frame) -> bytes:
    """The bytes of a frame; ValueError when it is longer than `MAX_FRAME_BYTES`."""
    data = _encoder.encode(frame)
    if len(data) > MAX_FRAME_BYTES:
        raise ValueError(f"a frame of {len(data)} bytes is longer than {MAX_FRAME_BYTES}")
    return data


#: The frame of a `Violation` whose last four bytes are the number of the call, big-endian.
VIOLATION = encode(Violation(2**32 - 1))


T = TypeVar("T")


class FrameDecoder(Generic[T]):
    """Strictly decodes the frames that one side may send."""

    def __init__(self, frames: Any) -> None:
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(frames)

    def decode(self, data: bytes) -> T:
        """One frame; `WorkerProtocolError` for anything else.

        Not only msgspec's own errors: text that is not UTF-8 is a UnicodeDecodeError, nesting without end a
        RecursionError. Any that got past here would leave the sender alive and its descriptors open.
        """
        try:
            return self._decoder.decode(data)
        except Exception as error:  # noqa: BLE001 - whatever hostile bytes make of it
            # It quotes what was sent.
            said = printable(str(error), _ERROR_MAX_CHARACTERS)
            raise WorkerProtocolError(f"a frame of {len(data)} bytes is malformed: {said}") from None

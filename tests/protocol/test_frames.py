"""The frames of jobs: what goes in comes out, and nothing else is a frame."""

from __future__ import annotations

import msgspec
import pytest

from ndfd.errors import WorkerProtocolError
from ndfd.model.conversion import ConvertOptions
from ndfd.model.sections import PAGES_MAX
from ndfd.protocol import frames
from ndfd.protocol.frames import Compose, FrameDecoder, Job, JobPart, JobTooLong, Part, Whole

TO_WORKER = FrameDecoder[frames.ToWorker](frames.ToWorker)
FROM_WORKER = FrameDecoder[frames.FromWorker](frames.FromWorker)


@pytest.mark.parametrize("work", [Whole(), Whole(pages_max=200), Part(201, 400, 800), Compose(4, 800)])
def test_a_job_says_what_kind_of_work_it_is(work: frames.Work) -> None:
    job = Job(3, ConvertOptions(name="a.pdf"), 1.5, work=work)
    assert TO_WORKER.decode(frames.encode(job)) == job


def test_a_part_and_a_document_that_is_too_long_are_named_with_their_job() -> None:
    assert TO_WORKER.decode(frames.encode(JobPart(3))) == JobPart(3)
    assert FROM_WORKER.decode(frames.encode(JobTooLong(3, PAGES_MAX))) == JobTooLong(3, PAGES_MAX)


@pytest.mark.parametrize("pages", [2**31, PAGES_MAX + 1, 0, -1, 2.5, "many", None])
def test_a_number_of_pages_that_no_document_has_is_no_frame(pages: object) -> None:
    data = msgspec.msgpack.encode({"type": "job_too_long", "id": 3, "pages": pages})
    with pytest.raises(WorkerProtocolError, match="malformed"):
        FROM_WORKER.decode(data)


def test_a_worker_can_send_no_job_and_no_part() -> None:
    for frame in (Job(3, ConvertOptions(), 1.5), JobPart(3)):
        with pytest.raises(WorkerProtocolError):
            FROM_WORKER.decode(frames.encode(frame))

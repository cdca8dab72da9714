"""A row of the jobs table, and the job that it says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from ndfd.errors import JobUnknown, StoreDamaged
from ndfd.model.conversion import ConversionReport, ConvertOptions, OutputFormat
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job, JobFault


class JobRow(NamedTuple):
    """The columns of `jobs`, in the table's order."""

    number: int
    id: str
    uid: int
    state: str
    version: int
    attempts: int
    interruptions: int
    epoch: int | None
    accepted_at: float
    started_at: float | None
    finished_at: float | None
    not_before: float | None
    rank: float
    priority: int
    format: str
    pool: str | None
    name: str | None
    deadline_s: float | None
    password: str | None
    password_erased: int
    idempotency_key: str | None
    fingerprint: bytes
    answers: int
    labels: str | None
    document: bytes
    size_bytes: int
    result: bytes | None
    result_bytes: int
    report: str | None
    fault: str | None
    deliveries_due: int
    deliveries_failed: int


# msgspec 0.22 looks into a class when it first meets it; two threads that do so at the same moment end the process.
msgspec.json.Decoder(Job)

_JSON: Mapping[str, msgspec.json.Decoder[Any]] = {
    "report": msgspec.json.Decoder(ConversionReport),
    "fault": msgspec.json.Decoder(JobFault),
    "labels": msgspec.json.Decoder(dict[str, str]),
}
_SAME = (
    "id",
    "state",
    "uid",
    "format",
    "size_bytes",
    "version",
    "accepted_at",
    "started_at",
    "finished_at",
    "not_before",
    "attempts",
    "interruptions",
    "name",
    "priority",
    "pool",
    "deadline_s",
    "deliveries_due",
    "deliveries_failed",
)
_SAME_PLACES = tuple((name, JobRow._fields.index(name)) for name in _SAME)
_ID = re.compile(r"[0-9a-hjkmnp-tv-z]{26}")


def decode(row: JobRow) -> Job:
    """The job of a row; `StoreDamaged` when the row is not what was written."""
    values: dict[str, Any] = {name: row[place] for name, place in _SAME_PLACES}
    values["key"] = row.idempotency_key
    try:
        for name, decoder in _JSON.items():
            text = getattr(row, name)
            if text is not None:
                values[name] = decoder.decode(text)
        job = msgspec.convert(values, Job)
    except (msgspec.MsgspecError, TypeError, UnicodeError) as error:
        raise StoreDamaged(f"the row of job {row.id!r} cannot be read: {error}") from error
    if not _ID.fullmatch(job.id) or job.state is JobState.RECEIVED:
        raise StoreDamaged(f"the row of job {row.id!r} cannot be read: no such id or state is ever written")
    return job


def shown(row: JobRow) -> Job:
    """The job of a row; of one that cannot be read, what is known of it: it is quarantined, and says why."""
    try:
        return decode(row)
    except StoreDamaged as error:
        return Job(
            id=str(row.id),
            state=JobState.QUARANTINED,
            uid=_number(row.uid, -2),
            format=OutputFormat.MARKDOWN,
            size_bytes=_number(row.size_bytes, 0),
            version=_number(row.version, 0),
            accepted_at=float(_number(row.accepted_at, 0)),
            fault=JobFault.of(error),
        )


def convert_options(row: JobRow) -> ConvertOptions:
    """What a worker is asked for."""
    return ConvertOptions(
        format=OutputFormat(row.format),
        password=row.password,
        name=row.name,
        deadline_s=row.deadline_s,
        pool=row.pool,
    )


def visible(row: JobRow | None, job_id: str, viewer_uid: int | None) -> JobRow:
    """The row, for whoever may see it; `JobUnknown` otherwise, in the same words whether it is there or not."""
    if row is None or (viewer_uid is not None and row.uid != viewer_uid):
        raise JobUnknown(f"there is no job {job_id!r}")
    return row


def encoded(value: object) -> str | None:
    """A value as a JSON column holds it."""
    return None if value is None else msgspec.json.encode(value).decode()


def _number(value: object, otherwise: int) -> Any:
    return value if isinstance(value, int | float) else otherwise

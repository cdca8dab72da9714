"""What is left in folders of a finished job: its result, or a file that says why there is none. Blocks."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from ndfd.dispatch import sources
from ndfd.dispatch.file_names import ERROR_SUFFIX, OutputName, safe_stem, shown_name, taken_path
from ndfd.dispatch.placing import folder, put, remove_if
from ndfd.dispatch.watches import Watch
from ndfd.model.jobs import Job, JobFault
from ndfd.store import TakenFile

#: Every file that says why there is no result begins so.
_ERROR_HEAD = b"ndfd has no result of "


def put_result(path: Path, job: Job, result_fd: int | None) -> None:
    """Into a folder of results, under the name of the document as its owner gave it. The folder has to be there."""
    stem = safe_stem(job.name, job.id)
    with folder(path) as fd:
        _put(fd, stem, f"{stem}{ERROR_SUFFIX}", job, result_fd, shown_name(job.name or job.id))


def put_watched(watch: Watch, job: Job, source: TakenFile, delivery_id: str, result_fd: int | None) -> None:
    """Of a watched document; when that has a result, which is on the disk then, the document is put away as asked."""
    path = taken_path(source.path)
    at = PurePosixPath(path)
    with folder(watch.output, str(at.parent), make=True) as fd:
        _put(fd, at.stem, f"{at.name}{ERROR_SUFFIX}", job, result_fd, shown_name(path))
    if result_fd is None:
        return
    if watch.on_success == "move":
        sources.move(watch.path, path, source.mark, delivery_id, watch.done)
    elif watch.on_success == "delete":
        sources.delete(watch.path, path, source.mark, delivery_id)


def put_refusal(watch: Watch, path: str, number: str, fault: JobFault) -> None:
    """Of a watched document that never became a job."""
    at = PurePosixPath(path)
    with folder(watch.output, str(at.parent), make=True) as fd:
        name = OutputName(at.name, ERROR_SUFFIX)
        put(fd, name, number, _reason(shown_name(path), None, fault))


def _put(fd: int, stem: str, error_name: str, job: Job, result_fd: int | None, shown: str) -> None:
    if result_fd is None:
        name = OutputName(error_name.removesuffix(ERROR_SUFFIX), ERROR_SUFFIX)
        remove_if(fd, name.plain(), _ERROR_HEAD)
        put(fd, name, job.id, _reason(shown, job, job.fault))
        return
    put(fd, OutputName(stem, job.format.suffix), job.id, result_fd)
    # Of an earlier document of this name, or of this one before it was tried again.
    remove_if(fd, OutputName(error_name.removesuffix(ERROR_SUFFIX), ERROR_SUFFIX).plain(), _ERROR_HEAD)


def _reason(shown: str, job: Job | None, fault: JobFault | None) -> bytes:
    lines = [f"{_ERROR_HEAD.decode()}{shown}"]
    if job is not None:
        lines.append(f"job: {job.id} ({job.state.value})")
    if fault is not None:
        at = "" if fault.page is None else f" (page {fault.page})"
        lines += [f"error: {fault.code}: {fault.message}{at}", f"what to do: {fault.hint}"]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")

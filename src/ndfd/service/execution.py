"""Carries a plan out, one step after the other, and undoes what it did when one of them fails."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from ndfd.errors import NdfdError, OutputError, ServiceError
from ndfd.platform import storage
from ndfd.service.machine import Machine
from ndfd.service.plan import (
    MakeFolder,
    Plan,
    RemoveFile,
    RemoveFolder,
    RunCommand,
    Same,
    Step,
    WhenUndone,
    WriteFile,
    words,
)

#: Told what is about to be done, and to what: ("write", "/etc/…"), ("undo", "remove /etc/…").
Tell = Callable[[str, str], None]
#: Why the service did not start; None when that cannot be said better than by the command that failed.
Explain = Callable[[], NdfdError | None]

_Undo = Callable[[], None]


def carry_out(plan: Plan, machine: Machine, tell: Tell, explain: Explain = lambda: None) -> None:
    """Does the steps of a plan, each told before it is done.

    When one fails, or the command is interrupted, those before it are undone, the last one first, and the error is
    raised on: the machine is as it was, but for what the error's hint names.
    """
    done: list[_Undo] = []
    try:
        for step in plan.steps:
            if (said := words(step)) is not None:
                tell(*said)
            _do(step, machine, tell, done, explain)
    except BaseException as error:
        left = _undo(done, tell)
        if left and isinstance(error, NdfdError):
            hint = f"{error.hint}; not undone: {'; '.join(left)}"
            raise type(error)(error.message, hint=hint, details=error.details) from error
        raise


def _undo(done: list[_Undo], tell: Tell) -> list[str]:
    """What could not be undone."""
    left: list[str] = []
    for undo in reversed(done):
        try:
            undo()
        except (OSError, NdfdError) as error:
            left.append(str(error))
            tell("undo", f"failed: {error}")
    return left


def _do(step: Step, machine: Machine, tell: Tell, done: list[_Undo], explain: Explain) -> None:
    try:
        match step:
            case WriteFile():
                _write(step, tell, done)
            case RemoveFile():
                _remove(step, tell, done)
            case MakeFolder():
                _make_folder(step, tell, done)
            case RemoveFolder():
                _remove_folder(step.path)
            case RunCommand():
                _run(step, machine, tell, done, explain)
            case WhenUndone():
                done.append(lambda: _run_undo(step.command, machine, tell, step.fine))
            case Same():
                pass
    except OSError as error:
        where = error.filename if error.filename is not None else ""
        raise OutputError(f"{where}: {error.strerror}", hint="see who may write there, and the free space") from error


def _write(step: WriteFile, tell: Tell, done: list[_Undo]) -> None:
    before = _content(step.path)
    _make_parents(step.path.parent, tell, done)
    # Known to be undone before it is done: an interrupt may come between the two.
    done.append(lambda: _put_back(step.path, before, tell))
    storage.replace(step.path, step.data, mode=step.mode)


def _remove(step: RemoveFile, tell: Tell, done: list[_Undo]) -> None:
    before = _content(step.path)
    if before is not None:
        done.append(lambda: _put_back(step.path, before, tell))
        step.path.unlink()


def _content(path: Path) -> tuple[bytes, int] | None:
    """Bytes and permission bits; None where there is no file."""
    try:
        return path.read_bytes(), stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None


def _put_back(path: Path, before: tuple[bytes, int] | None, tell: Tell) -> None:
    if _content(path) == before:
        return
    if before is None:
        tell("undo", f"remove {path}")
        path.unlink(missing_ok=True)
    else:
        tell("undo", f"write {path} as it was")
        storage.replace(path, before[0], mode=before[1])


def _make_parents(folder: Path, tell: Tell, done: list[_Undo]) -> None:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o755, exist_ok=True)
        done.append(lambda each=each: _remove_if_empty(each, tell))  # type: ignore[misc]


def _make_folder(step: MakeFolder, tell: Tell, done: list[_Undo]) -> None:
    _make_parents(step.path.parent, tell, done)
    if not step.path.exists():
        step.path.mkdir()
        done.append(lambda: _remove_if_empty(step.path, tell))
    step.path.chmod(step.mode)
    if step.owner is not None:
        try:
            shutil.chown(step.path, *step.owner)
        except LookupError as error:
            raise ServiceError(f"{step.path}: {error}") from error


def _remove_if_empty(folder: Path, tell: Tell) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
        tell("undo", f"remove {folder}")


def _remove_made(folder: Path, machine: Machine, tell: Tell) -> None:
    """What is below /run is nobody's to keep; elsewhere somebody may have put something there by now."""
    if folder.is_relative_to(machine.path("/run")) and folder.is_dir():
        tell("undo", f"remove {folder}")
        shutil.rmtree(folder)
    else:
        _remove_if_empty(folder, tell)


def _remove_folder(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _run(step: RunCommand, machine: Machine, tell: Tell, done: list[_Undo], explain: Explain) -> None:
    new = [folder for folder in step.folders if not folder.exists()]
    for folder in new:
        done.append(lambda folder=folder: _remove_made(folder, machine, tell))  # type: ignore[misc]  # noqa: PERF401
    if step.undo is not None:
        done.append(lambda: _undo_command(step, machine, tell))
    ended = machine.run(step.command)
    if ended.returncode in step.fine:
        return
    if step.starts and (better := explain()) is not None:
        raise better
    said = tuple(line for line in (ended.stderr or ended.stdout).splitlines() if line.strip())
    raise ServiceError(f"`{shlex.join(step.command)}` ended with status {ended.returncode}", details=said)


def _undo_command(step: RunCommand, machine: Machine, tell: Tell) -> None:
    assert step.undo is not None
    kept = [str(path) for path in step.unless if path.exists()]
    if kept:
        tell("keep", f"what `{shlex.join(step.command)}` made, for there is {', '.join(kept)}")
    else:
        _run_undo(step.undo, machine, tell)


def _run_undo(command: tuple[str, ...], machine: Machine, tell: Tell, fine: frozenset[int] = frozenset({0})) -> None:
    tell("undo", f"run {shlex.join(command)}")
    ended = machine.run(command)
    if ended.returncode not in fine:
        said = " ".join((ended.stderr or ended.stdout).split())
        raise ServiceError(f"`{shlex.join(command)}` ended with status {ended.returncode}{said and f': {said}'}")

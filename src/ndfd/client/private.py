"""A daemon of one's own: started for one task, ended with it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from ndfd.errors import NdfdError, WorkerStartFailed, error_from_code

#: Lines of the daemon's log that are shown when it does not start.
_LOG_LINES_SHOWN = 10
#: The daemon stops at once when it is asked to; this is for a machine under load.
_STOP_LIMIT_S = 10.0


class PrivateDaemon:
    """Starts a daemon when its `with` block begins and stops it when the block ends.

    Its sockets lie in a temporary folder that only this user may enter. It runs in a process group of its own, so that
    Ctrl-C reaches it through this object only, and reads a pipe whose other end is here: when this process dies, in
    whatever way, the kernel closes the pipe, and the daemon ends and removes its folder.
    """

    def __init__(self, arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> None:
        """`arguments` are further ones of `ndfd run`; it has this process's environment unless one is given."""
        self._arguments = tuple(arguments)
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._socket: Path | None = None

    @property
    def socket(self) -> Path:
        """Its Varlink socket, for the length of the block."""
        assert self._socket is not None, "the daemon runs only within its block"
        return self._socket

    @property
    def pid(self) -> int:
        """Its process, for the length of the block."""
        assert self._process is not None, "the daemon runs only within its block"
        return self._process.pid

    def __enter__(self) -> Self:
        """Returns when the daemon has converted a document of its own.

        Raises the error that kept it from starting, with the last lines of its log.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="ndfd-private-"))
        try:
            # Without a name: it needs no removing, and can be read after the daemon has removed its folder.
            with tempfile.TemporaryFile() as log:
                self._process = self._start(log)
                self._socket = self._wait_until_ready(self._process, log)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def _start(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        # Its stdin is the owner's pipe, its stdout says when it is ready; both end with either process.
        command = [
            sys.executable,
            "-m",
            "ndfd",
            "run",
            "--private",
            str(self._folder),
            "--owner-fd",
            "0",
            *self._arguments,
        ]
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=self._environment,
            process_group=0,
        )

    def _wait_until_ready(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> Path:
        assert process.stdout is not None
        line = process.stdout.readline()
        said = json.loads(line) if line.endswith(b"\n") else {}
        if sockets := said.get("sockets"):
            return Path(sockets[0])
        process.wait()
        if error := said.get("error"):
            details = tuple(error.get("details", ()))
            raise error_from_code(error["code"], error["message"], hint=error["hint"], details=details)
        raise _not_started(process.returncode, log)

    def _stop(self) -> None:
        process, folder = self._process, self._folder
        self._process = self._folder = self._socket = None
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            # The daemon takes the pipe's end for its owner's, and stops without waiting for anything.
            process.stdin.close()
            try:
                process.wait(_STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            finally:
                process.stdout.close()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _not_started(returncode: int, log: IO[bytes]) -> NdfdError:
    log.seek(0, os.SEEK_END)
    log.seek(max(0, log.tell() - 16384))
    lines = log.read().decode("utf-8", "replace").splitlines()[-_LOG_LINES_SHOWN:]
    ending = f"signal {-returncode}" if returncode < 0 else f"status {returncode}"
    said = " | ".join(line.strip() for line in lines if line.strip()) or "nothing"
    return WorkerStartFailed(
        f"the private daemon ended with {ending} before it was ready",
        hint=f"its log says: {said}",
    )

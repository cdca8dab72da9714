"""Runs the engines' processes: pinned to one core, one at a time, each document under a time limit."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.bench.engines import Engine
from tests.bench.selection import ROOT

#: Longer than any engine takes to be imported.
_START_LIMIT_S = 120.0


class EngineStartError(Exception):
    """The engine's process cannot be used: its message says why."""


class EngineProcess:
    """One engine's process; started anew after a document that it did not survive."""

    def __init__(self, engine: Engine, peers_python: Path, core: int) -> None:
        self.engine = engine
        self._command = [
            str(peers_python) if engine.peer else sys.executable,
            "-m",
            "tests.bench.child",
            engine.name,
            str(core),
        ]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def read(self, path: Path, limit_s: float) -> dict[str, Any]:
        """What the document cost, as `child` answers; `error` when the engine could not read it, `limited` when it took
        longer than `limit_s`."""
        process = self._process or self._start()
        assert process.stdin is not None
        process.stdin.write(f"{path}\n")
        process.stdin.flush()
        answer = self._answer(process, limit_s)
        if answer is None:
            ended = process.poll()
            self._stop()
            return {"limited": limit_s} if ended is None else {"error": f"the process died with status {ended}"}
        return answer

    def _start(self) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
        process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
        )
        self._process = process
        answer = self._answer(process, _START_LIMIT_S) or {"failed": "it did not start"}
        if "failed" in answer:
            self._stop()
            raise EngineStartError(f"{self.engine.name}: {answer['failed']}")
        return process

    def _answer(self, process: subprocess.Popen[str], limit_s: float) -> dict[str, Any] | None:
        """The next line, decoded; None when none came in time or the process ended."""
        assert process.stdout is not None
        # One line is asked for at a time, so that the buffer of the text file never holds a second one.
        ready, _, _ = select.select([process.stdout], [], [], limit_s)
        line = process.stdout.readline() if ready else ""
        if ready and not line:
            process.wait()
        answer: dict[str, Any] | None = json.loads(line) if line else None
        return answer

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

"""Processes that the benchmark asks for work: a line of JSON in, a line of JSON out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from tests.bench.selection import ROOT

Answer = dict[str, Any]


class Child:
    """`python -m tests.bench.PACKAGE.MODULE ARGUMENTS`, for the length of a block."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        cpus: frozenset[int] | None = None,
        package: str = "swarm",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`environment` is added to this process's."""
        self._command = [sys.executable, "-m", f"tests.bench.{package}.{module}", *arguments]
        self._cpus = cpus
        self._environment = environment or {}
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
            **self._environment,
        }
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
        )
        if self._cpus is not None:
            os.sched_setaffinity(self._process.pid, self._cpus)
        # Its first line says that it is ready.
        self.hear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def tell(self, **question: Any) -> None:
        """Asks, and does not wait."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()

    def hear(self) -> Answer:
        """Waits for the answer; SystemExit when the process has ended instead."""
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"scripts/bench: {' '.join(self._command[2:])} ended with status {self._process.wait()}")
        answer: Answer = json.loads(line)
        return answer

    def ask(self, **question: Any) -> Answer:
        """The answer to a question."""
        self.tell(**question)
        return self.hear()


def answer(act: Callable[..., Answer]) -> None:
    """The child's loop, until its parent is gone."""
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(act(**json.loads(line))), flush=True)

"""The program `ndfd`: a command line that a process has for itself, and with which it ends.

Python takes its interpreter apart at the end of a process: for a daemon with its 900 modules that is up to half a
second, in which it holds nothing any more and whoever restarts it waits. The kernel frees the same memory at once.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import NoReturn

from ndfd.cli.main import main

#: Python's own, for a program whose output could not be written at the end.
_EX_NOT_FLUSHED = 120


def program() -> NoReturn:
    """Runs the command line of this process, and ends the process with its exit status."""
    _end(main())


def _end(status: int) -> NoReturn:
    """Does all that Python does at the end but to take itself apart.

    That is the order of Py_FinalizeEx: threads end, functions of `atexit` are called (of logging, which flushes; of
    whatever measures coverage), the standard streams are flushed. `SystemExit` for who looks into this process.
    """
    if _is_observed():
        sys.exit(status)
    # Python's own multiprocessing ends its processes by the first, likewise before os._exit; the second has no public
    # name either.
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
    atexit._run_exitfuncs()  # noqa: SLF001
    os._exit(status if _flushed() else _EX_NOT_FLUSHED)


def _flushed() -> bool:
    """Whether everything printed is written; an output that nobody could have is none."""
    flushed = True
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except (OSError, ValueError):
            flushed = False
    return flushed


def _is_observed() -> bool:
    """Whether a profiler, a debugger or `python -i` or `-X dev` wants to see the end of the interpreter."""
    if sys.gettrace() is not None or sys.getprofile() is not None:
        return True
    # From Python 3.12 on, profilers and debuggers are seen here only.
    monitoring = getattr(sys, "monitoring", None)
    if monitoring is not None and any(monitoring.get_tool(tool) is not None for tool in range(6)):
        return True
    return bool(sys.flags.inspect or sys.flags.dev_mode)

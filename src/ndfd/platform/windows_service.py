r"""The Windows service: `python -m ndfd.platform.windows_service --name ndfd --log-dir DIR -- COMMAND…`.

Run by the service control manager (SCM), it starts COMMAND, tells the SCM how it is, and passes on what the SCM asks
for; `windows_service_host` says how COMMAND is spoken to. It is a command of its own, beside `ndfd`, so that what it
depends on is small: the standard library and msgspec.

Run under Wine 10 with CPython 3.13, by tests/platform/test_windows_service.py, which says what Wine lacks. Not run on
Windows itself: recovery actions, PRESHUTDOWN, the virtual account and the event viewer are as documented there.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ndfd.errors import EX_OSERR, EX_SOFTWARE, EX_USAGE
from ndfd.platform.windows_calls import advapi32, true
from ndfd.platform.windows_event_log import EventLog
from ndfd.platform.windows_job import Job
from ndfd.platform.windows_service_course import Control, Event, Limits, Outcome, ServiceStatus
from ndfd.platform.windows_service_host import HostOptions, ServiceHost
from ndfd.platform.windows_structures import SERVICE_WIN32_OWN_PROCESS, ServiceTableEntry, StatusRecord

# winerror.h
_NO_ERROR, _ERROR_CALL_NOT_IMPLEMENTED = 0, 120
_ERROR_FAILED_SERVICE_CONTROLLER_CONNECT = 1063


class ServiceProcess:
    """What the SCM has of this process: a main function, and one for controls. Each runs in a thread that it gives."""

    def __init__(self, options: HostOptions) -> None:
        """Nothing is asked of the system yet."""
        self._options = options
        self._advapi = advapi32()
        self._status_handle: int | None = None
        self._host: ServiceHost | None = None
        # Windows' calling convention; the functions must live as long as the SCM may call them.
        functype: Any = vars(ctypes)["WINFUNCTYPE"]
        self._main = functype(None, ctypes.c_uint32, ctypes.c_void_p)(self._service_main)
        self._handler = functype(ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_void_p)(
            self._handle
        )

    def run(self) -> None:
        """Returns when the service has stopped. OSError with `winerror` 1063 if this is not a process of the SCM's."""
        table = (ServiceTableEntry * 2)()
        # The SCM does not look at the name of a service that has its process to itself.
        table[0] = ServiceTableEntry(self._options.name, ctypes.cast(self._main, ctypes.c_void_p))
        true(self._advapi.StartServiceCtrlDispatcherW(ctypes.byref(table)))

    def _service_main(self, _count: int, _arguments: int | None) -> None:
        """No error may leave it: what is thrown into a caller in C is lost, and the service would hang for ever."""
        events = EventLog(self._options.name)
        try:
            self._host = ServiceHost(self._options, self._report, events.write, Job())
            self._status_handle = true(
                self._advapi.RegisterServiceCtrlHandlerExW(self._options.name, self._handler, None)
            )
            outcome = self._host.run()
        except BaseException:  # noqa: BLE001 - see above
            events.write(Event.HOST_FAILED, f"The service host failed.\n\n{traceback.format_exc()}")
            os._exit(EX_SOFTWARE)
        events.close()
        if outcome.recover:
            os._exit(_exit_status(outcome))

    def _handle(self, control: int, _kind: int, _data: int | None, _context: int | None) -> int:
        """The SCM's thread for controls of all services of the process: it must not wait."""
        if control not in set(Control):
            return _ERROR_CALL_NOT_IMPLEMENTED
        if self._host is not None:
            self._host.control(Control(control))
        return _NO_ERROR

    def _report(self, status: ServiceStatus) -> None:
        record = StatusRecord(
            SERVICE_WIN32_OWN_PROCESS,
            status.state,
            status.accepted,
            status.win32_exit,
            status.specific_exit,
            status.checkpoint,
            status.wait_hint_ms,
        )
        # It fails only for a record or a handle that is wrong; there is nobody else to tell.
        self._advapi.SetServiceStatus(self._status_handle, ctypes.byref(record))


def _exit_status(outcome: Outcome) -> int:
    return outcome.specific_exit or outcome.win32_exit


def parse(arguments: Sequence[str]) -> HostOptions:
    """The command line of the host; what is wrong with it is said on stderr, and SystemExit raised."""
    limits = Limits()
    parser = argparse.ArgumentParser(
        prog="python -m ndfd.platform.windows_service",
        description="Runs a command as a Windows service. The service control manager starts it: see `sc start`.",
    )
    parser.add_argument("--name", required=True, help="of the service, of its events and of its log file")
    parser.add_argument("--log-dir", required=True, type=Path, metavar="DIR", help="folder of its log files")
    parser.add_argument(
        "--start-limit",
        type=_seconds,
        default=limits.start_s,
        metavar="SECONDS",
        help="the command must say that it is ready in this time (default: %(default)g)",
    )
    parser.add_argument(
        "--stop-limit",
        type=_seconds,
        default=limits.drain_s,
        metavar="SECONDS",
        help="it may drain for this time when the service is stopped (default: %(default)g)",
    )
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="program and arguments, after --")
    values = parser.parse_args(arguments)
    return HostOptions(
        values.name,
        tuple(values.command),
        values.log_dir,
        Limits(start_s=values.start_limit, drain_s=values.stop_limit),
    )


def main(
    arguments: Sequence[str] | None = None, serve: Callable[[HostOptions], None] = lambda o: ServiceProcess(o).run()
) -> int:
    """The exit status; 0 when the service was stopped, whatever its child did before."""
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
    except SystemExit as ending:
        return EX_USAGE if ending.code else 0
    try:
        serve(options)
    except OSError as error:
        if getattr(error, "winerror", None) == _ERROR_FAILED_SERVICE_CONTROLLER_CONNECT:
            _complain(f"this is run by the service control manager: start it with `sc start {options.name}`")
            return EX_USAGE
        _complain(f"the service control manager cannot be reached: {error}")
        return EX_OSERR
    return 0


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 86400:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 86400 seconds")
    return seconds


def _complain(text: str) -> None:
    # A process of the SCM's has no stderr.
    if sys.stderr is not None:
        print(f"ndfd service host: {text}", file=sys.stderr)  # noqa: T201 - a command of its own, without click


if __name__ == "__main__":
    sys.exit(main())

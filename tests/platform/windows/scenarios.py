"""The service under a real service control manager: run by a Python for Windows, with ndfd beside it.

scenarios.py FOLDER runs every scenario in the order it stands here, and writes what it saw as JSON into
FOLDER/seen.json: for each its result, or `error` with the traceback. Another test reads and judges it.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import Any

from ndfd.errors import NdfdError
from ndfd.platform import windows_structures as win
from ndfd.platform.windows_calls import kernel32
from ndfd.platform.windows_event_log import MESSAGE_FILE
from ndfd.platform.windows_service_course import Control, Limits, ServiceStatus, State
from ndfd.platform.windows_service_install import (
    InstalledService,
    control_service,
    install_service,
    query_service,
    remove_service,
    start_service,
)
from ndfd.platform.windows_service_plan import ServiceDefinition, host_command, install_commands, remove_commands

ROOT = Path(sys.argv[1])
CHILD = Path(__file__).parent / "child.py"
PATIENCE_S = 60.0
#: Arguments that only the right quoting brings to the child as they are.
AWKWARD = ("two words", 'a "quote"', "back\\", "ends with a slash \\", "", "Größe")


class Service:
    """One service, and the folder of its child."""

    def __init__(self, name: str, mode: str, limits: Limits | None = None) -> None:
        self.name = name
        self.folder = ROOT / name
        self.folder.mkdir()
        child = (sys.executable, "-X", "utf8", str(CHILD), str(self.folder), mode, *AWKWARD)
        data = PureWindowsPath(self.folder)
        command = host_command(name, PureWindowsPath(sys.executable), data, child, limits)
        self.definition = ServiceDefinition(name, command, data, display_name=f"{name} on trial")

    def query(self) -> InstalledService:
        """As the SCM has it."""
        found = query_service(self.name)
        assert found is not None
        return found

    def until(self, wanted: Callable[[ServiceStatus], object]) -> dict[str, Any]:
        """Waits for a status, and gives it."""
        return until(lambda: (status := self.query().status) and wanted(status) and shown(status))

    def until_state(self, state: State) -> dict[str, Any]:
        """Waits for a state."""
        return self.until(lambda status: status.state is state)

    def let(self, name: str) -> None:
        """Makes a file that the child waits for."""
        (self.folder / name).touch()

    def until_heard(self, line: str) -> str:
        """Waits until the child's last word heard is this one, and gives all."""
        return until(lambda: (heard := self.read("heard")).endswith(f"{line}\n") and heard)

    def read(self, name: str) -> str:
        """A file of the folder; empty if it is not there."""
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def log(self) -> str:
        """The log file."""
        return self.read(f"log/{self.name}.log")


def until(found: Callable[[], Any]) -> Any:
    """Waits until it gives something, and gives that."""
    limit = time.monotonic() + PATIENCE_S
    while not (it := found()):
        if time.monotonic() > limit:
            raise TimeoutError
        time.sleep(0.05)
    return it


def shown(status: ServiceStatus) -> dict[str, Any]:
    """A status as JSON."""
    return {**dataclasses.asdict(status), "state": status.state.name}


def alive(pid: int) -> bool:
    """Whether there is such a process: its handle is not signalled."""
    kernel = kernel32()
    handle = kernel.OpenProcess(0x00100000, False, pid)
    if not handle:
        return False
    try:
        return bool(kernel.WaitForSingleObject(ctypes.c_void_p(handle), 0) == 0x102)
    finally:
        kernel.CloseHandle(handle)


def refused(call: Callable[[], object]) -> list[str]:
    """The kind and the text of an error of ours."""
    try:
        call()
    except NdfdError as error:
        return [type(error).__name__, str(error)]
    return []


def life() -> dict[str, Any]:
    """Installed, started, interrogated, reloaded, stopped, removed."""
    it = Service("ndfd-life", "drains")
    seen: dict[str, Any] = {"absent": query_service(it.name) is None}
    seen["lacking"] = install_service(it.definition)
    installed = it.query()
    seen["installed"] = {**dataclasses.asdict(installed), "status": shown(installed.status)}
    seen["command line"] = it.definition.command_line
    seen["again"] = refused(lambda: install_service(it.definition))
    seen["stop at rest"] = refused(lambda: control_service(it.name, Control.STOP))
    start_service(it.name)
    seen["starting"] = it.until(lambda status: status.state is State.START_PENDING and status.checkpoint >= 3)
    seen["stop at start"] = refused(lambda: control_service(it.name, Control.STOP))
    it.let("ready")
    seen["running"] = it.until_state(State.RUNNING)
    seen["start again"] = refused(lambda: start_service(it.name))
    seen["interrogated"] = shown(control_service(it.name, Control.INTERROGATE))
    control_service(it.name, Control.PARAMCHANGE)
    it.until_heard("reload")
    control_service(it.name, Control.STOP)
    seen["heard"] = it.until_heard("drain")
    seen["draining"] = it.until(lambda status: status.state is State.STOP_PENDING and status.checkpoint >= 3)
    it.let("end")
    seen["stopped"] = it.until_state(State.STOPPED)
    seen["arguments"] = it.read("arguments").strip()
    seen["log"] = it.log()
    remove_service(it.name)
    seen["gone"] = until(lambda: query_service(it.name) is None)
    seen["remove again"] = refused(lambda: remove_service(it.name))
    return seen


def dies() -> dict[str, Any]:
    """The child dies while the service runs."""
    it = Service("ndfd-dies", "dies")
    install_service(it.definition)
    start_service(it.name)
    it.let("ready")
    it.until_state(State.RUNNING)
    it.let("end")
    seen = {"stopped": it.until_state(State.STOPPED), "log": it.log(), "pid": it.query().pid}
    remove_service(it.name)
    return seen


def misconfigured() -> dict[str, Any]:
    """The child ends with status 78 before it is ready."""
    it = Service("ndfd-misconfigured", "misconfigured")
    install_service(it.definition)
    start_service(it.name)
    seen = {"stopped": it.until_state(State.STOPPED), "log": it.log()}
    remove_service(it.name)
    return seen


def never_ready() -> dict[str, Any]:
    """The child says nothing."""
    it = Service("ndfd-never-ready", "drains", Limits(start_s=10.0))
    install_service(it.definition)
    start_service(it.name)
    host, child = it.query().pid, int(until(lambda: it.read("started")).split()[0])
    assert host is not None
    seen: dict[str, Any] = {"lived": [alive(host), alive(child)]}
    seen["gone"] = until(lambda: not alive(host) and not alive(child))
    seen["log"] = it.log()
    remove_service(it.name)
    return seen


def deaf() -> dict[str, Any]:
    """The child does not stop when it is asked to."""
    it = Service("ndfd-deaf", "deaf", Limits(drain_s=2.0))
    install_service(it.definition)
    start_service(it.name)
    it.let("ready")
    it.until_state(State.RUNNING)
    pid = int(it.read("started").split()[0])
    control_service(it.name, Control.STOP)
    seen = {"stopped": it.until_state(State.STOPPED), "log": it.log(), "heard": it.read("heard")}
    seen["child gone"] = until(lambda: not alive(pid))
    remove_service(it.name)
    return seen


def host_killed() -> dict[str, Any]:
    """The host is killed: the child and what it started go with it."""
    it = Service("ndfd-host-killed", "family")
    install_service(it.definition)
    start_service(it.name)
    it.let("ready")
    it.until_state(State.RUNNING)
    family = [int(pid) for pid in it.read("started").split()]
    seen: dict[str, Any] = {"lived": [alive(pid) for pid in family], "log": it.log()}
    host = it.query().pid
    assert host is not None
    handle = kernel32().OpenProcess(1, False, host)
    kernel32().TerminateProcess(ctypes.c_void_p(handle), 9)
    seen["stopped"] = it.until_state(State.STOPPED)
    seen["family gone"] = until(lambda: not any(alive(pid) for pid in family))
    remove_service(it.name)
    return seen


def no_program() -> dict[str, Any]:
    """The command of the host's child is not there."""
    it = Service("ndfd-no-program", "")
    command = (*it.definition.command[: it.definition.command.index("--") + 1], r"C:\absent\ndfd.exe")
    install_service(dataclasses.replace(it.definition, command=command))
    start_service(it.name)
    seen = {"stopped": it.until_state(State.STOPPED), "log": it.log()}
    remove_service(it.name)
    return seen


def event_source() -> dict[str, Any]:
    """The registry has the source while the service is installed."""
    import winreg

    it = Service("ndfd-events", "drains")
    key = rf"SYSTEM\CurrentControlSet\Services\EventLog\Application\{it.name}"
    install_service(it.definition)
    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as opened:
        file, kind = winreg.QueryValueEx(opened, "EventMessageFile")
        seen = {"file": file == MESSAGE_FILE, "expands": kind == winreg.REG_EXPAND_SZ}
        seen["types"] = winreg.QueryValueEx(opened, "TypesSupported")[0]
    remove_service(it.name)
    try:
        winreg.CloseKey(winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key))
    except FileNotFoundError:
        seen["removed"] = True
    return seen


def by_commands() -> dict[str, Any]:
    """The service as the printed commands install it, and as the calls do."""
    it = Service("ndfd-by-commands", "drains")
    statuses = {}
    for command in install_commands(it.definition):
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        statuses[" ".join(command[:2])] = ended.returncode
    made = [it.query()]
    for command in remove_commands(it.name):
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    gone = until(lambda: query_service(it.name) is None)
    install_service(it.definition)
    made.append(it.query())
    remove_service(it.name)
    by_commands, by_calls = ({**dataclasses.asdict(each), "status": shown(each.status)} for each in made)
    return {"statuses": statuses, "gone": gone, "by commands": by_commands, "by calls": by_calls}


def sizes() -> dict[str, int]:
    """Of the structures, by this Python."""
    return {name: ctypes.sizeof(kind) for name, kind in vars(win).items() if isinstance(kind, type)}


def main() -> None:
    """Runs all; one that fails keeps no other from running."""
    seen: dict[str, Any] = {}
    scenarios = (
        life,
        dies,
        misconfigured,
        never_ready,
        deaf,
        host_killed,
        no_program,
        event_source,
        by_commands,
        sizes,
    )
    for scenario in scenarios:
        try:
            seen[scenario.__name__] = scenario()
        except Exception:  # noqa: BLE001 - it is what was seen
            seen[scenario.__name__] = {"error": traceback.format_exc()}
        (ROOT / "seen.json").write_text(json.dumps(seen), encoding="utf-8")


if __name__ == "__main__":
    main()

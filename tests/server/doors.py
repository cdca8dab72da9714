"""Both doors on real sockets in a thread of their own, in front of conversions that do as the document's name says."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import http.client
import os
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

from ndfd.admission import Limits
from ndfd.errors import NdfdError, error_from_code
from ndfd.model.configuration import Configuration, Origin, OriginKind, ReloadReport, Setting
from ndfd.model.conversion import ConvertOptions, OnPage, PageReport
from ndfd.model.crash import CrashReport
from ndfd.model.document import PageStatus
from ndfd.model.hardware import Accelerators, Backend, BackendState, Core, Device, Hardware, Processor
from ndfd.model.pools import DEFAULT_POOL, pool_unknown
from ndfd.model.status import DaemonStatus, EngineStatus, PoolStatus, WorkerState, WorkerStatus
from ndfd.protocol.varlink_interfaces import INTERFACES, ServiceInfo
from ndfd.server.access import ACCESS, Rule
from ndfd.server.generation import DoorLimits, Generation, Serving
from ndfd.server.http_app import make_app
from ndfd.server.http_door import HttpDoor, HttpDoorLimits
from ndfd.server.keeping import Keeper
from ndfd.server.methods import Daemon, Methods
from ndfd.server.occupancy import Held
from ndfd.server.varlink_door import VarlinkDoor
from ndfd.supervisor.task import never, nothing
from tests.server.jobs_in_memory import JobsInMemory
from tests.server.results import SANDBOX, Result, sealed_result
from tests.server.storing_manager import StoringManager

LIMITS = Limits(document_max_bytes=32 * 1024 * 1024, conversions_max=8, conversions_per_user_max=6)


class ScriptedConversions:
    """Stands in for the pool: the result repeats the document, and the document's name says what else happens.

    `pages:N` reports N pages; `hang` goes on until it is cancelled; `fail:CODE` fails with that error; `fault` raises
    what nobody expects; `binary` gives bytes that are not UTF-8; `big:N` gives N bytes.
    """

    def __init__(self) -> None:
        self.started = threading.Event()
        self.cancelled = threading.Event()
        self.seen: list[tuple[ConvertOptions, int]] = []
        #: While it is unset, `hang` is converted like any other.
        self.hangs = True

    async def convert(
        self,
        document_fd: int,
        options: ConvertOptions,
        *,
        uid: int,
        on_page: OnPage | None,
        background: Callable[[], bool] = never,
        on_worker: Callable[[], None] = nothing,
    ) -> Result:
        self.seen.append((options, uid))
        self.started.set()
        what, _, argument = (options.name or "").partition(":")
        data = os.pread(document_fd, os.fstat(document_fd).st_size, 0)
        pages = int(argument) if what == "pages" else 1
        if what == "hang" and self.hangs:
            await self._hang()
        elif what == "fail":
            raise error_from_code(argument, f"it is {argument}", page=3)
        elif what == "fault":
            raise RuntimeError("nobody expects this")
        for number in range(1, pages + 1):
            if on_page is not None:
                on_page(PageReport(number, pages, PageStatus.OK))
            await asyncio.sleep(0)
        if what == "binary":
            return sealed_result(b"\xff\xfe", options, pages)
        if what == "big":
            return sealed_result(b"x" * int(argument), options, pages)
        return sealed_result(
            f"# {options.format} of {len(data)} bytes: ".encode() + data[:64],
            options,
            pages,
        )

    async def _hang(self) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


class ScriptedPools:
    """Stands in for the swarm: two pools, with the same conversions behind both."""

    NAMES = (DEFAULT_POOL, "bulk")

    def __init__(self, conversions: ScriptedConversions, held: Held | None = None) -> None:
        self.conversions = conversions
        self._held = held or Held()

    @contextlib.contextmanager
    def held(self, name: str | None) -> Iterator[ScriptedConversions]:
        if name not in (None, *self.NAMES):
            raise pool_unknown(str(name), self.NAMES)
        with self._held:
            yield self.conversions

    async def renew(self, name: str | None) -> int:
        if name not in (None, *self.NAMES):
            raise pool_unknown(str(name), self.NAMES)
        return 3 if name is None else 1


class ScriptedConfigurations:
    """Stands in for the daemon's: a reload fails with `refusal`, or counts on."""

    def __init__(self) -> None:
        self.refusal: NdfdError | None = None
        self.reloads: list[bool] = []

    async def reload(self, *, dry_run: bool) -> ReloadReport:
        self.reloads.append(dry_run)
        if self.refusal is not None:
            raise self.refusal
        return ReloadReport(1 if dry_run else 2, "c0ffee")

    def configuration(self) -> Configuration:
        origin = Origin(OriginKind.FILE, "/etc/ndfd/config.toml", 3, 11)
        return Configuration(1, "c0ffee", 1.7e9, (Setting("swarm.workers", origin, "4"),), ("/etc/ndfd/config.toml",))


class Doors:
    """A daemon's doors without the daemon. Everything of it runs in its own thread's event loop."""

    def __init__(
        self,
        directory: Path,
        door: DoorLimits,
        http: HttpDoorLimits,
        limits: Limits,
        manager: StoringManager | None = None,
    ) -> None:
        """`manager` keeps the connections of the HTTP door."""
        self._loop = asyncio.new_event_loop()
        self._manager = manager
        keeper = None if manager is None else Keeper(manager.store, manager.passed(), self._loop.call_later)
        self.varlink_path = directory / "ndfd.sock"
        self.http_path = directory / "http.sock"
        self.conversions = ScriptedConversions()
        self.workers = (WorkerStatus(1, 4711, WorkerState.IDLE, 3, 1.5, 1 << 20, pool="default", role="extractor"),)
        self.pools = (PoolStatus("default", "extractor", 1, 1, 0), PoolStatus("bulk", "extractor", 0, 4, 2))
        self.configurations = ScriptedConfigurations()
        self.crashes: list[CrashReport] = []
        self.jobs = JobsInMemory()
        self.daemon = Daemon(
            self.status, self.configurations, lambda: tuple(self.crashes), self.hardware, jobs=self.jobs
        )
        self.occupancy = self.daemon.occupancy
        self.serving = Serving(self.generation(1, limits, door=door))
        service = ServiceInfo("The ndfd project", "ndfd", "0.1.0", "", INTERFACES)
        self.varlink = VarlinkDoor(self.serving, service)
        self.app = make_app(self.serving, lambda: ("text/plain; version=0.0.4", b"ndfd_up 1\n"), "0.1.0")
        self.http = HttpDoor(self.app, self.serving, http, keeper=keeper)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def generation(
        self,
        number: int,
        limits: Limits = LIMITS,
        *,
        held: Held | None = None,
        admins: frozenset[int] = frozenset(),
        access: Mapping[str, Rule] = ACCESS,
        **parts: Any,
    ) -> Generation:
        """One to serve: `doors.serving.current = doors.generation(2, …)`."""
        pools = ScriptedPools(self.conversions, held)
        methods = Methods(number, self.daemon, pools, limits, admins=admins, access=access)
        return Generation(methods, **parts)

    async def hardware(self) -> Hardware:
        """A machine with one core and one device."""
        processor = Processor("x86_64", (Core((0, 1), 0, 0),), (0, 1), features=("avx2",))
        device = Device("Fake GPU", 8 << 30)
        return Hardware(
            processor, (Accelerators(Backend.CUDA, BackendState.READY, "libnvidia-ml.so.1", "550.1", (device,)),)
        )

    def status(self) -> DaemonStatus:
        """As a daemon would say it."""
        engine = EngineStatus("pdfium 1", "c", ("/usr/share/fonts",))
        sockets = (str(self.varlink_path), str(self.http_path))
        return DaemonStatus(
            "0.1.0",
            os.getpid(),
            12.5,
            sockets,
            engine,
            self.workers,
            0,
            5,
            1,
            60,
            self.serving.current.number,
            "c0ffee",
            ("no fonts",),
            self.pools,
            SANDBOX,
        )

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Runs a coroutine in the doors' loop and gives its result."""
        return self.begin(coroutine).result(30)

    def begin(self, coroutine: Coroutine[Any, Any, Any]) -> concurrent.futures.Future[Any]:
        """Begins a coroutine in the doors' loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def wait_idle(self) -> None:
        """Returns when the doors have seen that all their callers are gone."""
        # Connections are accepted in their order: once these are answered, all before them are known to the doors.
        for path, request in (
            (self.varlink_path, b'{"method":"org.varlink.service.GetInfo"}\0'),
            (self.http_path, b"GET / HTTP/1.1\r\n\r\n"),
        ):
            with connected(path) as sock:
                sock.sendall(request)
                sock.recv(1)
        self.run(self._idle())
        if self._manager is not None:
            self._manager.drop_hung_up()

    @contextlib.contextmanager
    def open(self) -> Iterator[Doors]:
        """Serves for the length of the block."""
        self._thread.start()
        try:
            self.run(self._start())
            yield self
            self.run(self._stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def connect(self) -> socket.socket:
        """A plain connection to the Varlink door."""
        return connected(self.varlink_path)

    async def _start(self) -> None:
        self.varlink.start(listening(self.varlink_path))
        await self.http.start(listening(self.http_path))

    async def _stop(self) -> None:
        await self.varlink.stop(0.1)
        await self.http.stop(0.1)

    async def _idle(self) -> None:
        while self.varlink.connections or self.http.connections or self.occupancy.conversions:
            await asyncio.sleep(0)


def listening(path: Path) -> socket.socket:
    """A listening socket at `path`."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(str(path))
    sock.listen(64)
    return sock


def connected(path: Path) -> socket.socket:
    """A connection to the socket at `path`."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(20)
        sock.connect(str(path))
    except OSError:
        sock.close()
        raise
    return sock


class UnixHttpConnection(http.client.HTTPConnection):
    """http.client over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = connected(self._path)


def open_descriptors() -> int:
    """How many descriptors this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())

"""Clients of all kinds at both doors, at a given rate, none of which ever tries anything twice."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from ndfd.document import convert
from ndfd.model.conversion import ConvertOptions, OutputFormat
from tests import documents
from tests.stress.restart_wire import Broken, Fault, Wire, WrongAnswer

#: The label of a job says which work it is.
WORK_LABEL = "work"
#: Of each kind, requests a second at the full rate, and connections that make them in turn.
FULL_RATE = 560
_RATES: dict[str, tuple[float, int]] = {
    "http health": (190, 12),
    "http convert": (25, 4),
    "http one-shot": (70, 4),
    "http submit": (5, 2),
    "varlink status": (150, 10),
    "varlink convert": (35, 4),
    "varlink one-shot": (70, 4),
    "varlink submit": (5, 2),
    "idle": (10, 2),
}
#: Connections at each door that are open from the beginning, and seldom used.
_IDLE = 25
#: More than the kernel keeps of a connection that is not read (net.core.wmem_default is 212,992).
_LARGE_BYTES = 3_000_000
_LARGE_PIECES = 30


@dataclass(frozen=True)
class Exchange:
    """One request, from the moment in which it was sent, or its connection asked for. Times are `time.monotonic`."""

    kind: str
    begun_s: float
    ended_s: float
    #: Of the fault, if there was one: kind and words.
    fault: tuple[str, str] | None = None


@dataclass(frozen=True)
class Work:
    """A document that was handed in, which no other one equals."""

    number: int
    document: bytes
    text: bytes


class Load:
    """Runs from the beginning of a block, when every client is connected, to its end; in a thread of its own."""

    def __init__(self, folder: Path, rate: float, seed: int, *, large: bool = False) -> None:
        self._varlink = folder / "ndfd.sock"
        self._http = folder / "http.sock"
        self._scale = rate / FULL_RATE
        self._large = large
        self._random = Random(seed)
        self._over = asyncio.Event()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._numbers = itertools.count()
        self._documents = [(each, _text(each)) for each in (documents.numbered_pages(count) for count in (1, 2, 3))]
        self._idle: list[tuple[str, Wire]] = []
        #: In the order of their ends; only added to.
        self.exchanges: list[Exchange] = []
        #: Those that were acknowledged, with the job's id.
        self.works: dict[str, Work] = {}
        #: Connections that were found closed although nobody had asked anything.
        self.idle_broken: list[str] = []
        self.begun_s = self.ended_s = 0.0

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="load")
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised where it is asked for
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        doings: dict[str, Callable[[Wire | None], Awaitable[Wire | None]]] = {
            "http health": self._health,
            "http convert": self._http_convert,
            "http one-shot": self._http_once,
            "http submit": self._http_submit,
            "varlink status": self._status,
            "varlink convert": self._varlink_convert,
            "varlink one-shot": self._varlink_once,
            "varlink submit": self._varlink_submit,
            "idle": self._use_idle,
        }
        for door in (self._varlink, self._http):
            self._idle += [(door.name, Wire(door)) for _ in range(_IDLE)]
        self.begun_s = time.monotonic()
        async with asyncio.TaskGroup() as clients:
            for kind, (rate, connections) in _RATES.items():
                interval_s = connections / (rate * self._scale)
                for _ in range(connections):
                    clients.create_task(self._repeat(kind, doings[kind], interval_s))
            if self._large:
                clients.create_task(self._repeat("large", self._send_large, 0.2))
            self._ready.set()
        self.ended_s = time.monotonic()
        for _ in range(len(self._idle)):
            await self._noted("idle", time.monotonic(), self._use_idle(None))
        for _, wire in self._idle:
            wire.close()

    async def _repeat(self, kind: str, do: Callable[[Wire | None], Awaitable[Wire | None]], interval_s: float) -> None:
        """One client: each request at its time, or when the one before it is answered, if that is later."""
        due_s = time.monotonic() + interval_s * self._random.random()
        wire: Wire | None = None
        while not await self._is_over_by(due_s):
            due_s += interval_s
            wire = await self._noted(kind, time.monotonic(), do(wire))
        if wire is not None:
            wire.close()

    async def _is_over_by(self, due_s: float) -> bool:
        try:
            async with asyncio.timeout(max(0.0, due_s - time.monotonic())):
                await self._over.wait()
        except TimeoutError:
            pass
        return self._over.is_set()

    async def _noted(self, kind: str, begun_s: float, work: Awaitable[Wire | None]) -> Wire | None:
        """Whatever became of it; the connection for the next one, None when that needs a new one."""
        fault = wire = None
        try:
            wire = await work
        except Fault as error:
            fault = (error.kind, str(error))
        self.exchanges.append(Exchange(kind, begun_s, time.monotonic(), fault))
        return wire

    # One request of each kind. A connection that is not given is made.

    async def _health(self, wire: Wire | None) -> Wire:
        wire = wire or Wire(self._http)
        _expect(await wire.http("GET", "/health"), 200, b'{"status":"ok"}')
        return wire

    async def _http_once(self, _: Wire | None) -> None:
        wire = Wire(self._http)
        try:
            _expect(await wire.http("GET", "/health", headers="Connection: close\r\n"), 200, b'{"status":"ok"}')
        finally:
            wire.close()

    async def _http_convert(self, wire: Wire | None) -> Wire:
        wire = wire or Wire(self._http)
        document, text = self._random.choice(self._documents)
        _expect(await wire.http("POST", "/v1/convert?format=text", document), 200, text)
        return wire

    async def _status(self, wire: Wire | None) -> Wire:
        wire = wire or Wire(self._varlink)
        reply = await wire.varlink("io.ndfd.Service.GetStatus", {})
        if not isinstance(reply.get("uptime_s"), float):
            raise WrongAnswer(f"GetStatus: {reply}")
        return wire

    async def _varlink_once(self, _: Wire | None) -> None:
        wire = Wire(self._varlink)
        try:
            await self._status(wire)
        finally:
            wire.close()

    async def _varlink_convert(self, wire: Wire | None) -> Wire:
        wire = wire or Wire(self._varlink)
        document, text = self._random.choice(self._documents)
        asked = {"document": {"fd": 0}, "format": "text"}
        reply = await wire.varlink("io.ndfd.Documents.Convert", asked, document)
        if reply.get("content", "").encode() != text:
            raise WrongAnswer(f"Convert: {str(reply)[:300]}")
        return wire

    async def _http_submit(self, wire: Wire | None) -> Wire:
        wire = wire or Wire(self._http)
        work = self._new_work()
        key = f'Idempotency-Key: "key-{work.number}"\r\n' if work.number % 2 else ""
        target = f"/v1/jobs?format=text&label={WORK_LABEL}={work.number}"
        status, body = await wire.http("POST", target, work.document, headers=key)
        # 200 is the same work seen again by a daemon that was started meanwhile.
        if status not in (200, 201):
            raise WrongAnswer(f"{status} {body[:300]!r}")
        self.works[json.loads(body)["id"]] = work
        return wire

    async def _varlink_submit(self, wire: Wire | None) -> Wire:
        wire = wire or Wire(self._varlink)
        work = self._new_work()
        asked = {"document": {"fd": 0}, "format": "text", "labels": {WORK_LABEL: str(work.number)}}
        if work.number % 2:
            asked["key"] = f"key-{work.number}"
        reply = await wire.varlink("io.ndfd.Jobs.Submit", asked, work.document)
        self.works[reply["job"]["id"]] = work
        return wire

    async def _use_idle(self, _: Wire | None) -> None:
        """The one that has not been used for the longest time; a broken one is told once, and is not used again."""
        if not self._idle:
            return
        name, wire = self._idle.pop(0)
        if not wire.is_whole():
            wire.close()
            self.idle_broken.append(name)
            raise Broken(f"an idle connection of {name} was closed")
        try:
            await (self._health(wire) if name == self._http.name else self._status(wire))
        except Broken:
            self.idle_broken.append(name)
            raise
        self._idle.append((name, wire))

    async def _send_large(self, _: Wire | None) -> None:
        """A body that is consumed before it has come whole: a restart may cut it."""
        wire = Wire(self._http)
        document, text = self._documents[0]
        # Behind the end of the file there may be anything.
        document += b"%%" + b"x" * _LARGE_BYTES
        try:
            _expect(await wire.http_slowly("/v1/convert?format=text", document, _LARGE_PIECES), 200, text)
        finally:
            wire.close()

    def _new_work(self) -> Work:
        number = next(self._numbers)
        document, text = self._documents[number % len(self._documents)]
        return Work(number, document + b"%% work %d\n" % number, text)


def _text(document: bytes) -> bytes:
    made, _ = convert(document, ConvertOptions(OutputFormat.TEXT))
    return bytes(made)


def _expect(answer: tuple[int, bytes], status: int, body: bytes) -> None:
    if answer != (status, body):
        raise WrongAnswer(f"{answer[0]} {answer[1][:300]!r}")


def overlapping(exchanges: list[Exchange], begun_s: float, ended_s: float) -> Iterator[Exchange]:
    """Those that were under way at some moment of this time."""
    return (each for each in exchanges if each.begun_s <= ended_s and each.ended_s >= begun_s)

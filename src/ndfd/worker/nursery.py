"""The zygote's loop: forks a worker for each request, and says when one has ended and how.

Single-threaded and without asyncio: a fork copies only the thread that calls it, so a lock that another thread holds
would stay locked in the child for ever.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import select
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

import msgspec

from ndfd import platform
from ndfd.errors import EX_SOFTWARE, NdfdError
from ndfd.model.process_tuning import TuningState
from ndfd.model.sandbox import Sandbox
from ndfd.model.topology import format_cpus
from ndfd.model.tuning import Outcome
from ndfd.protocol import frames
from ndfd.worker import serve
from ndfd.worker.engine import Engine, Prepare
from ndfd.worker.measurement import Measurement
from ndfd.worker.serve import Place

#: What changing the nice value needs.
_TO_NICE = (
    "higher needs CAP_SYS_NICE or LimitNICE= of systemd; any but the daemon's, that SystemCallFilter= of systemd lets "
    "@resources through"
)


def main(prepare: Prepare, arguments: Sequence[str]) -> int:
    """Runs the zygote until its channel closes; the process's exit status."""
    options = _parse(arguments)
    channel = platform.channel_from_descriptor(options.channel, frames.MAX_FRAME_BYTES, frames.MAX_DESCRIPTORS)
    # A Ctrl-C is for the daemon, which ends the workers in its own order; the traceback of one would only be noise.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    serve.ignore_what_is_the_daemons()
    # A collection in a worker writes to the header of every object it looks at, and so copies the pages that it shares
    # with the zygote: what is loaded now is put out of its sight (gc.freeze in Python's documentation).
    gc.disable()
    try:
        bound = options.cpus is None or platform.run_on_cpus(options.cpus)
        granted = platform.add_nice(options.nice)
        if not granted:
            sys.stderr.write(f"the daemon may not change the priority of its workers, which have its own: {_TO_NICE}\n")
        # Before the namespaces, in which it has fewer rights, and before what the engine takes of memory.
        tuning = tuple(platform.process.apply(knob, value, "zygote") for knob, value in options.tune)
        if options.nice:
            tuning = (_niceness(options.nice, granted), *tuning)
        if options.cpus is not None:
            tuning = (_bound(options.cpus, bound), *tuning)
        limits = platform.WorkerLimits(options.memory_limit)
        with contextlib.closing(Measurement(limits)) as measurement:
            engine = prepare(options.font_dir)
            # Neither the workers nor this process need it any more.
            platform.forget_environment()
            gc.freeze()
            namespaces = platform.separate_zygote()
            sandbox = msgspec.structs.replace(measurement.result(), namespaces=namespaces)
    except Exception as error:  # noqa: BLE001 - whatever it is, the supervisor is told
        known = error if isinstance(error, NdfdError) else NdfdError(f"{type(error).__name__}: {error}")
        if known is not error:
            traceback.print_exc()
        channel.send(frames.encode(frames.ZygoteFailed(known.code, known.message, known.hint)))
        return known.exit_status
    channel.send(frames.encode(frames.ZygoteReady(os.getpid(), engine.status, sandbox, tuning)))
    Nursery(channel, engine, limits, sandbox, options.place).serve()
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ndfd.worker.zygote", description="Started by the daemon, not by hand.")
    parser.add_argument("--channel", type=int, required=True, metavar="FD", help="the control channel")
    parser.add_argument("--memory-limit", type=int, required=True, metavar="BYTES", help="address space of a worker")
    parser.add_argument("--cpus", type=_cpus, metavar="N,N,…", help="the CPUs to run on")
    parser.add_argument("--nice", type=int, default=0, metavar="N", help="added to the nice value")
    parser.add_argument("--tune", type=_knob, action="append", default=[], metavar="KNOB=VALUE", help="a knob to set")
    parser.add_argument(
        "--place", type=_knobs, action="append", default=[], metavar="KNOB=VALUE,…", help="knobs of one worker"
    )
    parser.add_argument("--font-dir", action="append", default=[], metavar="DIR", help="a folder of fallback fonts")
    return parser.parse_args(arguments)


def _cpus(text: str) -> frozenset[int]:
    return frozenset(map(int, text.split(",")))


def _niceness(increment: int, granted: bool) -> TuningState:
    """Values end at 19 and -20: what is beyond them is as good as granted."""
    outcome = Outcome.APPLIED if granted else Outcome.DENIED
    reason = None if granted else f"Operation not permitted: {_TO_NICE}"
    wanted = None if granted else f"{increment:+}"
    now = os.getpriority(os.PRIO_PROCESS, 0)
    return TuningState("nice", "zygote", outcome, str(now), wanted, reason)


def _bound(cpus: frozenset[int], bound: bool) -> TuningState:
    if bound:
        return TuningState("cpus", "zygote", Outcome.APPLIED, format_cpus(cpus))
    now = format_cpus(platform.allowed_cpus())
    reason = "Operation not permitted: SystemCallFilter= of systemd has to let @resources through"
    return TuningState("cpus", "zygote", Outcome.DENIED, now, format_cpus(cpus), reason)


def _knob(text: str) -> tuple[str, str]:
    knob, _, value = text.partition("=")
    return knob, value


def _knobs(text: str) -> Place:
    return tuple(map(_knob, text.split(",")))


class _Child(NamedTuple):
    worker: int
    pid: int
    #: Index of the place that it has.
    place: int | None


class _Gate:
    """Holds a child up until its parent has closed it, or has ended."""

    def __init__(self) -> None:
        self._read_fd, self._write_fd = os.pipe()

    def wait(self) -> None:
        """In the child, which has it no more then."""
        os.close(self._write_fd)
        os.read(self._read_fd, 1)
        os.close(self._read_fd)

    def close(self) -> None:
        """In the parent."""
        os.close(self._read_fd)
        os.close(self._write_fd)


class Nursery:
    """The workers of this zygote, by the descriptors that tell their end."""

    def __init__(
        self,
        channel: platform.Channel,
        engine: Engine,
        limits: platform.WorkerLimits,
        sandbox: Sandbox,
        places: Sequence[Place] = (),
    ) -> None:
        """`places` are knobs of which each worker has those that the fewest others have."""
        self._channel = channel
        self._engine = engine
        self._limits = limits
        self._sandbox = sandbox
        self._places = places
        self._decoder = frames.FrameDecoder[frames.ToZygote](frames.ToZygote)
        self._children: dict[int, _Child] = {}
        self._poll = select.poll()

    def serve(self) -> None:
        """Returns when the supervisor has closed the channel; no worker outlives that."""
        self._poll.register(self._channel.fileno(), select.POLLIN)
        try:
            while True:
                for fd, _ in self._poll.poll():
                    if fd != self._channel.fileno():
                        self._bury(fd)
                    elif not self._take_request():
                        return
        except (BrokenPipeError, ConnectionResetError):
            return
        finally:
            self._end_all()

    def _take_request(self) -> bool:
        message = self._channel.receive()
        if message is None:
            return False
        message.close_descriptors()
        self._spawn(self._decoder.decode(message.data).worker)
        return True

    def _spawn(self, worker: int) -> None:
        with contextlib.ExitStack() as ends:
            try:
                ours, theirs = platform.channel_pair(frames.MAX_FRAME_BYTES, frames.MAX_DESCRIPTORS)
                ends.callback(ours.close)
                ends.callback(theirs.close)
                gate = ends.enter_context(contextlib.closing(_Gate()))
                place = self._free_place()
                pid = os.fork()
            except OSError as error:
                self._refuse(worker, error)
                return
            if pid == 0:
                self._be_worker(theirs, gate, () if place is None else self._places[place])
            try:
                pidfd = platform.pidfd(pid)
            except OSError as error:
                os.kill(pid, signal.SIGKILL)  # Not reaped yet, so the number is still this child's.
                os.waitpid(pid, 0)
                self._refuse(worker, error)
                return
            self._children[pidfd] = _Child(worker, pid, place)
            self._poll.register(pidfd, select.POLLIN)
            descriptors = [ours.fileno(), pidfd]
            # While the worker waits at the gate.
            if (status_fd := platform.process_status(pid)) is not None:
                ends.callback(os.close, status_fd)
                descriptors.append(status_fd)
            self._channel.send(frames.encode(frames.Spawned(worker, pid)), descriptors)

    def _free_place(self) -> int | None:
        """The first of those that the fewest workers have."""
        taken = [child.place for child in self._children.values()]
        return min(range(len(self._places)), key=taken.count, default=None)

    def _be_worker(self, channel: platform.Channel, gate: _Gate, place: Place) -> NoReturn:
        """Never returns into the zygote's code, whatever happens."""
        status = EX_SOFTWARE
        try:
            gate.wait()
            serve.serve(channel, self._engine, self._limits, self._sandbox, place)
            status = os.EX_OK
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else EX_SOFTWARE
        except NdfdError as error:
            # Of its confinement: no document was there yet.
            sys.stderr.write(f"worker {os.getpid()}: {error}\n")
            status = error.exit_status
        except BaseException:  # noqa: BLE001 - the last frame of this process
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _bury(self, pidfd: int) -> None:
        child = self._children.pop(pidfd)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        _, status, usage = os.wait4(child.pid, 0)
        exited = frames.Exited(child.worker, child.pid, os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024)
        self._channel.send(frames.encode(exited))

    def _refuse(self, worker: int, error: OSError) -> None:
        self._channel.send(frames.encode(frames.SpawnFailed(worker, error.strerror or str(error))))

    def _end_all(self) -> None:
        for pidfd in self._children:
            platform.kill(pidfd)
        for child in self._children.values():
            os.waitpid(child.pid, 0)

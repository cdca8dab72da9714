"""What `ndfd doctor` says of the machine, and of the limits around the daemon."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ndfd.config.quantities import format_size
from ndfd.config.settings import NetworkSettings, SwarmSettings
from ndfd.config.tuning_settings import TuningSettings
from ndfd.model.checkup import Check, Verdict
from ndfd.model.host import Host
from ndfd.tuning.process import raised_open_files

GROUP = "host"

#: Descriptors of the daemon itself; of a worker: channel, pidfd, status; of a conversion: document and result.
_OF_DAEMON, _OF_WORKER, _OF_CONVERSION = 64, 3, 2
#: Processes beside the workers: the daemon with its threads, the zygote, and those that measure.
_BESIDE_WORKERS = 32
#: Before the first release of ndfd: a clock that says so was never set.
_RELEASED_AT = 1_767_225_600.0


def host(found: Host, workers: int, swarm: SwarmSettings, network: NetworkSettings, now: float) -> Iterator[Check]:
    """A check for each thing that the machine gives. `now` is in seconds since 1970."""
    yield Check(GROUP, "kernel", Verdict.OK, found.system)
    yield _cpus(found, workers)
    yield _memory(found, workers, swarm)
    yield from _descriptors(found, workers, swarm, network)
    yield from _processes(found, workers)
    if found.user_namespaces is not None:
        can = "can be made" if found.user_namespaces else "cannot be made"
        yield Check(GROUP, "user namespaces", Verdict.OK, f"{can} by this user; none is needed")
    yield _clock(found, now)


def as_its_daemon_has_it(found: Host, tuning: TuningSettings) -> Host:
    """With what a daemon raises for itself when it starts."""
    if tuning.preset == "off" or found.descriptors is None:
        return found
    descriptors = raised_open_files(found.descriptors, found.descriptors_max)
    return msgspec.structs.replace(found, descriptors=descriptors)


def _cpus(found: Host, workers: int) -> Check:
    text = f"{found.cpus} usable, for {workers} {'worker' if workers == 1 else 'workers'}"
    if workers > 2 * found.cpus:
        return Check(GROUP, "CPUs", Verdict.WARNING, text, 'set [swarm] workers = "auto": one for each CPU')
    return Check(GROUP, "CPUs", Verdict.OK, text)


def _memory(found: Host, workers: int, swarm: SwarmSettings) -> Check:
    text = f"{_gigabytes(found.memory_bytes)} usable; each of {workers} may have {format_size(swarm.worker_memory)}"
    if swarm.worker_memory > found.memory_bytes:
        advice = "lower [swarm] worker_memory: a single document could use up what there is"
        return Check(GROUP, "memory", Verdict.WARNING, text, advice)
    return Check(GROUP, "memory", Verdict.OK, text)


def _descriptors(found: Host, workers: int, swarm: SwarmSettings, network: NetworkSettings) -> Iterator[Check]:
    if found.descriptors is None:
        return
    doors = 2 if network.bind_address == "off" else 3
    least = _OF_DAEMON + workers * (_OF_WORKER + _OF_CONVERSION)
    most = least + swarm.max_queue * _OF_CONVERSION + doors * network.max_connections
    raised = f"raise the limit to {most}: `ulimit -n`, LimitNOFILE= of a service"
    if found.descriptors < least:
        text = f"{found.descriptors} can be open; {workers} workers need {least}"
        yield Check(GROUP, "descriptors", Verdict.FAILURE, text, raised)
    elif found.descriptors < most:
        text = f"{found.descriptors} can be open; with all connections and places in the queue taken it would be {most}"
        yield Check(GROUP, "descriptors", Verdict.WARNING, text, f"{raised}; or lower [network] max_connections")
    else:
        yield Check(GROUP, "descriptors", Verdict.OK, f"{found.descriptors} can be open; at most {most} are needed")


def _processes(found: Host, workers: int) -> Iterator[Check]:
    if found.processes is None:
        return
    needed = workers + _BESIDE_WORKERS
    used = f", which has {found.processes_used}" if found.processes_used is not None else ""
    text = f"{found.processes} can be run by this user{used}; {needed} are needed"
    if found.processes - (found.processes_used or 0) < needed:
        advice = "raise the limit: `ulimit -u`, LimitNPROC= of a service; or give the daemon a user of its own"
        yield Check(GROUP, "processes", Verdict.WARNING, text, advice)
    else:
        yield Check(GROUP, "processes", Verdict.OK, text)


def _clock(found: Host, now: float) -> Check:
    if now < _RELEASED_AT:
        text = "it was never set: it is before this program's own time"
        advice = "set it: certificates are refused and logs mislead otherwise"
        return Check(GROUP, "clock", Verdict.WARNING, text, advice)
    if found.clock_synchronized is False:
        text = "set, but not kept right by a time service, as far as the kernel knows"
        return Check(GROUP, "clock", Verdict.OK, text)
    return Check(GROUP, "clock", Verdict.OK, "kept right by a time service" if found.clock_synchronized else "set")


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"

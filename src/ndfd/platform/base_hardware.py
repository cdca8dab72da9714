"""What is asked about the machine itself: the promise of each call, and the portable answer."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path

from ndfd.model.hardware import Backend, Core, Node, Processor


class MachineParts:
    """The portable answers."""

    #: The names under which each backend's library is looked for, the best first; in the order in which backends are
    #: told of. None of them is needed.
    libraries: Mapping[Backend, tuple[str, ...]] = {}

    def processor(self, root: Path = Path("/")) -> Processor:
        """The processor, as far as it is told of; never fails. `root` is where Linux's proc and sys are looked for."""
        return unknown_processor(tuple(range(os.cpu_count() or 1)))


def unknown_processor(cpus: tuple[int, ...]) -> Processor:
    """One of which nothing but the number of CPUs is known: each is taken for a core, and all memory for one node."""
    return Processor(
        architecture=architecture(),
        cores=tuple(Core((cpu,), package=0, node=0) for cpu in cpus),
        usable=cpus,
        nodes=(Node(0, cpus),),
        unknown=("topology", "caches", "nodes", "features"),
    )


def architecture() -> str:
    """By one name on every system."""
    machine = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)

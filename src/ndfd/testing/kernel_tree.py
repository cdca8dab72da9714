"""A folder that behaves like /proc and /sys of a server with four CPUs and three interrupts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ndfd.platform import KernelFiles
from ndfd.testing.kernel_files import ChoiceFile, CpuListFile, KernelFile, NumberFile, ReadOnlyFile, WordFile

_CPUS = range(4)
_THP = "/sys/kernel/mm/transparent_hugepage"
_POLICY = "/sys/devices/system/cpu/cpufreq/policy"
_GOVERNORS = ("performance", "powersave", "schedutil")
_PREFERENCES = ("default", "performance", "balance_performance", "balance_power", "power")
_VM, _NET, _INOTIFY = "/proc/sys/vm", "/proc/sys/net/core", "/proc/sys/fs/inotify"

#: As a fresh Linux 6.12 has them, but for `enabled`, which distributions set to "always" or "madvise".
FILES: Mapping[str, KernelFile] = MappingProxyType(
    {
        f"{_THP}/enabled": ChoiceFile(("always", "madvise", "never"), "never"),
        f"{_THP}/defrag": ChoiceFile(("always", "defer", "defer+madvise", "madvise", "never"), "always"),
        f"{_VM}/nr_hugepages": NumberFile(0, capacity=600),
        f"{_VM}/overcommit_memory": NumberFile(0, maximum=2),
        f"{_VM}/swappiness": NumberFile(60, maximum=200),
        f"{_VM}/max_map_count": NumberFile(65530),
        f"{_VM}/zone_reclaim_mode": NumberFile(1),
        f"{_NET}/rmem_max": NumberFile(212992, minimum=2304),
        f"{_NET}/wmem_max": NumberFile(212992, minimum=4608),
        f"{_NET}/somaxconn": NumberFile(4096),
        f"{_INOTIFY}/max_user_instances": NumberFile(128),
        f"{_INOTIFY}/max_user_watches": NumberFile(65536),
        f"{_INOTIFY}/max_queued_events": NumberFile(16384),
        **{f"{_POLICY}{cpu}/scaling_governor": WordFile(_GOVERNORS, "powersave") for cpu in _CPUS},
        **{
            f"{_POLICY}{cpu}/energy_performance_preference": WordFile(_PREFERENCES, "balance_performance")
            for cpu in _CPUS
        },
        **{f"/proc/irq/{number}/smp_affinity_list": CpuListFile("0-3", frozenset(_CPUS)) for number in (9, 24, 25)},
        "/proc/irq/default_smp_affinity": ReadOnlyFile("f"),
        "/sys/devices/system/cpu/online": ReadOnlyFile("0-3"),
        "/proc/sys/kernel/random/boot_id": ReadOnlyFile("5a3c1c0e-7f43-4b50-a1de-0d6f7b1c8e11"),
    }
)


class FakeKernel(KernelFiles):
    """The tree in a folder, which keeps its state there: another process, or a later one, finds what the last left.

    A test may have the kernel refuse or ignore things; that is this object's, not the folder's.
    """

    def __init__(self, root: Path) -> None:
        """Makes the files that are not in the folder yet, if it is empty."""
        super().__init__(root)
        self._refused_reads: dict[str, int] = {}
        self._refused_writes: dict[str, int] = {}
        self._ignored: set[str] = set()
        #: What was written, in order, also what was refused: path and text.
        self.written: list[tuple[str, str]] = []
        if not any(root.iterdir()):
            for path, file in FILES.items():
                self.set(path, file.first())

    def read(self, path: str) -> str:
        """As promised."""
        if (number := self._refused_reads.get(path)) is not None:
            raise OSError(number, os.strerror(number), path)
        return self._file(path).read_text()

    def write(self, path: str, text: str) -> None:
        """As the kernel takes it."""
        self.written.append((path, text))
        if (number := self._refused_writes.get(path)) is not None:
            raise OSError(number, os.strerror(number), path)
        self._file(path).stat()
        shown = FILES[path].taken(text)
        if path not in self._ignored:
            self.set(path, shown)

    def names(self, folder: str) -> tuple[str, ...]:
        """As promised."""
        place = self._file(folder)
        return tuple(sorted(each.name for each in place.iterdir())) if place.is_dir() else ()

    def set(self, path: str, text: str) -> None:
        """Somebody else, or the kernel itself, changes it: what is shown from now on."""
        place = self._file(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        # At one stroke, as a value of the kernel's is: a process that is killed leaves no half of one.
        staged = place.with_name(f".{place.name}")
        staged.write_text(text)
        staged.replace(place)

    def remove(self, path: str) -> None:
        """This kernel has no such file."""
        self._file(path).unlink()

    def refuse_read(self, path: str, number: int) -> None:
        """From now on, with this errno."""
        self._refused_reads[path] = number

    def refuse_write(self, path: str, number: int) -> None:
        """From now on, with this errno."""
        self._refused_writes[path] = number

    def allow_writes(self, path: str) -> None:
        """They are no longer refused."""
        self._refused_writes.pop(path, None)

    def ignore_writes(self, path: str) -> None:
        """What is written from now on is taken, and has no effect."""
        self._ignored.add(path)

    def snapshot(self) -> dict[str, str]:
        """What every file shows."""
        return {path: self._file(path).read_text() for path in FILES if self._file(path).exists()}

    def _file(self, path: str) -> Path:
        return Path(self.shown(path))

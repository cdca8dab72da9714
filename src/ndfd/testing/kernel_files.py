"""Files that take and show values as those of the kernel do, one class for each way in which it does."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass

from ndfd.config.quantities import format_cpus, parse_cpus


class KernelFile:
    """What is shown is text; OSError with EINVAL for what the kernel would refuse."""

    def first(self) -> str:
        """What is shown at first."""
        raise NotImplementedError

    def taken(self, text: str) -> str:
        """What is shown after `text` was written to it."""
        raise _invalid()


@dataclass(frozen=True)
class ReadOnlyFile(KernelFile):
    """Nobody may write to it."""

    start: str

    def first(self) -> str:
        """With a line's end."""
        return f"{self.start}\n"

    def taken(self, text: str) -> str:
        """Never."""
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))


@dataclass(frozen=True)
class NumberFile(KernelFile):
    """A sysctl (proc_dointvec_minmax, proc_doulongvec_minmax): one whole number, white space around it."""

    start: int
    minimum: int = 0
    maximum: int = 2**31 - 1
    #: No more than this is there to be had, whatever is asked for: huge pages.
    capacity: int = 2**31 - 1

    def first(self) -> str:
        """With a line's end."""
        return f"{self.start}\n"

    def taken(self, text: str) -> str:
        """As promised."""
        if not re.fullmatch(r"\s*-?[0-9]{1,19}\s*", text) or not self.minimum <= int(text) <= self.maximum:
            raise _invalid()
        return f"{min(int(text), self.capacity)}\n"


@dataclass(frozen=True)
class ChoiceFile(KernelFile):
    """Of transparent_hugepage: all words, the chosen one in brackets (sysfs_streq in mm/huge_memory.c)."""

    words: tuple[str, ...]
    start: str

    def first(self) -> str:
        """With a line's end."""
        return self._shown(self.start)

    def taken(self, text: str) -> str:
        """As promised: one line's end may follow the word, and nothing else."""
        word = text.removesuffix("\n")
        if word not in self.words:
            raise _invalid()
        return self._shown(word)

    def _shown(self, chosen: str) -> str:
        return " ".join(f"[{word}]" if word == chosen else word for word in self.words) + "\n"


@dataclass(frozen=True)
class WordFile(KernelFile):
    """Of cpufreq: one word of those that the driver knows."""

    words: tuple[str, ...]
    start: str

    def first(self) -> str:
        """With a line's end."""
        return f"{self.start}\n"

    def taken(self, text: str) -> str:
        """As promised."""
        if text.strip() not in self.words:
            raise _invalid()
        return f"{text.strip()}\n"


@dataclass(frozen=True)
class CpuListFile(KernelFile):
    """Of an interrupt: CPUs that there are; of others it says nothing, unless there are no others."""

    start: str
    there: frozenset[int]

    def first(self) -> str:
        """With a line's end."""
        return f"{self.start}\n"

    def taken(self, text: str) -> str:
        """As promised, in the shortest form."""
        try:
            cpus = parse_cpus(text.strip()) & self.there
        except ValueError:
            raise _invalid() from None
        if not cpus:
            raise _invalid()
        return f"{format_cpus(cpus)}\n"


def _invalid() -> OSError:
    return OSError(errno.EINVAL, os.strerror(errno.EINVAL))

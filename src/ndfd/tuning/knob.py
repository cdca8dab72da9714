"""A knob: one setting of the kernel, or the same one of several CPUs or interrupts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from types import MappingProxyType

from ndfd.model.tuning import Outcome, Wish
from ndfd.platform import KernelFiles
from ndfd.tuning.outcomes import HINTS

NO_HINTS: Mapping[Outcome, str] = MappingProxyType({})


class Knob:
    """Reads, judges and writes. A value is the text that is written, without the line's end."""

    def __init__(self, name: str, path: str, hints: Mapping[Outcome, str] = NO_HINTS) -> None:
        """`path` may have one *, which stands for a number and ends a name."""
        self.name = name
        self.path = path
        self._hints = hints
        before, star, after = path.partition("*")
        self._folder = before.rpartition("/")[0]
        self._after = after
        self._pattern = re.compile(re.escape(before) + ("([0-9]+)" if star else "") + re.escape(after))

    def paths(self, kernel: KernelFiles) -> tuple[str, ...]:
        """Where its values are on this machine; empty where it has none."""
        if "*" not in self.path:
            return (self.path,)
        found = (f"{self._folder}/{name}{self._after}" for name in kernel.names(self._folder))
        return tuple(sorted(filter(self.owns, found), key=lambda path: int(self._number(path))))

    def owns(self, path: str) -> bool:
        """Whether it could ever be one of its values that is there."""
        return self._pattern.fullmatch(path) is not None

    def place(self, path: str) -> str:
        """Which of its values it is: "24", "policy0"; empty for a knob with one."""
        if "*" not in self.path:
            return ""
        return self.path.partition("*")[0].rpartition("/")[2] + self._number(path)

    def read(self, kernel: KernelFiles, path: str) -> str:
        """The value that is there; OSError as the system says."""
        return self.decode(kernel.read(path))

    def write(self, kernel: KernelFiles, path: str, value: str) -> None:
        """What `command` would do; OSError as the system says. Whether the value was taken only `read` tells."""
        kernel.write(path, f"{value}\n")

    def command(self, kernel: KernelFiles, path: str, value: str) -> str:
        """What a shell does that writes it."""
        return f"echo {shlex.quote(value)} > {shlex.quote(kernel.shown(path))}"

    def decode(self, text: str) -> str:
        """The value in what the kernel shows."""
        return text.strip()

    def takes(self, value: str) -> bool:
        """Whether it could be a value: what the journal, or a person, says it is."""
        raise NotImplementedError

    def same(self, one: str, other: str) -> bool:
        """Whether two values mean the same."""
        return one == other

    def satisfied(self, current: str, wish: Wish) -> bool:
        """Whether nothing has to be written."""
        assert wish.value is not None
        return self.same(current, wish.value) or (wish.at_least and self.exceeds(current, wish.value))

    def exceeds(self, current: str, value: str) -> bool:
        """Whether one value gives all that the other would."""
        return False

    def hint(self, outcome: Outcome) -> str:
        """What to do about it; empty for what is fine."""
        return self._hints.get(outcome, HINTS.get(outcome, "")).format(knob=self.name)

    def _number(self, path: str) -> str:
        found = self._pattern.fullmatch(path)
        assert found is not None
        return found[1]

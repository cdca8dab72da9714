"""The kinds of knobs, by how the kernel shows and takes their values."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ndfd.config.quantities import parse_cpus
from ndfd.model.tuning import Outcome
from ndfd.tuning.knob import NO_HINTS, Knob

#: Of the kernel's own words for governors and preferences.
_WORD = re.compile(r"[a-z0-9_+-]{1,64}")
#: Of an unsigned long there are fewer.
_DIGITS_MAX = 21
_CHOSEN = re.compile(r"\[([^\]\s]+)\]")


class Number(Knob):
    """A whole number, of a sysctl: more of it exceeds less."""

    def takes(self, value: str) -> bool:
        """Digits; within which bounds, each kernel knows."""
        return value.isascii() and value.isdecimal() and len(value) < _DIGITS_MAX

    def exceeds(self, current: str, value: str) -> bool:
        """It is greater."""
        return self.takes(current) and int(current) >= int(value)


class Choice(Knob):
    """One of a few words, of which the kernel shows all, and the chosen one in brackets."""

    def __init__(self, name: str, path: str, words: tuple[str, ...], hints: Mapping[Outcome, str] = NO_HINTS) -> None:
        """Each word gives all that those before it give."""
        super().__init__(name, path, hints)
        self.words = words

    def decode(self, text: str) -> str:
        """The word in brackets."""
        found = _CHOSEN.search(text)
        return text.strip() if found is None else found[1]

    def takes(self, value: str) -> bool:
        """One of the words; or a later kernel's, which is written as it was read."""
        return value in self.words or _WORD.fullmatch(value) is not None

    def exceeds(self, current: str, value: str) -> bool:
        """It stands later."""
        return current in self.words and self.words.index(current) >= self.words.index(value)


class Word(Knob):
    """A word of the driver's own, which the kernel shows as it takes it."""

    def takes(self, value: str) -> bool:
        """Any word: which of them there are, the driver of each CPU knows."""
        return _WORD.fullmatch(value) is not None


class CpuList(Knob):
    """A set of CPUs, as in 0-3,8: a smaller one exceeds a larger, for it keeps away from more."""

    def takes(self, value: str) -> bool:
        """Any set that is not empty."""
        return bool(_cpus(value))

    def same(self, one: str, other: str) -> bool:
        """However they are written."""
        return one == other or (bool(_cpus(one)) and _cpus(one) == _cpus(other))

    def exceeds(self, current: str, value: str) -> bool:
        """It is within."""
        return bool(_cpus(current)) and _cpus(current) <= _cpus(value)


def _cpus(value: str) -> frozenset[int]:
    try:
        return parse_cpus(value)
    except ValueError:
        return frozenset()

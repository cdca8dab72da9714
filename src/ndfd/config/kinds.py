"""The kinds of values that keys have."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from ndfd.config.kind import Kind, array, items, literal, one_of, shown, within
from ndfd.config.quantities import (
    format_cpus,
    format_duration,
    format_size,
    parse_cpus,
    parse_duration,
    parse_share,
    parse_size,
)
from ndfd.model.configuration import SECRET


@dataclass(frozen=True, slots=True)
class Share:
    """A part of something that is known only where the daemon runs."""

    percent: float

    def of(self, whole: int) -> int:
        """That part of it."""
        return int(whole * self.percent / 100)


@dataclass(frozen=True)
class Number(Kind):
    """A whole number."""

    minimum: int
    maximum: int = 2**31 - 1
    words: tuple[str, ...] = ()
    unit: str = ""

    def parse(self, raw: Any) -> int:
        """From an integer, or the digits of one."""
        if isinstance(raw, str) and raw.strip().lstrip("-").isascii() and raw.strip().lstrip("-").isdecimal():
            raw = int(raw)
        if not isinstance(raw, int) or isinstance(raw, bool):
            raise ValueError(f"{shown(raw)} cannot be used: write {self.accepts()}")
        return within(raw, self.minimum, self.maximum, str)

    def range(self) -> str:
        """Both ends."""
        return f"a whole number from {self.minimum} to {self.maximum}"


@dataclass(frozen=True)
class Size(Kind):
    """A number of bytes; with `share`, also a part of the machine's memory."""

    minimum: int
    maximum: int = 2**53 - 1
    words: tuple[str, ...] = ()
    share: bool = False
    unit = "bytes"

    def parse(self, raw: Any) -> int | Share:
        """From "4GB", or an integer in bytes."""
        if isinstance(raw, str):
            if self.share and (percent := parse_share(raw)) is not None:
                if not 0 < percent <= 100:
                    raise ValueError(f"{raw!r} is not a share between 0% and 100%")
                return Share(percent)
            raw = parse_size(raw)
        if not isinstance(raw, int) or isinstance(raw, bool):
            raise ValueError(f'{shown(raw)} is not a size: write it as in "4GB", or a whole number of bytes')
        return within(raw, self.minimum, self.maximum, format_size)

    def format(self, value: Any) -> str:
        """In the largest whole unit."""
        return literal(f"{value.percent:g}%" if isinstance(value, Share) else format_size(value))

    def range(self) -> str:
        """Both ends."""
        end = "" if self.maximum == 2**53 - 1 else f" to {format_size(self.maximum)}"
        share = ', or a share of the memory, as in "50%"' if self.share else ""
        return f"a size from {format_size(self.minimum)}{end}{share}"


@dataclass(frozen=True)
class Duration(Kind):
    """A number of seconds."""

    minimum: float = 0.001
    maximum: float = 365 * 86400.0
    words: tuple[str, ...] = ()
    unit = "seconds"

    def parse(self, raw: Any) -> float:
        """From "2m30s", or a number of seconds."""
        if isinstance(raw, str):
            raw = parse_duration(raw)
        if not isinstance(raw, (int, float)) or isinstance(raw, bool):
            raise ValueError(f'{shown(raw)} is not a duration: write it as in "2m30s", or a number of seconds')
        if not abs(raw) <= sys.float_info.max:
            raise ValueError(f"{shown(raw)} is no finite time: at most {format_duration(self.maximum)} may be written")
        return within(float(raw), self.minimum, self.maximum, format_duration)

    def format(self, value: Any) -> str:
        """With units."""
        return literal(format_duration(value))

    def range(self) -> str:
        """Both ends."""
        return f"a duration from {format_duration(self.minimum)} to {format_duration(self.maximum)}"


class Mode(Kind):
    """Permission bits of a file."""

    def parse(self, raw: Any) -> int:
        """From octal digits. Not from an integer: nobody can tell 660 from 0o660 once it is read."""
        if isinstance(raw, str):
            try:
                mode = int(raw, 8)
            except ValueError:
                mode = -1
            if 0 <= mode <= 0o777:
                return mode
        raise ValueError(f'{shown(raw)} is not a file mode: write it as a string in octal, as in "0660"')

    def format(self, value: Any) -> str:
        """Four octal digits."""
        return literal(f"{value:04o}")

    def range(self) -> str:
        """Both ends."""
        return 'permission bits in octal, from "0000" to "0777"'


@dataclass(frozen=True)
class Choice(Kind):
    """One of a few words."""

    words: tuple[str, ...]

    def parse(self, raw: Any) -> str:
        """Nothing but the words."""
        return one_of(raw, self.words)

    def accepts(self) -> str:
        """The words."""
        return ", ".join(map(literal, self.words[:-1])) + f" or {literal(self.words[-1])}"


class Text(Kind):
    """Any text on one line."""

    def parse(self, raw: Any) -> str:
        """From a string that is not empty."""
        if not isinstance(raw, str) or not raw.strip() or not raw.isprintable():
            raise ValueError(f"{shown(raw)} cannot be used: write {self.accepts()}")
        return raw

    def range(self) -> str:
        """In words."""
        return "text on one line"


@dataclass(frozen=True)
class Choices(Kind):
    """Any of a few words, or none of them."""

    of: tuple[str, ...]

    def parse(self, raw: Any) -> frozenset[str]:
        """From an array, or from a variable, where they are separated by commas."""
        words = (item.strip() if isinstance(item, str) else item for item in items(raw, ",", "words"))
        return frozenset(one_of(word, self.of) for word in words)

    def format(self, value: Any) -> str:
        """An array, in the order in which they are declared."""
        return array(word for word in self.of if word in value)

    def range(self) -> str:
        """The words."""
        return f"an array of any of {', '.join(map(literal, self.of))} (in a variable, separated by commas)"


@dataclass(frozen=True)
class Flag(Kind):
    """Yes or no."""

    words: tuple[str, ...] = ()

    _WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}  # noqa: RUF012 - never changed

    def parse(self, raw: Any) -> bool:
        """From a TOML boolean; a variable may say yes, on and 1 as well."""
        value = self._WORDS.get(raw.strip().lower()) if isinstance(raw, str) else raw
        if not isinstance(value, bool):
            raise ValueError(f"{shown(raw)} is neither true nor false")
        return value

    def range(self) -> str:
        """Both."""
        return "true or false"


@dataclass(frozen=True)
class Cpus(Kind):
    """A set of CPUs."""

    words: tuple[str, ...] = ("all",)

    def parse(self, raw: Any) -> frozenset[int]:
        """From "0-3,8", or the number of one CPU."""
        if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
            return frozenset({raw})
        if not isinstance(raw, str):
            raise ValueError(f'{shown(raw)} is not a list of CPUs: write it as in "0-3,8"')
        return parse_cpus(raw)

    def format(self, value: Any) -> str:
        """The shortest list."""
        return literal(format_cpus(value))

    def range(self) -> str:
        """An example."""
        return 'a list of CPUs, as in "0-3,8"'


@dataclass(frozen=True)
class FilePath(Kind):
    """The absolute path of a file or a folder."""

    words: tuple[str, ...] = ()

    def parse(self, raw: Any) -> Path:
        """From an absolute path: what a relative one would be relative to, each reader guesses differently."""
        if not isinstance(raw, str) or not raw or "\0" in raw:
            raise ValueError(f"{shown(raw)} is not a path")
        path = Path(raw)
        if not path.is_absolute():
            raise ValueError(f"{raw!r} is not an absolute path: begin it with {os.sep}")
        return path

    def format(self, value: Any) -> str:
        """As it is."""
        return literal(str(value))

    def range(self) -> str:
        """In words."""
        return "an absolute path"


class FilePaths(Kind):
    """Several absolute paths."""

    _PATH = FilePath()

    def parse(self, raw: Any) -> tuple[Path, ...]:
        """From an array, or from a variable, where they are separated as in PATH."""
        return tuple(self._PATH.parse(item) for item in items(raw, os.pathsep, "paths"))

    def format(self, value: Any) -> str:
        """An array."""
        return array(map(str, value))

    def range(self) -> str:
        """In words."""
        return f"an array of absolute paths (in a variable, separated by {os.pathsep!r})"


class Names(Kind):
    """Users, by name or number."""

    def parse(self, raw: Any) -> tuple[str | int, ...]:
        """From an array, or from a variable, where they are separated by commas."""
        return tuple(self._name(item) for item in items(raw, ",", "users"))

    def _name(self, raw: Any) -> str | int:
        if isinstance(raw, str) and raw.strip():
            name = raw.strip()
            return int(name) if name.isascii() and name.isdecimal() else name
        if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
            return raw
        raise ValueError(f"{shown(raw)} is not the name or the number of a user")

    def format(self, value: Any) -> str:
        """An array."""
        return array(value)

    def range(self) -> str:
        """In words."""
        return "an array of names or numbers of users (in a variable, separated by commas)"


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen on the network."""

    host: str
    port: int

    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class BindAddress(Kind):
    """A numeric address and a port."""

    words: tuple[str, ...] = ("off",)

    def parse(self, raw: Any) -> Address:
        """From "127.0.0.1:8300" or "[::1]:8300"; no name, which could mean another address tomorrow."""
        message = f'{shown(raw)} is not an address: write it as in "127.0.0.1:8300" or "[::1]:8300"'
        if not isinstance(raw, str):
            raise ValueError(message)
        host, colon, port = raw.strip().rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        try:
            address = ip_address(host[1:-1] if bracketed else host)
        except ValueError:
            raise ValueError(message) from None
        if not colon or (address.version == 6) != bracketed or not (port.isascii() and port.isdecimal()):
            raise ValueError(message)
        return Address(str(address), within(int(port), 1, 65535, str))

    def format(self, value: Any) -> str:
        """With brackets around IPv6."""
        return literal(str(value))

    def range(self) -> str:
        """Examples."""
        return 'an address and a port, as in "127.0.0.1:8300" or "[::1]:8300"'


@dataclass(frozen=True)
class Secret(Kind):
    """What must never be shown; no message of this kind holds any of it."""

    minimum: int
    secret = True

    def parse(self, raw: Any) -> SecretStr:
        """From a string; white space around it, such as the end of a line, is no part of it."""
        if isinstance(raw, SecretStr):
            raw = raw.get_secret_value()
        if not isinstance(raw, str):
            raise ValueError("the value is not a string")
        text = raw.strip()
        if len(text) < self.minimum:
            raise ValueError(f"the secret is shorter than {self.minimum} characters")
        if not (text.isascii() and text.isprintable() and " " not in text):
            raise ValueError("the secret holds other characters than printable ASCII without spaces")
        return SecretStr(text)

    def format(self, value: Any) -> str:
        """Never the value."""
        return SECRET

    def range(self) -> str:
        """In words."""
        return f"at least {self.minimum} printable ASCII characters"

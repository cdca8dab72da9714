"""Configurations with changes: some sound, most not, all from one seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

#: Sound values of keys; the first is where a run begins. Sizes around that of the load's document, so that which
#: configuration served a request can be seen by whether it was refused; few and small workers, as many are started.
VALUES: dict[str, tuple[str, ...]] = {
    "runtime.max_memory": ('"1GB"', '"1024MB"', "1_000_000_000"),
    "swarm.workers": ("2", '"auto"', "1", "3"),
    "swarm.worker_memory": ('"300MB"', '"300MB"', '"300MB"', '"300MB"', '"301MB"'),
    "swarm.jobs_per_worker": ("500", "3", "50"),
    "swarm.max_queue": ("64", "32", "100"),
    # A slip in its name declares another pool, and takes this one away.
    "swarm.pools.bulk.max": ("1", "1", "2"),
    "swarm.pools.bulk.priority": ('"normal"', '"normal"', '"normal"', '"low"'),
    "swarm.max_per_user": ("64", "32", "100"),
    "network.socket_mode": ('"0600"', '"0660"'),
    "network.stall_timeout": ('"30s"', '"1m"', "20"),
    "security.admins": ("[]", '["root"]', "[0, 1]"),
    "document.max_size": ('"1MB"', "2000", "3000", '"4kB"', '"5kB"', "6000", '"10MB"'),
    "document.default_deadline": ('"5m"', '"1m"', "30.5"),
    "document.max_deadline": ('"1h"', '"10m"'),
    "logging.level": ('"error"', '"error"', '"warning"'),
    "logging.format": ('"json"', '"console"'),
    "metrics.enabled": ("true", "true", "false"),
    "development.debug_mode": ("false", "false", "false", "true"),
}

_NOISE = "\"'[]{}=#.,\n\t 0129azAZ_-\\\x00\x7fé☃"


class Mutations:
    """Gives one configuration after the other: half of them with other sound values, half with faults of any kind."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._values = {key: values[0] for key, values in VALUES.items()}

    def first(self) -> str:
        """A sound one."""
        return _text(self._values)

    def __iter__(self) -> Iterator[bytes]:
        while True:
            for key in self._random.sample(sorted(VALUES), self._random.randint(1, 3)):
                self._values[key] = self._random.choice(VALUES[key])
            text = _text(self._values)
            faults = self._random.choice((0, 0, 1, 1, 2, 5))
            for _ in range(faults):
                text = self._damaged(text)
            data = text.encode()
            if faults and self._random.random() < 0.1:
                data = self._torn(data)
            yield data

    def _damaged(self, text: str) -> str:
        if not text:
            return self._random.choice(_NOISE)
        place = self._random.randrange(len(text))
        lines = text.split("\n")
        match self._random.randrange(6):
            case 0:
                return text[:place] + text[place + 1 :]
            case 1:
                return text[:place] + self._random.choice(_NOISE) + text[place:]
            case 2:
                return text[:place] + self._random.choice(_NOISE) + text[place + 1 :]
            case 3:
                self._random.shuffle(lines)
                return "\n".join(lines)
            case 4:
                return "\n".join([*lines, self._random.choice(lines)])
            case _:
                del lines[self._random.randrange(len(lines))]
                return "\n".join(lines)

    def _torn(self, data: bytes) -> bytes:
        place = self._random.randrange(len(data) + 1)
        return data[:place] + self._random.choice((b"", b"\xff\xfe", b"\x00" * 3, b"[" * 2000))


def _text(values: dict[str, str]) -> str:
    lines: list[str] = []
    group = ""
    for path, value in values.items():
        if path.partition(".")[0] != group:
            group = path.partition(".")[0]
            lines.append(f"[{group}]")
        lines.append(f"{path.partition('.')[2]} = {value}")
    return "\n".join([*lines, ""])


def write(path: Path, data: bytes) -> None:
    """In one step, as a careful editor does."""
    staged = path.with_suffix(".new")
    staged.write_bytes(data)
    staged.replace(path)

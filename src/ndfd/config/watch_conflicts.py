"""Which folders cannot be watched and written to as they are: files would be taken twice, or go in circles.

Pure: paths are compared as they are given. Who calls has resolved their links, or knows that it has not.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

#: What is written for a document that could not be converted ends so.
ERROR_SUFFIX = ".error.txt"


@dataclass(frozen=True, slots=True)
class WatchedFolder:
    """What one watch reads and writes."""

    path: Path
    pattern: str
    recursive: bool
    #: Of the results' names, with the dot.
    suffix: str
    output: Path
    #: Where converted documents go; None when they are not moved.
    done: Path | None

    def takes_from(self, folder: Path) -> bool:
        """Whether it takes files that appear in this folder."""
        if not self.recursive:
            return _plain(folder) == _plain(self.path)
        own = [self.output] if self.done is None else [self.output, self.done]
        return _inside(folder, self.path) and not any(
            _inside(folder, each) and _plain(each) != _plain(self.path) for each in own
        )


def conflicts(watches: Mapping[str, WatchedFolder], folders: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    """What is wrong, and the path of the key to change. `folders` are those that hooks write to, by their name."""
    for name, watch in watches.items():
        for other, another in watches.items():
            if other < name and (another.takes_from(watch.path) or watch.takes_from(another.path)):
                yield f"files of this folder would be taken by watch.{other} as well", f"watch.{name}.path"
        for taker, taking in watches.items():
            if taking.takes_from(watch.output) and _writes_what(taking, watch.suffix):
                yield (
                    f"results would be taken for new files by watch.{taker}: name another folder",
                    f"watch.{name}.output",
                )
        if watch.done is not None and name in _circle(watches, name):
            yield "converted documents would be taken again: name another folder", f"watch.{name}.done"
    for hook, folder in folders.items():
        for taker, taking in watches.items():
            if taking.takes_from(folder) and any(
                _writes_what(taking, suffix) for suffix in (".md", ".json", ".html", ".txt")
            ):
                yield (
                    f"results would be taken for new files by watch.{taker}: name another folder",
                    f"hooks.{hook}.folder",
                )


def matches(name: str, pattern: str) -> bool:
    """Whether a file's name is like the pattern, in either case."""
    return fnmatch.fnmatchcase(name.casefold(), pattern.casefold())


def _writes_what(taking: WatchedFolder, suffix: str) -> bool:
    """Whether what is written with this suffix, or instead of it, has a name that is taken."""
    # Names that the pattern begins with, and any that it may end with.
    stem = taking.pattern.replace("*", "x").replace("?", "x").partition(".")[0] or "x"
    after = taking.pattern.rpartition("*")[2]
    ends = (suffix, ERROR_SUFFIX)
    return any(matches(f"{stem}{end}", taking.pattern) or matches(f"xxx{end}", f"*{after}") for end in ends)


def _circle(watches: Mapping[str, WatchedFolder], name: str) -> set[str]:
    """The watches that a document passes through after this one."""
    reached: set[str] = set()
    pending = [name]
    while pending:
        done = watches[pending.pop()].done
        after = {each for each, watch in watches.items() if done is not None and watch.takes_from(done)} - reached
        reached |= after
        pending += after
    return reached


def _plain(path: Path) -> str:
    return os.path.normcase(os.path.normpath(path))


def _inside(path: Path, folder: Path) -> bool:
    """Whether the path is the folder's, or of something below it."""
    return Path(_plain(path)).is_relative_to(_plain(folder))

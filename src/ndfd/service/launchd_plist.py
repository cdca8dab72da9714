"""Property lists of launchd adapted to where ndfd lies and to whose they are."""

from __future__ import annotations

import plistlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from xml.sax.saxutils import escape

from ndfd.service.packaged import PACKAGED_COMMAND

#: What stands for the user's home in the agent's list: launchd expands nothing.
PACKAGED_HOME = "/Users/Shared"


def rendered(text: str, command: Path, home: Path | None) -> str:
    """The list for this command and, for an agent, this home."""
    text = text.replace(f"<string>{PACKAGED_COMMAND}</string>", f"<string>{escape(command.as_posix())}</string>")
    if home is not None:
        text = text.replace(f"<string>{PACKAGED_HOME}/", f"<string>{escape(home.as_posix())}/")
    return text


def parsed(text: str) -> dict[str, Any]:
    """Its keys."""
    found: dict[str, Any] = plistlib.loads(text.encode())
    return found


def sockets(keys: dict[str, Any]) -> tuple[str, ...]:
    """The paths of its sockets."""
    return tuple(str(each["SockPathName"]) for each in keys.get("Sockets", {}).values())


def folders(keys: dict[str, Any]) -> Iterator[PurePosixPath]:
    """Those that must be there before it is loaded: launchd makes none."""
    paths = [*sockets(keys), str(keys.get("StandardOutPath", ""))]
    found = [PurePosixPath(path).parent for path in paths if path]
    if state := keys.get("EnvironmentVariables", {}).get("NDFD_STORAGE__STATE_DIR"):
        found.append(PurePosixPath(state))
    yield from dict.fromkeys(found)

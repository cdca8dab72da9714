"""Where the daemon's sockets and its state lie, for the daemon that makes them and the commands that look for them.

This module imports nothing of pydantic: a client finds a daemon without the 100 ms that importing the settings takes.
The platform, 20 ms, is imported when a place is asked for that nobody has named.
"""

from __future__ import annotations

import os
from pathlib import Path

from ndfd.errors import ConfigError

#: Names of the sockets in the socket folder.
VARLINK_SOCKET = "ndfd.sock"
HTTP_SOCKET = "http.sock"


def default_socket_dir() -> Path:
    """The socket folder of a daemon that was told none: the service's for root, the user's own for anyone else."""
    from ndfd import platform

    folders = platform.socket_dirs(os.environ)
    return folders.system if os.geteuid() == 0 else folders.user


def default_state_dir() -> Path:
    """The folder of the jobs of a daemon that was told none: the service's for root, the user's own for anyone else.

    `ConfigError` for a user who has no home and named no folder.
    """
    from ndfd import platform

    folders = platform.state_dirs(os.environ, home_dir())
    folder = folders.system if os.geteuid() == 0 else folders.user
    if folder is None:
        raise ConfigError(
            "there is no folder to keep jobs in: this user has no home",
            hint="name one with XDG_STATE_HOME or [storage] state_dir",
        )
    return folder


def default_tuning_journal() -> Path:
    """The file of what was there before the system was tuned: one for the machine, whoever looks at it.

    Not within the state folder: that is the daemon's to write to, and root writes to the kernel what the journal says.
    """
    from ndfd import platform

    return platform.state_dirs(os.environ, None).system.with_name("ndfd-tune") / "journal"


def home_dir() -> Path | None:
    """This user's home; None for one without, as service users and those of containers may be."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def named_socket() -> Path | None:
    """The socket that NDFD_SOCKET names, or the one in the folder that the daemon's own setting names."""
    if path := os.environ.get("NDFD_SOCKET"):
        return Path(path)
    if folder := os.environ.get("NDFD_NETWORK__SOCKET_DIR"):
        return Path(folder) / VARLINK_SOCKET
    return None


def usual_sockets() -> tuple[Path, ...]:
    """Where a client looks, in this order: the user's own daemon, then the system's."""
    from ndfd import platform

    folders = platform.socket_dirs(os.environ)
    # Anyone may make a folder under /tmp: one that belongs to another user is not this user's, whatever its name says.
    own = (folders.user / VARLINK_SOCKET,) if _is_own(folders.user) else ()
    return (*own, folders.system / VARLINK_SOCKET)


def _is_own(folder: Path) -> bool:
    try:
        return folder.stat().st_uid == os.geteuid()
    except OSError:
        return False

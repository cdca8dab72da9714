"""How the service is, as any of the managers says it."""

from __future__ import annotations

import msgspec

from ndfd.service.plan import Standing


class ServiceFile(msgspec.Struct, frozen=True):
    """A file that `ndfd service install` writes."""

    path: str
    standing: Standing
    #: The ndfd that wrote it; None when it does not say.
    version: str | None = None


class ServiceStatus(msgspec.Struct, frozen=True):
    """The service, in a few values."""

    #: "systemd", "launchd", "scm".
    manager: str
    #: Whether the manager of a user runs it, not the machine's.
    user: bool
    #: The manager's name for it.
    name: str
    installed: bool
    running: bool
    #: In the manager's words: "active (running)".
    state: str
    #: Whether it is started with the machine, in the manager's words; empty where it does not say.
    enabled: str = ""
    #: When it became so, in the manager's words, and seconds since.
    since: str | None = None
    up_s: float | None = None
    #: Of the main process.
    pid: int | None = None
    #: What the daemon last said of itself.
    said: str = ""
    #: How often the manager has started it again since it was started by somebody; None where it does not count.
    restarts: int | None = None
    #: Why it does not run, or ended the last time; None: there is nothing to say.
    why: str | None = None
    sockets: tuple[str, ...] = ()
    #: Of the manager's listening sockets: "active (running)"; empty where it has none of its own.
    sockets_state: str = ""
    files: tuple[ServiceFile, ...] = ()
    #: Files of the operator's own that change it.
    drop_ins: tuple[str, ...] = ()
    #: What should be mended.
    warnings: tuple[str, ...] = ()
    #: The command that shows its log.
    logs: str = ""

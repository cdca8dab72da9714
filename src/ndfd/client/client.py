"""The blocking client."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from ndfd.client.connection import Connection, close_all
from ndfd.client.conversion import Conversion
from ndfd.client.documents import Document, document_descriptor, document_name
from ndfd.errors import NdfdError, NotPermitted, ProtocolError, error_from_code
from ndfd.model.configuration import Configuration, ReloadReport
from ndfd.model.conversion import ConvertOptions, PageReport
from ndfd.model.crash import Crashes, CrashReport
from ndfd.model.status import DaemonStatus
from ndfd.protocol import varlink_interfaces
from ndfd.protocol.varlink import Call, Reply, encode_parameters
from ndfd.protocol.varlink_interfaces import (
    Convert,
    ConvertReply,
    Failed,
    ReplyKind,
    ServiceInfo,
    Source,
)

T = TypeVar("T")

#: A daemon that works answers within milliseconds; one that is being started answers when it is ready.
ANSWER_TIMEOUT_S = 10.0
#: A reload may start new workers first.
RELOAD_TIMEOUT_S = 120.0


class Client:
    """A connection to a daemon, for one thread at a time: give each thread its own.

    The one exception is `close`, which any thread may call: it cancels the call in progress, here (which ends in
    `Unavailable`) and in the daemon. After an error of the transport the client is closed; after an error that the
    daemon reported it can be used further.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    def connect(cls, path: Path, timeout_s: float | None = ANSWER_TIMEOUT_S) -> Self:
        """Connects to the Varlink socket at `path`.

        `Unavailable` names the socket when nobody answers there, `NotPermitted` when this user may not try.
        """
        return cls(Connection(path, timeout_s))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether the connection is closed, by this program or by a failure of the transport."""
        return self._connection.closed

    def close(self) -> None:
        """Closes the connection; what it waited for is cancelled."""
        self._connection.close()

    def status(self, timeout_s: float | None = ANSWER_TIMEOUT_S) -> DaemonStatus:
        """What the daemon says of itself."""
        return self._ask(
            varlink_interfaces.GET_STATUS,
            varlink_interfaces.GetStatus(),
            DaemonStatus,
            timeout_s,
        )

    def crashes(self, timeout_s: float | None = ANSWER_TIMEOUT_S) -> tuple[CrashReport, ...]:
        """The last conversions that ended their workers, newest last: the caller's own, for administrators all."""
        return self._ask(varlink_interfaces.GET_CRASHES, varlink_interfaces.GetCrashes(), Crashes, timeout_s).crashes

    def configuration(self, timeout_s: float | None = ANSWER_TIMEOUT_S) -> Configuration:
        """Every value of the configuration that the daemon runs, and where it comes from; for administrators."""
        return self._ask(
            varlink_interfaces.GET_CONFIGURATION, varlink_interfaces.GetConfiguration(), Configuration, timeout_s
        )

    def reload(self, *, dry_run: bool = False, timeout_s: float | None = RELOAD_TIMEOUT_S) -> ReloadReport:
        """Has the daemon use the configuration as it is written now, or with `dry_run` say what would change.

        `ConfigError`, with a line for each mistake, when it cannot be used: the old one serves on. For administrators.
        """
        return self._ask(varlink_interfaces.RELOAD, varlink_interfaces.Reload(dry_run), ReloadReport, timeout_s)

    def info(self, timeout_s: float | None = ANSWER_TIMEOUT_S) -> ServiceInfo:
        """Product, version and interfaces of what answers at the socket."""
        return self._ask(
            varlink_interfaces.GET_INFO,
            varlink_interfaces.GetInfo(),
            ServiceInfo,
            timeout_s,
        )

    def convert(
        self,
        document: Document,
        options: ConvertOptions | None = None,
        on_page: Callable[[PageReport], None] | None = None,
        timeout_s: float | None = None,
    ) -> Conversion:
        """Converts one document; raises what the daemon says as the error that it is (`ndfd.errors`).

        The daemon gets a descriptor, so it reads a file that its own user could not open. `on_page` is called in this
        thread as pages are finished. `timeout_s` is the longest silence of the daemon, None for no limit of the
        client's own: the daemon ends each conversion at its deadline.
        """
        options = options or ConvertOptions()
        parameters = Convert(
            document=Source(fd=0),
            format=options.format,
            name=options.name or document_name(document),
            password=options.password,
            deadline_ms=None if options.deadline_s is None else max(1, round(options.deadline_s * 1000)),
            reply=ReplyKind.DESCRIPTOR,
            pool=options.pool,
        )
        call = Call(
            varlink_interfaces.CONVERT,
            encode_parameters(parameters),
            more=on_page is not None,
        )
        with (
            document_descriptor(document) as fd,
            contextlib.closing(self._connection.call(call, (fd,), timeout_s)) as replies,
        ):
            for reply, descriptors in replies:
                result = self._take(reply, descriptors, on_page)
                if result is not None:
                    return result
        raise ProtocolError("the daemon's last reply holds no result")

    def _take(
        self,
        reply: Reply,
        descriptors: tuple[int, ...],
        on_page: Callable[[PageReport], None] | None,
    ) -> Conversion | None:
        with _closing_left(list(descriptors)) as left:
            answer = self._decode(reply, ConvertReply)
            if answer.report is not None:
                if answer.fd is None or not 0 <= answer.fd < len(left):
                    raise ProtocolError("the daemon's reply holds no descriptor")
                return Conversion(answer.report, left.pop(answer.fd), answer.generation)
            if answer.page is not None and on_page is not None:
                on_page(answer.page)
            return None

    def _ask(
        self,
        method: str,
        parameters: msgspec.Struct,
        into: type[T],
        timeout_s: float | None,
    ) -> T:
        call = Call(method, encode_parameters(parameters))
        answers = list(self._connection.call(call, (), timeout_s))
        for _, descriptors in answers:
            close_all(descriptors)
        return self._decode(answers[-1][0], into)

    def _decode(self, reply: Reply, into: type[T]) -> T:
        if reply.error is not None:
            raise _error(reply.error, reply.parameters)
        try:
            return msgspec.json.decode(reply.parameters, type=into)
        except msgspec.MsgspecError as error:
            raise ProtocolError(f"a reply of the daemon at {self._connection.path} is malformed: {error}") from error


@contextlib.contextmanager
def _closing_left(descriptors: list[int]) -> Iterator[list[int]]:
    try:
        yield descriptors
    finally:
        for fd in descriptors:
            os.close(fd)


def _error(name: str, parameters: msgspec.Raw) -> NdfdError:
    """The error that a reply names."""
    if name.startswith("io.ndfd.") and name.endswith(".Failed"):
        try:
            failed = msgspec.json.decode(parameters, type=Failed)
        except msgspec.MsgspecError as error:
            return ProtocolError(f"the daemon failed and its error is malformed: {error}")
        known = error_from_code(failed.code, failed.message, hint=failed.hint, page=failed.page, details=failed.details)
        known.generation = failed.generation
        return known
    if name == "org.varlink.service.PermissionDenied":
        return NotPermitted("this user may not call the daemon's method")
    said: Any = bytes(parameters).decode("utf-8", "replace")
    return ProtocolError(
        f"the daemon refuses the call: {name} {said}",
        hint="client and daemon may be of different versions",
    )

"""Varlink calls turned into calls of the methods, and what comes of them into replies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import msgspec

from ndfd.errors import (
    NdfdError,
    NotPermitted,
    ProtocolError,
    ShuttingDown,
    UsageError,
    WorkerProtocolError,
)
from ndfd.model.conversion import ConvertOptions, OutputFormat, PageReport
from ndfd.platform import Peer
from ndfd.protocol import varlink, varlink_interfaces
from ndfd.protocol.varlink import (
    Answer,
    Call,
    CallRefusedError,
    ErrorReply,
    decode_parameters,
)
from ndfd.protocol.varlink_interfaces import (
    Convert,
    ConvertReply,
    Failed,
    ReplyKind,
    ServiceInfo,
    Source,
)
from ndfd.server.generation import Generation
from ndfd.server.hangup import PeerGoneError, cancelled_on_hangup
from ndfd.server.intake import Intake, document_size
from ndfd.server.methods import Admission, Converted
from ndfd.server.pending import PendingConversion
from ndfd.server.stream import FdStream

_log = logging.getLogger(__name__)

#: Page events kept for a caller that reads slowly; the ones after them are not sent. About 1 MiB.
_PAGES_WAITING_MAX = 4096


class Exchange:
    """One call on its connection, and its answer."""

    def __init__(
        self,
        peer: Peer,
        call: Call,
        descriptors: tuple[int, ...],
        stream: FdStream,
        generation: Generation,
    ) -> None:
        self.peer = peer
        self.generation = generation.number
        self.methods = generation.methods
        self.message_max_bytes = generation.door.message_max_bytes
        self.method = call.method
        self.interface = call.interface
        self.upgrade = call.upgrade
        self.descriptors = descriptors
        self.answer = Answer(call)
        self.stream = stream
        self._stall_s = generation.door.stall_s
        self._parameters = call.parameters

    def take_parameters(self) -> msgspec.Raw:
        """The parameters, once: they may hold a whole document, which is not kept while it is converted."""
        parameters, self._parameters = self._parameters, msgspec.Raw(b"{}")
        return parameters

    async def send(self, message: bytes, descriptors: tuple[int, ...] = ()) -> None:
        """Sends what `answer` made; nothing for a oneway call."""
        if message:
            await self.stream.write(message, descriptors, self._stall_s)

    async def say_at_once(self, error: NdfdError) -> None:
        """Fails the call, if it has not ended and its peer takes the error without being waited for."""
        if not self.answer.ended and (message := self.answer.fail(self.failed(error))):
            with contextlib.suppress(PeerGoneError):
                await self.stream.write(message, (), 0)

    def failed(self, error: NdfdError) -> ErrorReply:
        """The error as the call's last reply."""
        return _failed(self.method, error, self.generation)


class VarlinkCalls:
    """Answers exchanges, one at a time per connection."""

    def __init__(self, service: ServiceInfo) -> None:
        self._service = service
        self._handlers: dict[str, Callable[[Exchange], Awaitable[None]]] = {
            varlink_interfaces.CONVERT: self._convert,
            varlink_interfaces.GET_STATUS: self._get_status,
            varlink_interfaces.GET_CRASHES: self._get_crashes,
            varlink_interfaces.GET_CONFIGURATION: self._get_configuration,
            varlink_interfaces.RELOAD: self._reload,
            varlink_interfaces.GET_INFO: self._get_info,
            varlink_interfaces.GET_INTERFACE_DESCRIPTION: self._get_interface_description,
        }

    async def serve(self, exchange: Exchange) -> None:
        """Answers the call to its last reply; `PeerGoneError` when nobody is left to take it."""
        try:
            await self._handler(exchange)(exchange)
            return
        except PeerGoneError:
            raise
        except asyncio.CancelledError:
            # Only the door's stop cancels a call.
            await exchange.say_at_once(ShuttingDown("the daemon stopped before the call ended"))
            raise
        except CallRefusedError as refused:
            reply = refused.reply
        except NotPermitted:
            reply = varlink.permission_denied()
        except NdfdError as error:
            reply = exchange.failed(error)
        except Exception:  # noqa: BLE001 - a fault in one call must not take the connection's other calls with it
            _log.exception("%s failed in a way that it should not", exchange.method)
            reply = exchange.failed(NdfdError(f"{exchange.method} failed inside the daemon"))
        if not exchange.answer.ended:
            await exchange.send(exchange.answer.fail(reply))

    def _handler(self, exchange: Exchange) -> Callable[[Exchange], Awaitable[None]]:
        handler = self._handlers.get(exchange.method)
        if handler is None:
            if exchange.interface in varlink_interfaces.INTERFACES:
                raise CallRefusedError(varlink.method_not_found(exchange.method))
            raise CallRefusedError(varlink.interface_not_found(exchange.interface))
        if exchange.upgrade:
            raise CallRefusedError(varlink.method_not_implemented(exchange.method))
        return handler

    async def _get_info(self, exchange: Exchange) -> None:
        decode_parameters(exchange.take_parameters(), varlink_interfaces.GetInfo)
        await exchange.send(exchange.answer.finish(self._service))

    async def _get_interface_description(self, exchange: Exchange) -> None:
        asked = decode_parameters(exchange.take_parameters(), varlink_interfaces.GetInterfaceDescription)
        if asked.interface not in varlink_interfaces.INTERFACES:
            raise CallRefusedError(varlink.interface_not_found(asked.interface))
        text = varlink_interfaces.interface_description(asked.interface)
        await exchange.send(exchange.answer.finish(varlink_interfaces.InterfaceDescription(text)))

    async def _get_status(self, exchange: Exchange) -> None:
        decode_parameters(exchange.take_parameters(), varlink_interfaces.GetStatus)
        await exchange.send(exchange.answer.finish(exchange.methods.status(exchange.peer)))

    async def _get_crashes(self, exchange: Exchange) -> None:
        decode_parameters(exchange.take_parameters(), varlink_interfaces.GetCrashes)
        await exchange.send(exchange.answer.finish(exchange.methods.crashes(exchange.peer)))

    async def _get_configuration(self, exchange: Exchange) -> None:
        decode_parameters(exchange.take_parameters(), varlink_interfaces.GetConfiguration)
        await exchange.send(exchange.answer.finish(exchange.methods.configuration(exchange.peer)))

    async def _reload(self, exchange: Exchange) -> None:
        asked = decode_parameters(exchange.take_parameters(), varlink_interfaces.Reload)
        report = await exchange.methods.reload(exchange.peer, dry_run=asked.dry_run or False)
        await exchange.send(exchange.answer.finish(report))

    async def _convert(self, exchange: Exchange) -> None:
        with contextlib.ExitStack() as stack:
            document_fd, options, kind = self._open(exchange, stack)
            size_bytes = document_size(document_fd)
            admission = stack.enter_context(exchange.methods.admitted(exchange.peer, size_bytes, options.pool))
            async with (
                cancelled_on_hangup(exchange.stream.sock),
                _converted(exchange, admission, document_fd, options) as result,
            ):
                if kind is ReplyKind.DESCRIPTOR:
                    reply = ConvertReply(generation=exchange.generation, fd=0, report=result.report)
                    await exchange.send(exchange.answer.finish(reply), (result.fd,))
                else:
                    await exchange.send(exchange.answer.finish(_inline(exchange, result)))

    def _open(self, exchange: Exchange, stack: contextlib.ExitStack) -> tuple[int, ConvertOptions, ReplyKind]:
        asked = decode_parameters(exchange.take_parameters(), Convert)
        options = ConvertOptions(
            format=asked.format or OutputFormat.MARKDOWN,
            password=asked.password,
            name=asked.name,
            deadline_s=None if asked.deadline_ms is None else asked.deadline_ms / 1000,
            pool=asked.pool,
        )
        document_fd = stack.enter_context(_document(exchange, asked.document))
        return document_fd, options, asked.reply or ReplyKind.INLINE


@contextlib.contextmanager
def _document(exchange: Exchange, source: Source) -> Iterator[int]:
    if (source.data is None) == (source.fd is None):
        raise CallRefusedError(varlink.invalid_parameter("document"))
    if source.fd is not None:
        if not 0 <= source.fd < len(exchange.descriptors):
            raise ProtocolError(
                f"`fd` names descriptor {source.fd}, and {len(exchange.descriptors)} came with the message",
                hint="send the descriptor with the first byte of the message, and count from 0",
            )
        yield exchange.descriptors[source.fd]
        return
    assert source.data is not None
    with Intake(exchange.methods.limits.document_max_bytes) as intake:
        intake.write(source.data)
        del source
        yield intake.fd


def _inline(exchange: Exchange, result: Converted) -> msgspec.Raw:
    size, max_bytes = os.fstat(result.fd).st_size, exchange.message_max_bytes
    if size <= max_bytes:
        try:
            content = os.pread(result.fd, size, 0).decode()
        except UnicodeDecodeError as error:
            raise WorkerProtocolError(f"the rendered result is not UTF-8: {error}") from error
        reply = varlink.encode_parameters(
            ConvertReply(generation=exchange.generation, content=content, report=result.report)
        )
        if len(bytes(reply)) + 64 <= max_bytes:
            return reply
    raise UsageError(
        f"the result of {size} bytes does not fit into one message of {max_bytes} bytes",
        hint='ask for a descriptor: "reply": "descriptor"',
    )


@contextlib.asynccontextmanager
async def _converted(
    exchange: Exchange, admission: Admission, document_fd: int, options: ConvertOptions
) -> AsyncIterator[Converted]:
    """The conversion's result, its pages having been sent; whatever happens, nothing of it stays behind."""
    pages: asyncio.Queue[PageReport | None] = asyncio.Queue()

    def on_page(page: PageReport) -> None:
        if pages.qsize() < _PAGES_WAITING_MAX:
            pages.put_nowait(page)

    streams = exchange.answer.may_continue
    conversion = admission.convert(document_fd, options, on_page if streams else None)
    async with PendingConversion(conversion) as pending:
        pending.task.add_done_callback(lambda _: pages.put_nowait(None))
        while (page := await pages.get()) is not None:
            await exchange.send(exchange.answer.proceed(ConvertReply(generation=exchange.generation, page=page)))
        yield await pending.task


def _failed(method: str, error: NdfdError, generation: int) -> ErrorReply:
    return ErrorReply(varlink_interfaces.failed_name(method), msgspec.to_builtins(Failed.of(error, generation)))


def protocol_failure(error: NdfdError, generation: int) -> bytes:
    """The last words on a connection whose peer does not speak Varlink, or may not be served at all."""
    parameters = varlink.encode_parameters(Failed.of(error, generation))
    return varlink.encode(varlink.Reply(parameters, error=varlink_interfaces.failed_name("")))

"""One call on its connection: what came with it, and what may be said to it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable

import msgspec

from ndfd.errors import NdfdError, ProtocolError, UsageError, WorkerProtocolError
from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.platform import Peer
from ndfd.protocol import varlink, varlink_interfaces
from ndfd.protocol.varlink import Answer, Call, CallRefusedError, ErrorReply
from ndfd.protocol.varlink_interfaces import Convert, Failed, ReplyKind, Source, Submit
from ndfd.server.generation import Generation
from ndfd.server.hangup import PeerGoneError
from ndfd.server.intake import Intake
from ndfd.server.stream import FdStream


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
        self.stall_s = generation.door.stall_s
        self._parameters = call.parameters

    def take_parameters(self) -> msgspec.Raw:
        """The parameters, once: they may hold a whole document, which is not kept while it is converted."""
        parameters, self._parameters = self._parameters, msgspec.Raw(b"{}")
        return parameters

    async def send(self, message: bytes, descriptors: tuple[int, ...] = ()) -> None:
        """Sends what `answer` made; nothing for a oneway call."""
        if message:
            await self.stream.write(message, descriptors, self.stall_s, last=self.answer.ended)

    async def say_at_once(self, error: NdfdError) -> None:
        """Fails the call, if it has not ended and its peer takes the error without being waited for."""
        if not self.answer.ended and (message := self.answer.fail(self.failed(error))):
            with contextlib.suppress(PeerGoneError):
                await self.stream.write(message, (), 0)

    def failed(self, error: NdfdError) -> ErrorReply:
        """The error as the call's last reply."""
        parameters = msgspec.to_builtins(Failed.of(error, self.generation))
        return ErrorReply(varlink_interfaces.failed_name(self.method), parameters)

    def received(self, index: int) -> int:
        """The descriptor of this index among those that came with the call; it is closed when the call has ended."""
        if not 0 <= index < len(self.descriptors):
            raise ProtocolError(
                f"`fd` names descriptor {index}, and {len(self.descriptors)} came with the message",
                hint="send the descriptor with the first byte of the message, and count from 0",
            )
        return self.descriptors[index]


def convert_options(asked: Convert | Submit) -> ConvertOptions:
    """What a call asks of a conversion, now or later."""
    return ConvertOptions(
        format=asked.format or OutputFormat.MARKDOWN,
        password=asked.password,
        name=asked.name,
        deadline_s=None if asked.deadline_ms is None else asked.deadline_ms / 1000,
        pool=asked.pool,
    )


@contextlib.asynccontextmanager
async def document_descriptor(exchange: Exchange, source: Source) -> AsyncIterator[int]:
    """The document that a call names, for the length of the block; nobody has to wait for what reads it."""
    if (source.data is None) == (source.fd is None):
        raise CallRefusedError(varlink.invalid_parameter("document"))
    if source.fd is not None:
        received = exchange.received(source.fd)
        async with exchange.methods.settled(exchange.peer, received, exchange.stall_s) as fd:
            yield fd
        return
    assert source.data is not None
    with Intake(exchange.methods.limits.document_max_bytes) as intake:
        intake.write(source.data)
        del source
        yield intake.fd


async def send_result(
    exchange: Exchange, fd: int, kind: ReplyKind, reply: Callable[[str | None, int | None], msgspec.Struct]
) -> None:
    """Sends a rendered document as the last reply: `reply` makes it of the content, or of a descriptor's index."""
    if kind is ReplyKind.DESCRIPTOR:
        await exchange.send(exchange.answer.finish(reply(None, 0)), (fd,))
    else:
        await exchange.send(exchange.answer.finish(_inline(exchange, fd, reply)))


def _inline(exchange: Exchange, fd: int, reply: Callable[[str | None, int | None], msgspec.Struct]) -> msgspec.Raw:
    size, max_bytes = os.fstat(fd).st_size, exchange.message_max_bytes
    if size <= max_bytes:
        try:
            content = os.pread(fd, size, 0).decode()
        except UnicodeDecodeError as error:
            raise WorkerProtocolError(f"the rendered result is not UTF-8: {error}") from error
        parameters = varlink.encode_parameters(reply(content, None))
        if len(bytes(parameters)) + 64 <= max_bytes:
            return parameters
    raise UsageError(
        f"the result of {size} bytes does not fit into one message of {max_bytes} bytes",
        hint='ask for a descriptor: "reply": "descriptor"',
    )


def protocol_failure(error: NdfdError, generation: int) -> bytes:
    """The last words on a connection whose peer does not speak Varlink, or may not be served at all."""
    parameters = varlink.encode_parameters(Failed.of(error, generation))
    return varlink.encode(varlink.Reply(parameters, error=varlink_interfaces.failed_name("")))

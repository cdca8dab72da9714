"""The Varlink wire as a state machine: bytes and descriptors in, messages out; messages in, bytes out.

A message is one JSON object followed by a NUL byte (https://varlink.org/Method-Call). A descriptor travels as ancillary
data with the first byte of the message that it belongs to, and a parameter of that message names its index: the
practice of sd-varlink (sd_varlink_push_fd(3)), not part of Varlink's own text.

No socket and no clock: descriptors are plain numbers here, and whoever received them closes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from ndfd.errors import ProtocolError

#: A document of 16 MiB is 21.4 MiB in base64, and has room for its other parameters.
MAX_MESSAGE_BYTES = 24 * 1024 * 1024
#: Descriptors that one message may carry.
MAX_DESCRIPTORS = 8

_EMPTY = msgspec.Raw(b"{}")


class Received(NamedTuple):
    """One message as it came, without its NUL."""

    message: bytes
    #: The descriptors that came with it, in order; the receiver owns them.
    descriptors: tuple[int, ...]


class Framer:
    """Cuts a stream of bytes into messages. Each byte is looked at once, however the stream was split.

    A stream that breaks the framing cannot be taken up again: `error` says why, and nothing is read after it.
    """

    def __init__(self, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self.error: ProtocolError | None = None
        self._max_message_bytes = max_message_bytes
        self._partial = bytearray()
        self._descriptors: list[int] = []

    @property
    def in_message(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._partial)

    def feed(self, data: bytes, descriptors: Sequence[int] = ()) -> list[Received]:
        """The messages that end in `data`, with the descriptors that one read brought along with it.

        Linux ends a read behind the bytes that were sent together with descriptors (unix_stream_read_generic in
        net/unix/af_unix.c), so they belong to the message that begins last in `data`.
        """
        last_begin = data.rfind(b"\0", 0, max(len(data) - 1, 0)) + 1
        if descriptors and last_begin == 0 and self.in_message:
            self._fail("descriptors came in the middle of a message", "send them with its first byte")
        received = self._cut(data[:last_begin])
        self._descriptors.extend(descriptors)
        return received + self._cut(data[last_begin:])

    def end(self) -> None:
        """The stream has ended: sets `error` when it did so within a message."""
        if self.error is None and self.in_message:
            self._fail(f"the last {len(self._partial)} bytes do not end in NUL", "end each message with a NUL byte")

    def abandon(self) -> tuple[int, ...]:
        """The descriptors of no whole message, given back so that they are closed."""
        descriptors = tuple(self._descriptors)
        self._descriptors.clear()
        return descriptors

    def _cut(self, data: bytes) -> list[Received]:
        received: list[Received] = []
        position = 0
        while position < len(data) and self.error is None:
            end = data.find(b"\0", position)
            self._partial += data[position : len(data) if end < 0 else end]
            if len(self._partial) > self._max_message_bytes:
                self._fail_too_long()
            elif end < 0:
                break
            else:
                received.append(Received(bytes(self._partial), self.abandon()))
                self._partial.clear()
            position = end + 1
        return received

    def _fail_too_long(self) -> None:
        self._partial.clear()
        self._fail(
            f"a message is longer than {self._max_message_bytes} bytes",
            "pass the document as a descriptor: it may then be of any size the daemon allows",
        )

    def _fail(self, message: str, hint: str) -> None:
        self.error = ProtocolError(message, hint=hint)


class Call(msgspec.Struct, frozen=True, omit_defaults=True):
    """A method call."""

    #: Name of the interface, a dot, name of the method.
    method: str
    #: The JSON object of the parameters, not yet decoded.
    parameters: msgspec.Raw = _EMPTY
    #: The caller wants no reply, not even an error.
    oneway: bool = False
    #: The caller takes several replies.
    more: bool = False
    #: The caller would leave Varlink after the reply; no method here does so.
    upgrade: bool = False

    @property
    def interface(self) -> str:
        """The interface's part of the method's name; empty when there is no dot."""
        return self.method.rpartition(".")[0]


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """One reply to a call."""

    #: The JSON object of the parameters, not yet decoded.
    parameters: msgspec.Raw = _EMPTY
    #: More replies to the same call follow.
    continues: bool = False
    #: Full name of the error, when the call failed; the parameters are then the error's.
    error: str | None = None


#: What msgspec raises for bytes that are not of a type. RecursionError: brackets nested beyond Python's own limit.
_UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_call_decoder = msgspec.json.Decoder(Call)
_reply_decoder = msgspec.json.Decoder(Reply)
_encoder = msgspec.json.Encoder()


def decode_call(message: bytes) -> Call:
    """`ProtocolError` when the message is no call."""
    try:
        call = _call_decoder.decode(message)
    except _UNDECODABLE as error:
        raise ProtocolError(f"a message of {len(message)} bytes is no Varlink call: {error}") from error
    if call.oneway and call.more:
        raise ProtocolError(f"the call of {call.method} asks for no reply and for several")
    return call


def decode_reply(message: bytes) -> Reply:
    """`ProtocolError` when the message is no reply."""
    try:
        return _reply_decoder.decode(message)
    except _UNDECODABLE as error:
        raise ProtocolError(f"a message of {len(message)} bytes is no Varlink reply: {error}") from error


def encode(message: Call | Reply) -> bytes:
    """The bytes of a message, with its NUL."""
    buffer = bytearray()
    _encoder.encode_into(message, buffer)
    buffer.append(0)
    return bytes(buffer)


def encode_parameters(parameters: Any) -> msgspec.Raw:
    """A structure of `varlink_interfaces` (or a dict) as the parameters of a message."""
    return msgspec.Raw(_encoder.encode(parameters))


T = TypeVar("T")


def decode_parameters(parameters: msgspec.Raw, into: type[T]) -> T:
    """The parameters of a call as `into`; `CallRefusedError` (InvalidParameter) names the one that does not fit."""
    text = bytes(parameters)
    try:
        # sd-varlink and others send null for "no parameters".
        return msgspec.json.decode(b"{}" if text == b"null" else text, type=into)
    except _UNDECODABLE as error:
        raise CallRefusedError(invalid_parameter(_parameter_at_fault(str(error)))) from error


def _parameter_at_fault(message: str) -> str:
    """The parameter that a `msgspec.ValidationError` is about: it ends "… `NAME`" or "… - at `$.NAME…`"."""
    what, _, path = message.partition(" - at `$")
    if path.startswith("."):
        return path[1:].split(".")[0].split("[")[0].rstrip("`")
    return what.split("`")[1] if what.count("`") == 2 and "field" in what else "parameters"


class ErrorReply(NamedTuple):
    """A Varlink error: its full name and its parameters."""

    name: str
    parameters: dict[str, Any]


class CallRefusedError(Exception):
    """A call ends in one of the errors of org.varlink.service."""

    def __init__(self, reply: ErrorReply) -> None:
        super().__init__(f"{reply.name} {reply.parameters}")
        self.reply = reply


def interface_not_found(interface: str) -> ErrorReply:
    """The service has no such interface."""
    return ErrorReply("org.varlink.service.InterfaceNotFound", {"interface": interface})


def method_not_found(method: str) -> ErrorReply:
    """The interface has no such method."""
    return ErrorReply("org.varlink.service.MethodNotFound", {"method": method})


def method_not_implemented(method: str) -> ErrorReply:
    """The method exists, but not in the way that the call asks for."""
    return ErrorReply("org.varlink.service.MethodNotImplemented", {"method": method})


def invalid_parameter(parameter: str) -> ErrorReply:
    """The parameter is missing, unknown or not of its type."""
    return ErrorReply("org.varlink.service.InvalidParameter", {"parameter": parameter})


def permission_denied() -> ErrorReply:
    """The caller may not call the method."""
    return ErrorReply("org.varlink.service.PermissionDenied", {})


def expected_more() -> ErrorReply:
    """The method answers only calls that are marked with `more`."""
    return ErrorReply("org.varlink.service.ExpectedMore", {})


class Answer:
    """What may still be said to one call: continued replies while it asked for `more`, then exactly one last reply.

    A oneway call is answered with no bytes at all. Saying more than is allowed is a fault of the server's own and
    raises RuntimeError.
    """

    def __init__(self, call: Call) -> None:
        # Not the call itself: its parameters may hold a whole document.
        self._method, self._oneway, self._more = call.method, call.oneway, call.more
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether the last reply was made."""
        return self._ended

    @property
    def may_continue(self) -> bool:
        """Whether the caller takes replies before the last."""
        return self._more and not self._ended

    def proceed(self, parameters: Any) -> bytes:
        """A reply that others follow."""
        if not self.may_continue:
            raise RuntimeError(f"{self._method}: a continued reply to a call that takes none")
        return encode(Reply(encode_parameters(parameters), continues=True))

    def finish(self, parameters: Any) -> bytes:
        """The last reply."""
        return self._last(Reply(encode_parameters(parameters)))

    def fail(self, error: ErrorReply) -> bytes:
        """The last reply, an error."""
        return self._last(Reply(encode_parameters(error.parameters), error=error.name))

    def _last(self, reply: Reply) -> bytes:
        if self._ended:
            raise RuntimeError(f"{self._method}: a reply after the last one")
        self._ended = True
        return b"" if self._oneway else encode(reply)

"""The Varlink wire: calls, replies and what may be said when."""

from __future__ import annotations

import json

import msgspec
import pytest

from ndfd.errors import ProtocolError
from ndfd.protocol.varlink import (
    Answer,
    Call,
    CallRefusedError,
    Reply,
    decode_call,
    decode_parameters,
    decode_reply,
    encode,
    encode_parameters,
    expected_more,
    method_not_found,
)
from ndfd.protocol.varlink_interfaces import (
    Convert,
    Source,
    failed_name,
    interface_description,
)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"garbage",
        b"[]",
        b"{}",
        b'{"method":7}',
        b'{"method":"a.b","parameters":',
        b'{"method":"a.b","more":1}',
        b'{"method":"\xff"}',
        b'{"method":"a.b","parameters":' + b"[" * 100_000,
        b'{"method":"a.b","oneway":true,"more":true}',
    ],
)
def test_what_is_no_call_is_a_protocol_error(message: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_call(message)


def test_a_call_names_its_interface() -> None:
    assert decode_call(b'{"method":"io.ndfd.Documents.Convert"}').interface == "io.ndfd.Documents"
    assert decode_call(b'{"method":"nothing"}').interface == ""


def test_a_call_and_a_reply_come_back_as_they_were_sent() -> None:
    call = decode_call(encode(Call("a.B", encode_parameters({"x": 1}), more=True))[:-1])
    assert (call.method, bytes(call.parameters), call.more, call.oneway) == (
        "a.B",
        b'{"x":1}',
        True,
        False,
    )
    reply = decode_reply(encode(Reply(encode_parameters({}), error="a.E"))[:-1])
    assert (reply.error, bytes(reply.parameters), reply.continues) == (
        "a.E",
        b"{}",
        False,
    )


@pytest.mark.parametrize(
    ("parameters", "at_fault"),
    [
        (b"{}", "document"),
        (b"[]", "parameters"),
        (b'{"document":{"fd":"0"}}', "document"),
        (b'{"document":{"data":"not base64!"}}', "document"),
        (b'{"document":{"fd":0},"format":"docx"}', "format"),
        (b'{"document":{"fd":0},"deadline_ms":0}', "deadline_ms"),
        (b'{"document":{"fd":0},"surprise":1}', "surprise"),
        (b'{"document":{"fd":0},"name":"\xff"}', "parameters"),
    ],
)
def test_the_parameter_at_fault_is_named(parameters: bytes, at_fault: str) -> None:
    with pytest.raises(CallRefusedError) as refused:
        decode_parameters(msgspec.Raw(parameters), Convert)
    assert refused.value.reply.parameters == {"parameter": at_fault}


def test_null_stands_for_no_parameters() -> None:
    with pytest.raises(CallRefusedError) as refused:
        decode_parameters(msgspec.Raw(b"null"), Convert)
    assert refused.value.reply.parameters == {"parameter": "document"}


def test_a_password_and_a_document_do_not_show_in_a_repr() -> None:
    text = repr(Convert(Source(data=b"secret bytes"), password="hunter2"))
    assert "hunter2" not in text
    assert "secret" not in text


def test_a_call_with_more_is_answered_by_any_number_of_replies_and_then_a_last_one() -> None:
    answer = Answer(Call("a.B", more=True))
    assert answer.proceed({"n": 1}) == b'{"parameters":{"n":1},"continues":true}\0'
    assert answer.finish({"n": 2}) == b'{"parameters":{"n":2}}\0'
    assert answer.ended
    with pytest.raises(RuntimeError):
        answer.finish({})


def test_a_plain_call_takes_no_continued_reply() -> None:
    with pytest.raises(RuntimeError):
        Answer(Call("a.B")).proceed({})


def test_a_oneway_call_is_answered_with_no_bytes_even_when_it_fails() -> None:
    assert Answer(Call("a.B", oneway=True)).finish({"n": 1}) == b""
    assert Answer(Call("a.B", oneway=True)).fail(method_not_found("a.B")) == b""


def test_an_error_is_a_last_reply() -> None:
    answer = Answer(Call("a.B", more=True))
    assert json.loads(answer.fail(expected_more())[:-1])["error"] == "org.varlink.service.ExpectedMore"
    assert answer.ended
    assert not answer.may_continue


def test_failures_are_named_by_the_interface_of_the_method() -> None:
    assert failed_name("io.ndfd.Documents.Convert") == "io.ndfd.Documents.Failed"
    assert failed_name("io.ndfd.Service.GetStatus") == "io.ndfd.Service.Failed"
    assert failed_name("") == "io.ndfd.Service.Failed"


def test_an_unknown_interface_has_no_description() -> None:
    with pytest.raises(KeyError):
        interface_description("../errors")

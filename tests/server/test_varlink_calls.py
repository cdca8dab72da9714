"""The Varlink door: what its methods answer."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest

from ndfd import platform
from ndfd.protocol.varlink_interfaces import INTERFACES, interface_description
from ndfd.server.generation import DoorLimits
from ndfd.server.http_door import HttpDoorLimits
from tests.server.doors import LIMITS, Doors, open_descriptors
from tests.server.varlink_peer import CONVERT, GET_STATUS, Peer, document

INLINE = {"document": {"data": base64.b64encode(b"a document").decode()}}


def test_the_service_names_itself_and_its_interfaces(doors: Doors) -> None:
    with Peer(doors) as peer:
        info = peer.ask("org.varlink.service.GetInfo")["parameters"]
    assert info["product"] == "ndfd"
    assert info["interfaces"] == list(INTERFACES)


@pytest.mark.parametrize("interface", INTERFACES)
def test_each_interface_is_described(doors: Doors, interface: str) -> None:
    with Peer(doors) as peer:
        reply = peer.ask("org.varlink.service.GetInterfaceDescription", {"interface": interface})
    assert reply["parameters"]["description"] == interface_description(interface)


def test_the_status_is_told(doors: Doors) -> None:
    with Peer(doors) as peer:
        status = peer.ask(GET_STATUS)["parameters"]
    assert status["workers"][0]["state"] == "idle"
    assert status["warnings"] == ["no fonts"]


def test_a_document_given_inline_comes_back_inline(doors: Doors) -> None:
    with Peer(doors) as peer:
        reply = peer.ask(
            CONVERT,
            {
                **INLINE,
                "format": "text",
                "name": "x",
                "password": "p",
                "deadline_ms": 1500,
                "pool": "bulk",
            },
        )
    assert reply["parameters"]["content"] == "# text of 10 bytes: a document"
    assert reply["parameters"]["report"]["media_type"] == "text/plain; charset=utf-8"
    confined = {"calls": 22, "landlock_abi": 7, "denied": 2, "missing": ["mdwe"], "verified": True}
    assert reply["parameters"]["report"]["sandbox"] == confined
    options, uid = doors.conversions.seen[0]
    assert (options.name, options.password, options.deadline_s, options.pool, uid) == (
        "x",
        "p",
        1.5,
        "bulk",
        os.getuid(),
    )


def test_a_pool_that_there_is_not_is_refused_with_those_that_there_are(doors: Doors) -> None:
    with Peer(doors) as peer:
        failed = peer.ask(CONVERT, {**INLINE, "pool": "fast"})["parameters"]
    assert (failed["code"], failed["message"]) == ("pool-unknown", "there is no pool 'fast'; there are default, bulk")
    assert doors.conversions.seen == []
    assert doors.occupancy.conversions == 0


def test_a_document_given_as_a_descriptor_comes_back_as_a_sealed_one(doors: Doors, tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_bytes(b"from a file")
    with path.open("rb") as file, Peer(doors) as peer:
        reply = peer.ask(CONVERT, {"document": {"fd": 0}, "reply": "descriptor"}, file.fileno())
        (fd,) = peer.descriptors
        assert reply["parameters"]["fd"] == 0
        assert "content" not in reply["parameters"]
        assert os.pread(fd, 100, 0) == b"# markdown of 11 bytes: from a file"
        assert platform.is_sealed(fd)


def test_the_whole_file_is_the_document_wherever_its_descriptor_stands(
    doors: Doors,
) -> None:
    fd = document(b"0123456789")
    os.lseek(fd, 8, os.SEEK_SET)
    with Peer(doors) as peer:
        assert "10 bytes: 0123456789" in peer.ask(CONVERT, {"document": {"fd": 0}}, fd)["parameters"]["content"]
    os.close(fd)


def test_any_of_several_descriptors_can_be_named(doors: Doors) -> None:
    first, second = document(b"first"), document(b"second")
    with Peer(doors) as peer:
        assert "second" in peer.ask(CONVERT, {"document": {"fd": 1}}, first, second)["parameters"]["content"]
    os.close(first)
    os.close(second)


def test_with_more_each_page_is_told_before_the_result(doors: Doors) -> None:
    with Peer(doors) as peer:
        peer.send(
            {
                "method": CONVERT,
                "parameters": {**INLINE, "name": "pages:3"},
                "more": True,
            }
        )
        replies = [peer.reply() for _ in range(4)]
    assert [reply.get("continues", False) for reply in replies] == [
        True,
        True,
        True,
        False,
    ]
    assert replies[0]["parameters"] == {"generation": 1, "page": {"number": 1, "total": 3, "status": "ok"}}
    assert replies[3]["parameters"]["report"]["pages"] == 3


def test_without_more_there_is_one_reply(doors: Doors) -> None:
    with Peer(doors) as peer:
        assert "report" in peer.ask(CONVERT, {**INLINE, "name": "pages:3"})["parameters"]


def test_a_oneway_call_gets_no_reply(doors: Doors) -> None:
    with Peer(doors) as peer:
        peer.send({"method": CONVERT, "parameters": INLINE, "oneway": True})
        peer.send({"method": "no.such.Method", "oneway": True})
        assert "version" in peer.ask(GET_STATUS)["parameters"]
    assert len(doors.conversions.seen) == 1


def test_an_error_carries_its_code_hint_and_page(doors: Doors) -> None:
    with Peer(doors) as peer:
        reply = peer.ask(CONVERT, {**INLINE, "name": "fail:worker-crashed"})
    assert reply["error"] == "io.ndfd.Documents.Failed"
    assert reply["parameters"] == {
        "code": "worker-crashed",
        "message": "it is worker-crashed",
        "hint": "try again; if it happens each time with the same document, report the document",
        "retryable": True,
        "page": 3,
        "generation": 1,
    }


@pytest.mark.parametrize(
    ("method", "parameters", "error", "detail"),
    [
        (
            "io.ndfd.Documents.Devour",
            {},
            "MethodNotFound",
            {"method": "io.ndfd.Documents.Devour"},
        ),
        (
            "io.ndfd.Nothing.Get",
            {},
            "InterfaceNotFound",
            {"interface": "io.ndfd.Nothing"},
        ),
        ("nothing", {}, "InterfaceNotFound", {"interface": ""}),
        (CONVERT, {}, "InvalidParameter", {"parameter": "document"}),
        (CONVERT, {"document": {}}, "InvalidParameter", {"parameter": "document"}),
        (
            CONVERT,
            {"document": {"fd": 0, "data": "eA=="}},
            "InvalidParameter",
            {"parameter": "document"},
        ),
        (
            CONVERT,
            {**INLINE, "format": "docx"},
            "InvalidParameter",
            {"parameter": "format"},
        ),
        (CONVERT, {**INLINE, "deadline_ms": 10**400}, "InvalidParameter", {"parameter": "deadline_ms"}),
        (CONVERT, {**INLINE, "colour": 1}, "InvalidParameter", {"parameter": "colour"}),
        (GET_STATUS, {"colour": 1}, "InvalidParameter", {"parameter": "colour"}),
        (
            "org.varlink.service.GetInterfaceDescription",
            {"interface": "a.b"},
            "InterfaceNotFound",
            {"interface": "a.b"},
        ),
    ],
)
def test_a_call_that_cannot_be_is_refused_by_the_standard_error(
    doors: Doors,
    method: str,
    parameters: dict[str, object],
    error: str,
    detail: dict[str, str],
) -> None:
    with Peer(doors) as peer:
        reply = peer.ask(method, parameters)
        assert reply["error"] == f"org.varlink.service.{error}"
        assert reply["parameters"] == detail
        assert "version" in peer.ask(GET_STATUS)["parameters"]


def test_an_upgrade_is_not_offered(doors: Doors) -> None:
    with Peer(doors) as peer:
        assert peer.ask(GET_STATUS, upgrade=True)["error"] == "org.varlink.service.MethodNotImplemented"


def test_who_may_not_call_a_method_is_told_so(tmp_path: Path) -> None:
    doors = Doors(tmp_path, DoorLimits(), HttpDoorLimits(), LIMITS)
    doors.serving.current = doors.generation(1, access={GET_STATUS: lambda peer, admins: False})
    with doors.open(), Peer(doors) as peer:
        assert peer.ask(GET_STATUS)["error"] == "org.varlink.service.PermissionDenied"
        assert peer.ask(CONVERT, INLINE)["error"] == "org.varlink.service.PermissionDenied"
        assert "product" in peer.ask("org.varlink.service.GetInfo")["parameters"]


def test_a_descriptor_that_is_no_readable_file_is_refused_with_a_hint(doors: Doors, tmp_path: Path) -> None:
    (tmp_path / "file").touch(mode=0o600)
    reading, writing = os.pipe()
    unusable = {
        "a directory": os.open(tmp_path, os.O_RDONLY),
        "a pipe": reading,
        "a character device": os.open("/dev/zero", os.O_RDONLY),
        "not open for reading": os.open(tmp_path / "file", os.O_WRONLY),
    }
    unopened = os.open(tmp_path / "file", os.O_PATH)
    with Peer(doors) as peer:
        for what, fd in {
            **unusable,
            "is not open for reading": unopened,
            "a socket": peer.sock.fileno(),
        }.items():
            failed = peer.ask(CONVERT, {"document": {"fd": 0}}, fd)["parameters"]
            assert what in failed["message"]
            assert failed["code"] == "usage"
            assert "regular file or a memfd" in failed["hint"]
    for fd in (*unusable.values(), unopened, writing):
        os.close(fd)
    assert doors.conversions.seen == []


@pytest.mark.parametrize("index", [0, 1, -1])
def test_an_index_without_a_descriptor_is_refused(doors: Doors, index: int) -> None:
    descriptors = (document(),) if index == 1 else ()
    with Peer(doors) as peer:
        failed = peer.ask(CONVERT, {"document": {"fd": index}}, *descriptors)["parameters"]
    assert failed["code"] == "protocol"
    assert f"`fd` names descriptor {index}" in failed["message"]
    for fd in descriptors:
        os.close(fd)


def test_an_empty_document_and_a_large_one_are_refused(doors: Doors) -> None:
    empty, large = document(b""), document(b"x")
    os.ftruncate(large, LIMITS.document_max_bytes + 1)
    with Peer(doors) as peer:
        assert peer.ask(CONVERT, {"document": {"fd": 0}}, empty)["parameters"]["code"] == "document-empty"
        assert peer.ask(CONVERT, {"document": {"fd": 0}}, large)["parameters"]["code"] == "document-too-large"
        assert peer.ask(CONVERT, {"document": {"data": ""}})["parameters"]["code"] == "document-empty"
    os.close(empty)
    os.close(large)


def test_a_result_too_large_for_a_message_is_to_be_asked_for_as_a_descriptor(
    doors: Doors,
) -> None:
    size = 25 * 1024 * 1024
    with Peer(doors) as peer:
        asked = {**INLINE, "name": f"big:{size}"}
        failed = peer.ask(CONVERT, asked)["parameters"]
        assert "descriptor" in failed["hint"]
        assert peer.ask(CONVERT, {**asked, "reply": "descriptor"})["parameters"]["report"]["size_bytes"] == size
        assert os.fstat(peer.descriptors[0]).st_size == size


def test_a_result_that_is_no_text_is_the_workers_fault(doors: Doors) -> None:
    with Peer(doors) as peer:
        assert peer.ask(CONVERT, {**INLINE, "name": "binary"})["parameters"]["code"] == "worker-protocol"


def test_a_fault_in_the_daemon_is_told_without_its_details_and_ends_nothing(
    doors: Doors,
) -> None:
    with Peer(doors) as peer:
        failed = peer.ask(CONVERT, {**INLINE, "name": "fault"})["parameters"]
        assert failed["code"] == "internal"
        assert "nobody expects" not in failed["message"]
        assert "version" in peer.ask(GET_STATUS)["parameters"]


def test_a_document_of_16_mib_fits_inline(doors: Doors) -> None:
    data = base64.b64encode(bytes(16 * 1024 * 1024)).decode()
    with Peer(doors) as peer:
        assert "of 16777216 bytes" in peer.ask(CONVERT, {"document": {"data": data}})["parameters"]["content"]


def test_no_descriptor_is_left_behind_by_any_outcome(doors: Doors) -> None:
    fd, extra = document(), document()
    with Peer(doors) as peer:
        peer.ask(GET_STATUS)
    doors.wait_idle()
    before = open_descriptors()
    for name in ("ok", "pages:5", "fail:document", "fault", "binary"):
        for reply in ("inline", "descriptor"):
            with Peer(doors) as peer:
                peer.ask(
                    CONVERT,
                    {"document": {"fd": 0}, "name": name, "reply": reply},
                    fd,
                    extra,
                )
                peer.ask(CONVERT, {"document": {"fd": 7}, "name": name}, fd, extra)
                peer.ask(GET_STATUS, {}, fd, extra)
    doors.wait_idle()
    assert open_descriptors() == before
    assert stat.S_ISREG(os.fstat(fd).st_mode)
    os.close(fd)
    os.close(extra)

"""Other people's Varlink clients at the door; each test runs where its client is there."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from typing import Any

import pytest

from ndfd.protocol.varlink_interfaces import INTERFACES
from tests.server.doors import Doors
from tests.server.varlink_peer import CONVERT, GET_STATUS

DATA = base64.b64encode(b"a document").decode()


@pytest.fixture
def varlink() -> Any:
    """The Python reference client; its server part wants no more than to be importable."""
    return pytest.importorskip("varlink", reason="no varlink here: pip install varlink")


@pytest.fixture
def varlinkctl(doors: Doors) -> Any:
    """Runs systemd's client; gives what it printed."""
    program = shutil.which("varlinkctl")
    if program is None:
        pytest.skip("no varlinkctl here: it comes with systemd 255 and newer")

    def run(verb: str, *arguments: str, flag: str = "--no-pager") -> str:
        command = [program, "--json=short", flag, verb, f"unix:{doors.varlink_path}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    return run


def test_the_python_client_reads_the_interfaces_and_converts(varlink: Any, doors: Doors) -> None:
    with varlink.Client(f"unix:{doors.varlink_path}") as client:
        assert set(client.get_interfaces()) == set(INTERFACES)
        with client.open("io.ndfd.Documents") as documents:
            reply = documents.Convert(document={"data": DATA}, format="text")
            assert reply["content"] == "# text of 10 bytes: a document"
            pages = list(documents.Convert(document={"data": DATA}, name="pages:3", _more=True))
            assert [page.get("page", {}).get("number") for page in pages] == [1, 2, 3, None]
            with pytest.raises(varlink.VarlinkError) as failed:
                documents.Convert(document={"data": DATA}, name="fail:document-damaged")
            assert failed.value.error() == "io.ndfd.Documents.Failed"
        with client.open("io.ndfd.Service") as service:
            assert service.GetStatus()["workers"][0]["state"] == "idle"


def test_systemds_client_reads_the_interfaces_and_converts(varlinkctl: Any) -> None:
    assert json.loads(varlinkctl("info"))["interfaces"] == list(INTERFACES)
    assert "method Convert" in varlinkctl("introspect", "io.ndfd.Documents")
    assert json.loads(varlinkctl("call", GET_STATUS, "{}"))["version"] == "0.1.0"
    asked = json.dumps({"document": {"data": DATA}, "format": "text"})
    assert json.loads(varlinkctl("call", CONVERT, asked))["content"] == "# text of 10 bytes: a document"


def test_systemds_client_prints_each_page(varlinkctl: Any) -> None:
    asked = json.dumps({"document": {"data": DATA}, "name": "pages:2"})
    told = varlinkctl("call", CONVERT, asked, flag="--more")
    # One JSON text after another, each begun by RS (RFC 7464).
    replies = [json.loads(line) for line in told.replace("\x1e", "").splitlines()]
    assert [reply.get("page", {}).get("number") for reply in replies] == [1, 2, None]

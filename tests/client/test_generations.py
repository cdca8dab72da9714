"""The generation that each answer to the client has, and what the client may not ask for."""

from __future__ import annotations

import pytest

from ndfd.client import Client
from ndfd.errors import DamagedDocument, NotPermitted, UsageError
from ndfd.model.conversion import ConvertOptions
from ndfd.platform import Peer
from tests.server.doors import Doors


def test_the_configuration_comes_as_it_was_told(client: Client, doors: Doors) -> None:
    assert client.configuration() == doors.configurations.configuration()


def test_who_is_no_administrator_is_not_permitted(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ndfd.platform.peer_identity", lambda connection: Peer(uid=4711, gid=4711, pid=1))
    with Client.connect(doors.varlink_path) as client:
        for ask in (client.reload, client.configuration):
            with pytest.raises(NotPermitted):
                ask()
        assert client.status().generation == 1


def test_a_conversion_a_status_and_an_error_name_their_generation(client: Client, doors: Doors) -> None:
    for number in (1, 2):
        doors.serving.current = doors.generation(number)
        with client.convert(b"x") as conversion:
            assert conversion.generation == number
        assert (client.status().generation, client.status().config_hash) == (number, "c0ffee")
        with pytest.raises(DamagedDocument) as failed:
            client.convert(b"x", ConvertOptions(name="fail:document-damaged"))
        assert failed.value.generation == number


def test_an_error_that_no_daemon_reported_has_no_generation() -> None:
    assert UsageError("wrong").generation is None

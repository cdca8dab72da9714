"""`ndfd renew`."""

from __future__ import annotations

import json

from ndfd.client import Client
from ndfd.client.private import PrivateDaemon
from tests import documents
from tests.cli.conftest import Ndfd


def test_it_says_how_many_were_replaced(ndfd_at: Ndfd) -> None:
    assert ndfd_at("renew").stdout == "3 workers are replaced\n"
    assert ndfd_at("renew", "--pool", "bulk").stdout == "1 worker is replaced\n"
    assert json.loads(ndfd_at("renew", "--json").stdout) == {"renewed": 3}


def test_a_pool_that_there_is_not_is_named_with_those_that_there_are(ndfd_at: Ndfd) -> None:
    ran = ndfd_at("renew", "--pool", "bulky")
    assert ran.status == 64
    assert "bulk" in ran.stderr


def test_every_worker_of_a_daemon_is_another_one_afterwards() -> None:
    with PrivateDaemon() as daemon, Client.connect(daemon.socket) as client:
        before = {worker.pid for worker in client.status().workers}
        assert client.renew() == len(before)
        after = {worker.pid for worker in client.status().workers}
        assert len(after) == len(before)
        assert not before & after
        with client.convert(documents.numbered_pages(2)) as conversion:
            assert conversion.report.pages == 2

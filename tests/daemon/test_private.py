"""A daemon of one's own."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ndfd.client import Client
from ndfd.client.private import PrivateDaemon
from ndfd.errors import ConfigError, NdfdError
from tests import documents
from tests.daemon.conftest import environment


@pytest.fixture(autouse=True)
def one_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("NDFD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NDFD_SWARM__WORKERS", "1")
    # It makes its folder there, so that what is left of it is seen.
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_it_converts_within_its_block_and_leaves_nothing_after_it(tmp_path: Path) -> None:
    with PrivateDaemon() as daemon, Client.connect(daemon.socket) as client:
        with client.convert(documents.text_pages(["A daemon of my own."])) as conversion:
            assert "A daemon of my own." in conversion.text
        assert daemon.socket.parent.stat().st_mode & 0o777 == 0o700
        process = os.pidfd_open(daemon.pid)
    # Its end was waited for.
    assert select.select([process], [], [], 0)[0]
    os.close(process)
    assert list(tmp_path.iterdir()) == []


def test_its_own_folder_wins_over_the_setting_of_a_shared_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NDFD_NETWORK__SOCKET_DIR", "/nowhere")
    with PrivateDaemon() as daemon:
        assert daemon.socket.is_relative_to(tmp_path)


def test_ctrl_c_in_the_terminal_does_not_reach_it() -> None:
    with PrivateDaemon() as daemon:
        assert os.getpgid(daemon.pid) == daemon.pid != os.getpgrp()


def test_an_error_that_keeps_it_from_starting_is_raised_as_what_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NDFD_SWARM__WORKRES", "2")
    with pytest.raises(ConfigError, match=r"NDFD_SWARM__WORKRES: .*did you mean NDFD_SWARM__WORKERS"), PrivateDaemon():
        pass
    assert list(tmp_path.iterdir()) == []


def test_one_that_ends_without_a_word_is_reported_with_its_log() -> None:
    with pytest.raises(NdfdError, match="ended with status 64") as failed, PrivateDaemon(["--nonsense"]):
        pass
    assert "--nonsense" in failed.value.hint


def test_it_ends_with_an_owner_that_is_killed_and_takes_its_folder_along(tmp_path: Path) -> None:
    code = (
        "import sys, tempfile; tempfile.tempdir = sys.argv[1]\n"
        "from ndfd.client.private import PrivateDaemon\n"
        "with PrivateDaemon() as daemon: print(daemon.pid, flush=True); sys.stdin.read()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        env=environment(NDFD_SWARM__WORKERS="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert owner.stdout is not None
    process = os.pidfd_open(int(owner.stdout.readline()))
    try:
        owner.send_signal(signal.SIGKILL)
        owner.communicate()
        assert select.select([process], [], [], 20)[0]
        assert list(tmp_path.iterdir()) == []
    finally:
        os.close(process)

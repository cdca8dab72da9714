"""`ndfd reload` and --running, before a daemon with workers of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Ndfd


def test_a_daemon_takes_what_is_sound_and_serves_on_when_it_is_not(
    ndfd: Ndfd, start: Callable[..., subprocess.Popen[bytes]], etc: Path, tmp_path: Path
) -> None:
    file = etc / "config.toml"
    file.write_text("[swarm]\nworkers = 1\n")
    socket = tmp_path / "s" / "ndfd.sock"
    places = (f"network.socket_dir={socket.parent}", f"storage.state_dir={tmp_path / 'state'}")
    process = start("run", "--service", "--set", places[0], "--set", places[1], stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    assert str(socket) in process.stdout.readline().decode()

    file.write_text('[swarm]\nworkers = 1\n[document]\nmax_size = "1MB"\n')
    assert ndfd("config", "diff", "--running", "--socket", socket).stdout == (
        f'document.max_size: "2GB" -> "1MB"  ({file}:4:12)\n'
    )
    reloaded = ndfd("reload", "--json", "--socket", socket)
    assert (reloaded.status, json.loads(reloaded.stdout)["generation"]) == (0, 2)
    shown = ndfd("config", "show", "--running", "--origin", "document.max_size", "--socket", socket).stdout
    assert f'max_size = "1MB"  # {file}:4:12\n' in shown

    file.write_text('[swarm]\nworkers = 1\n[document]\nmaxsize = "1MB"\nmax_deadline = "soon"\n')
    refused = ndfd("reload", "--socket", socket)
    assert refused.status == 78
    head, *mistakes = refused.stderr.splitlines()
    assert head.endswith("nothing has changed: generation 2 serves on")
    assert [mistake.rpartition(".toml:")[2][:4] for mistake in mistakes] == ["4:1:", "5:16"]
    status = json.loads(ndfd("status", "--json", "--socket", socket).stdout)
    assert status["generation"] == 2
    process.terminate()
    assert process.wait(20) == 0

"""A secret, in whichever way a daemon is given it, is in nothing that the daemon, its workers and its commands show."""

from __future__ import annotations

import contextlib
import io
import os
import signal
from pathlib import Path

import pytest

from ndfd.cli import main
from ndfd.errors import NdfdError
from tests import documents
from tests.daemon.configured import Configured, running, write
from tests.daemon.conftest import environment

TOKEN = "correct-horse-battery-staple"
WAYS = ("file", "file of the secret", "variable", "variable of the file", "flag of the file", "credential")


def given(root: Path, way: str) -> tuple[str, tuple[str, ...], dict[str, str]]:
    """The text of the file, the arguments and the variables with which a daemon gets the secret in this way."""
    secret = root / "creds" / "security.token"
    write(secret, TOKEN + "\n")
    text, arguments, variables = '[swarm]\nworkers = 1\n[logging]\nlevel = "debug"\n', (), {}
    match way:
        case "file":
            text += f'[security]\ntoken = "{TOKEN}"\n'
        case "file of the secret":
            text += f'[security]\ntoken_file = "{secret}"\n'
        case "variable":
            variables = {"NDFD_SECURITY__TOKEN": TOKEN}
        case "variable of the file":
            variables = {"NDFD_SECURITY__TOKEN_FILE": str(secret)}
        case "flag of the file":
            arguments = ("--set", f"security.token_file={secret}")
        case "credential":
            variables = {"CREDENTIALS_DIRECTORY": str(secret.parent)}
    return text, arguments, variables


def ndfd(daemon: Configured, *arguments: str, **variables: str) -> str:
    """All that a command prints that runs with these variables of ndfd and no others."""
    out = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
    ):
        for name in set(os.environ) - set(environment()):
            patch.delenv(name)
        for name, value in {**variables, "NDFD_SOCKET": str(daemon.sockets / "ndfd.sock")}.items():
            patch.setenv(name, value)
        main(list(arguments))
    return out.getvalue()


def descendants(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*children, *(each for child in children for each in descendants(child))]


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_is_shown_nowhere(tmp_path: Path, way: str) -> None:
    text, arguments, variables = given(tmp_path, way)
    # A file that sets nothing of its own, for the commands that read the layers themselves.
    local = ("--config-dir", str(tmp_path / "etc"), "--service", *arguments)
    with running(tmp_path, text, *arguments, **variables) as daemon, daemon.client() as client:
        shown = {}
        workers = descendants(daemon.process.pid)
        assert len(workers) == 2
        for pid in workers:
            for name in ("environ", "cmdline"):
                shown[f"/proc/PID/{name} of a worker"] = Path(f"/proc/{pid}/{name}").read_bytes().decode("latin-1")
        shown["the daemon's command line"] = Path(f"/proc/{daemon.process.pid}/cmdline").read_text()
        assert TOKEN.encode() in daemon_token(daemon)
        # A worker that crashes, a failure, and a reload that is refused, each with its report in the log.
        client.convert(documents.numbered_pages(1)).close()
        with pytest.raises(NdfdError):
            client.convert(documents.plain_text())
        os.kill(client.status().workers[0].pid, signal.SIGSEGV)
        daemon.write(text + "[swarm]\nnonsense = 1\n")
        shown["reload"] = ndfd(daemon, "--debug", "reload")
        assert "nonsense" in shown["reload"]
        daemon.write(text + "[metrics]\nenabled = true\n")
        shown["reload --json"] = ndfd(daemon, "reload", "--json")
        for command in ("show", "explain", "diff"):
            keys = ("security.token",) if command == "explain" else ()
            for option in ((), ("--json",), ("--origin",)):
                if option == ("--origin",) and command != "show":
                    continue
                name = " ".join((command, *option))
                shown[name] = ndfd(daemon, "config", command, *keys, *option, *local, **variables)
                shown[f"{name} --running"] = ndfd(daemon, "config", command, *keys, *option, "--running")
        shown["check"] = ndfd(daemon, "config", "check", "--json", *local, **variables)
        shown["status"] = ndfd(daemon, "status", "--json")
        for path in ("/metrics", "/v1/configuration", "/v1/status", "/openapi.json"):
            shown[path] = daemon.get(path)[1]
        daemon.process.terminate()
        daemon.process.wait(30)
        shown["the log"] = daemon.log.read_text()
    assert "security.token" in shown["show --running"] or "token" in shown["show --running"]
    assert "SIGSEGV" in shown["the log"] or "ended" in shown["the log"]
    assert [what for what, text in shown.items() if TOKEN in text] == []


def daemon_token(daemon: Configured) -> bytes:
    """The secret as the daemon itself has it: found in its memory, or the test would search for nothing."""
    pid = daemon.process.pid
    found = b""
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in maps:
            area, rights, *_ = line.split()
            if rights.startswith("rw") and not line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                begin, end = (int(part, 16) for part in area.split("-"))
                memory.seek(begin)
                data = memory.read(end - begin)
                at = data.find(TOKEN.encode())
                if at >= 0:
                    found = data[at : at + len(TOKEN)]
    return found

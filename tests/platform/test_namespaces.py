"""Namespaces of a zygote, where the system allows them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

_PROGRAM = """
import json, os, socket
from ndfd.platform import linux_namespaces

def links():
    return {name: os.readlink(f"/proc/self/ns/{name}") for name in ("ipc", "net", "uts", "user", "pid", "mnt")}

before, ids = links(), (os.geteuid(), os.getegid())
made = linux_namespaces.separate()
after = links()
reached = True
try:
    socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), 1).close()
except OSError:
    reached = False
print(json.dumps({
    "made": made,
    "changed": [name for name in before if before[name] != after[name]],
    "same_ids": ids == (os.geteuid(), os.getegid()),
    "reached": reached,
}))
"""


def separated(*wrapper: str, **variables: str) -> dict[str, object]:
    command = [*wrapper, sys.executable, "-c", _PROGRAM]
    ran = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, check=True)
    return dict(json.loads(ran.stdout))


@pytest.fixture
def port() -> Iterator[str]:
    """Somebody listens on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname()[1])


def test_what_it_says_is_what_has_changed_and_nobody_on_the_network_is_reached(port: str) -> None:
    said = separated(PORT=port)
    if not said["made"]:
        pytest.skip("this host lets no process make namespaces")
    assert sorted(said["made"]) == sorted(said["changed"])  # type: ignore[call-overload]
    assert said["same_ids"]
    assert not said["reached"]


def test_without_rights_a_user_namespace_comes_first_and_the_user_stays_the_same(port: str) -> None:
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all")
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv")
    if subprocess.run([*nobody, sys.executable, "-c", "import ndfd"], stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("needs a Python that others may run")
    said = separated(*nobody, PORT=port)
    assert said["same_ids"]
    assert said["made"] in ([], ["ipc", "net", "uts", "user"])


def test_where_none_may_be_made_nothing_changes(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _PROGRAM.replace(
        "made = ", "linux_namespaces._libc = type('Refusing', (), {'unshare': lambda self, flags: -1})()\nmade = "
    )
    monkeypatch.setattr(sys.modules[__name__], "_PROGRAM", program)
    said = separated(PORT=port)
    assert (said["made"], said["changed"], said["reached"]) == ([], [], True)

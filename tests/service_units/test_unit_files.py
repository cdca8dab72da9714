"""What systemd's own tools say of the units, on this host, and how their files hang together."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ndfd.config.places import HTTP_SOCKET, VARLINK_SOCKET
from tests.service_units.rendered import rendered
from tests.systemd_bed import UNITS

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")

#: In tenths, with what `systemd-analyze security` gives each. A user's manager may separate nothing.
THRESHOLDS = {"ndfd.service": 3, "ndfd@.service": 3, "ndfd-tune.service": 15, "user/ndfd.service": 65}
DROP_INS = {"priorities.conf": 4, "folders.conf": 3, "network.conf": 12}

SOCKETS = ["ndfd.socket", "ndfd@.socket", "user/ndfd.socket"]
SERVICES = [path for path in sorted(UNITS.rglob("*.service")) if path.is_file()]


@pytest.fixture(scope="module")
def version() -> int:
    said = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True).stdout
    return int(said.split()[1])


@pytest.fixture
def folder(tmp_path: Path, version: int) -> Path:
    """The units as this version of systemd gets them, with a command that is there."""
    for name, text in rendered(version, "/bin/true").items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def analyze(*arguments: str | Path, **variables: str) -> str:
    """What it says; the test ends when it finds fault."""
    command = ["systemd-analyze", *map(str, arguments)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **variables})
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stderr


@needs_systemd
@pytest.mark.parametrize("scope", ["system", "user"])
def test_systemd_finds_no_mistake_and_knows_every_directive(folder: Path, scope: str) -> None:
    where = folder if scope == "system" else folder / "user"
    units = [path.rename(path.with_name(path.name.replace("@.", "@name."))) for path in where.glob("ndfd*.s*")]
    assert len(units) == (5 if scope == "system" else 2)
    # On standard error stand the directives that it does not know, too.
    assert analyze("verify", "--man=no", f"--{scope}", *units, XDG_RUNTIME_DIR=str(folder)) == ""


@needs_systemd
@pytest.mark.parametrize("name", THRESHOLDS)
def test_they_are_exposed_to_little(folder: Path, name: str) -> None:
    analyze("security", "--offline=true", f"--threshold={THRESHOLDS[name]}", "--no-pager", folder / name)


@needs_systemd
@pytest.mark.parametrize("name", DROP_INS)
def test_a_drop_in_takes_no_more_than_it_says(folder: Path, name: str) -> None:
    drop_in = (UNITS / "examples" / name).read_text()
    (folder / "ndfd.service.d").mkdir()
    (folder / "ndfd.service.d" / name).write_text(drop_in)
    analyze("security", "--offline=true", f"--threshold={DROP_INS[name]}", "--no-pager", folder / "ndfd.service")
    if told := re.search(r"from 0\.3 to ([0-9]\.[0-9])", drop_in):
        assert round(float(told[1]) * 10) == DROP_INS[name]


def test_each_unit_is_tested_here() -> None:
    assert {str(path.relative_to(UNITS)) for path in SERVICES} == THRESHOLDS.keys()


def settings(path: Path) -> Iterator[tuple[str, str]]:
    """The keys of a unit and their values."""
    for line in path.read_text().replace("\\\n", " ").splitlines():
        if line and line[0] not in "#[":
            key, _, value = line.partition("=")
            yield key, value


@pytest.mark.parametrize("name", SOCKETS)
def test_a_socket_unit_asks_about_just_the_files_that_it_would_replace(name: str) -> None:
    listens = [value.replace("/run", "%t") for key, value in settings(UNITS / name) if key == "ListenStream"]
    (check,) = [value for key, value in settings(UNITS / name) if key == "ExecStartPre"]
    assert check.split("sh ")[-1].split() == listens
    # By the file's name the daemon knows which door it is for.
    assert [Path(path).name for path in listens] == [VARLINK_SOCKET, HTTP_SOCKET]


def ask_about(unit: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Runs what a socket unit asks about a file before it makes one there."""
    (check,) = [value for key, value in settings(UNITS / unit) if key == "ExecStartPre"]
    program, option, script, name, *_ = shlex.split(check.replace("$$", "$"))
    command = [program, option, script, name, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A folder whose path leaves room for more in the name of a socket, which has 107 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize("unit", SOCKETS)
def test_a_name_that_any_user_can_have_listed_keeps_no_socket_unit_from_starting(short_dir: Path, unit: str) -> None:
    path = short_dir / "ndfd.sock"
    line = f"0: 00000002 00000000 00010000 0001 01 1 {path}"
    with socket.socket(socket.AF_UNIX) as forged:
        forged.bind(f"\0\n{line}")
        forged.listen()
        assert f"\n{line}\n" in Path("/proc/net/unix").read_text()
        assert ask_about(unit, path).returncode == 0
    with socket.socket(socket.AF_UNIX) as served:
        served.bind(os.fspath(path))
        served.listen()
        asked = ask_about(unit, path)
        assert (asked.returncode, f"Another program serves at {path}" in asked.stderr) == (73, True)
    # Which is why none is left there.
    assert dict(settings(UNITS / unit))["RemoveOnStop"] == "yes"


def test_a_link_to_a_socket_is_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "ndfd.sock"
    with socket.socket(socket.AF_UNIX) as elsewhere:
        elsewhere.bind(os.fspath(tmp_path / "elsewhere"))
        path.symlink_to(tmp_path / "elsewhere")
        asked = ask_about("ndfd.socket", path)
    assert (asked.returncode, f"{path} is in the way" in asked.stderr) == (73, True)


@pytest.mark.parametrize("name", ["root", "tune"])
def test_no_instance_has_the_name_of_a_folder_that_is_not_its_own(name: str) -> None:
    asked = ask_about("ndfd@.socket", Path(f"/run/ndfd-{name}/ndfd.sock"))
    assert (asked.returncode, "cannot be the names of instances" in asked.stderr) == (78, True)
    assert ask_about("ndfd@.socket", Path("/run/ndfd-roots/ndfd.sock")).returncode == 0


def test_an_instance_is_the_machines_daemon_under_a_name() -> None:
    of_one = [(key, value) for key, value in settings(UNITS / "ndfd.service") if key != "Environment"]
    of_many = [(key, value) for key, value in settings(UNITS / "ndfd@.service") if key != "Environment"]
    unnamed = [(key, value.replace("ndfd-%i", "ndfd").replace("@%i", "").removesuffix(" %i")) for key, value in of_many]
    assert unnamed == of_one


@pytest.mark.parametrize("unit", ["ndfd.service", "ndfd@.service", "user/ndfd.service"])
def test_the_drop_in_for_older_versions_says_what_is_rendered_for_them(unit: str) -> None:
    drop_in = dict(settings(UNITS / "before-253" / f"{unit}.d" / "notify.conf"))
    new, old = rendered(253)[unit].splitlines(), rendered(252)[unit].splitlines()
    assert [line for line in new if line not in old] == ["Type=notify-reload"]
    assert dict(line.split("=", 1) for line in old if line not in new) == drop_in

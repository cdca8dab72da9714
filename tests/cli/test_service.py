"""`ndfd service`, on a machine in a folder."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ndfd.cli.service import service
from tests.cli.conftest import Ndfd
from tests.service.scene import Scene

_COMMAND = ("--command", "/usr/bin/ndfd")


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The machine that the commands see."""
    scene = Scene.made(tmp_path / "machine")
    monkeypatch.setattr("ndfd.cli.service_options.this_machine", lambda: scene.machine)
    monkeypatch.setattr("ndfd.service.systemd.installed_command", lambda: Path("/usr/bin/ndfd"))
    return scene


@pytest.mark.parametrize("verb", sorted(service.commands))
def test_each_verb_explains_itself(ndfd: Ndfd, verb: str) -> None:
    ran = ndfd("service", verb, "--help")
    assert ran.status == 0
    assert "Examples:" in ran.stdout
    assert "--user" in ran.stdout


def test_a_dry_run_shows_every_file_and_command_and_writes_nothing(ndfd: Ndfd, scene: Scene) -> None:
    before = scene.files()
    ran = ndfd("service", "install", "--dry-run")
    assert ran.status == 0
    lines = ran.stdout.splitlines()
    assert f"write   {scene.unit('ndfd.service')}" in lines
    assert "run     systemctl enable ndfd.socket ndfd.service" in lines
    assert (scene.files(), scene.calls()) == (before, [])
    # What it showed is what is done then.
    done = ndfd("service", "install").stdout.splitlines()
    assert [line for line in done if line.split()[0] in {"write", "run", "same"}] == lines[: len(lines) - 1]


def test_install_status_and_uninstall_in_text(ndfd: Ndfd, scene: Scene) -> None:
    assert ndfd("service", "status").status == 69
    ran = ndfd("service", "install")
    assert (ran.status, ran.stderr) == (0, "")
    assert "ndfd.service   active (some); enabled" in ran.stdout
    assert "sockets        /run/ndfd/ndfd.sock, /run/ndfd/http.sock" in ran.stdout
    again = ndfd("service", "install").stdout
    assert "same    user ndfd" in again
    assert "\nwrite" not in again
    status = ndfd("service", "status")
    assert status.status == 0
    assert re.search(r"^files          .*/ndfd\.service and \d more, of this version$", status.stdout, re.MULTILINE)
    assert len(status.stdout.splitlines()) <= 8
    gone = ndfd("service", "uninstall")
    assert gone.status == 0
    assert f"remove  {scene.unit('ndfd.service')}" in gone.stdout
    assert ndfd("service", "uninstall").stdout.startswith("nothing is installed\n")


def test_programs_read_one_object(ndfd: Ndfd, scene: Scene) -> None:
    ran = ndfd("service", "install", "--json")
    answer = json.loads(ran.stdout)
    assert (answer["action"], answer["dry_run"]) == ("install", False)
    assert {"do": "write", "what": str(scene.unit("ndfd.service"))} in answer["steps"]
    status = json.loads(ndfd("service", "status", "--json").stdout)
    assert (status["manager"], status["running"], status["name"]) == ("systemd", True, "ndfd.service")
    assert {file["standing"] for file in status["files"]} == {"current"}
    stopped = json.loads(ndfd("service", "stop", "--json").stdout)
    assert stopped["running"] is False
    assert json.loads(ndfd("service", "uninstall", "--dry-run", "--json").stdout)["dry_run"] is True


def test_each_command_is_shown_before_it_is_run(ndfd: Ndfd, scene: Scene) -> None:
    ndfd("service", "install")
    for verb, command in {
        "restart": "systemctl restart ndfd.service",
        "reload": "systemctl reload ndfd.service",
        "stop": "systemctl stop ndfd.socket ndfd.service",
        "start": "systemctl start ndfd.socket ndfd.service",
    }.items():
        ran = ndfd("service", verb)
        assert ran.status == 0
        assert ran.stdout.splitlines()[0] == f"run     {command}"
        assert ran.stdout.splitlines()[1].startswith("ndfd.service ")


def test_a_start_that_fails_is_one_line_and_the_log_below_it(ndfd: Ndfd, scene: Scene) -> None:
    ndfd("service", "install", "--no-start")
    says = "Result=exit-code\nExecMainCode=1\nExecMainStatus=78\nInvocationID=abc\n"
    (scene.folder / "states" / "ndfd.service.says").write_text(says)
    (scene.folder / "journal").write_text("config.toml:3:1: unknown key\n")
    scene.fail("systemctl start ndfd.socket ndfd.service")
    ran = ndfd("service", "start")
    assert ran.status == 78
    first, second = ran.stderr.splitlines()
    assert first.startswith(
        "ndfd: ndfd.service does not run: exit status 78: wrong configuration (configuration); run "
    )
    assert second == "config.toml:3:1: unknown key"


def test_a_refused_reload_is_an_error(ndfd: Ndfd, scene: Scene) -> None:
    ndfd("service", "install")
    says = "StatusText=Reload refused: swarm.workers: too few; the old configuration serves on. Serving\n"
    (scene.folder / "states" / "ndfd.service.says").write_text(says)
    ran = ndfd("service", "reload")
    assert ran.status == 78
    assert (
        "has refused to reload: swarm.workers: too few (configuration); the old configuration serves on" in ran.stderr
    )


def test_a_changed_unit_is_refused_until_it_is_forced(ndfd: Ndfd, scene: Scene) -> None:
    ndfd("service", "install")
    path = scene.unit("ndfd.service")
    path.write_text(f"{path.read_text()}# mine\n")
    for verb in ("install", "uninstall"):
        ran = ndfd("service", verb)
        assert ran.status == 73
        assert ran.stderr.startswith(f"ndfd: {path} was changed since ndfd wrote it (service-file-changed)")
    assert ndfd("service", "install", "--force").status == 0


def test_purge_asks_on_a_terminal_and_needs_a_yes_elsewhere(ndfd: Ndfd, scene: Scene) -> None:
    ndfd("service", "install")
    state = scene.machine.path("/var/lib/ndfd")
    state.mkdir(parents=True)
    ran = ndfd("service", "uninstall", "--purge")
    assert ran.status == 64
    assert f"--purge removes {state}" in ran.stderr
    assert "--yes" in ran.stderr
    assert state.exists()
    assert ndfd("service", "uninstall", "--purge", "--yes").status == 0
    assert not state.exists()


def test_the_question_names_the_folders_and_no_is_the_answer_that_changes_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from ndfd.cli.service_uninstall import _ask\n"
        "from click.exceptions import Abort\n"
        "try:\n    _ask((Path('/var/lib/ndfd'),))\nexcept Abort:\n    sys.exit(7)\n"
    )
    for answer, status in ((b"n\n", 7), (b"y\n", 0)):
        ours, theirs = pty.openpty()
        os.write(ours, answer)
        ran = subprocess.run([sys.executable, "-c", code], stdin=theirs, capture_output=True, timeout=60, check=False)
        os.close(ours)
        os.close(theirs)
        assert ran.returncode == status
        assert b"/var/lib/ndfd" in ran.stderr


def test_logs_are_journalctls_and_its_command_is_named_on_stderr(ndfd: Ndfd, scene: Scene) -> None:
    (scene.folder / "journal").write_text("a line\n")
    ran = ndfd("service", "logs", "-n", "5", "--since", "-1h")
    assert (ran.status, ran.stdout) == (0, "a line\n")
    assert ran.stderr == "run     journalctl --unit=ndfd.service --lines=5 --since=-1h\n"


def test_the_files_of_a_package_are_written_below_a_folder_and_nothing_is_run(
    ndfd: Ndfd, scene: Scene, tmp_path: Path
) -> None:
    root = tmp_path / "package"
    ran = ndfd("service", "install", "--root", root, "--systemd-version", "252")
    assert ran.status == 0
    assert scene.calls() == []
    units = root / "usr/lib/systemd/system"
    assert {path.name for path in units.iterdir()} >= {"ndfd.service", "ndfd.socket", "ndfd-tune.service"}
    assert (root / "usr/lib/sysusers.d/ndfd.conf").is_file()
    assert (root / "usr/lib/tmpfiles.d/ndfd.conf").is_file()
    text = (units / "ndfd.service").read_text()
    assert "\nExecStart=/usr/bin/ndfd run --service\n" in text
    assert "\nType=notify\n" in text
    again = ndfd("service", "install", "--root", root, "--systemd-version", "252").stdout.splitlines()
    assert {line.split()[0] for line in again[:-1]} == {"same"}
    newer = ndfd("service", "install", "--root", root, "--systemd-version", "257", *_COMMAND)
    assert newer.status == 0
    assert "\nType=notify-reload\n" in (units / "ndfd.service").read_text()
    user = ndfd("service", "install", "--root", root, "--user")
    assert user.status == 0
    assert (root / "usr/lib/systemd/user/ndfd.service").is_file()
    assert ndfd("service", "uninstall", "--root", root).status == 0
    assert list(units.iterdir()) == []


def test_a_wrong_command_is_wrong_usage(ndfd: Ndfd, scene: Scene) -> None:
    assert ndfd("service", "install", "--command", "ndfd").status == 64
    assert ndfd("service", "install", "--instance", "a/b").status == 64
    assert ndfd("service", "begin").status == 64


def test_an_interrupt_undoes_what_was_done(scene: Scene, tmp_path: Path) -> None:
    before = scene.files()
    ready = tmp_path / "ready"
    waits = f'[ "$verb" = start ] && {{ : > {ready}; exec sleep 60; }}\n'
    systemctl = scene.folder / "bin" / "systemctl"
    systemctl.write_text(systemctl.read_text().replace("case $verb in\n", f"{waits}case $verb in\n", 1))
    (scene.folder / "bin" / "sleep").symlink_to("/bin/sleep")
    code = (
        "import sys; from pathlib import Path\n"
        "from ndfd.cli import main, service_options\n"
        "from tests.service.scene import MachineInFolder\n"
        f"machine = MachineInFolder({{'PATH': '{scene.folder}/bin'}}, 0, None, Path('{scene.machine.root}'))\n"
        "service_options.this_machine = lambda: machine\n"
        f"sys.exit(main(['service', 'install', *{_COMMAND!r}]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    while not ready.exists():
        assert process.poll() is None
    process.terminate()
    said = process.stdout.read()
    process.stdout.close()
    assert process.wait() == 128 + 15
    assert f"undo    remove {scene.unit('ndfd.service')}" in said
    assert scene.files() == before

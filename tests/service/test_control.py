"""Starting, stopping and looking, and why a service does not run."""

from __future__ import annotations

from pathlib import Path

import pytest

from ndfd.errors import ConfigError, NdfdError, NotPermitted, NotSupported, ServiceFailed, WorkerStartFailed
from ndfd.service.manager import Install, Logs
from ndfd.service.plan import Standing
from ndfd.service.systemd_failure import failure, why
from ndfd.service.systemd_units import Unit
from tests.service.scene import COMMAND, Scene


def unit(**properties: str) -> Unit:
    return Unit("ndfd.service", {"LoadState": "loaded", "ActiveState": "failed", "SubState": "failed", **properties})


def says(scene: Scene, name: str, **properties: object) -> None:
    text = "".join(f"{key}={value}\n" for key, value in properties.items())
    (scene.folder / "states" / f"{name}.says").write_text(text)


def test_each_verb_is_the_managers_own_and_sockets_go_with_start_and_stop(scene: Scene) -> None:
    scene.install(Install(COMMAND, start=False))
    scene.calls()
    for verb in ("start", "restart", "reload", "stop"):
        scene.do(getattr(scene.manager(), verb)())
    assert scene.calls() == [
        "systemctl start ndfd.socket ndfd.service",
        "systemctl restart ndfd.service",
        "systemctl reload ndfd.service",
        "systemctl stop ndfd.socket ndfd.service",
    ]


def test_a_failed_service_is_forgiven_before_it_is_started_again(scene: Scene) -> None:
    scene.install(Install(COMMAND, start=False))
    (scene.folder / "states" / "ndfd.service.failed").touch()
    scene.calls()
    scene.do(scene.manager().start())
    assert scene.calls() == ["systemctl reset-failed ndfd.service", "systemctl start ndfd.socket ndfd.service"]


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "reload"])
def test_what_is_not_installed_is_said_so_with_what_to_do(scene: Scene, verb: str) -> None:
    with pytest.raises(ServiceFailed, match=r"ndfd\.service is not installed") as refused:
        getattr(scene.manager(), verb)()
    assert "`ndfd service install`" in refused.value.hint


def test_what_does_not_run_cannot_reload(scene: Scene) -> None:
    scene.install(Install(COMMAND, start=False))
    with pytest.raises(ServiceFailed, match="does not run") as refused:
        scene.manager().reload()
    assert "`ndfd service start`" in refused.value.hint


def test_where_systemd_does_not_run_the_way_out_is_named(scene: Scene) -> None:
    scene.machine.path("/run/systemd/system").rmdir()
    for verb in ("start", "stop", "restart", "reload", "status"):
        with pytest.raises(NotSupported, match="systemd does not run here") as refused:
            getattr(scene.manager(), verb)()
        assert "`ndfd run`" in refused.value.hint


def test_only_root_may_and_the_way_out_is_named(tmp_path: Path) -> None:
    scene = Scene.made(tmp_path / "machine", uid=1000)
    with pytest.raises(NotPermitted) as refused:
        scene.manager().install(Install(COMMAND))
    assert "sudo ndfd service install" in refused.value.hint
    assert "ndfd service install --user" in refused.value.hint
    # Looking is for all.
    assert scene.manager().status().state == "not installed"


@pytest.mark.parametrize(
    ("properties", "error", "said"),
    [
        ({"Result": "exit-code", "ExecMainCode": "1", "ExecMainStatus": "78"}, ConfigError, "78: wrong configuration"),
        ({"Result": "exit-code", "ExecMainCode": "1", "ExecMainStatus": "75"}, WorkerStartFailed, "no worker could"),
        ({"Result": "exit-code", "ExecMainCode": "1", "ExecMainStatus": "69"}, ServiceFailed, "its sockets cannot"),
        ({"Result": "exit-code", "ExecMainCode": "1", "ExecMainStatus": "203"}, ServiceFailed, "cannot be executed"),
        ({"Result": "exit-code", "ExecMainCode": "1", "ExecMainStatus": "3"}, ServiceFailed, "exit status 3$"),
        ({"Result": "start-limit-hit", "ExecMainCode": "1", "ExecMainStatus": "78"}, ConfigError, "configuration"),
        ({"Result": "start-limit-hit"}, ServiceFailed, "ended too often"),
        ({"Result": "signal", "ExecMainCode": "2", "ExecMainStatus": "9"}, ServiceFailed, "ended by SIGKILL"),
        ({"Result": "core-dump", "ExecMainCode": "3", "ExecMainStatus": "11"}, ServiceFailed, "ended by SIGSEGV"),
        ({"Result": "watchdog", "ExecMainCode": "3", "ExecMainStatus": "6"}, ServiceFailed, "it hung"),
        ({"Result": "timeout"}, ServiceFailed, "in time"),
        ({"Result": "oom-kill"}, ServiceFailed, "memory was short"),
        ({"Result": "something-new"}, ServiceFailed, "result something-new"),
    ],
)
def test_each_way_to_fail_has_its_words_and_its_error(
    properties: dict[str, str], error: type[NdfdError], said: str
) -> None:
    found = failure(unit(**properties), {"start": "ndfd service start", "check": "ndfd config check"}, ("a line",))
    assert type(found) is error
    with pytest.raises(error, match=said):
        raise found
    assert found.details == ("a line",)
    assert found.hint
    assert "{" not in found.hint


def test_what_ended_well_needs_no_words() -> None:
    assert why(unit(Result="success", ExecMainCode="1", ExecMainStatus="0")) is None


def test_a_start_that_fails_shows_why_and_the_last_lines_of_the_log(scene: Scene) -> None:
    scene.install(Install(COMMAND, start=False))
    says(scene, "ndfd.service", Result="exit-code", ExecMainCode=1, ExecMainStatus=78, InvocationID="abc")
    (scene.folder / "journal").write_text("config.toml:3: unknown key\n\n")
    scene.fail("systemctl start ndfd.socket ndfd.service")
    manager = scene.manager()
    with pytest.raises(ConfigError, match="wrong configuration") as failed:
        scene.do(manager.start(), manager)
    assert failed.value.details[0] == "config.toml:3: unknown key"
    assert "ndfd config check --service" in failed.value.hint
    asked = [
        line for line in (scene.folder / "calls").read_text().splitlines() if line.startswith("journalctl --no-pager")
    ]
    # Of this run alone: what the daemon wrote, and what systemd wrote of it.
    assert asked[0].endswith("_SYSTEMD_INVOCATION_ID=abc + INVOCATION_ID=abc")


def test_sockets_that_cannot_be_made_are_the_reason(scene: Scene) -> None:
    scene.install(Install(COMMAND, start=False))
    (scene.folder / "states" / "ndfd.socket.failed").touch()
    says(scene, "ndfd.socket", Result="exit-code")
    found = scene.manager().failure()
    assert found is not None
    assert found.message.startswith("ndfd.socket does not run")


def test_a_reload_that_the_daemon_refused_is_an_error_though_systemd_saw_none(scene: Scene) -> None:
    scene.install()
    assert scene.manager().failure("reload") is None
    line = "Reload refused: swarm.workers: -3 is below 1; the old configuration serves on. Serving: 2 workers"
    says(scene, "ndfd.service", StatusText=line)
    refused = scene.manager().failure("reload")
    assert isinstance(refused, ConfigError)
    assert refused.message == "ndfd.service has refused to reload: swarm.workers: -3 is below 1"
    assert "serves on" in refused.hint


def test_status_has_what_systemd_knows(scene: Scene) -> None:
    scene.install()
    says(scene, "ndfd.service", MainPID=42, StatusText="Serving: all well", NRestarts=3, NeedDaemonReload="yes")
    status = scene.manager().status()
    assert (status.installed, status.running, status.state) == (True, True, "active (some)")
    assert (status.pid, status.restarts, status.said) == (42, 3, "Serving: all well")
    assert status.sockets == ("/run/ndfd/ndfd.sock", "/run/ndfd/http.sock")
    assert any("daemon-reload" in warning for warning in status.warnings)


def test_status_tells_whose_the_files_are(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ndfd.service.systemd.installed_command", lambda: COMMAND)
    scene.install()
    assert {file.standing for file in scene.manager().status().files} == {Standing.CURRENT}
    path = scene.unit("ndfd.socket")
    path.write_text(f"{path.read_text()}# mine\n")
    scene.unit("ndfd.service").write_text("[Service]\n")
    standings = {Path(file.path).name: file.standing for file in scene.manager().status().files}
    assert standings["ndfd.socket"] is Standing.CHANGED
    assert standings["ndfd.service"] is Standing.FOREIGN
    monkeypatch.setattr("ndfd.service.systemd.installed_command", lambda: Path("/opt/ndfd/bin/ndfd"))
    scene.install(Install(COMMAND, force=True))
    status = scene.manager().status()
    standings = {Path(file.path).name: file.standing for file in status.files}
    assert standings["ndfd.service"] is Standing.OLDER
    assert any("another ndfd wrote its files" in warning for warning in status.warnings)


def test_the_log_is_journalctls_with_what_is_wanted_of_it(scene: Scene) -> None:
    wish = Logs(follow=True, lines=5, since="-1h", priority="warning", json=True)
    assert scene.manager().logs(wish) == (
        *("journalctl", "--unit=ndfd.service", "--follow", "--lines=5", "--since=-1h", "--priority=warning"),
        "--output=json",
    )
    assert scene.manager(user=True).logs(Logs())[1] == "--user-unit=ndfd.service"
    assert scene.manager(instance="x").logs(Logs())[1] == "--unit=ndfd@x.service"

"""Installing under systemd, and taking it away, on a machine in a folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ndfd.errors import NotSupported, ServiceError, ServiceFailed, ServiceFileChanged, UsageError
from ndfd.service.manager import Install, Uninstall
from ndfd.service.packaged import systemd_files
from ndfd.service.plan import Standing
from tests.service.scene import COMMAND, Scene

ETC = "/etc/systemd/system"


def test_a_first_install_makes_user_folders_and_units_then_enables_and_starts(scene: Scene) -> None:
    told = scene.install()
    root = scene.machine.root
    assert scene.calls() == [
        f"systemd-sysusers {root}/etc/sysusers.d/ndfd.conf",
        f"systemd-tmpfiles --create {root}/etc/tmpfiles.d/ndfd.conf",
        "systemctl daemon-reload",
        "systemctl enable ndfd.socket ndfd.service",
        "systemctl start ndfd.socket ndfd.service",
    ]
    written = [line.removeprefix(f"write {root}") for line in told if line.startswith("write ")]
    assert written[:2] == ["/etc/sysusers.d/ndfd.conf", "/etc/tmpfiles.d/ndfd.conf"]
    assert f"{ETC}/ndfd.service" in written
    assert f"{ETC}/ndfd.socket" in written
    # Each is told before it is done: the files before the commands that read them.
    assert told.index(f"write {root}{ETC}/ndfd.service") < told.index("run systemctl daemon-reload")
    assert scene.unit("ndfd.service").stat().st_mode & 0o777 == 0o644
    assert (root / "run/ndfd").is_dir()


def test_the_unit_that_tunes_the_system_is_installed_when_it_is_asked_for(scene: Scene) -> None:
    scene.install()
    assert not scene.unit("ndfd-tune.service").exists()
    scene.calls()
    scene.install(Install(COMMAND, tuning=True))
    assert scene.unit("ndfd-tune.service").exists()
    assert "systemctl start ndfd-tune.service" in scene.calls()
    # From then on it is kept up to date without being asked for.
    told = scene.install(Install(Path("/opt/ndfd/bin/ndfd")))
    assert f"write {scene.unit('ndfd-tune.service')}" in told


def test_a_second_install_says_what_is_the_same_and_does_nothing(scene: Scene) -> None:
    scene.install()
    before, _ = scene.files(), scene.calls()
    told = scene.install()
    assert {line.split()[0] for line in told} == {"same"}
    assert "same user ndfd" in told
    assert "same ndfd.socket, ndfd.service: enabled" in told
    assert "same ndfd.socket, ndfd.service: active" in told
    assert scene.calls() == []
    assert scene.files() == before


def test_another_version_of_the_units_is_written_and_the_daemon_restarted(scene: Scene) -> None:
    scene.install()
    scene.calls()
    told = scene.install(Install(Path("/opt/ndfd/bin/ndfd")))
    assert f"write {scene.unit('ndfd.service')}" in told
    assert f"same {scene.unit('ndfd.socket')}" in told
    assert scene.calls() == ["systemctl daemon-reload", "systemctl restart ndfd.service"]
    assert "ExecStart=/opt/ndfd/bin/ndfd run --service" in scene.unit("ndfd.service").read_text()


@pytest.mark.parametrize("touch", ["a line more", "all its own"])
def test_a_unit_that_the_operator_has_changed_is_written_over_by_force_only(scene: Scene, touch: str) -> None:
    scene.install()
    path = scene.unit("ndfd.service")
    path.write_text("[Service]\n" if touch == "all its own" else f"{path.read_text()}Nice=5\n")
    before, _ = scene.files(), scene.calls()
    with pytest.raises(ServiceFileChanged, match=r"ndfd\.service was ") as refused:
        scene.install()
    assert "systemctl edit" in refused.value.hint
    assert (scene.files(), scene.calls()) == (before, [])
    scene.install(Install(COMMAND, force=True))
    assert scene.standing("ndfd.service") is Standing.OLDER


def test_drop_ins_of_the_operator_stay_whatever_happens(scene: Scene) -> None:
    drop_in = scene.unit("ndfd.service.d") / "mine.conf"
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("[Service]\nNice=5\n")
    scene.install()
    scene.install(Install(COMMAND, force=True))
    scene.do(scene.manager().uninstall(Uninstall()))
    assert drop_in.read_text() == "[Service]\nNice=5\n"


def test_without_start_and_enabling_it_is_only_installed(scene: Scene) -> None:
    plan = scene.manager().install(Install(COMMAND, enable=False, start=False))
    scene.do(plan)
    assert scene.calls()[2:] == ["systemctl daemon-reload"]
    assert any("ndfd service start" in note for note in plan.notes)


_STEPS = (
    "systemd-sysusers {root}/etc/sysusers.d/ndfd.conf",
    "systemd-tmpfiles --create {root}/etc/tmpfiles.d/ndfd.conf",
    "systemctl daemon-reload",
    "systemctl enable ndfd.socket ndfd.service",
    "systemctl start ndfd.socket ndfd.service",
)


@pytest.mark.parametrize("nth", range(len(_STEPS)))
def test_whichever_step_fails_all_is_as_it_was(scene: Scene, nth: int) -> None:
    before = scene.files()
    call = _STEPS[nth].format(root=scene.machine.root)
    scene.fail(call)
    with pytest.raises(ServiceError, match="ended with status 1") as failed:
        scene.install()
    assert "it cannot be done" in failed.value.details
    assert scene.files() == before
    assert not any((scene.folder / "users").iterdir())
    assert not [path for path in (scene.folder / "states").iterdir() if path.suffix != ".failed"]
    # The manager has read the units again after they were gone.
    reloads = [line for line in scene.told if line == "undo run systemctl daemon-reload"]
    assert len(reloads) == 1
    assert scene.told.index(reloads[0]) > max(
        at for at, line in enumerate(scene.told) if line.startswith("undo remove")
    )


def test_an_upgrade_that_fails_brings_the_old_units_and_the_old_daemon_back(scene: Scene) -> None:
    scene.install()
    before, _ = scene.files(), scene.calls()
    scene.fail("systemctl daemon-reload")
    with pytest.raises(ServiceError):
        scene.install(Install(Path("/opt/ndfd/bin/ndfd")))
    assert scene.files() == before
    assert scene.calls()[-1] == "systemctl restart ndfd.service"


def test_what_cannot_be_undone_is_named(scene: Scene) -> None:
    scene.fail("systemctl start ndfd.socket ndfd.service", "userdel ndfd")
    with pytest.raises(ServiceError) as failed:
        scene.install()
    assert "not undone: `userdel ndfd` ended with status 1" in failed.value.hint


def test_a_file_that_cannot_be_written_is_named_and_the_rest_undone(scene: Scene) -> None:
    blocked = scene.machine.path("/etc/tmpfiles.d")
    blocked.write_text("a file where a folder should be")
    before = scene.files()
    with pytest.raises(Exception, match=str(blocked)):
        scene.install()
    assert scene.files() == before


def test_without_systemd_sysusers_the_user_is_made_by_useradd(scene: Scene) -> None:
    (scene.folder / "bin" / "systemd-sysusers").unlink()
    scene.install()
    assert scene.calls()[:2] == [
        "groupadd --system ndfd",
        "useradd --system --gid ndfd --no-create-home --home-dir /var/lib/ndfd --shell /usr/sbin/nologin ndfd",
    ]


def test_an_instance_is_enabled_and_started_beside_the_others(scene: Scene) -> None:
    with pytest.raises(UsageError, match="--instance"):
        scene.manager(instance="../x")
    scene.install()
    scene.calls()
    scene.install(instance="fast")
    both = "ndfd@fast.socket ndfd@fast.service"
    assert scene.calls() == [f"systemctl enable {both}", f"systemctl start {both}"]
    lines = (f"ndfd@fast.{kind} loaded active running Something\n" for kind in ("socket", "service"))
    (scene.folder / "instances").write_text("".join(lines))
    state = scene.machine.path("/var/lib/ndfd-fast")
    for folder in (state, scene.machine.path("/var/lib/ndfd"), scene.machine.path("/run/ndfd-fast")):
        folder.mkdir(parents=True)
    scene.do(scene.manager(instance="fast").uninstall(Uninstall(purge=True)))
    assert scene.calls() == [f"systemctl stop {both}", f"systemctl disable {both}"]
    assert not state.exists()
    assert not scene.machine.path("/run/ndfd-fast").exists()
    assert scene.machine.path("/var/lib/ndfd").exists()
    assert scene.unit("ndfd@.service").exists()
    # With the last of the files, every instance goes.
    scene.install(instance="fast")
    scene.calls()
    scene.do(scene.manager().uninstall(Uninstall()))
    assert scene.calls()[0] == f"systemctl stop {both} ndfd.socket ndfd.service"
    assert not scene.unit("ndfd@.service").exists()


@pytest.mark.parametrize("name", ["root", "tune"])
def test_an_instance_cannot_have_the_name_of_a_folder_that_is_not_its_own(scene: Scene, name: str) -> None:
    with pytest.raises(UsageError, match=f"ndfd-{name}"):
        scene.manager(instance=name)


def test_an_instance_of_what_has_no_template_is_refused(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = systemd_files(user=False)
    units = {name: text for name, text in packaged.units.items() if "@" not in name}
    monkeypatch.setattr(
        "ndfd.service.systemd_files.systemd_files", lambda *, user: dataclasses.replace(packaged, units=units)
    )
    with pytest.raises(NotSupported, match=r"ndfd@\.service"):
        scene.manager(instance="fast").install(Install(COMMAND))


def test_uninstall_stops_disables_and_removes_and_leaves_state(scene: Scene) -> None:
    before = scene.files()
    scene.install()
    state = scene.machine.path("/var/lib/ndfd")
    state.mkdir(parents=True)
    (state / "jobs.db").write_text("jobs")
    scene.calls()
    plan = scene.manager().uninstall(Uninstall())
    scene.do(plan)
    assert scene.calls() == [
        "systemctl stop ndfd.socket ndfd.service",
        "systemctl disable ndfd.socket ndfd.service",
        "systemctl daemon-reload",
    ]
    # State, the empty folders of configuration and of units, and nothing else.
    left = set(scene.files()) - set(before)
    assert {path for path in left if not path.startswith("etc/ndfd")} == {
        *("var/lib/ndfd/jobs.db", "etc/systemd/system", "etc/sysusers.d", "etc/tmpfiles.d", "run/systemd/system")
    } - set(before)
    assert any(str(state) in note for note in plan.notes)
    assert not scene.manager().uninstall(Uninstall()).changes()


def test_purge_removes_state_configuration_and_user(scene: Scene) -> None:
    scene.install()
    for folder in ("/var/lib/ndfd", "/var/lib/ndfd-tune", "/var/log/ndfd", "/etc/ndfd"):
        scene.machine.path(folder).mkdir(parents=True, exist_ok=True)
    scene.calls()
    scene.do(scene.manager().uninstall(Uninstall(purge=True)))
    assert "userdel ndfd" in scene.calls()
    assert not [path for path in scene.files() if path.endswith("ndfd") or "/ndfd/" in path]


def test_what_was_tuned_is_put_back_before_anything_is_stopped(scene: Scene) -> None:
    ndfd = scene.folder / "bin" / "ndfd"
    ndfd.write_text('#!/bin/sh\necho "ndfd $*" >> "${0%/*}/../calls"\n')
    ndfd.chmod(0o755)
    scene.install(Install(COMMAND, tuning=True))
    unit = scene.unit("ndfd-tune.service")
    unit.write_text(f"[Service]\nExecStart={ndfd} tune apply --service\n")
    scene.calls()
    scene.do(scene.manager().uninstall(Uninstall(force=True)))
    calls = scene.calls()
    assert calls[0] == "ndfd tune revert --service"
    assert calls[1].startswith("systemctl stop ndfd-tune.service")


def test_an_uninstall_that_fails_has_taken_nothing_away(scene: Scene) -> None:
    scene.install()
    before = scene.files()
    scene.fail("systemctl daemon-reload")
    with pytest.raises(ServiceError):
        scene.do(scene.manager().uninstall(Uninstall()))
    assert scene.files() == before
    assert scene.manager().status().running
    assert scene.manager().status().enabled == "enabled"


def test_units_of_a_package_are_enabled_and_started_and_never_written(scene: Scene) -> None:
    packaged = scene.machine.path("/usr/lib/systemd/system")
    packaged.mkdir(parents=True)
    for name in ("ndfd.service", "ndfd.socket"):
        (packaged / name).write_text("[Service]\n")
    before = scene.files()
    plan = scene.manager().install(Install())
    scene.do(plan)
    assert scene.calls() == [
        "systemctl enable ndfd.socket ndfd.service",
        "systemctl start ndfd.socket ndfd.service",
    ]
    assert scene.files() == before
    assert any("package" in note for note in plan.notes)
    scene.do(scene.manager().uninstall(Uninstall()))
    assert scene.files() == before


def test_a_masked_unit_is_refused_with_the_way_out(scene: Scene) -> None:
    path = scene.unit("ndfd.service")
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/null")
    with pytest.raises(ServiceFileChanged, match=r"ndfd\.service is masked") as refused:
        scene.install(Install(COMMAND, force=True))
    assert "systemctl unmask ndfd.service" in refused.value.hint
    with pytest.raises(ServiceFileChanged, match="masked"):
        scene.manager().start()


def test_a_service_of_a_user_lies_in_the_home_and_needs_no_root(tmp_path: Path) -> None:
    scene = Scene.made(tmp_path / "machine", uid=1000)
    units = scene.machine.path("/home/me/.config/systemd/user")
    (scene.folder / "user-units").write_text(f"{units}\n")
    with pytest.raises(NotSupported, match="no service manager that runs") as refused:
        scene.install(user=True)
    assert "loginctl enable-linger me" in refused.value.hint
    private = scene.machine.path("/run/user/1000/systemd/private")
    private.parent.mkdir(parents=True)
    private.touch()
    scene.install(user=True)
    assert scene.calls() == [
        "systemctl --user daemon-reload",
        "systemctl --user enable ndfd.socket ndfd.service",
        "systemctl --user start ndfd.socket ndfd.service",
    ]
    assert {path.name for path in units.iterdir()} >= {"ndfd.service", "ndfd.socket"}
    scene.do(scene.manager(user=True).uninstall(Uninstall()))
    assert list(units.iterdir()) == []


def test_a_daemon_that_does_not_start_is_explained_and_the_install_undone(scene: Scene) -> None:
    before = scene.files()
    scene.fail("systemctl start ndfd.socket ndfd.service")
    says = "Result=exit-code\nExecMainCode=1\nExecMainStatus=217\nInvocationID=abc\n"
    (scene.folder / "states" / "ndfd.service.says").write_text(says)
    (scene.folder / "journal").write_text("no such user\n")
    with pytest.raises(ServiceFailed, match="exit status 217: its user does not exist") as failed:
        scene.install()
    assert "no such user" in failed.value.details
    assert scene.files() == before


def test_a_user_whose_state_is_there_by_then_is_kept(scene: Scene) -> None:
    scene.fail("systemctl start ndfd.socket ndfd.service")
    plan = scene.manager().install(Install(COMMAND))
    # As the daemon makes it that is started, and does not become ready.
    scene.machine.path("/var/lib/ndfd").mkdir(parents=True)
    with pytest.raises(ServiceError):
        scene.do(plan)
    assert (scene.folder / "users" / "ndfd").exists()
    assert any(line.startswith("keep ") and "/var/lib/ndfd" in line for line in scene.told)

"""launchd's property lists, and what its verbs take; none of it has met a real launchd."""

from __future__ import annotations

import plistlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from ndfd.errors import NotPermitted, NotSupported, ServiceError, ServiceFailed, ServiceFileChanged
from ndfd.platform.darwin import Darwin
from ndfd.platform.darwin_service import SOCKET_NAMES
from ndfd.service.launchd import Launchd
from ndfd.service.manager import Install, Logs, Uninstall
from ndfd.service.packaged import packaging_folder
from tests.service.plist_schema import REQUIRED, mistakes
from tests.service.scene import _ANY, COMMAND, MachineInFolder, Scene

LISTS = ("io.ndfd.daemon.plist", "io.ndfd.agent.plist")
DAEMON = "/Library/LaunchDaemons/io.ndfd.daemon.plist"
#: Seconds that the daemon gives conversions to end, when it is told to stop.
GRACE_S = 30

_LAUNCHCTL = (
    _ANY
    + """
case $1 in
print) [ -e "$here/states/loaded" ] || exit 113; cat "$here/states/print" 2>/dev/null || echo "	state = running" ;;
bootstrap) : > "$here/states/loaded" ;;
bootout) rm -f "$here/states/loaded" ;;
esac
exit 0
"""
)
_DSCL = (
    _ANY
    + """
case $2 in
-read) [ -e "$here/users/_ndfd" ] || exit 56; echo yes ;;
-list) echo "_other 400" ;;
-create) [ "$3" = /Users/_ndfd ] && : > "$here/users/_ndfd" ;;
-delete) rm -f "$here/users/_ndfd" ;;
esac
exit 0
"""
)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A macOS in a folder; folders keep their owner, for only that one is there."""
    monkeypatch.setattr(shutil, "chown", lambda path, user, group: None)
    monkeypatch.setattr("ndfd.service.launchd.platform", Darwin())
    scene = Scene.made(tmp_path / "machine")
    for name, text in {"launchctl": _LAUNCHCTL, "dscl": _DSCL, "tail": _ANY}.items():
        (scene.folder / "bin" / name).write_text(text)
        (scene.folder / "bin" / name).chmod(0o755)
    return scene


def launchd(scene: Scene, *, user: bool = False) -> Launchd:
    return Launchd(scene.machine, user=user, instance=None)


def keys(name: str) -> dict[str, Any]:
    found: dict[str, Any] = plistlib.loads((packaging_folder() / "launchd" / name).read_bytes())
    return found


def calls(scene: Scene) -> list[str]:
    return scene.calls("launchctl print", "dscl . -read", "dscl . -list")


@pytest.mark.parametrize("name", LISTS)
def test_each_list_has_documented_keys_of_the_documented_types(name: str) -> None:
    found = keys(name)
    assert list(mistakes(found)) == []
    assert not set(REQUIRED) - set(found)
    assert found["Label"] == name.removesuffix(".plist")


def test_the_schema_sees_a_mistake() -> None:
    wrong = {
        "Label": 1,
        "Labell": "x",
        "KeepAlive": {"SuccessfulExits": False},
        "Sockets": {"a": {"SockPathMode": "0660"}},
        "Umask": True,
        "ProcessType": "Fast",
        "ProgramArguments": "ndfd",
    }
    assert len(list(mistakes(wrong))) == len(wrong)


@pytest.mark.parametrize("name", LISTS)
def test_each_list_keeps_the_daemon_alive_and_gives_it_time_to_drain(name: str) -> None:
    found = keys(name)
    assert found["KeepAlive"] == {"SuccessfulExit": False, "Crashed": True}
    assert found["ExitTimeOut"] > GRACE_S
    assert found["ThrottleInterval"] >= 1
    assert found["SoftResourceLimits"]["NumberOfFiles"] <= found["HardResourceLimits"]["NumberOfFiles"]


@pytest.mark.parametrize(("name", "mode"), [(LISTS[0], 0o660), (LISTS[1], 0o600)])
def test_both_doors_are_sockets_of_launchd_where_the_daemon_makes_them(name: str, mode: int) -> None:
    sockets = keys(name)["Sockets"]
    assert tuple(sockets) == SOCKET_NAMES
    folder = Path(keys(name)["EnvironmentVariables"]["NDFD_NETWORK__SOCKET_DIR"])
    assert [Path(each["SockPathName"]) for each in sockets.values()] == [folder / "ndfd.sock", folder / "http.sock"]
    assert {each["SockPathMode"] for each in sockets.values()} == {mode}
    # sun_path of macOS holds 103 bytes.
    assert max(len(each["SockPathName"]) for each in sockets.values()) < 104


def test_the_machines_sockets_lie_where_clients_look() -> None:
    folder = keys(LISTS[0])["EnvironmentVariables"]["NDFD_NETWORK__SOCKET_DIR"]
    assert str(Darwin().socket_dirs({}).system) == folder


def test_install_makes_user_and_folders_and_loads_the_list(scene: Scene) -> None:
    told = scene.do(launchd(scene).install(Install(COMMAND)))
    done = calls(scene)
    assert done[0] == "dscl . -create /Groups/_ndfd"
    assert "dscl . -create /Users/_ndfd UniqueID 401" in done
    root = scene.machine.root
    assert done[-2:] == ["launchctl enable system/io.ndfd.daemon", f"launchctl bootstrap system {root}{DAEMON}"]
    for folder in ("/Library/Application Support/ndfd/run", "/Library/Logs/ndfd"):
        assert f"folder {root}{folder} (mode 0755, owner _ndfd:_ndfd)" in told
        assert (root / folder[1:]).is_dir()
    assert plistlib.loads((root / DAEMON[1:]).read_bytes())["ProgramArguments"][0] == str(COMMAND)
    again = scene.do(launchd(scene).install(Install(COMMAND)))
    assert f"same {root}{DAEMON}" in again
    assert calls(scene) == ["launchctl enable system/io.ndfd.daemon"]


def test_another_list_is_loaded_in_the_place_of_the_old_one_which_comes_back_when_that_fails(scene: Scene) -> None:
    scene.do(launchd(scene).install(Install(COMMAND)))
    before = scene.files()
    calls(scene)
    scene.do(launchd(scene).install(Install(Path("/opt/my ndfd/ndfd"))))
    path = f"{scene.machine.root}{DAEMON}"
    assert calls(scene) == [
        "launchctl bootout system/io.ndfd.daemon",
        "launchctl enable system/io.ndfd.daemon",
        f"launchctl bootstrap system {path}",
    ]
    scene.do(launchd(scene).install(Install(COMMAND)))
    scene.fail("launchctl enable system/io.ndfd.daemon")
    calls(scene)
    with pytest.raises(ServiceError):
        scene.do(launchd(scene).install(Install(Path("/opt/my ndfd/ndfd"))))
    assert scene.files() == before
    assert calls(scene)[-1] == f"launchctl bootstrap system {path}"


def test_an_agent_lies_in_the_home_and_names_it(tmp_path: Path, scene: Scene) -> None:
    scene.machine = MachineInFolder(scene.machine.environment, 501, Path("/Users/me"), scene.machine.root)
    with pytest.raises(NotPermitted):
        launchd(scene).install(Install(COMMAND))
    scene.do(launchd(scene, user=True).install(Install(COMMAND)))
    path = scene.machine.path("/Users/me/Library/LaunchAgents/io.ndfd.agent.plist")
    assert calls(scene)[-1] == f"launchctl bootstrap gui/501 {path}"
    text = path.read_text()
    assert "/Users/Shared/" not in text
    assert plistlib.loads(text.encode())["StandardOutPath"] == "/Users/me/Library/Logs/ndfd/ndfd.log"


def test_a_changed_list_is_left_alone(scene: Scene) -> None:
    scene.do(launchd(scene).install(Install(COMMAND)))
    path = scene.machine.path(DAEMON)
    path.write_text(path.read_text().replace("<integer>45</integer>", "<integer>50</integer>"))
    with pytest.raises(ServiceFileChanged):
        launchd(scene).install(Install(COMMAND))
    with pytest.raises(ServiceFileChanged):
        launchd(scene).uninstall(Uninstall())
    assert launchd(scene).install(Install(COMMAND, force=True)).changes()


def test_each_verb_is_launchctls(scene: Scene) -> None:
    for verb in ("start", "stop", "restart", "reload"):
        with pytest.raises(ServiceFailed, match="not installed"):
            getattr(launchd(scene), verb)()
    scene.do(launchd(scene).install(Install(COMMAND)))
    calls(scene)
    for verb in ("reload", "restart", "stop", "stop", "start"):
        scene.do(getattr(launchd(scene), verb)())
    assert calls(scene) == [
        "launchctl kill SIGHUP system/io.ndfd.daemon",
        "launchctl kickstart -k system/io.ndfd.daemon",
        "launchctl bootout system/io.ndfd.daemon",
        f"launchctl bootstrap system {scene.machine.root}{DAEMON}",
        "launchctl kickstart system/io.ndfd.daemon",
    ]


def test_uninstall_unloads_and_removes_the_list(scene: Scene) -> None:
    scene.do(launchd(scene).install(Install(COMMAND)))
    calls(scene)
    scene.do(launchd(scene).uninstall(Uninstall()))
    assert calls(scene) == ["launchctl bootout system/io.ndfd.daemon"]
    assert not scene.machine.path(DAEMON).exists()
    assert scene.machine.path("/Library/Application Support/ndfd/state").is_dir()
    scene.do(launchd(scene).uninstall(Uninstall(purge=True)))
    assert not scene.machine.path("/Library/Application Support/ndfd").exists()
    assert not (scene.folder / "users" / "_ndfd").exists()


def test_status_reads_what_launchctl_prints(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ndfd.service.launchd.installed_command", lambda: COMMAND)
    assert launchd(scene).status().state == "not installed"
    scene.do(launchd(scene).install(Install(COMMAND)))
    said = "system/io.ndfd.daemon = {\n\tstate = running\n\truns = 2\n\tpid = 77\n\tlast exit code = 0\n}\n"
    (scene.folder / "states" / "print").write_text(said)
    status = launchd(scene).status()
    assert (status.running, status.pid, status.restarts, status.why) == (True, 77, 1, None)
    assert len(status.sockets) == 2
    (scene.folder / "states" / "print").write_text("\tstate = not running\n\tlast exit code = 78: EX_CONFIG\n")
    failed = launchd(scene).failure()
    assert failed is not None
    assert "78: EX_CONFIG" in failed.message


def test_the_log_is_a_file_or_what_macos_keeps(scene: Scene) -> None:
    log = "/Library/Logs/ndfd/ndfd.log"
    assert launchd(scene).logs(Logs(follow=True, lines=3)) == ("tail", "-n", "3", "-F", log)
    assert launchd(scene).logs(Logs(since="2026-01-31 12:00:00"))[:2] == ("log", "show")
    with pytest.raises(NotSupported):
        launchd(scene).logs(Logs(priority="err"))
    with pytest.raises(NotSupported):
        Launchd(scene.machine, user=False, instance="x")

"""The steps of the verbs on Windows; the service host has tests of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ndfd.errors import NotSupported, ServiceError, ServiceFailed, UsageError
from ndfd.platform.windows import Windows
from ndfd.service.manager import Install, Logs, Uninstall
from ndfd.service.plan import MakeFolder, RunCommand
from ndfd.service.windows import WindowsServices
from tests.service.scene import _ANY, Scene

_QUERY = """
SERVICE_NAME: ndfd
        TYPE               : 10  WIN32_OWN_PROCESS
        STATE              : {state}
                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_PRESHUTDOWN)
        WIN32_EXIT_CODE    : {code}  (0x0)
        SERVICE_EXIT_CODE  : {own}  (0x0)
        CHECKPOINT         : 0x0
        WAIT_HINT          : 0x0
        PID                : {pid}
        FLAGS              :
"""
_SC = (
    _ANY
    + """
case $1 in
queryex) [ -e "$here/states/query" ] || exit 36; cat "$here/states/query" ;;
delete) rm -f "$here/states/query" ;;
esac
exit 0
"""
)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr("ndfd.service.windows.platform", Windows())
    scene = Scene.made(tmp_path / "machine")
    for name in ("sc.exe", "net.exe", "reg.exe", "icacls.exe", "wevtutil.exe"):
        (scene.folder / "bin" / name).write_text(_SC if name == "sc.exe" else _ANY)
        (scene.folder / "bin" / name).chmod(0o755)
    return scene


def services(scene: Scene) -> WindowsServices:
    return WindowsServices(scene.machine, user=False, instance=None)


def installed(scene: Scene, state: str = "4  RUNNING", code: int = 0, own: int = 0, pid: int = 77) -> None:
    (scene.folder / "states" / "query").write_text(_QUERY.format(state=state, code=code, own=own, pid=pid))


def test_install_is_the_plan_of_the_service_host_and_a_start(scene: Scene) -> None:
    plan = services(scene).install(Install())
    commands = [step.command for step in plan.steps if isinstance(step, RunCommand)]
    create = commands[0]
    assert create[:3] == ("sc.exe", "create", "ndfd")
    assert create[create.index("start=") + 1] == "delayed-auto"
    assert create[create.index("obj=") + 1] == r"NT SERVICE\ndfd"
    assert "ndfd.platform.windows_service" in create[create.index("binPath=") + 1]
    programs = [command[:3] for command in commands]
    assert ("sc.exe", "failure", "ndfd") in programs
    assert ("sc.exe", "description", "ndfd") in programs
    assert any("EventMessageFile" in command for command in commands)
    assert commands[-1] == ("net.exe", "start", "ndfd")
    # Folders are made before anybody is given rights to them.
    kinds = [type(step) for step in plan.steps]
    first = next(
        at for at, step in enumerate(plan.steps) if isinstance(step, RunCommand) and "icacls.exe" in step.command
    )
    assert max(at for at, kind in enumerate(kinds) if kind is MakeFolder) < first


def test_an_install_that_fails_removes_the_service_and_its_event_source(scene: Scene) -> None:
    scene.fail("net.exe start ndfd")
    with pytest.raises(ServiceError):
        scene.do(services(scene).install(Install()))
    undone = [line for line in scene.told if line.startswith("undo run")]
    assert undone[-1] == "undo run sc.exe delete ndfd"
    assert "reg.exe delete" in undone[-2]


def test_what_is_installed_is_the_same(scene: Scene) -> None:
    installed(scene)
    told = scene.do(services(scene).install(Install()))
    assert told == ["same service ndfd"]


def test_each_verb_waits_where_windows_lets_it(scene: Scene) -> None:
    with pytest.raises(ServiceFailed, match="not installed"):
        services(scene).start()
    installed(scene)
    scene.calls()
    for verb in ("start", "restart", "reload", "stop"):
        scene.do(getattr(services(scene), verb)())
    assert scene.calls("sc.exe queryex") == [
        *("net.exe start ndfd", "net.exe stop ndfd", "net.exe start ndfd"),
        *("sc.exe control ndfd paramchange", "net.exe stop ndfd"),
    ]
    scene.do(services(scene).uninstall(Uninstall()))
    assert scene.calls("sc.exe queryex")[:2] == ["net.exe stop ndfd", "sc.exe delete ndfd"]


@pytest.mark.parametrize(
    ("state", "code", "own", "running", "why"),
    [
        ("4  RUNNING", 0, 0, True, None),
        ("4  WIRD_AUSGEFÜHRT", 0, 0, True, None),
        ("1  STOPPED", 0, 0, False, None),
        ("1  STOPPED", 1077, 0, False, None),
        ("1  STOPPED", 1066, 78, False, "exit status 78"),
        ("1  STOPPED", 1053, 0, False, "error 1053 of Windows"),
    ],
)
def test_status_reads_numbers_and_no_words_that_are_translated(
    scene: Scene, state: str, code: int, own: int, running: bool, why: str | None
) -> None:
    installed(scene, state, code, own, 77 if running else 0)
    status = services(scene).status()
    assert (status.installed, status.running, status.pid) == (True, running, 77 if running else None)
    assert (status.why or "").startswith(why or "")
    assert (status.why is None) == (why is None)
    assert (services(scene).failure() is None) == running


def test_the_log_is_the_event_log(scene: Scene) -> None:
    command = services(scene).logs(Logs(lines=5, priority="warning"))
    assert command[:3] == ("wevtutil.exe", "qe", "Application")
    assert "/c:5" in command
    assert "Provider[@Name='ndfd'] and Level<=3" in command[3]
    assert services(scene).logs(Logs(priority="3")) == services(scene).logs(Logs(priority="err"))
    with pytest.raises(UsageError):
        services(scene).logs(Logs(priority="loud"))
    with pytest.raises(NotSupported):
        services(scene).logs(Logs(follow=True))


def test_what_windows_has_not_is_refused(scene: Scene) -> None:
    for user, instance in ((True, None), (False, "x")):
        with pytest.raises(NotSupported):
            WindowsServices(scene.machine, user=user, instance=instance)
    with pytest.raises(NotSupported):
        services(scene).install(Install(package=Path("/x")))

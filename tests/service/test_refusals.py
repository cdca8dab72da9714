"""A command that the service could not run is refused before anything is written."""

from __future__ import annotations

import os
import pwd
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ndfd.errors import NotSupported, UsageError
from ndfd.service.manager import Install
from ndfd.service.packaged import check_command
from ndfd.service.refusals import folders_beyond, needed_paths, refuse_changeable, refuse_unreachable
from tests.service.scene import Scene

UNIT = "[Service]\nUser=nobody\n"


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may look into; pytest's own are closed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def command_in(folder: Path, interpreter: str) -> Path:
    path = folder / "ndfd"
    path.write_text(f"#!{interpreter}\n")
    path.chmod(0o755)
    return path


def test_a_command_that_everybody_can_read_is_fine(place: Path) -> None:
    refuse_unreachable(UNIT, command_in(place, "/bin/sh"))


def test_a_command_in_a_folder_that_the_unit_hides_is_refused_by_its_path(place: Path) -> None:
    command = command_in(place, "/bin/sh")
    with pytest.raises(NotSupported, match=f"could not see {command}: its unit has InaccessiblePaths") as refused:
        refuse_unreachable(f"{UNIT}InaccessiblePaths={place}\n", command)
    assert "/opt/ndfd" in refused.value.hint


def test_a_link_is_followed_to_where_the_command_really_lies(place: Path) -> None:
    (place / "open").mkdir(mode=0o755)
    (place / "hidden").mkdir(mode=0o755)
    real = command_in(place / "hidden", "/bin/sh")
    link = place / "open" / "ndfd"
    link.symlink_to(real)
    with pytest.raises(NotSupported, match=str(real)):
        refuse_unreachable(f"{UNIT}InaccessiblePaths={place / 'hidden'}\n", link)


def test_an_interpreter_that_the_services_user_may_not_read_is_named_with_the_folder_that_is_closed(
    place: Path,
) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    interpreter = closed / "python"
    interpreter.touch(mode=0o755)
    command = command_in(place, str(interpreter))
    with pytest.raises(NotSupported, match=f"could not read {interpreter}: its user, nobody, may not read {closed}"):
        refuse_unreachable(UNIT, command)
    # Root may, and so may a user who is not there yet when all may.
    refuse_unreachable("[Service]\n", command)
    closed.chmod(0o755)
    refuse_unreachable("[Service]\nUser=nobody-of-that-name\n", command)


def test_our_own_interpreter_needs_the_code_too(place: Path) -> None:
    paths = needed_paths(command_in(place, sys.executable))
    assert Path(os.__file__) in paths
    assert any(path.parts[-2:] == ("ndfd", "__init__.py") for path in paths)


def test_where_ndfd_lies_is_added_to_what_a_unit_sees_but_not_homes(place: Path) -> None:
    command = command_in(place, "/bin/sh")
    sees = "[Service]\nRootDirectory=/run/r\nBindReadOnlyPaths=/usr /bin\n"
    assert folders_beyond(sees, command) == (str(place),)
    assert folders_beyond(f"{sees}InaccessiblePaths={place}\n", command) == ()
    assert folders_beyond("[Service]\n", command) == ()


@pytest.mark.parametrize("path", ["ndfd", "/opt/my ndfd/ndfd", "/opt/50%/ndfd", '/opt/"/ndfd', "/opt/$x/ndfd"])
def test_a_path_that_a_unit_cannot_name_is_wrong_usage(path: str) -> None:
    with pytest.raises(UsageError):
        check_command(Path(path))


def test_a_refusal_changes_nothing(scene: Scene, place: Path) -> None:
    before = scene.files()
    # Below /tmp, which ndfd.service does not see.
    with pytest.raises(NotSupported):
        scene.manager().install(Install(command_in(place, "/bin/sh")))
    assert scene.files() == before
    assert scene.calls() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_only_the_services_user_or_its_group_may_read_is_fine(place: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    command = command_in(place, "/bin/sh")
    command.chmod(0o500)
    with pytest.raises(NotSupported, match="may not read"):
        refuse_unreachable(UNIT, command)
    os.chown(command, nobody.pw_uid, 0)
    refuse_unreachable(UNIT, command)
    command.chmod(0o050)
    os.chown(command, 0, nobody.pw_gid)
    refuse_unreachable(UNIT, command)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has what nobody else can change")
@pytest.mark.parametrize(
    ("mode", "owner", "who"), [(0o777, 0, "everybody"), (0o775, 65534, "group"), (0o755, 65534, "user")]
)
def test_what_runs_as_root_must_be_roots_alone(place: Path, mode: int, owner: int, who: str) -> None:
    folder = place / "bin"
    folder.mkdir()
    command = command_in(folder, "/bin/sh")
    refuse_changeable("ndfd-tune.service", command)
    os.chown(folder, owner if who == "user" else 0, owner)
    folder.chmod(mode)
    with pytest.raises(NotSupported, match=f"as root, which {who}.* can change: {folder}$"):
        refuse_changeable("ndfd-tune.service", command)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has what nobody else can change")
def test_tuning_is_not_installed_with_a_command_that_others_can_change(
    scene: Scene, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A unit sees nothing of /tmp, in which a test's commands are.
    monkeypatch.setattr("ndfd.service.systemd.refuse_unreachable", lambda unit, command: None)
    command = command_in(place, "/bin/sh")
    command.chmod(0o777)
    scene.install(Install(command))
    with pytest.raises(NotSupported, match="everybody can change"):
        scene.install(Install(command, tuning=True))
    assert not scene.unit("ndfd-tune.service").exists()

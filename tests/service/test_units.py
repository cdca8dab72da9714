"""Units adapted to a command and a version of systemd, and what they hide."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from ndfd.service.packaged import systemd_files
from ndfd.service.units import (
    folders_of_tmpfiles,
    hiding,
    is_for,
    rendered,
    service_user,
    systemd_version,
    users_of_sysusers,
    values,
    with_drop_in,
)

UNIT = """# /usr/bin/ndfd in a comment
[Service]
Type=notify-reload
ReloadSignal=SIGHUP
ExecStart=/usr/bin/ndfd run --service
ExecStartPre=/usr/bin/ndfd-other /opt/usr/bin/ndfd

[Install]
WantedBy=multi-user.target
"""

_HOME_OF_ROOT = PurePosixPath("/root")


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("systemd 252 (252.39-1~deb12u2)\n+PAM +AUDIT", 252),
        ("systemd 257 (257.9-1~deb13u1)\n", 257),
        ("systemd v255-rc1\n", 255),
        ("systemd 239\n", 239),
        ("", None),
        ("systemctl: command not found", None),
    ],
)
def test_the_version_is_read_off_what_systemctl_says(said: str, version: int | None) -> None:
    assert systemd_version(said) == version


def test_an_older_systemd_gets_a_type_that_it_knows_and_a_way_to_reload() -> None:
    lines = rendered(UNIT, "/opt/ndfd/bin/ndfd", 252).splitlines()
    assert "Type=notify" in lines
    assert "ExecReload=/opt/ndfd/bin/ndfd reload" in lines
    assert not [line for line in lines if line.startswith("ReloadSignal")]


def test_a_newer_systemd_gets_the_unit_as_it_is_but_for_the_command() -> None:
    assert rendered(UNIT, "/usr/bin/ndfd", 257) == UNIT
    text = rendered(UNIT, "/opt/ndfd/bin/ndfd", 253)
    assert "ExecStart=/opt/ndfd/bin/ndfd run --service" in text
    # Other commands that look alike, and comments, stay.
    assert "ExecStartPre=/usr/bin/ndfd-other /opt/usr/bin/ndfd" in text
    assert text.startswith("# /usr/bin/ndfd in a comment")


def test_a_unit_that_has_a_way_to_reload_keeps_it() -> None:
    own = UNIT.replace("ReloadSignal=SIGHUP", "ExecReload=/bin/kill -HUP $MAINPID")
    assert values(rendered(own, "/usr/bin/ndfd", 252), "ExecReload") == ("/bin/kill -HUP $MAINPID",)


@pytest.mark.parametrize("systemd", [252, 257])
@pytest.mark.parametrize("user", [False, True])
def test_every_packaged_unit_is_fit_for_each_version(systemd: int, user: bool) -> None:
    for name, text in systemd_files(user=user).units.items():
        made = rendered(text, "/opt/ndfd/bin/ndfd", systemd)
        active = [line for line in made.splitlines() if not line.startswith("#")]
        assert not [line for line in active if "/usr/bin/ndfd " in line], name
        kind = values(made, "Type")
        assert (kind == ("notify-reload",)) <= (systemd >= 253)
        if "notify" in kind:
            assert values(made, "ExecReload") == ("/opt/ndfd/bin/ndfd reload",)


def test_drop_ins_for_some_versions_go_into_their_sections() -> None:
    assert [is_for("before-253", version) for version in (252, 253)] == [True, False]
    assert [is_for("since-254", version) for version in (253, 254)] == [False, True]
    assert not is_for("examples", 252)
    text = with_drop_in(UNIT, "# for whom\n[Service]\n# why\nRestartSteps=3\n\n[Unit]\nA=b\n")
    lines = text.splitlines()
    assert lines.index("RestartSteps=3") < lines.index("[Install]")
    assert text.endswith("[Unit]\nA=b\n")
    assert "[]" not in text
    assert "# for whom" not in text


def test_a_process_that_sees_only_what_is_named_sees_where_ndfd_lies() -> None:
    unit = "[Service]\nRootDirectory=/run/r\nBindReadOnlyPaths=/usr /etc -/opt\nProtectHome=yes\n"
    assert hiding(unit, PurePosixPath("/usr/bin/ndfd")) is None
    assert hiding(unit, PurePosixPath("/opt/x")) is None
    assert hiding(unit, PurePosixPath("/srv/ndfd/bin/ndfd")) == "RootDirectory=/run/r"
    assert hiding(rendered(unit, "/srv/ndfd/bin/ndfd", 257, ["/srv/ndfd"]), PurePosixPath("/srv/ndfd/bin/ndfd")) is None
    # What is hidden from everybody stays so.
    assert hiding(rendered(unit, "/x", 257, ["/home/me"]), PurePosixPath("/home/me/ndfd")) == "ProtectHome=yes"


@pytest.mark.parametrize(
    ("line", "path", "hidden"),
    [
        ("ProtectHome=yes", f"{_HOME_OF_ROOT}/venv/bin/ndfd", True),
        ("ProtectHome=tmpfs", "/home/me/venv/bin/ndfd", True),
        ("ProtectHome=read-only", "/home/me/venv/bin/ndfd", False),
        ("ProtectHome=no", "/home/me/venv/bin/ndfd", False),
        ("PrivateTmp=yes", "/tmp/venv/bin/ndfd", True),
        ("PrivateTmp=yes", "/tmpx/ndfd", False),
        ("InaccessiblePaths=-/srv /mnt", "/mnt/ndfd", True),
        ("ProtectHome=yes\nProtectHome=no", f"{_HOME_OF_ROOT}/ndfd", False),
        ("ProtectHome=yes", "/opt/ndfd/bin/ndfd", False),
    ],
)
def test_what_a_unit_hides_is_read_off_it(line: str, path: str, hidden: bool) -> None:
    assert (hiding(f"[Service]\n{line}\n", PurePosixPath(path)) is not None) == hidden


def test_users_and_folders_are_read_off_their_files() -> None:
    files = systemd_files(user=False)
    assert users_of_sysusers("".join(files.sysusers.values())) == ("ndfd",)
    assert "/run/ndfd" in folders_of_tmpfiles("".join(files.tmpfiles.values()))
    assert service_user(files.units["ndfd.service"]) == "ndfd"

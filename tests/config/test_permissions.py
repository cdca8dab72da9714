"""Warnings about files that others may change, and secrets that others may read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ndfd.config.context import Context
from ndfd.config.load import Reading, read, read_files

TOKEN = "correct-horse-battery"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files away, which only root may do")


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file of the configuration with a mode, whatever the umask."""
    tmp_path.chmod(0o755)

    def write(text: str, mode: int = 0o644) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


def warnings(path: Path) -> tuple[str, ...]:
    reading = read_files([path])
    assert reading.mistakes == ()
    return reading.warnings


Write = Callable[..., Path]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o600, 0o664])
def test_a_file_that_only_its_owner_and_roots_group_may_change_is_fine(config: Write, mode: int) -> None:
    assert warnings(config("[swarm]\nworkers = 2\n", mode)) == ()


def test_a_file_that_everyone_may_change_is_named_with_the_remedy(config: Write) -> None:
    path = config("[swarm]\nworkers = 2\n", 0o666)
    assert warnings(path) == (f"{path} can be changed by every user: chmod o-w {path}",)


def test_a_folder_in_which_everyone_may_put_another_file_is_named(config: Write) -> None:
    path = config("")
    path.parent.chmod(0o777)
    assert warnings(path) == (f"{path.parent} can be changed by every user: chmod o-w {path.parent}",)
    path.parent.chmod(0o1777)
    assert warnings(path) == ()


@needs_root
def test_a_file_that_a_foreign_group_may_change_is_named(config: Write) -> None:
    path = config("", 0o664)
    os.chown(path, 0, 4242)
    assert warnings(path) == (f"{path} can be changed by group 4242: chmod g-w {path}",)


@needs_root
def test_a_file_of_another_user_is_named(config: Write) -> None:
    path = config("", 0o600)
    os.chown(path, 4242, 0)
    assert warnings(path) == (f"{path} belongs to user 4242, who can change it: chown root {path}",)


def test_a_secret_in_a_file_that_everyone_may_read_is_named_and_not_shown(config: Write) -> None:
    path = config(f'[security]\ntoken = "{TOKEN}"\n')
    (said,) = warnings(path)
    assert said.startswith(f"{path} holds the secret security.token and every user can read it: chmod o-r {path}, or ")
    path.chmod(0o640)
    assert warnings(path) == ()


def test_a_secrets_file_that_everyone_may_read_is_named(config: Write, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text(TOKEN + "\n")
    secret.chmod(0o644)
    path = config(f'[security]\ntoken_file = "{secret}"\n')
    assert warnings(path) == (f"{secret} holds a secret and every user can read it: chmod o-r {secret}",)
    secret.chmod(0o640)
    assert warnings(path) == ()


def test_a_credential_is_looked_at_like_any_other_secrets_file(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    secret = tmp_path / "security.token"
    secret.write_text(TOKEN)
    secret.chmod(0o604)
    reading = read(Context(environment={}, credentials_dir=tmp_path))
    assert reading.warnings == (f"{secret} holds a secret and every user can read it: chmod o-r {secret}",)


@needs_root
def test_a_file_that_cannot_be_read_is_a_mistake_and_never_passed_over(config: Write) -> None:
    path = config("[swarm]\nworkers = 2\n", 0o000)
    path.parent.chmod(0o755)

    def as_nobody() -> Reading:
        os.seteuid(65534)
        try:
            return read(Context(environment={}, system_dir=path.parent))
        finally:
            os.seteuid(0)

    for folder in path.parents:
        if not folder.stat().st_mode & 0o001:
            pytest.skip(f"{folder} lets nobody through")
    assert [str(mistake) for mistake in as_nobody().mistakes] == [f"{path}: the file cannot be read: Permission denied"]

"""A secret, however it is given, is in nothing that a configuration shows of itself."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ndfd.config.context import Context
from ndfd.config.load import Loaded, Reading, read
from ndfd.config.plan import planned
from ndfd.model.configuration import SECRET

TOKEN = "correct-horse-battery"


def given(tmp_path: Path, way: str, token: str = TOKEN) -> Context:
    """A context in which the secret is given in this way."""
    held = tmp_path / "held"
    held.mkdir(exist_ok=True)
    (held / "security.token").write_text(f"{token}\n")
    match way:
        case "file":
            text = f'[security]\ntoken = "{token}"\n'
        case "file of the secret":
            text = f'[security]\ntoken_file = "{held}/security.token"\n'
        case _:
            text = ""
    (tmp_path / "config.toml").write_text(text)
    environment = {
        "variable": {"NDFD_SECURITY__TOKEN": token},
        "variable of the file": {"NDFD_SECURITY__TOKEN_FILE": f"{held}/security.token"},
    }.get(way, {})
    flags = (f"security.token_file={held}/security.token",) if way == "flag of the file" else ()
    return Context(environment, flags, tmp_path, credentials_dir=held if way == "credential" else None)


WAYS = ("file", "file of the secret", "variable", "variable of the file", "flag of the file", "credential")


def everything_shown(reading: Reading | Loaded) -> str:
    """All texts that a program can make of it."""
    resolved = msgspec.json.encode(tuple(reading.resolved.values())).decode()
    return f"{reading!r} {reading} {resolved} {reading.settings!r} {reading.settings} {reading.hash} {reading.warnings}"


@pytest.mark.parametrize("way", WAYS)
def test_it_holds_and_is_not_shown(tmp_path: Path, way: str) -> None:
    loaded = read(given(tmp_path, way)).accepted()
    assert loaded.settings.security.token is not None
    assert loaded.settings.security.token.get_secret_value() == TOKEN
    assert loaded.resolved["security.token"].value == SECRET
    assert TOKEN not in everything_shown(loaded)


@pytest.mark.parametrize("way", WAYS)
def test_one_that_cannot_be_used_is_not_shown_in_the_mistake(tmp_path: Path, way: str) -> None:
    for bad in ("hunter2", "a secret with spaces in it", "ünïcödé-sécrét-tökén-0"):
        reading = read(given(tmp_path, way, bad))
        assert reading.mistakes
        said = " ".join(map(str, reading.mistakes)) + everything_shown(reading)
        assert bad not in said
        assert "hunter2" not in said


@pytest.mark.parametrize(
    "text",
    [
        '[security]\ntokne = "{}"\n',
        '[secruity]\ntoken = "{}"\n',
        'token = "{}"\n',
        'security = "{}"\n',
        '[security]\ntoken = ["{}"]\n',
        '[security]\ntoken = {{a = "{}"}}\n',
        '[security]\ntoken = "{}\n',
        "[security]\ntoken = {}\n",
        '[security]\ntoken = "{}" "twice"\n',
        '[security]\ntoken = "{0}"\ntoken = "{0}"\n',
        '[security]\ntoken = "\\q{}"\n',
        '[security]\ntoken: "{}"\n',
        "[security]\n{}\n",
    ],
)
def test_a_mistake_beside_it_does_not_show_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.toml").write_text(text.format(TOKEN))
    reading = read(Context({}, system_dir=tmp_path))
    assert reading.mistakes
    assert TOKEN not in " ".join(map(str, reading.mistakes))


def test_it_cannot_be_given_where_every_user_could_read_it() -> None:
    (mistake,) = read(Context({}, (f"security.token={TOKEN}",))).mistakes
    assert "every user can see a command line" in str(mistake)
    assert TOKEN not in str(mistake)
    (mistake,) = read(Context({}, (TOKEN,))).mistakes
    assert TOKEN not in str(mistake)


def test_both_the_secret_and_its_file_in_one_layer_is_a_mistake(tmp_path: Path) -> None:
    context = given(tmp_path, "file of the secret")
    with (tmp_path / "config.toml").open("a") as file:
        file.write(f'token = "{TOKEN}"\n')
    (mistake,) = read(context).mistakes
    assert "is set twice" in str(mistake)


def test_a_change_of_it_is_planned_without_showing_it_and_leaves_the_hash(tmp_path: Path) -> None:
    old = read(given(tmp_path, "variable")).accepted()
    new = read(given(tmp_path, "variable", "another-secret-token")).accepted()
    (change,) = planned(old, new)
    assert (change.key, change.old, change.new) == ("security.token", SECRET, SECRET)
    assert old.hash == new.hash


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file"),
        (b"\xff" * 20, "other characters than ASCII"),
        (b"x" * 100_000, "larger than 65536 bytes"),
    ],
)
def test_a_secrets_file_that_cannot_be_used_is_named_with_the_place_that_names_it(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    (mistake,) = read(Context({"NDFD_SECURITY__TOKEN_FILE": str(path)})).mistakes
    assert str(mistake).startswith(f"NDFD_SECURITY__TOKEN_FILE: security.token_file: the secret's file {path} ")
    assert says in str(mistake)

"""The reference, and the sample file that is made from it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from ndfd.config.keys import FAMILIES, GROUPS, KEYS, REFERENCE
from ndfd.config.load import read_files
from ndfd.config.precedence import LAYERS
from ndfd.config.reference import markdown, sample, text
from ndfd.model.configuration import SECRET

SAMPLE = Path(__file__).parents[2] / "packaging" / "config.toml"
ALL = tuple(REFERENCE.values())


def test_the_packaged_sample_is_the_one_that_is_made() -> None:
    assert SAMPLE.read_text() == sample(ALL), "ndfd config reference --format toml > packaging/config.toml"


def test_the_sample_as_it_is_changes_nothing() -> None:
    reading = read_files((SAMPLE,))
    assert reading.mistakes == ()
    assert reading.hash == read_files(()).hash


def test_with_every_key_uncommented_the_sample_is_valid_and_keeps_every_default(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("sixteen-characters")
    secret.chmod(0o600)
    keys_only = re.sub(r"^#(?=[\w\[])", "", sample(ALL), flags=re.MULTILINE)
    keys_only = re.sub(r"/etc/ndfd/(token|secret)", str(secret), keys_only)
    path = tmp_path / "config.toml"
    # A hook has one of the two; each is tried.
    for left_out in ("url", "folder"):
        path.write_text(re.sub(rf'^{left_out} = ".*$', "", keys_only, flags=re.MULTILINE))
        reading = read_files((path,))
        assert (reading.mistakes, reading.warnings) == ((), ())
        for key in ALL:
            setting = reading.resolved[key.path.replace("NAME", "bulk")]
            assert (setting.origin.line is None) == (key.name == left_out), f"{key.path} is not in the sample"
            if key.kind.secret:
                assert setting.value == SECRET
            else:
                assert setting.value == key.default_text or key.default_text is None


def test_every_line_of_the_sample_is_a_comment_a_group_or_empty() -> None:
    lines = sample(ALL).splitlines()
    assert all(line == "" or line[0] == "#" or line.strip("[]") in GROUPS for line in lines)
    assert tomllib.loads(sample(ALL)) == {group: {} for group in GROUPS}


@pytest.mark.parametrize("write", [text, markdown])
def test_the_reference_tells_each_key_with_all_there_is_to_know(write) -> None:  # type: ignore[no-untyped-def]
    written = " ".join(write(ALL).replace("`", "").split())
    for key in ALL:
        default = key.default_text or "not set" if key.fallback is None else f"as {key.fallback}"
        for fact in (key.path, key.meaning, default, key.kind.accepts(), key.variable):
            assert fact in written
    assert "NEURALDOCFLOW_WORKERS" in written
    assert "token_file" in written
    assert all(meaning in written for meaning in GROUPS.values())
    assert all(family.meaning in written for family in FAMILIES.values())


@pytest.mark.parametrize("write", [sample, markdown])
def test_what_is_read_outside_of_a_terminal_tells_of_the_layers(write) -> None:  # type: ignore[no-untyped-def]
    named = [name for line in write(ALL).splitlines() for name, when in LAYERS if name in line and when in line]
    assert named == [name for name, _ in LAYERS]


def test_a_part_of_the_reference_has_that_part_only() -> None:
    part = text([KEYS["metrics.enabled"]])
    assert part.startswith("[metrics]")
    assert "swarm" not in part

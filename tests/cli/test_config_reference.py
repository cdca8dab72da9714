"""`ndfd config reference`; what it prints has its own tests."""

from __future__ import annotations

import json

import pytest

from ndfd.config.keys import KEYS, REFERENCE
from ndfd.config.reference import markdown, sample, text
from tests.cli.conftest import Ndfd


@pytest.mark.parametrize(("name", "write"), [("text", text), ("markdown", markdown), ("toml", sample)])
def test_each_format_is_printed_as_it_is_made(ndfd: Ndfd, name: str, write) -> None:  # type: ignore[no-untyped-def]
    ran = ndfd("config", "reference", "--format", name)
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout == write(REFERENCE.values())


def test_text_is_what_people_get_who_ask_for_nothing_else(ndfd: Ndfd) -> None:
    assert ndfd("config", "reference", "swarm.workers").stdout == text([KEYS["swarm.workers"]])


def test_for_programs_it_is_an_object_of_the_keys(ndfd: Ndfd) -> None:
    every = json.loads(ndfd("config", "reference", "--json").stdout)
    assert tuple(every) == tuple(REFERENCE)
    assert every["security.token"]["file_key"] == "security.token_file"
    assert every["swarm.workers"]["variables"] == ["NDFD_SWARM__WORKERS", "NEURALDOCFLOW_WORKERS"]


def test_an_unknown_key_is_wrong_usage_with_a_suggestion(ndfd: Ndfd) -> None:
    ran = ndfd("config", "reference", "metricz")
    assert (ran.status, ran.stdout) == (64, "")
    assert "did you mean metrics?" in ran.stderr

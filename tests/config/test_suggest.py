"""What was probably meant."""

from __future__ import annotations

import pytest

from ndfd.config.likeness import nearest
from ndfd.config.suggest import nearest_group, nearest_key


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("worker", "swarm.workers"),
        ("workers", "swarm.workers"),
        ("logging.workers", "swarm.workers"),
        ("swarm.memory", "swarm.worker_memory"),
        ("network.bind", "network.bind_address"),
        ("server.socket_mode", "network.socket_mode"),
        ("documents.max_size", "document.max_size"),
        ("nothing.like_it", None),
    ],
)
def test_a_key_is_guessed_by_its_slips_and_by_its_words(written: str, meant: str | None) -> None:
    assert nearest_key(written) == meant


@pytest.mark.parametrize(("written", "meant"), [("logs", None), ("loging", "logging"), ("metric", "metrics")])
def test_a_group_is_guessed(written: str, meant: str | None) -> None:
    assert nearest_group(written) == meant


def test_among_nothing_nothing_is_near() -> None:
    assert nearest("a", ()) is None

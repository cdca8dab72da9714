"""The malformed and hostile files of the corpus do not disturb the daemon."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ndfd.client import Client
from ndfd.errors import error_classes
from tests.bench.corpus import convert_all
from tests.bench.daemon import private_daemon
from tests.bench.selection import samples

pytestmark = [pytest.mark.corpus, pytest.mark.slow, pytest.mark.timeout(900)]


def test_every_hostile_file_ends_in_a_result_or_a_named_error_and_the_daemon_lives(
    corpus: Path, tmp_path: Path
) -> None:
    chosen = [sample for sample in samples(corpus) if "robust" in sample.kinds]
    with private_daemon() as socket:
        with Client.connect(socket) as client:
            before = client.status().pid
        outcomes = convert_all(socket, chosen, tmp_path, len(os.sched_getaffinity(0)), deadline_s=60)
        with Client.connect(socket) as client:
            assert client.status().pid == before
    # "internal" is the root of the tree: a fault that nobody foresaw.
    known = {"ok", "partial", *(error.code for error in error_classes())} - {"internal"}
    assert {outcome.id: outcome.status for outcome in outcomes if outcome.status not in known} == {}
    assert len(outcomes) == len(chosen)

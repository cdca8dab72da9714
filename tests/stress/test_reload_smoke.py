"""A short run of `scripts/reload-test`, which reloads ten times as many."""

from __future__ import annotations

import pytest

from tests.stress.reload import run


@pytest.mark.timeout(300)
def test_a_thousand_changed_configurations_under_load_hurt_nobody() -> None:
    outcome = run(1000, seed=1)
    print("\n".join(outcome.lines()))
    assert outcome.faults == []
    # Else it would have tested nothing.
    assert outcome.accepted > 100
    assert outcome.refused > 100
    assert outcome.answers > 1000
    assert outcome.generations_seen > 50

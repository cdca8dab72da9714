"""The interval of `scripts/bench variants` tells a difference from noise."""

from __future__ import annotations

import random

from tests.bench.variants import interval


def test_noise_has_one_within_and_a_difference_has_not() -> None:
    chance = random.Random(7)
    noise = [chance.gauss(1.0, 0.02) for _ in range(40)]
    low, high = interval(noise)
    assert low < 1.0 < high
    low, high = interval([each * 0.95 for each in noise])
    assert low < 0.95 < high < 1.0

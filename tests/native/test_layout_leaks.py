"""The compiled layout kernel keeps no memory, whether it ends well or refuses."""

from __future__ import annotations

import gc

import psutil
import pytest

from tests.document.arrays import PROSE, PageBuilder

ROUNDS = 2000
#: One page's buffers are about 50 kB: a leak of any of them in each round would be many times this.
GROWTH_MAX_BYTES = 4_000_000


@pytest.mark.parametrize("sound", [True, False])
def test_rounds_of_analysis_leave_the_resident_size_as_it_is(sound: bool) -> None:
    kernel = pytest.importorskip("ndfd.native._c.layout")
    arrays = PageBuilder().lines(50, 100, *PROSE * 10).build()
    if not sound:
        arrays.size = arrays.size[:-1]

    def rounds(count: int) -> None:
        for _ in range(count):
            if sound:
                layout = kernel.analyse(arrays)
                layout.words()
                layout.rows(0, 40)
            else:
                with pytest.raises(ValueError, match="differ in length"):
                    kernel.analyse(arrays)

    process = psutil.Process()
    rounds(ROUNDS // 10)
    gc.collect()
    before = process.memory_info().rss
    rounds(ROUNDS)
    gc.collect()
    assert process.memory_info().rss - before < GROWTH_MAX_BYTES

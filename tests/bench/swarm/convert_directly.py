"""The peer: one process that maps each file and converts it, with no daemon, no other process and no confinement."""

from __future__ import annotations

import mmap
import os
import time
from pathlib import Path

from ndfd.document import convert
from ndfd.model.conversion import ConvertOptions
from tests.bench.swarm.child import Answer, answer


def convert_all(paths: list[str]) -> Answer:
    """What the documents cost."""
    before_s = time.process_time()
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        try:
            data = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
        finally:
            os.close(fd)
        convert(data, ConvertOptions(name=Path(path).name))
        data.close()
    return {"cpu_s": time.process_time() - before_s}


if __name__ == "__main__":
    answer(convert_all)

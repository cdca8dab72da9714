"""One engine in a process of its own: reads a line with a path, answers a line of JSON with what it cost, and so on.

`python -m tests.bench.child ENGINE CORE`. The cost is the CPU time of the whole process (user and system, every thread)
from the document's bytes in memory to the end of its last page.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

from tests.bench.engines import Extract, engine


def measured(extract: Extract, data: bytes) -> dict[str, object]:
    """One answer: cpu_s, wall_s, pages and characters, or error."""
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        pages, characters = extract(data)
    except Exception as error:  # noqa: BLE001 - what an engine cannot read does not count, whatever it raises
        return {"error": f"{type(error).__name__}: {error}"[:200]}
    cpu_s, wall_s = time.process_time() - cpu, time.perf_counter() - wall
    return {"cpu_s": cpu_s, "wall_s": wall_s, "pages": pages, "characters": characters}


def main() -> None:
    name, core = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    # Engines print warnings of their own: the answers need stdout for themselves.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    try:
        extract = engine(name).prepare()
    except Exception as error:  # noqa: BLE001 - an engine that cannot be used is left out, whatever it raises
        answers.write(json.dumps({"failed": f"{type(error).__name__}: {error}"[:500]}) + "\n")
        return
    answers.write(json.dumps({"ready": name}) + "\n")
    for line in sys.stdin:
        answer = measured(extract, Path(line.rstrip("\n")).read_bytes())
        rss_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answers.write(json.dumps({**answer, "rss_bytes": rss_bytes}) + "\n")


if __name__ == "__main__":
    main()

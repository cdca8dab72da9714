"""The clients: one process with a thread and a connection of the real client for each lane.

`python -m tests.bench.swarm.convert_through SOCKET LANES`.
"""

from __future__ import annotations

import contextlib
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ndfd.client import Client
from ndfd.model.conversion import ConvertOptions
from tests.bench.swarm.child import Answer, answer


def main(socket: Path, lanes: int) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client.connect(socket)) for _ in range(lanes)]
        threads = stack.enter_context(ThreadPoolExecutor(lanes))

        def convert_all(lanes: list[list[str]]) -> Answer:
            before_s = time.process_time()
            took = list(threads.map(_lane, clients, lanes))
            return {"cpu_s": time.process_time() - before_s, "conversion_s": sum(took)}

        answer(convert_all)


def _lane(client: Client, paths: list[str]) -> float:
    """The CPU seconds that the workers say the conversions took."""
    took = 0.0
    for path in paths:
        with client.convert(Path(path), ConvertOptions(name=Path(path).name)) as conversion:
            took += conversion.report.cpu_s
    return took


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

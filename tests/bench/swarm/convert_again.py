"""A caller that has one document converted again and again: `… convert_again SOCKET DOCUMENT DEADLINE`.

DEADLINE is in seconds, and empty for the daemon's own. It runs until it is killed.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from ndfd.client import Client
from ndfd.errors import NdfdError
from ndfd.model.conversion import ConvertOptions


def main(socket: Path, document: Path, deadline_s: float | None) -> None:
    with Client.connect(socket) as client:
        print("{}", flush=True)
        while True:
            with contextlib.suppress(NdfdError):
                client.convert(document, ConvertOptions(deadline_s=deadline_s)).close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]) if sys.argv[3] else None)

"""A program: reads a document with the fonts of a folder, in a fork of itself, as a worker does.

    python -m tests.native.read_with_fonts ENGINE FOLDER DOCUMENT BYTES_MAX

ENGINE is "_c" or "_py". With "-" for BYTES_MAX the font files may be opened when they are needed; with a number, that
many bytes of fonts are held, the folder is then renamed away, and the fork may open no file at all. "closed": the same,
with nothing held. The folder "first" in it is looked into before the rest. Prints what came of it as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from tests.native.pdftext_engines import ARRAYS


def main(engine_name: str, folder: str, document: str, bytes_max: str) -> None:
    engine = importlib.import_module(f"ndfd.native.{engine_name}.pdftext")
    folders = [f"{folder}/first", folder]
    engine.initialise(folders)
    held = engine.hold_fonts(folders, int(bytes_max))._asdict() if bytes_max.isdigit() else None
    data = Path(document).read_bytes()
    if bytes_max != "-":
        Path(folder).rename(f"{folder} away")
    sys.stdout.flush()
    if (pid := os.fork()) == 0:
        try:
            if bytes_max != "-":
                resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
            pages = read(engine, data)
            print(json.dumps({"held": held, "pages": pages}), flush=True)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def read(engine: Any, data: bytes) -> list[dict[str, Any]]:
    with engine.Document(data) as document:
        return [
            {name: list(getattr(page, name)) for name in ARRAYS}
            for page in map(document.page, range(document.page_count))
        ]


if __name__ == "__main__":
    main(*sys.argv[1:])

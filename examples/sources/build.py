"""Makes examples/*.pdf from the sources beside this file.

The same sources and the locked versions of typst, reportlab and pillow give the same bytes: dates are fixed, fonts of
the system are left out of account, and noise comes from a fixed seed.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import typst
from form import form
from scan import scan

SOURCES = Path(__file__).resolve().parent
EXAMPLES = SOURCES.parent
#: 2024-02-29 12:00 UTC, in seconds since 1970.
CREATED = 1709208000


def main() -> int:
    """Writes the files; with --check compares them instead and returns 1 when one differs."""
    parser = argparse.ArgumentParser(prog="scripts/examples", description=__doc__)
    parser.add_argument("--check", action="store_true", help="say which files differ from what the sources give")
    check = parser.parse_args().check
    differing = [name for name, data in built().items() if not _settled(EXAMPLES / name, data, check)]
    for name in differing:
        said = "is not what its source gives: run scripts/examples" if check else "written"
        sys.stderr.write(f"examples/{name} {said}\n")
    return 1 if check and differing else 0


def built() -> dict[str, bytes]:
    """Every example by its file name."""
    report = _untagged(_typeset("report.typ"))
    return {
        "paper.pdf": _untagged(_typeset("paper.typ")),
        "report.pdf": report,
        "handbook.pdf": _untagged(_typeset("handbook.typ")),
        "leaflet-tagged.pdf": _typeset("leaflet.typ", standard="ua-1"),
        "form.pdf": form(),
        "scan.pdf": scan(report, 0),
    }


def _settled(path: Path, data: bytes, check: bool) -> bool:
    if path.exists() and path.read_bytes() == data:
        return True
    if not check:
        path.write_bytes(data)
    return False


def _typeset(name: str, standard: str | None = None) -> bytes:
    return bytes(
        typst.compile(
            SOURCES / name,
            root=SOURCES,
            ignore_system_fonts=True,
            timestamp=CREATED,
            **({"pdf_standards": standard} if standard else {}),
        )
    )


def _untagged(data: bytes) -> bytes:
    """The document without its structure tree, as most documents are: typst tags all that it makes.

    The entry is blanked in the catalog, which keeps every offset of the file as it is.
    """
    bare, count = re.subn(rb"/StructTreeRoot \d+ 0 R/MarkInfo<<[^>]*>>", lambda entry: b" " * len(entry[0]), data)
    if count != 1:
        raise ValueError(f"typst wrote the catalog in another way than expected: {count} structure trees")
    return bare


if __name__ == "__main__":
    sys.exit(main())

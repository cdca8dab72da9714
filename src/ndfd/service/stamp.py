"""The line in each file that ndfd installs, by which a later ndfd knows whether somebody has changed it since."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from ndfd import __version__
from ndfd.service.plan import Standing

#: A comment of a unit file, or of XML.
_LINE = re.compile(
    rb"^(?:# |<!-- )Written by `ndfd service install` of ndfd (\S+), sha256 ([0-9a-f]{64})(?: -->)?\n", re.MULTILINE
)


def stamped(text: str) -> bytes:
    """The file's bytes with the line: the first one, or in XML, which begins with its declaration, the last."""
    data = text.encode()
    said = f"Written by `ndfd service install` of ndfd {__version__}, sha256 {hashlib.sha256(data).hexdigest()}"
    if text.startswith("<?xml"):
        return data + f"<!-- {said} -->\n".encode()
    return f"# {said}\n".encode() + data


def standing(path: Path, wanted: bytes | None) -> Standing:
    """How the file at a path stands to what this ndfd would write; OSError when it cannot be read.

    None is wanted of a file that this version no longer has.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Standing.MISSING
    if data == wanted:
        return Standing.CURRENT
    found = _LINE.search(data)
    if found is None:
        return Standing.FOREIGN
    rest = data[: found.start()] + data[found.end() :]
    same = hashlib.sha256(rest).hexdigest().encode() == found[2]
    return Standing.OLDER if same else Standing.CHANGED


def version_in(path: Path) -> str | None:
    """Which ndfd wrote the file; None when it says none."""
    try:
        found = _LINE.search(path.read_bytes())
    except OSError:
        return None
    return None if found is None else found[1].decode("ascii", "replace")

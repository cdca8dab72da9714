"""Which addresses a rendering may link to."""

from __future__ import annotations

import re

#: A scheme other than these could run a script or reach into the reader's machine.
_ALLOWED = ("http:", "https:", "mailto:")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*:")
#: Browsers drop tabs and line ends inside an address, and leading controls and spaces, before they read its scheme.
_IGNORED = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]+")


def safe_address(uri: str | None) -> str | None:
    """The address without characters that hide its scheme; None when it is not http, https, mailto or relative."""
    if not uri:
        return None
    address = _IGNORED.sub("", uri) if _IGNORED.search(uri) else uri
    scheme = _SCHEME.match(address)
    if scheme is not None and scheme.group().lower() not in _ALLOWED:
        return None
    return address or None

"""Only harmless addresses are linked to."""

from __future__ import annotations

import pytest

from ndfd.document.links import safe_address


@pytest.mark.parametrize("uri", ["https://a.b/c?d=e#f", "HTTP://a.b", "mailto:a@b.c", "page.html", "#here", "../x:y/z"])
def test_web_mail_and_relative_addresses_are_kept(uri: str) -> None:
    assert safe_address(uri) == uri


@pytest.mark.parametrize(
    "uri",
    [
        *("javascript:alert(1)", "JavaScript:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)"),
        *("java\nscript:x", "\x01javascript:x", "data:text/html,x", "file:///etc/passwd", "vbscript:x", "", None),
    ],
)
def test_all_others_are_not(uri: str | None) -> None:
    assert safe_address(uri) is None

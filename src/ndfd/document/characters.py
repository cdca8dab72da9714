"""Unicode: what the kernel's table leaves to be normalised, and what markers of lists look like."""

from __future__ import annotations

import unicodedata


def normalised(text: str) -> str:
    """NFC (Unicode Standard Annex 15)."""
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)

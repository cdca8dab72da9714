"""Text that somebody else made, fit to be shown in a log or on a terminal."""

from __future__ import annotations


def printable(text: str, max_characters: int | None = None) -> str:
    """The text on one line, each unprintable character as its escape (`\\x1b`), cut at so many characters.

    Unprintable is what `str.isprintable` calls so: the control characters that move a terminal's cursor or set its
    title (C0 and C1), those that turn the direction of writing (U+202E), lone surrogates, which no file takes.
    """
    # Escapes only lengthen: what is cut off need not be looked at.
    kept = text if max_characters is None else text[:max_characters]
    if not kept.isprintable():
        kept = "".join(each if each.isprintable() else _escape(each) for each in kept)
    if max_characters is not None and (len(text) > max_characters or len(kept) > max_characters):
        return kept[: max_characters - 1] + "…"
    return kept


def _escape(character: str) -> str:
    return " " if character.isspace() else character.encode("unicode_escape").decode("ascii")

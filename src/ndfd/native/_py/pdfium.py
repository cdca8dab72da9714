"""libpdfium through pypdfium2's ctypes binding, and the ways in which its functions hand out strings."""

from __future__ import annotations

import ctypes
from typing import Any

import pypdfium2_raw

raw: Any = pypdfium2_raw


def wide_text(call: Any, *arguments: object) -> str:
    """A UTF-16LE string by PDFium's two-call convention: `call(*arguments, buffer, bytes)` returns the bytes needed."""
    needed = call(*arguments, None, 0)
    if needed <= 2:
        return ""
    buffer = ctypes.create_string_buffer(needed)
    # Some functions declare void *, others FPDF_WCHAR *: a void pointer cast to either works.
    call(*arguments, ctypes.cast(buffer, call.argtypes[-2]), needed)
    return buffer.raw[:needed].decode("utf-16-le", "replace").rstrip("\0")


def byte_text(data: bytes) -> str:
    """Text of a byte string whose encoding the format leaves open: UTF-8 where it is that, else Latin-1."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def address(handle: object) -> int:
    """The address in a ctypes handle, 0 for NULL."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0  # type: ignore[arg-type]

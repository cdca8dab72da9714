"""Whether a document is still what was handed in: it is read from a mapping, and its owner may write to it."""

from __future__ import annotations

import os
from typing import NamedTuple

from ndfd.errors import DocumentChanged


class DocumentState(NamedTuple):
    """What tells that a file was written to."""

    size: int
    modified_ns: int

    @classmethod
    def of(cls, fd: int) -> DocumentState:
        """The one at this moment."""
        status = os.fstat(fd)
        return cls(status.st_size, status.st_mtime_ns)

    def changed(self, fd: int, page: int | None) -> DocumentChanged | None:
        """The error for a document that is not any more what it was then; None while it is. `page` is for the error."""
        now = DocumentState.of(fd)
        if now == self:
            return None
        how = f"it has {now.size} bytes and had {self.size}" if now.size != self.size else "it was written to"
        return DocumentChanged(f"the document was changed while it was converted: {how}", page=page)

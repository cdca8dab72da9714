"""What the names of fonts say."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ndfd.native import pdftext

#: Computer Modern's, AMS's, Adobe's and others' fonts of mathematics; not the text fonts that formulas use as well.
_MATH = re.compile(
    r"^(CMMI|CMSY|CMEX|CMBSY|CMMIB|MSAM|MSBM|EUFM|EUSM|EURM|RSFS|LMMath|MTMI|MTSY|MTEX|RMTMI|TXSY|TXEX|TXMI|PXSY|PXMI|"
    r"NewTXMI|txsys|stmary|wasy|Symbol|MathematicalPi|Euclid(Symbol|Math|Extra)|AdvP4C4E|AdvPi)|Math",
    re.IGNORECASE,
)


class MathFonts:
    """One byte for each font of a document, 1 for a font of mathematics; grows with the document's fonts."""

    def __init__(self) -> None:
        self.table = b""

    def update(self, fonts: Sequence[pdftext.Font]) -> bytes:
        known = len(self.table)
        if len(fonts) != known:
            self.table += bytes(bool(_MATH.search(font.name)) for font in fonts[known:])
        return self.table

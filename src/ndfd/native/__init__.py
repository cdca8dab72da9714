"""The seam over the compiled code of ext/: the same modules compiled (`_c`) or in Python (`_py`), chosen once.

NDFD_NATIVE=c is the default; NDFD_NATIVE=python takes the slow reference, for machines without a compiler and for
finding out which of the two is wrong. What was asked for and is missing is an error, never a silent second best.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType
from typing import TYPE_CHECKING

from ndfd.errors import ConfigError, NativeMissing

__all__ = ["IMPLEMENTATION", "layout", "pdftext", "violations"]

_PACKAGES = {"c": "ndfd.native._c", "python": "ndfd.native._py"}


def _module(implementation: str, name: str) -> ModuleType:
    package = _PACKAGES.get(implementation)
    if package is None:
        raise ConfigError(f"NDFD_NATIVE is {implementation!r}: it may be {' or '.join(map(repr, _PACKAGES))}")
    try:
        return importlib.import_module(f"{package}.{name}")
    except ImportError as error:
        raise NativeMissing(f"{package}.{name} cannot be imported: {error}") from error


IMPLEMENTATION = os.environ.get("NDFD_NATIVE", "c")

if TYPE_CHECKING:
    from ndfd.native._c import layout, pdftext, violations
else:
    pdftext = _module(IMPLEMENTATION, "pdftext")
    layout = _module(IMPLEMENTATION, "layout")
    violations = _module(IMPLEMENTATION, "violations")

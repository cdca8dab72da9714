"""Imports structlog without rich, which it would import for tracebacks in colour: the log's are plain.

A fifth of what starting the daemon takes in imports. Before anything else imports structlog.
"""

from __future__ import annotations

import sys

_absent = "rich" not in sys.modules
if _absent:
    # What Python takes for "there is no such module" (the reference of the import system, "The module cache").
    sys.modules["rich"] = None  # type: ignore[assignment]
try:
    import structlog  # noqa: F401
finally:
    if _absent:
        del sys.modules["rich"]

"""The composition root: builds every part, and owns start, drain and stop; the only package that names them all."""

from ndfd.daemon import without_rich  # noqa: F401 - for what it does, and before all others
from ndfd.daemon.launch import run

__all__ = ["run"]

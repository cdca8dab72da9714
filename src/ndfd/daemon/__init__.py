"""The composition root: builds every part, and owns start, drain and stop; the only package that names them all."""

from ndfd.daemon.daemon import Daemon, run

__all__ = ["Daemon", "run"]

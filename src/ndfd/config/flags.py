"""The layer of the command line: `--set group.key=value`."""

from __future__ import annotations

from collections.abc import Iterable

from ndfd.config.keys import find_key, secret_of
from ndfd.config.layer import PATHS, Layer
from ndfd.model.configuration import Origin, OriginKind


def read_flags(flags: Iterable[str]) -> Layer:
    """The values; of a key that is given more than once the last counts, as on any command line."""
    layer = Layer()
    last: dict[str, tuple[Origin, str]] = {}
    for flag in flags:
        path, equals, value = (part.strip() for part in flag.partition("="))
        origin = Origin(OriginKind.FLAG, f"--set {path}")
        if not equals:
            # Not the flag itself: it may be the value of a secret whose name was left out.
            layer.mistake(Origin(OriginKind.FLAG, "--set"), "write it as --set group.key=value")
        elif (key := find_key(path)) is None and secret_of(path) is None:
            from ndfd.config.suggest import wrong_path

            message, suggestion = wrong_path(path, PATHS)
            layer.mistake(origin, message, suggestion=suggestion)
        elif key is not None and key.kind.secret:
            layer.mistake(origin, f"every user can see a command line: set {path}_file to the path of a file with it")
        else:
            last[path] = (origin, value)
    for path, (origin, value) in last.items():
        layer.put(path, value, origin)
    return layer

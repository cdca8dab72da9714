"""The layer of the service manager's credentials: one file for each secret in $CREDENTIALS_DIRECTORY.

systemd.exec(5), "Credentials": `LoadCredential=security.token:/etc/ndfd/token` puts the file there, in memory that only
the service can read.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from ndfd.config.keys import KEYS, find_key
from ndfd.config.layer import Layer, read_secret
from ndfd.config.reading import is_there
from ndfd.errors import ConfigError
from ndfd.model.configuration import Origin, OriginKind


def read_credentials(folder: Path) -> Layer:
    """The secrets that are there under the names of their keys; any other file may be meant for somebody else."""
    layer = Layer()
    names = {key.path for key in KEYS.values() if key.kind.secret}
    # Of a folder that cannot be listed, those that have to be looked for say so.
    with contextlib.suppress(OSError):
        names |= {path.name for path in folder.iterdir()}
    for name in sorted(names):
        key, path = find_key(name), folder / name
        if key is None or not key.kind.secret or not is_there(path):
            continue
        origin = Origin(OriginKind.CREDENTIAL, str(path))
        try:
            text, warnings = read_secret(path)
        except ConfigError as error:
            layer.mistake(origin, error.message, key.path)
        else:
            layer.warnings += warnings
            layer.put(key.path, text, origin)
    return layer

"""What one source says of the keys, checked against the table of keys; and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ndfd.config import permissions
from ndfd.config.keys import GROUPS, KEYS, find_key, secret_of
from ndfd.config.kind import WrongWord
from ndfd.config.reading import read_regular
from ndfd.errors import ConfigError
from ndfd.model.configuration import Mistake, Origin

#: Everything that may be written as "group.name", but for what is in tables of families.
PATHS = (*KEYS, *(f"{key.group}.{key.file_name}" for key in KEYS.values() if key.file_name))

#: A token has some hundred characters; whoever names a disk image by mistake should hear of it, not run out of memory.
_SECRET_FILE_MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Written:
    """A sound value as a source gives it."""

    #: As the source has it: what `Kind.read` reads. Not shown: it may be a secret.
    raw: Any
    #: As a TOML literal.
    text: str | None
    origin: Origin

    def __repr__(self) -> str:
        return f"Written({self.text}, {self.origin})"


class Layer:
    """The values of one source."""

    def __init__(self) -> None:
        #: By path.
        self.values: dict[str, Written] = {}
        #: By path, the tables of families that it declares, with the first place of each.
        self.tables: dict[str, Origin] = {}
        self.mistakes: list[Mistake] = []
        #: What an operator should mend, although it can be used.
        self.warnings: list[str] = []

    def put(self, path: str, raw: Any, origin: Origin, *, name: str | None = None) -> None:
        """Takes a value for a key, or for one that names a secret's file, or notes what is wrong.

        `name` is how the source calls the key.
        """
        key = find_key(path) or secret_of(path)
        assert key is not None
        if key.group not in GROUPS:
            self.declare(key.group, origin)
        name = path if name is None else name
        if key.path in self.values:
            self.mistakes.append(Mistake(origin, f"is set twice, here and at {self.values[key.path].origin}", name))
            return
        try:
            if path != key.path:
                raw, origin = self._from_file(raw, origin)
            text = key.kind.write(key.kind.read(raw))
        except WrongWord as error:
            self.mistakes.append(Mistake(origin, str(error), name, error.suggestion))
        except ValueError as error:
            self.mistakes.append(Mistake(origin, str(error), name))
        except ConfigError as error:
            self.mistakes.append(Mistake(origin, error.message, name))
        else:
            self.values[key.path] = Written(raw, text, origin)

    def declare(self, table: str, origin: Origin) -> None:
        """Takes a table of a family, which is there from now on even if it stays empty."""
        self.tables.setdefault(table, origin)

    def mistake(self, origin: Origin, message: str, key: str | None = None, suggestion: str | None = None) -> None:
        """Notes what is wrong."""
        self.mistakes.append(Mistake(origin, message, key, suggestion))

    def _from_file(self, raw: Any, origin: Origin) -> tuple[str, Origin]:
        if not isinstance(raw, str) or not Path(raw).is_absolute():
            raise ValueError("the path of the file with the secret is not absolute")
        text, warnings = read_secret(Path(raw))
        self.warnings += warnings
        return text, Origin(origin.kind, origin.name, origin.line, origin.column, secret_file=raw)


def read_secret(path: Path) -> tuple[str, tuple[str, ...]]:
    """The text of a file that holds a secret, and warnings about who else may read it; `ConfigError` names the file."""
    try:
        data, status = read_regular(path, _SECRET_FILE_MAX_BYTES)
    except OSError as error:
        raise ConfigError(f"the secret's file {path} cannot be read: {error.strerror}") from None
    if len(data) > _SECRET_FILE_MAX_BYTES:
        raise ConfigError(f"the secret's file {path} is larger than {_SECRET_FILE_MAX_BYTES} bytes")
    try:
        return data.decode("ascii"), permissions.secret_warnings(path, status)
    except UnicodeDecodeError:
        raise ConfigError(f"the secret's file {path} holds other characters than ASCII") from None

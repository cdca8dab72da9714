"""The keys of the configuration as a table, read off the groups of `ndfd.config.settings`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ndfd.config.kind import Kind
from ndfd.config.settings import Settings
from ndfd.model.configuration import Effect

ENVIRONMENT_PREFIX = "NDFD_"
NESTED_DELIMITER = "__"


@dataclass(frozen=True, slots=True)
class Key:
    """One key."""

    group: str
    #: Its name within the group.
    name: str
    #: Reads and writes its values.
    kind: Kind
    default: Any
    #: One or more sentences.
    meaning: str
    #: What a reload does with it.
    effect: Effect

    @property
    def path(self) -> str:
        """ "group.name", by which it is asked for."""
        return f"{self.group}.{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"{ENVIRONMENT_PREFIX}{self.group}{NESTED_DELIMITER}{self.name}".upper()

    @property
    def file_name(self) -> str | None:
        """Of a secret: the key beside it that names the file with the secret."""
        return f"{self.name}_file" if self.kind.secret else None

    @property
    def default_text(self) -> str | None:
        """The default as a TOML literal; None: not set."""
        return self.kind.write(self.default)


def _group_types() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in Settings.model_fields.items():
        assert isinstance(field.annotation, type)
        assert issubclass(field.annotation, BaseModel)
        yield name, field.annotation


def _key(group: str, name: str, field: FieldInfo) -> Key:
    (kind,) = [each for each in field.metadata if isinstance(each, Kind)]
    assert field.description is not None
    assert isinstance(field.json_schema_extra, dict)
    return Key(group, name, kind, field.default, field.description, Effect(str(field.json_schema_extra["effect"])))


#: By path, in the order of `settings`.
KEYS: Mapping[str, Key] = MappingProxyType(
    {
        key.path: key
        for group, group_type in _group_types()
        for key in (_key(group, name, field) for name, field in group_type.model_fields.items())
    }
)

#: What each group is for.
GROUPS: Mapping[str, str] = MappingProxyType(
    {group: (group_type.__doc__ or "").strip() for group, group_type in _group_types()}
)

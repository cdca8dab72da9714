"""The keys of the configuration as a table, read off the groups of `ndfd.config.settings`.

Most keys are there once. The keys of a family stand in tables whose names the operator chooses, such as
`[swarm.pools.NAME]` and `[watch.NAME]`: the family says which keys each of its tables may have.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ndfd.config.kind import Kind
from ndfd.config.settings import Settings
from ndfd.model.configuration import Effect

ENVIRONMENT_PREFIX = "NDFD_"
NESTED_DELIMITER = "__"
#: Stands for the name of a table wherever no certain one is meant.
ANY_NAME = "NAME"


@dataclass(frozen=True, slots=True)
class Key:
    """One key."""

    #: Of the table that it stands in: "swarm", "swarm.pools.bulk".
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
    #: Path of the key whose value holds where this one is not written; None: its own default.
    fallback: str | None = None
    #: What the sample file shows for a key without a default, as a TOML literal.
    example: str | None = None

    @property
    def path(self) -> str:
        """ "group.name", by which it is asked for."""
        return f"{self.group}.{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return variable(self.path)

    @property
    def file_name(self) -> str | None:
        """Of a secret: the key beside it that names the file with the secret."""
        return f"{self.name}_file" if self.kind.secret else None

    @property
    def default_text(self) -> str | None:
        """The default as a TOML literal; None: not set."""
        return self.kind.write(self.default)


@dataclass(frozen=True, slots=True)
class Family:
    """Tables of one kind, whose names the operator chooses; each stands for what it declares, even when empty."""

    #: The table around them: "swarm.pools", "watch".
    group: str
    #: Reads a name.
    names: Kind
    meaning: str
    #: By name, those that each table may have, in a table called `ANY_NAME`.
    keys: Mapping[str, Key]

    def table(self, name: str) -> str:
        """The path of the table of this name."""
        return f"{self.group}.{name}"

    def keys_of(self, table: str) -> Iterator[Key]:
        """The keys of the table of this path."""
        return (dataclasses.replace(key, group=table) for key in self.keys.values())


def variable(path: str) -> str:
    """The environment variable of a key; a name's hyphens, which shells do not take there, are written as _."""
    return ENVIRONMENT_PREFIX + path.replace(".", NESTED_DELIMITER).replace("-", "_").upper()


def find_key(path: str) -> Key | None:
    """The key of this path, also one in a table that nobody has declared; None for a path that can be no key's."""
    if path in KEYS:
        return KEYS[path]
    table, _, name = path.rpartition(".")
    family = family_of(table)
    return None if family is None or name not in family.keys else dataclasses.replace(family.keys[name], group=table)


def secret_of(path: str) -> Key | None:
    """The secret whose file a key of this path names ("security.token_file"); None for any other path."""
    key = find_key(path.removesuffix("_file"))
    return key if key is not None and path == f"{key.group}.{key.file_name}" else None


def family_of(table: str) -> Family | None:
    """The family that a table of this path, whoever declares it, belongs to; None for any other path."""
    group, _, name = table.rpartition(".")
    family = FAMILIES.get(group)
    if family is None:
        return None
    try:
        family.names.read(name)
    except ValueError:
        return None if name != ANY_NAME else family
    return family


def keys_with(tables: Iterable[str]) -> dict[str, Key]:
    """By path, every key of a configuration that declares these tables of families, in the order of the reference."""
    tables = sorted(tables)
    found: dict[str, Key] = {}
    for group in Settings.model_fields:
        found |= {path: key for path, key in KEYS.items() if key.group == group}
        for table in tables:
            family = family_of(table)
            if family is not None and family.group.partition(".")[0] == group:
                found |= {key.path: key for key in family.keys_of(table)}
    return found


def tables_of(paths: Iterable[str]) -> set[str]:
    """The tables of families that keys of these paths stand in."""
    return {path.rpartition(".")[0] for path in paths if path not in KEYS}


def meaning_of(table: str) -> str:
    """What a group, or a table of a family, is for."""
    family = family_of(table)
    return GROUPS[table] if family is None else family.meaning


def _group_types() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in Settings.model_fields.items():
        if _is_family(field):
            continue
        assert isinstance(field.annotation, type)
        assert issubclass(field.annotation, BaseModel)
        yield name, field.annotation


def _is_family(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is Mapping


def _key(group: str, name: str, field: FieldInfo) -> Key:
    (kind,) = [each for each in field.metadata if isinstance(each, Kind)]
    assert field.description is not None
    extra = field.json_schema_extra
    assert isinstance(extra, dict)
    fallback = extra.get("fallback")
    return Key(
        group,
        name,
        kind,
        field.default,
        field.description,
        Effect(str(extra["effect"])),
        None if fallback is None else str(fallback),
        None if "example" not in extra else kind.write(kind.read(extra["example"])),
    )


def _families() -> Iterator[tuple[str, FieldInfo]]:
    """By path: those at the top, and those within groups."""
    for name, field in Settings.model_fields.items():
        if _is_family(field):
            yield name, field
    for group, group_type in _group_types():
        for name, field in group_type.model_fields.items():
            if _is_family(field):
                yield f"{group}.{name}", field


def _family(group: str, field: FieldInfo) -> Family:
    names, members = get_args(field.annotation)
    assert get_origin(names) is Annotated
    table = f"{group}.{ANY_NAME}"
    return Family(
        group,
        get_args(names)[1],
        " ".join((members.__doc__ or "").split()),
        MappingProxyType({name: _key(table, name, its_field) for name, its_field in members.model_fields.items()}),
    )


#: By path, in the order of `settings`; without those of families.
KEYS: Mapping[str, Key] = MappingProxyType(
    {
        key.path: key
        for group, group_type in _group_types()
        for key in (
            _key(group, name, field) for name, field in group_type.model_fields.items() if not _is_family(field)
        )
    }
)

#: By the path of the table around them.
FAMILIES: Mapping[str, Family] = MappingProxyType({group: _family(group, field) for group, field in _families()})

#: What each group is for.
GROUPS: Mapping[str, str] = MappingProxyType(
    {group: (group_type.__doc__ or "").strip() for group, group_type in _group_types()}
)

#: By path, every key that there can be, those of families in a table called `ANY_NAME`, in the order of the reference.
REFERENCE: Mapping[str, Key] = MappingProxyType(keys_with(family.table(ANY_NAME) for family in FAMILIES.values()))

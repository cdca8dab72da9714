"""The layers of the environment: `NDFD_GROUP__KEY`, and beneath it the names that NeuralDocFlow's other parts use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ndfd.config.context import CONFIG_DIR_VARIABLE, ENV_VARIABLE
from ndfd.config.keys import ENVIRONMENT_PREFIX, FAMILIES, NESTED_DELIMITER, family_of, find_key, secret_of, variable
from ndfd.config.layer import PATHS, Layer
from ndfd.model.configuration import Origin, OriginKind

#: Variables of NeuralDocFlow as a whole, and the keys that they set.
ALIASES: Mapping[str, str] = {
    "NEURALDOCFLOW_WORKERS": "swarm.workers",
    "NEURALDOCFLOW_MEMORY_LIMIT": "runtime.max_memory",
}
_ALIAS_PREFIX = "NEURALDOCFLOW_"

#: By variable, the path of each key, but for those of families.
VARIABLES: Mapping[str, str] = {variable(path): path for path in PATHS}
#: Variables that are no keys: which kernels run, which socket a client uses, where the configuration lies.
_OTHERS = ("NDFD_NATIVE", "NDFD_SOCKET", ENV_VARIABLE, CONFIG_DIR_VARIABLE)

#: Kubernetes puts these into each container beside a service that is called ndfd.
_OF_KUBERNETES = re.compile(r"NDFD_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")

_NO_SUCH_VARIABLE = "there is no such variable"

#: A name without a group that is further than this from all of ours may belong to another program.
_SLIPS_MAX = 2


def read_environment(environment: Mapping[str, str]) -> tuple[Layer, Layer]:
    """The layers of the aliases and, stronger, of the variables. Names are taken as they are written, in capitals."""
    aliases, variables = Layer(), Layer()
    for name in sorted(environment):
        origin = Origin(OriginKind.ENVIRONMENT, name)
        if (path := path_of(name)) is not None:
            variables.put(path, environment[name], origin, name=path)
        elif name in ALIASES:
            aliases.put(ALIASES[name], environment[name], origin, name=ALIASES[name])
        elif name not in _OTHERS and not _OF_KUBERNETES.fullmatch(name):
            _refuse_slip(name, origin, variables)
    return aliases, variables


def path_of(name: str) -> str | None:
    """The path of the key that a variable sets; None for one that sets none."""
    if name in VARIABLES:
        return VARIABLES[name]
    for family in FAMILIES.values():
        before = variable(family.group) + NESTED_DELIMITER
        names = {each for key in family.keys.values() for each in (key.name, key.file_name) if each is not None}
        for key in names:
            after = NESTED_DELIMITER + key.upper()
            if name.isupper() and name.startswith(before) and name.endswith(after):
                # No name has _, so whatever stands for it there is a hyphen.
                path = f"{family.table(name[len(before) : -len(after)].lower().replace('_', '-'))}.{key}"
                if find_key(path) is not None or secret_of(path) is not None:
                    return path
    return None


def _refuse_slip(name: str, origin: Origin, layer: Layer) -> None:
    upper = name.upper()
    with_group = NESTED_DELIMITER in upper
    ours = upper.startswith((ENVIRONMENT_PREFIX, _ALIAS_PREFIX))
    # Any other variable is looked at only if it could be one of ours with a slip in the prefix.
    if not ours and not (with_group or ENVIRONMENT_PREFIX[:-1] in upper or _ALIAS_PREFIX[:-1] in upper):
        return
    # Imported here: a process without such a variable does not pay for it.
    from ndfd.config.likeness import nearest, slips
    from ndfd.config.suggest import NO_SUCH_KEY, nearest_key, wrong_path

    near = nearest(upper, (*VARIABLES, *_of_families(upper), *ALIASES, *_OTHERS))
    one_slip = near is not None and slips(upper, near) <= 1
    if ours and with_group and not one_slip:
        message, path = wrong_path(_meant(upper), PATHS)
        suggestion = None if path is None else variable(path)
        if message == NO_SUCH_KEY:
            message, suggestion = _NO_SUCH_VARIABLE, suggestion or nearest(upper, VARIABLES)
        layer.mistake(origin, message, suggestion=suggestion)
        return
    if one_slip or (ours and near is not None and slips(upper, near) <= _SLIPS_MAX):
        layer.mistake(origin, _NO_SUCH_VARIABLE, suggestion=near)
    elif ours and upper.removeprefix(ENVIRONMENT_PREFIX).lower() in {path.rpartition(".")[2] for path in PATHS}:
        path = nearest_key(upper.removeprefix(ENVIRONMENT_PREFIX).lower(), PATHS)
        layer.mistake(origin, "a group and a key are needed", suggestion=None if path is None else variable(path))
    elif name.startswith(ENVIRONMENT_PREFIX):
        layer.warnings.append(f"{name} is set and means nothing to ndfd: see `ndfd config reference`")


def _meant(upper: str) -> str:
    """The path that a variable's name seems to write."""
    from ndfd.config.likeness import nearest

    parts = upper.removeprefix(ENVIRONMENT_PREFIX).lower().split(NESTED_DELIMITER)
    for family in FAMILIES.values():
        depth = family.group.count(".") + 1
        if len(parts) > depth + 1 and nearest(".".join(parts[:depth]), [family.group]) is not None:
            parts[depth:-1] = [_table_name(parts[depth:-1])]
    return ".".join(parts)


def _of_families(upper: str) -> Iterator[str]:
    """The variables of families that could be meant, whatever part of this name is that of a table."""
    lower = upper.lower()
    names = {*lower.split("_"), _table_name(lower.split(NESTED_DELIMITER)[-2:-1])}
    for family in FAMILIES.values():
        for table in map(family.table, sorted(names)):
            if family_of(table) is not None:
                yield from (variable(f"{table}.{key}") for key in family.keys)


def _table_name(parts: Sequence[str]) -> str:
    return "--".join(parts).replace("_", "-")

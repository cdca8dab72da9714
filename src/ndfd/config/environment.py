"""Settings from the environment: `NDFD_GROUP__KEY` over the embedded defaults, and an error for unknown names."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from ndfd.config.settings import ENVIRONMENT_PREFIX, NESTED_DELIMITER, Settings
from ndfd.errors import ConfigError


def load_settings() -> Settings:
    """The settings of this process; `ConfigError` names the variable that cannot be used."""
    _refuse_unknown(os.environ)
    try:
        return Settings()
    except ValidationError as error:
        raise _config_error(error) from None


def variable_names() -> Iterator[str]:
    """The variable of every key, group by group."""
    for group_name, group in Settings.model_fields.items():
        assert isinstance(group.annotation, type)
        assert issubclass(group.annotation, BaseModel)
        for key in group.annotation.model_fields:
            yield _variable((group_name, key))


def _refuse_unknown(environment: Iterable[str]) -> None:
    known = set(variable_names())
    by_key = {name.rpartition(NESTED_DELIMITER)[2]: name for name in known}
    groups = {name.upper() for name in Settings.model_fields}
    for name in sorted(environment):
        # Compared in capitals, because pydantic-settings does not look at the case of names.
        rest = name.upper().removeprefix(ENVIRONMENT_PREFIX)
        if rest == name.upper() or name.upper() in known:
            continue
        if NESTED_DELIMITER in rest:
            raise ConfigError(f"unknown variable {name}", hint=_suggestion(name.upper(), known, by_key))
        # A name without a group may belong to another program, unless it is one of ours cut short.
        if rest in by_key or rest in groups:
            raise ConfigError(
                f"unknown variable {name}: a group and a key are needed", hint=_suggestion(name.upper(), known, by_key)
            )


def _suggestion(name: str, known: set[str], by_key: dict[str, str]) -> str:
    key = name.removeprefix(ENVIRONMENT_PREFIX).rpartition(NESTED_DELIMITER)[2]
    nearest = by_key.get(key) or next(iter(difflib.get_close_matches(name, known, n=1)), None)
    return f"did you mean {nearest}?" if nearest else "unset it, or see `ndfd run --help` for the variables there are"


def _variable(location: Iterable[Any]) -> str:
    return ENVIRONMENT_PREFIX + NESTED_DELIMITER.join(str(part).upper() for part in location)


def _config_error(error: ValidationError) -> ConfigError:
    """The first fault that pydantic found, in one line. A union reports one fault for each of its members."""
    faults = error.errors(include_url=False)
    location = faults[0]["loc"][:2]
    if len(location) < 2:  # A rule between keys of one group: its message names the keys.
        return ConfigError(f"[{location[0]}] {_reason(faults[0])}" if location else _reason(faults[0]))
    reasons = dict.fromkeys(_reason(fault) for fault in faults if fault["loc"][:2] == location)
    return ConfigError(f"{_variable(location)}: {' or '.join(reasons)}")


def _reason(fault: Any) -> str:
    """Pydantic's sentence as a clause that names the value."""
    message = str(fault["msg"]).removeprefix("Value error, ")
    if message.startswith("Input "):
        return f"{fault['input']!r} {message.removeprefix('Input ').partition(', unable')[0]}"
    return message

"""What every group of keys is made of."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError

from ndfd.model.configuration import Effect


class Group(BaseModel):
    """Keys that belong together: a table of a file."""

    # Inputs are hidden, since a secret may be one of them.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def key(
    default: Any,
    meaning: str,
    effect: Effect = Effect.AT_ONCE,
    *,
    fallback: str | None = None,
    example: str | None = None,
) -> Any:
    """A key: its kind stands in the annotation. Where it is left out the value of the key `fallback` holds, if any.

    `example`, as its kind reads it, is what the sample file shows for one without a default.
    """
    extra: dict[str, JsonValue] = {"effect": effect.value}
    if example is not None:
        extra["example"] = example
    if fallback is not None:
        extra["fallback"] = fallback
    return Field(default, description=meaning, json_schema_extra=extra, validate_default=False)


def rule(message: str, *keys: str) -> PydanticCustomError:
    """A rule between keys of a group that does not hold; `keys` are the ones to change."""
    return PydanticCustomError("rule", message, {"keys": keys})


def fallbacks(group: type[BaseModel]) -> dict[str, str]:
    """By name, the key elsewhere whose value holds where a key of this group is left out."""
    found = {}
    for name, field in group.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and "fallback" in extra:
            found[name] = str(extra["fallback"])
    return found

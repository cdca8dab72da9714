"""Settings and changes of them as a person and as a program reads them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click
import msgspec

from ndfd.model.configuration import SECRET, Change, Effect, Origin, OriginKind, Setting


def shown(value: str | None) -> str:
    """A value on a line that is no TOML."""
    if value is None:
        return "not set"
    return "(secret)" if value == SECRET else value


def decoded(value: str | None) -> Any:
    """What a TOML literal stands for; None for none."""
    # 6 ms, which help and completion do not need.
    import tomllib

    return None if value is None else tomllib.loads(f"value = {value}")["value"]


def as_json(value: str | None) -> dict[str, Any]:
    """The value, decoded: null where none is set, and null with "secret" where one is set that is not shown."""
    if value == SECRET:
        return {"value": None, "secret": True}
    return {"value": decoded(value)}


def setting_as_json(setting: Setting) -> dict[str, Any]:
    """The value, where it is from, and what it hides."""
    shadowed = [{**as_json(each.value), "origin": origin_as_json(each.origin)} for each in setting.shadowed]
    return {**as_json(setting.value), "origin": origin_as_json(setting.origin), "shadowed": shadowed}


def origin_as_json(origin: Origin) -> dict[str, Any]:
    """As the model has it."""
    return dict(msgspec.to_builtins(origin))


def change_line(change: Change) -> str:
    """`key: old -> new  (place)`."""
    values = f"{shown(change.old)} -> {shown(change.new)}"
    if change.old == change.new == SECRET:
        values = "another secret"
    # What has gone with its table is written nowhere.
    place = "" if change.new is None and change.origin.kind is OriginKind.DEFAULT else f"  ({change.origin})"
    return f"{change.key}: {values}{place}"


def change_as_json(change: Change) -> dict[str, Any]:
    """The key, both values, what a reload does with it, and where the new value is from."""
    return {
        "key": change.key,
        "old": as_json(change.old),
        "new": as_json(change.new),
        "effect": change.effect.value,
        "origin": origin_as_json(change.origin),
    }


def restart_line(changes: Iterable[Change]) -> str | None:
    """Names the keys that only a restart applies; None where there are none."""
    keys = [change.key for change in changes if change.effect is Effect.RESTART]
    return f"only a restart applies: {', '.join(keys)}" if keys else None


def print_json(value: object) -> None:
    """For programs: indented, and all characters as they are."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def warn(warnings: Iterable[str]) -> None:
    """On stderr, where they are in nobody's way."""
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)

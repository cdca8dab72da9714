"""`ndfd errors`: the list of all errors."""

from __future__ import annotations

import json
from typing import Any

import click

from ndfd.errors import NdfdError, error_classes


@click.command(short_help="List every error and what to do.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of text.")
def errors(as_json: bool) -> None:
    """List every error: its code, its exit status, what it means and what to do.

    The code stands in parentheses in each error message, and in the answers of the socket API. An error marked `retry`
    may go away by itself; any other comes again until something is changed.

    \b
    Examples:
      ndfd errors
      ndfd errors --json | jq '.[] | select(.retryable)'
    """
    rows = [_row(cls) for cls in error_classes()]
    click.echo(json.dumps(rows, indent=2) if as_json else "\n\n".join(_paragraph(row) for row in rows))


def _row(cls: type[NdfdError]) -> dict[str, Any]:
    return {
        "code": cls.code,
        "exit_status": cls.exit_status,
        "http_status": cls.http_status,
        "retryable": cls.retryable,
        "meaning": " ".join((cls.__doc__ or "").split()),
        "hint": cls.default_hint,
        "parent": cls.__base__.code if cls.__base__ is not None and issubclass(cls.__base__, NdfdError) else None,
    }


def _paragraph(row: dict[str, Any]) -> str:
    retry = ", retry" if row["retryable"] else ""
    return f"{row['code']}  (exit {row['exit_status']}{retry})\n    {row['meaning']}\n    What to do: {row['hint']}"

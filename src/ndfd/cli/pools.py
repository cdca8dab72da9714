"""The pools of workers of a daemon."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from ndfd.errors import NdfdError

#: Nobody waits longer for the shell.
_COMPLETION_TIMEOUT_S = 1.0


def workers_of(socket: Path, name: str | None) -> int:
    """Workers that the pool of this name, or the default one, may have; `PoolUnknown` names those that there are."""
    from ndfd.client import Client
    from ndfd.model.pools import DEFAULT_POOL, pool_unknown

    with Client.connect(socket) as client:
        status = client.status()
    pools = {pool.name: pool for pool in status.pools}
    if name is None and not pools:
        # A daemon of a version that had none.
        return len(status.workers)
    pool = pools.get(name or DEFAULT_POOL)
    if pool is None:
        raise pool_unknown(name or DEFAULT_POOL, pools)
    return pool.workers_max


def complete_pools(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The pools of the running daemon whose names begin so, for the shell; none where none answers."""
    # 30 ms, in the moment in which somebody has pressed the tabulator here.
    from ndfd.cli.connect import running_daemon
    from ndfd.client import Client

    try:
        with Client.connect(running_daemon(context.params.get("socket")), _COMPLETION_TIMEOUT_S) as client:
            pools = client.status(_COMPLETION_TIMEOUT_S).pools
    except NdfdError:
        return []
    return [CompletionItem(pool.name, help=pool.role) for pool in pools if pool.name.startswith(incomplete)]

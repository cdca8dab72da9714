"""What the commands of `ndfd service` have in common: which service, of which manager."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ndfd.service.machine import Machine
    from ndfd.service.manager import Manager

T = TypeVar("T")

user_option = click.option("--user", is_flag=True, help="A service of this user, run by the user's own manager.")
instance_option = click.option(
    "--instance", metavar="NAME", help="One of several daemons, with sockets, state and settings of its own: ndfd@NAME."
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
force_option = click.option("--force", is_flag=True, help="Also files that somebody has changed since ndfd wrote them.")
root_option = click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=str),
    metavar="DIR",
    help="Only the files, below DIR as a package holds them (DIR/usr/lib/systemd/system). No command is run.",
)


def service_options(command: Callable[..., T]) -> Callable[..., T]:
    """Gives the command --user and --instance, which it gets as the manager that is meant."""

    @functools.wraps(command)
    def with_manager(*arguments: Any, user: bool, instance: str | None, **options: Any) -> T:
        # 30 ms, which help and completion do not need.
        from ndfd.service.managers import manager_of

        manager: Manager = manager_of(this_machine(), user=user, instance=instance)
        return command(*arguments, manager=manager, **options)

    return user_option(instance_option(with_manager))


def this_machine() -> Machine:
    """The one that the commands see."""
    from ndfd.config.context import Context
    from ndfd.config.places import home_dir
    from ndfd.service.machine import Machine

    return Machine.of_process(Context.of_process().environment, home_dir())

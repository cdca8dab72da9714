"""What the commands that start and stop the service have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ndfd.cli.service_text import do, print_status

if TYPE_CHECKING:
    from ndfd.service.manager import Manager
    from ndfd.service.plan import Plan


def control(verb: str, plan: Plan, manager: Manager, *, as_json: bool) -> None:
    """Does it, and shows what came of it. Raises why the service does not run, with the last lines of its log."""
    if as_json:
        from ndfd.service.execution import carry_out

        carry_out(plan, manager.machine, lambda what, subject: None, lambda: manager.failure(verb))
    else:
        do(verb, plan, manager, as_json=False)
    # systemd is not told what became of a reload; the daemon says it.
    if verb == "reload" and (refused := manager.failure(verb)) is not None:
        raise refused
    print_status(manager.status(), as_json=as_json)

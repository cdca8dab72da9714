"""Who may call what: one table. A method that is not in it may be called by nobody.

Which users reach a local socket at all is decided before, by the mode and the group of the socket's file; and who comes
over the network has shown the token before.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from ndfd.errors import NotPermitted
from ndfd.platform import Peer

#: Whoever came over the network and showed the token: no user of this machine, for the kernel knows none by -1.
REMOTE = Peer(uid=-1, gid=-1, pid=0)

#: Is told who calls, and the users that the configuration names as administrators.
Rule = Callable[[Peer, frozenset[int]], bool]


def any_caller(peer: Peer, admins: frozenset[int]) -> bool:
    """Whoever was let in."""
    return peer.uid >= 0 or peer == REMOTE


def administrators(peer: Peer, admins: frozenset[int]) -> bool:
    """root, the daemon's own user, and those that the configuration names; nobody who comes over the network."""
    return peer != REMOTE and (peer.uid in (0, os.geteuid()) or peer.uid in admins)


#: By the full name of the Varlink method; the HTTP door's routes call the same methods under the same names.
ACCESS: Mapping[str, Rule] = {
    "io.ndfd.Documents.Convert": any_caller,
    "io.ndfd.Jobs.Submit": any_caller,
    "io.ndfd.Jobs.Get": any_caller,
    "io.ndfd.Jobs.List": any_caller,
    "io.ndfd.Jobs.Watch": any_caller,
    "io.ndfd.Jobs.Result": any_caller,
    "io.ndfd.Jobs.Cancel": any_caller,
    "io.ndfd.Jobs.Retry": any_caller,
    "io.ndfd.Jobs.Forget": any_caller,
    "io.ndfd.Jobs.Backup": administrators,
    "io.ndfd.Service.GetStatus": any_caller,
    "io.ndfd.Service.GetCrashes": any_caller,
    "io.ndfd.Service.GetHardware": any_caller,
    "io.ndfd.Service.GetConfiguration": administrators,
    "io.ndfd.Service.Reload": administrators,
    "io.ndfd.Service.RenewWorkers": administrators,
}


def check_access(
    method: str, peer: Peer, admins: frozenset[int] = frozenset(), access: Mapping[str, Rule] = ACCESS
) -> None:
    """`NotPermitted` unless the method's rule lets the peer in."""
    rule = access.get(method)
    if rule is None or not rule(peer, admins):
        who = "who comes over the network" if peer == REMOTE else f"user {peer.uid}"
        raise NotPermitted(f"{who} may not call {method}")

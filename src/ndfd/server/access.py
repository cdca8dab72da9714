"""Who may call what: one table. A method that is not in it may be called by nobody.

Which users reach a local socket at all is decided before, by the mode and the group of the socket's file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ndfd.errors import NotPermitted
from ndfd.platform import Peer

Rule = Callable[[Peer], bool]


def any_local_user(peer: Peer) -> bool:
    """Whoever the socket's mode let in."""
    return peer.uid >= 0


#: By the full name of the Varlink method; the HTTP door's routes call the same methods under the same names.
ACCESS: Mapping[str, Rule] = {
    "io.ndfd.Documents.Convert": any_local_user,
    "io.ndfd.Service.GetStatus": any_local_user,
}


def check_access(method: str, peer: Peer, access: Mapping[str, Rule] = ACCESS) -> None:
    """`NotPermitted` unless the method's rule lets the peer in."""
    rule = access.get(method)
    if rule is None or not rule(peer):
        raise NotPermitted(f"user {peer.uid} may not call {method}")

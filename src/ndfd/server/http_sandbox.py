"""The header of a conversion's answer that says what confined its worker."""

from __future__ import annotations

from ndfd.model.sandbox import Confinement

SANDBOX_HEADER = "Ndfd-Sandbox"


def sandbox_field(confinement: Confinement) -> str:
    """A dictionary of Structured Fields (RFC 9651), in which the measures that are missing are an inner list."""
    members = (
        f"calls={confinement.calls}",
        f"landlock-abi={confinement.landlock_abi}",
        f"denied={confinement.denied}",
        f"missing=({' '.join(confinement.missing)})",
        *(("verified",) if confinement.verified else ()),
    )
    return ", ".join(members)

"""The keys of [tuning]."""

from __future__ import annotations

from typing import Annotated, Literal

from ndfd.config import kinds
from ndfd.config.group import Group, key


class TuningSettings(Group):
    """What is tuned."""

    preset: Annotated[
        Literal["off", "safe", "throughput", "latency"], kinds.Choice(("off", "safe", "throughput", "latency"))
    ] = key(
        "safe",
        'What is tuned where nothing else is said: "off" nothing, "safe" what is harmless and helps, "throughput" what '
        'gets more documents done, at the cost of power, "latency" what keeps single callers from waiting.',
    )

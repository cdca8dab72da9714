"""The layers of a configuration in words, for the commands' help, the reference and the sample file.

This module imports nothing: `ndfd --help` tells of the layers without the 250 ms that reading them takes.
"""

from __future__ import annotations

#: Name and condition of each layer, weakest first.
LAYERS: tuple[tuple[str, str], ...] = (
    ("built-in defaults", "see `ndfd config reference`"),
    ("/etc/ndfd/config.toml", "the machine's"),
    ("/etc/ndfd/conf.d/*.toml", "in the order of their names"),
    ("/etc/ndfd/config.ENV.toml", "when NDFD_ENV=ENV"),
    ("~/.config/ndfd/config.toml", "the user's; not as a service"),
    ("./ndfd.toml", "when NDFD_ENV=development; not as a service"),
    ("NEURALDOCFLOW_WORKERS", "and NEURALDOCFLOW_MEMORY_LIMIT (runtime.max_memory)"),
    ("NDFD_GROUP__KEY", "a variable for each key, as NDFD_SWARM__WORKERS=4"),
    ("--set GROUP.KEY=VALUE", "for all but secrets: every user sees command lines"),
    ("$CREDENTIALS_DIRECTORY/GROUP.KEY", "for secrets that the service manager hands over"),
)


def numbered() -> tuple[str, ...]:
    """A line for each layer, weakest first, in columns."""
    width = max(len(name) for name, _ in LAYERS)
    return tuple(f"{number:>2}  {name:<{width}}  {when}" for number, (name, when) in enumerate(LAYERS, start=1))

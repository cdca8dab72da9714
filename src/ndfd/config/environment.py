"""The layers of the environment: `NDFD_GROUP__KEY`, and beneath it the names that NeuralDocFlow's other parts use."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ndfd.config.context import CONFIG_DIR_VARIABLE, ENV_VARIABLE
from ndfd.config.keys import ENVIRONMENT_PREFIX, NESTED_DELIMITER
from ndfd.config.layer import PATHS, Layer
from ndfd.model.configuration import Origin, OriginKind

#: Variables of NeuralDocFlow as a whole, and the keys that they set.
ALIASES: Mapping[str, str] = {
    "NEURALDOCFLOW_WORKERS": "swarm.workers",
    "NEURALDOCFLOW_MEMORY_LIMIT": "runtime.max_memory",
}
_ALIAS_PREFIX = "NEURALDOCFLOW_"

#: By variable, the path of each key.
VARIABLES: Mapping[str, str] = {
    ENVIRONMENT_PREFIX + path.replace(".", NESTED_DELIMITER).upper(): path for path in PATHS
}
#: Variables that are no keys: which kernels run, which socket a client uses, where the configuration lies.
_OTHERS = ("NDFD_NATIVE", "NDFD_SOCKET", ENV_VARIABLE, CONFIG_DIR_VARIABLE)

#: Kubernetes puts these into each container beside a service that is called ndfd.
_OF_KUBERNETES = re.compile(r"NDFD_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")

#: A name without a group that is further than this from all of ours may belong to another program.
_SLIPS_MAX = 2


def read_environment(environment: Mapping[str, str]) -> tuple[Layer, Layer]:
    """The layers of the aliases and, stronger, of the variables. Names are taken as they are written, in capitals."""
    aliases, variables = Layer(), Layer()
    for name in sorted(environment):
        origin = Origin(OriginKind.ENVIRONMENT, name)
        if name in VARIABLES:
            variables.put(VARIABLES[name], environment[name], origin, name=VARIABLES[name])
        elif name in ALIASES:
            aliases.put(ALIASES[name], environment[name], origin, name=ALIASES[name])
        elif name not in _OTHERS and not _OF_KUBERNETES.fullmatch(name):
            _refuse_slip(name, origin, variables)
    return aliases, variables


def _refuse_slip(name: str, origin: Origin, layer: Layer) -> None:
    upper = name.upper()
    with_group = NESTED_DELIMITER in upper
    ours = upper.startswith((ENVIRONMENT_PREFIX, _ALIAS_PREFIX))
    # Any other variable is looked at only if it could be one of ours with a slip in the prefix.
    if not ours and not (with_group or ENVIRONMENT_PREFIX[:-1] in upper or _ALIAS_PREFIX[:-1] in upper):
        return
    # Imported here: a process without such a variable does not pay for it.
    from ndfd.config.likeness import nearest, slips
    from ndfd.config.suggest import nearest_key

    if ours and with_group:
        path = nearest_key(upper.removeprefix(ENVIRONMENT_PREFIX).replace(NESTED_DELIMITER, ".").lower(), PATHS)
        suggestion = nearest(upper, VARIABLES) if path is None else _variable(path)
        layer.mistake(origin, "there is no such variable", suggestion=suggestion)
        return
    near = nearest(upper, (*VARIABLES, *ALIASES, *_OTHERS))
    if near is not None and slips(upper, near) <= (_SLIPS_MAX if ours else 1):
        layer.mistake(origin, "there is no such variable", suggestion=near)
    elif ours and upper.removeprefix(ENVIRONMENT_PREFIX).lower() in {path.rpartition(".")[2] for path in PATHS}:
        path = nearest_key(upper.removeprefix(ENVIRONMENT_PREFIX).lower(), PATHS)
        layer.mistake(origin, "a group and a key are needed", suggestion=None if path is None else _variable(path))
    elif name.startswith(ENVIRONMENT_PREFIX):
        layer.warnings.append(f"{name} is set and means nothing to ndfd: see `ndfd config reference`")


def _variable(path: str) -> str:
    return next(name for name, its_path in VARIABLES.items() if its_path == path)

"""Which calls may be served a second time: one table. A method that is not in it cannot be called.

A call of which nothing was answered when the daemon ended waits in the kernel, and the next daemon serves it again. One
that may have been done already, and must not be done twice, is given up instead: its connection is closed, and the
caller asks what became of it.
"""

from __future__ import annotations

from collections.abc import Mapping

#: By the full name of the Varlink method; the HTTP door's routes call the same methods under the same names.
REPEATABLE: Mapping[str, bool] = {
    "io.ndfd.Documents.Convert": True,
    # The same key gives the same job; who names none may have two of the same work.
    "io.ndfd.Jobs.Submit": True,
    "io.ndfd.Jobs.Get": True,
    "io.ndfd.Jobs.List": True,
    "io.ndfd.Jobs.Watch": True,
    "io.ndfd.Jobs.Result": True,
    # A second time, it may find the job retried, forgotten or cancelled by somebody else meanwhile.
    "io.ndfd.Jobs.Cancel": False,
    "io.ndfd.Jobs.Retry": False,
    "io.ndfd.Jobs.Forget": False,
    # The file or pipe has a part of the first one.
    "io.ndfd.Jobs.Backup": False,
    "io.ndfd.Service.GetStatus": True,
    "io.ndfd.Service.GetCrashes": True,
    "io.ndfd.Service.GetHardware": True,
    "io.ndfd.Service.GetConfiguration": True,
    # The next daemon has read the configuration, and its workers are fresh.
    "io.ndfd.Service.Reload": False,
    "io.ndfd.Service.RenewWorkers": False,
    "org.varlink.service.GetInfo": True,
    "org.varlink.service.GetInterfaceDescription": True,
}

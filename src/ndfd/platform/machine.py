"""What the machine is made of; `base_hardware.MachineParts` says what each call promises.

Not in the package's own names: it takes 5 ms to import, and of those who import the package few ask.
"""

from __future__ import annotations

import sys

if sys.platform == "linux":
    from ndfd.platform.linux_hardware import LinuxParts as _Parts
elif sys.platform == "darwin":
    from ndfd.platform.darwin_hardware import DarwinParts as _Parts
elif sys.platform == "win32":
    from ndfd.platform.windows_hardware import WindowsParts as _Parts
else:
    from ndfd.platform.base_hardware import MachineParts as _Parts

machine_parts = _Parts()

"""Which system call ended a process that a filter confines (seccomp(2), SECCOMP_RET_TRAP).

Two implementations: `_c` (ext/violations*), and `_py`, which cannot: a handler in Python runs too late for this.
"""

def tell(channel: int, frame: bytes, /) -> bool:
    """From now on the first call that a filter refuses sends `frame` on the socket `channel` before the process ends.

    The last four bytes of the frame are replaced by the number of the call, big-endian. The frame has 4 to 64 bytes.
    False where that cannot be had: the process ends all the same, and nobody knows of which call.
    """

"""What the daemon's replies say."""

from __future__ import annotations

import subprocess
import sys

#: Threads that each decode a first reply at the same moment.
_PROGRAM = """
import sys, threading
from pathlib import Path
import msgspec
from ndfd.client.replies import decoded
from ndfd.protocol.varlink import Reply
from ndfd.protocol.varlink_interfaces import SubmitReply

job = b'{"id":"a","state":"queued","uid":0,"format":"text","size_bytes":1,"version":1,"accepted_at":1.0}'
reply = Reply(parameters=msgspec.Raw(b'{"generation":1,"job":' + job + b',"reused":false}'))
together = threading.Barrier(32)
sys.setswitchinterval(1e-6)

def first():
    together.wait()
    assert decoded(reply, SubmitReply, Path("x")).job.id == "a"

threads = [threading.Thread(target=first) for _ in range(32)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_may_all_get_their_first_reply_at_the_same_moment() -> None:
    # Without the lock about every second process ends with SIGSEGV.
    ended = [subprocess.run([sys.executable, "-c", _PROGRAM], timeout=60, check=False).returncode for _ in range(8)]
    assert ended == [0] * 8

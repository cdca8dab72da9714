"""Clients of one program in several threads."""

from __future__ import annotations

import subprocess
import sys

#: Eight threads decode their first reply at the same moment, as far as that can be had.
_PROGRAM = """
import sys, threading
from pathlib import Path
from ndfd.client.replies import decoded
from ndfd.protocol.varlink import decode_reply
from ndfd.protocol.varlink_interfaces import SubmitReply

job = b'"id":"x","state":"queued","uid":1,"format":"html","size_bytes":1,"version":1,"accepted_at":1.0'
reply = decode_reply(b'{"parameters":{"generation":1,"reused":true,"job":{%b}}}' % job)
sys.setswitchinterval(1e-4)
together = threading.Barrier(8)

def decode():
    together.wait()
    for _ in range(3):
        assert decoded(reply, SubmitReply, Path()).job.id == "x"

threads = [threading.Thread(target=decode) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_the_first_reply_of_a_program_may_come_to_several_threads_at_once() -> None:
    # Without care, most runs crash.
    assert {subprocess.run([sys.executable, "-c", _PROGRAM], check=False).returncode for _ in range(6)} == {0}

"""What workers really call is held against what they may call."""

from __future__ import annotations

import shutil

import pytest

from ndfd.platform.linux_rules import worker_rules
from tests import documents
from tests.escape.system_calls import decided, traced, unneeded


def test_only_calls_after_the_filter_are_counted_and_each_by_the_rule_that_decides() -> None:
    made = decided(
        [
            '17 openat(-100, ""..., 0x80000) = 3',
            "17 seccomp(0x1, 0x1, {len=150, filter=0x7ffe}) = 0",
            "17 mmap(NULL, 4096, 0x3, 0x22, -1, 0) = 0x7f00",
            "17 mmap(NULL, 4096, 0x1, 0x1, 4, 0) = 0x7f00",
            "18 brk(NULL) = 0x55",
            "17 tgkill(17, 17, 6) = 0",
            "17 sendmsg(3, {msg_name=NULL, msg_iov=[{iov_base=..., iov_len=8}], msg_iovlen=1}, 0) = 8",
            "17 socket(0x1, 0x1, 0) = ?",
            "17 +++ killed by 31 +++",
        ]
    )
    by_call = {key if isinstance(key, str) else key.call: count for key, count in made.items()}
    assert by_call == {"mmap": 1, "tgkill": 1, "sendmsg": 1, "socket": 1}
    assert len([rule for rule in made if not isinstance(rule, str) and rule.call == "mmap"]) == 2
    assert made["socket"] == 1


def test_a_rule_that_nothing_needs_is_found() -> None:
    assert {rule.call for rule in unneeded(decided([]))} >= {"mmap", "sendmsg", "memfd_create"}
    assert "setitimer" not in {rule.call for rule in unneeded(decided([]))}


@pytest.mark.slow
def test_sound_documents_make_no_call_that_is_refused() -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    made = traced([documents.numbered_pages(3), documents.form()[0]], 20.0)
    assert [call for call in made if isinstance(call, str)] == []
    assert made[next(rule for rule in worker_rules(0) if rule.call == "sendmsg")] > 0

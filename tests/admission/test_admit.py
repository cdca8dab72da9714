"""Admission: who is taken on."""

from __future__ import annotations

import pytest

from ndfd.admission import Limits, Spec, Usage, admit, check_size
from ndfd.errors import Busy, DocumentTooLarge, EmptyDocument
from ndfd.platform import Peer

LIMITS = Limits(document_max_bytes=100, conversions_max=4, conversions_per_user_max=2)
PEER = Peer(uid=1000, gid=1000, pid=1)
IDLE = Usage(conversions=0, conversions_of_user=0)


@pytest.mark.parametrize("size", [1, 100, None])
def test_a_document_up_to_the_limit_or_still_to_come_is_taken(size: int | None) -> None:
    admit(Spec(size), PEER, IDLE, LIMITS)


def test_an_empty_document_is_refused_before_it_costs_a_worker() -> None:
    with pytest.raises(EmptyDocument):
        admit(Spec(0), PEER, IDLE, LIMITS)


def test_a_document_over_the_limit_is_refused_with_both_sizes() -> None:
    with pytest.raises(DocumentTooLarge, match="101 bytes; at most 100"):
        admit(Spec(101), PEER, IDLE, LIMITS)


def test_a_user_at_its_limit_has_to_wait() -> None:
    admit(Spec(1), PEER, Usage(conversions=3, conversions_of_user=1), LIMITS)
    with pytest.raises(Busy, match="user 1000 has 2"):
        admit(Spec(1), PEER, Usage(conversions=2, conversions_of_user=2), LIMITS)


def test_a_full_daemon_takes_nobody() -> None:
    with pytest.raises(Busy, match="4 conversions") as refused:
        admit(Spec(1), PEER, Usage(conversions=4, conversions_of_user=0), LIMITS)
    assert refused.value.retryable


def test_a_document_too_large_is_said_even_when_the_daemon_is_full() -> None:
    with pytest.raises(DocumentTooLarge):
        admit(Spec(101), PEER, Usage(conversions=4, conversions_of_user=2), LIMITS)


def test_the_size_can_be_checked_alone() -> None:
    check_size(100, LIMITS)
    with pytest.raises(DocumentTooLarge):
        check_size(101, LIMITS)

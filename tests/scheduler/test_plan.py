"""Who gets the free places."""

from __future__ import annotations

from ndfd.scheduler import Candidate, Share, plan


def line(uid: int, *ranks: float, pool: str = "a") -> list[Candidate]:
    return [Candidate(f"{uid}/{rank:g}", uid, rank, pool) for rank in ranks]


def test_of_one_user_the_lowest_rank_is_first() -> None:
    assert plan(line(1, 3, 1, 2), {}, {"a": 2}) == ["1/1", "1/2"]


def test_equal_ranks_keep_the_order_of_their_ids() -> None:
    ready = [Candidate("b", 1, 0.0, "a"), Candidate("a", 1, 0.0, "a")]
    assert plan(ready, {}, {"a": 2}) == ["a", "b"]


def test_users_take_turns_whatever_their_ranks() -> None:
    assert plan([*line(1, 1, 2, 3), *line(2, 90, 91)], {}, {"a": 4}) == ["1/1", "2/90", "1/2", "2/91"]


def test_who_has_fewer_running_is_first() -> None:
    shares = {("a", 1): Share(2, 0.0), ("a", 2): Share(1, 500.0)}
    assert plan([*line(1, 1), *line(2, 2)], shares, {"a": 1}) == ["2/2"]


def test_of_those_with_as_many_running_who_has_had_less_is_first() -> None:
    shares = {("a", 1): Share(1, 20.0), ("a", 2): Share(1, 10.0)}
    assert plan([*line(1, 1), *line(2, 2)], shares, {"a": 1}) == ["2/2"]


def test_what_a_user_has_in_one_pool_does_not_count_in_another() -> None:
    shares = {("b", 1): Share(5, 900.0)}
    assert plan([*line(1, 1), *line(2, 2)], shares, {"a": 1, "b": 0}) == ["1/1"]


def test_jobs_do_not_wait_behind_those_of_a_full_pool() -> None:
    ready = [*line(1, 1, 2, 3, pool="b"), *line(1, 4), *line(2, 5)]
    assert plan(ready, {("b", 1): Share(4, 9.0)}, {"a": 2, "b": 0}) == ["1/4", "2/5"]


def test_a_pool_that_there_is_not_has_no_place() -> None:
    assert plan(line(1, 1, pool="gone"), {}, {"a": 1}) == []


def test_the_most_that_one_user_may_have_running_counts_over_all_pools() -> None:
    ready = [*line(1, 1, 2, pool="a"), *line(1, 3, 4, pool="b")]
    assert len(plan(ready, {("b", 1): Share(1, 0.0)}, {"a": 9, "b": 9}, per_user_max=3)) == 2


def test_no_more_begin_than_there_are_places() -> None:
    assert len(plan(line(1, *range(10)), {}, {"a": 3})) == 3
    assert plan(line(1, 1), {}, {"a": 0}) == []
    assert plan([], {}, {"a": 3}) == []

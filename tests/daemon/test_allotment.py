"""How workers are shared out where pools share a limit of memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ndfd.daemon.allotment import Demand, allot

DEMANDS = st.dictionaries(
    st.sampled_from(["default", "a", "b", "c"]),
    st.builds(
        lambda least, more, memory: Demand(least, least + more, memory),
        st.integers(1, 8),
        st.integers(0, 8),
        st.integers(1, 9),
    ),
    min_size=1,
)


def test_without_a_limit_each_has_its_most() -> None:
    assert allot({"a": Demand(1, 3, 10), "b": Demand(2, 2, 10)}, None) == {"a": 3, "b": 2}


def test_fixed_numbers_come_first_and_the_others_share_what_is_left() -> None:
    demands = {"default": Demand(1, 8, 2), "fixed": Demand(3, 3, 4), "bulk": Demand(1, 8, 2)}
    assert allot(demands, 12 + 10) == {"default": 3, "fixed": 3, "bulk": 2}


def test_what_is_too_large_for_one_is_left_to_another() -> None:
    assert allot({"large": Demand(1, 4, 10), "small": Demand(1, 9, 1)}, 17) == {"large": 1, "small": 7}


def test_when_the_least_does_not_fit_nothing_is_given() -> None:
    demands = {"a": Demand(2, 2, 5), "b": Demand(1, 4, 1)}
    assert allot(demands, 10) is None
    assert allot(demands, 11) == {"a": 2, "b": 1}


@given(DEMANDS, st.integers(0, 200))
def test_the_limit_holds_and_nothing_that_fits_is_left(demands: dict[str, Demand], memory: int) -> None:
    given_out = allot(demands, memory)
    least = sum(demand.least * demand.memory_bytes for demand in demands.values())
    if given_out is None:
        assert least > memory
        return
    left = memory - sum(given_out[name] * demand.memory_bytes for name, demand in demands.items())
    assert left >= 0
    for name, demand in demands.items():
        assert demand.least <= given_out[name] <= demand.most
        assert given_out[name] == demand.most or demand.memory_bytes > left


@given(DEMANDS, st.integers(0, 200))
def test_of_two_that_are_alike_none_has_more_than_one_more(demands: dict[str, Demand], memory: int) -> None:
    one = next(iter(demands.values()))
    given_out = allot({**demands, "twin": one}, memory)
    first = next(iter(demands))
    assert given_out is None or 0 <= given_out[first] - given_out["twin"] <= 1

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fairweather_app.common.lru import Memo


def test_the_least_recently_used_leaves_first() -> None:
    memo: Memo[str, int] = Memo(2)
    memo.keep("a", 1)
    memo.keep("b", 2)
    assert memo.get("a") == 1
    memo.keep("c", 3)
    assert (memo.get("a"), memo.get("b"), memo.get("c")) == (1, None, 3)


def test_what_is_larger_than_all_there_is_room_for_is_not_kept_and_drives_nobody_out() -> None:
    memo: Memo[str, str] = Memo(4, size=len)
    memo.keep("a", "xxx")
    memo.keep("b", "xxxxx")
    assert (memo.get("a"), memo.get("b")) == ("xxx", None)


def test_values_leave_by_their_keys() -> None:
    memo: Memo[int, str] = Memo(9)
    for key in range(4):
        memo.keep(key, "x")
    memo.drop(lambda key: key % 2 == 0)
    assert [memo.get(key) for key in range(4)] == [None, "x", None, "x"]
    memo.drop()
    assert (len(memo), memo.held) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 5), st.text(max_size=8))))
def test_it_never_holds_more_than_it_may(kept: list[tuple[int, str]]) -> None:
    memo: Memo[int, str] = Memo(10, size=len)
    for key, value in kept:
        memo.keep(key, value)
        held = [memo.get(each) for each in range(6)]
        assert memo.held == sum(len(each) for each in held if each is not None) <= 10

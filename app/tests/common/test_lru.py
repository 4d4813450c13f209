from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fairweather_app.common.lru import LruCache


def test_the_least_recently_used_leaves_first() -> None:
    cache: LruCache[str, int] = LruCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)


def test_what_is_larger_than_all_there_is_room_for_is_not_kept_and_drives_nobody_out() -> None:
    cache: LruCache[str, str] = LruCache(4, size=lambda _, value: len(value))
    cache.put("a", "xxx")
    cache.put("b", "xxxxx")
    assert (cache.get("a"), cache.get("b")) == ("xxx", None)


def test_a_key_may_count_too() -> None:
    cache: LruCache[str, str] = LruCache(4, size=lambda key, value: len(key + value))
    cache.put("long", "x")
    cache.put("a", "xxx")
    assert cache.items() == [("a", "xxx")]
    assert cache.used == 4


def test_values_leave_by_their_keys() -> None:
    cache: LruCache[int, str] = LruCache(9)
    for key in range(4):
        cache.put(key, "x")
    cache.drop(lambda key: key % 2 == 0)
    assert [cache.get(key) for key in range(4)] == [None, "x", None, "x"]
    cache.drop()
    assert cache.used == 0
    assert not cache._values


@given(st.lists(st.tuples(st.integers(0, 5), st.text(max_size=8))))
def test_it_never_holds_more_than_it_may(kept: list[tuple[int, str]]) -> None:
    cache: LruCache[int, str] = LruCache(10, size=lambda _, value: len(value))
    for key, value in kept:
        cache.put(key, value)
        held = [cache.get(each) for each in range(6)]
        assert cache.used == sum(len(each) for each in held if each is not None) <= 10

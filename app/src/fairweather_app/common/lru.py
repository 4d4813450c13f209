"""A size-bounded LRU cache."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """Bounded by the sum of `size` over its keys and values. Safe to share between threads.

    A size is what it was at `put`. What is larger than `capacity` is not kept at all.
    """

    def __init__(self, capacity: int, *, size: Callable[[K, V], int] = lambda *_: 1) -> None:
        self.capacity = capacity
        self.used = 0
        self._size = size
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """Return the value, now the most recently used; None where there is none."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def put(self, key: K, value: V) -> None:
        """Add or replace a value; the least recently used are dropped until there is room."""
        size = self._size(key, value)
        with self._lock:
            self._drop(key)
            if size > self.capacity:
                return
            self._values[key] = (value, size)
            self.used += size
            while self.used > self.capacity:
                self._drop(next(iter(self._values)))

    def items(self) -> list[tuple[K, V]]:
        """Return what is kept, the least recently used first."""
        with self._lock:
            return [(key, value) for key, (value, _) in self._values.items()]

    def drop(self, which: Callable[[K], bool] = lambda _key: True) -> None:
        """Drop the values of the keys for which `which` is true; by default all."""
        with self._lock:
            for key in [key for key in self._values if which(key)]:
                self._drop(key)

    def _drop(self, key: K) -> None:
        found = self._values.pop(key, None)
        if found is not None:
            self.used -= found[1]

"""A memo: a mapping that holds so much and no more, the least recently used leaves first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(Generic[K, V]):
    """Bounded by the sum of `size` over its values; safe to share between threads.

    A value's size is what it was when it was kept. One larger than `most` is not kept at all.
    """

    def __init__(self, most: int, *, size: Callable[[V], int] = lambda _: 1) -> None:
        self.most = most
        self.held = 0
        self._size = size
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        """The value, which is now the most recently used; None where there is none."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def keep(self, key: K, value: V) -> None:
        """Keep or replace a value; others leave until there is room."""
        size = self._size(value)
        with self._lock:
            self._drop(key)
            if size > self.most:
                return
            self._values[key] = (value, size)
            self.held += size
            while self.held > self.most:
                self._drop(next(iter(self._values)))

    def drop(self, which: Callable[[K], bool] = lambda _key: True) -> None:
        """Let go of every value of whose key this is true; of all, if nothing is said."""
        with self._lock:
            for key in [key for key in self._values if which(key)]:
                self._drop(key)

    def _drop(self, key: K) -> None:
        found = self._values.pop(key, None)
        if found is not None:
            self.held -= found[1]

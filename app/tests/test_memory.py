"""Memory that models leave behind goes back to the system."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from catalogues import Kit
from fairweather_app import catalogue as catalogue_module
from fairweather_app.memory import give_back

Build = Callable[..., Path]


@pytest.mark.skipif(sys.platform != "linux", reason="only the GNU C library keeps it")
def test_what_is_freed_in_pieces_goes_back() -> None:
    held = [np.ones(8_000, dtype=np.uint8) for _ in range(5_000)]  # below what is mapped by itself
    before = resident()
    last = held[-1]  # keeps the end of the heap
    del held
    give_back()
    assert before - resident() > 20_000_000
    assert last.any()


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_it_is_given_back_when_a_model_has_left_and_not_else(
    tmp_path: Path, store: Path, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    monkeypatch.setattr(catalogue_module, "give_back", lambda: given.append(1))
    kit = Kit(tmp_path / "cache", store)
    tiny_delivery(areas=("JFK",))
    old = tiny_delivery(areas=("JFK",))
    for _ in range(2):
        kit.catalogue.refresh()
    assert given == []
    shutil.rmtree(old)
    for _ in range(2):
        kit.catalogue.refresh()
    assert given == [1]

"""Counters in files: their room is reserved, and one that has none is counted in memory."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import MultiProcessValue

from fairweather_app.api import metrics

BLOCK = 512  # bytes, whatever the file system's own blocks are


@pytest.fixture
def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter]:
    """A counter of one process of several, in files of the folder."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setattr(values, "ValueClass", MultiProcessValue())  # type: ignore[no-untyped-call]
    yield Counter("asked", "How often.", ["area"], registry=None)
    values.ValueClass.close_all_files()


def shown(folder: Path) -> str:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    return generate_latest(registry).decode()


def test_every_byte_of_a_file_of_counters_has_its_room_on_the_disk(
    counter: Counter, tmp_path: Path
) -> None:
    for number in range(2000):
        counter.labels(f"Area-{number}").inc()
        (file,) = tmp_path.iterdir()
        about = file.stat()
        assert about.st_blocks * BLOCK >= about.st_size  # no hole, whose write a full disk refuses
    assert about.st_size > metrics.FIRST_BYTES  # and it has grown
    assert 'asked_total{area="Area-1999"} 1.0' in shown(tmp_path)


@pytest.mark.parametrize("kept", [0, 300])
def test_a_full_disk_costs_the_counts_of_what_comes_and_nothing_else(
    counter: Counter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kept: int,
) -> None:
    for number in range(kept):
        counter.labels(f"Area-{number}").inc()

    reserve = os.posix_fallocate

    def full(number: int, first: int, size: int) -> None:
        if not str(Path(f"/proc/self/fd/{number}").readlink()).startswith("/memfd:"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        reserve(number, first, size)

    monkeypatch.setattr(os, "posix_fallocate", full)
    with caplog.at_level(logging.WARNING, "fairweather_app"):
        for number in range(2000):
            counter.labels(f"Area-{number}").inc()
    assert counter.labels("Area-1999")._value.get() == 1
    assert ("Area-1999" in shown(tmp_path), "Area-1" in shown(tmp_path)) == (False, kept > 0)
    (line,) = [record.message for record in caplog.records]
    assert line.endswith(": what this worker counts now is lost (No space left on device)")

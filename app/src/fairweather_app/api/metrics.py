"""What Prometheus reads at ``/metrics``: counters of all worker processes, and the state of one.

Under ``fairweather-app serve`` counters and histograms lie in files that all workers share
(``PROMETHEUS_MULTIPROC_DIR``, read when prometheus_client is imported), so that whichever worker
answers reports all; one that cannot have such files serves without. Gauges are what the answering
worker sees; every worker watches the same store and database. Labels are bounded: an area is one
that a delivery declares, or ``other``.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import prometheus_client as prometheus
from prometheus_client import values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from fairweather_app.catalogue.snapshot import Contents, Snapshot
from fairweather_app.common.request_trace import RequestTrace
from fairweather_app.errors import ObservationStoreError
from fairweather_app.forecasting.context import AppContext

MOST_AREAS = 500
"""So many areas have numbers of their own; those of all others are added up as ``other``."""
OTHER = "other"
CONTENT_TYPE = prometheus.CONTENT_TYPE_LATEST
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_AGES = tuple(3600.0 * hours for hours in (0, 1, 2, 3, 6, 12, 24, 48, 72))

FIRST_BYTES = 1 << 16

logger = logging.getLogger(__name__)


class _Counts(MmapedDict):
    """Counters in a file that has room before it is mapped.

    To write to a part of a map for which a full disk has no block would end the process (SIGBUS).
    """

    def __init__(self, filename: str) -> None:
        super().__init__(_with_room(filename, FIRST_BYTES))  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        if self._used > self._capacity // 2:  # one of the next keys doubles it
            filename = _with_room(self._fname, 2 * self._capacity)
            if filename != self._fname:
                self.close()  # type: ignore[no-untyped-call]
                super().__init__(filename)  # type: ignore[no-untyped-call]
        super()._init_value(key)  # type: ignore[no-untyped-call]


def _with_room(filename: str, size: int) -> str:
    """Reserve so many bytes of a file; return it or, if it has no room, a copy in memory."""
    path, content = Path(filename), b""
    try:
        with path.open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        logger.warning("%s: what this worker counts now is lost (%s)", filename, error.strerror)
        if path.exists():
            content = path.read_bytes()
            if not content:
                path.unlink()  # it would fail its readers
        path = Path(f"/proc/self/fd/{os.memfd_create('counters')}")
        path.write_bytes(content)
    return str(path)


values.MmapedDict = _Counts  # type: ignore[assignment,attr-defined]

REQUESTS = prometheus.Counter(
    "fairweather_requests",
    "Requests by route, HTTP status, problem code (none: a success) and area (empty: none asked).",
    ["route", "status", "code", "area"],
)
STAGES = prometheus.Histogram(
    "fairweather_request_seconds",
    "Time by stage: windows, load, predict where a request had them; total is of forecasts only.",
    ["stage"],
    buckets=_SECONDS,
)
REFUSALS = prometheus.Counter(
    "fairweather_refusals", "Refused candidates of forecasts, by code.", ["code"]
)
CACHE = prometheus.Counter(
    "fairweather_memo", "Forecasts looked for among those kept: hit or miss.", ["outcome"]
)
WINDOWS = prometheus.Counter(
    "fairweather_windows",
    "Windows of observations that requests needed: made, or kept from before.",
    ["outcome"],
)
PREDICTIONS = prometheus.Counter(
    "fairweather_predictions",
    "Predictions that requests needed: made by a run of a model, or kept from before.",
    ["outcome"],
)
INPUT_AGES = prometheus.Histogram(
    "fairweather_answer_input_age_seconds",
    "Age of the oldest input of a forecast that was answered, at its start, by area.",
    ["area"],
    buckets=_AGES,
)
RECORDED = prometheus.Counter(
    "fairweather_recorded_forecasts",
    "Forecasts for scoring: kept, or lost: too many waited, or the database is read-only.",
    ["outcome"],
)
SHADOWS = prometheus.Counter("fairweather_shadow_predictions", "Predictions of shadows.")
ROLLOUT = prometheus.Counter(
    "fairweather_rollout_changes",
    "Deliveries that came to a state of the rollout in an area, without those of commands.",
    ["state"],
)
PICKUPS = prometheus.Counter(
    "fairweather_pickups",
    "Ingested deliveries by resulting state; each worker counts its own.",
    ["state", "code"],
)
LOOKS = prometheus.Counter(
    "fairweather_store_looks", "Store scans by outcome: well or problem.", ["outcome"]
)

COUNTED = (
    *(REQUESTS, STAGES, REFUSALS, CACHE, WINDOWS, PREDICTIONS),
    *(INPUT_AGES, RECORDED, SHADOWS, ROLLOUT, PICKUPS, LOOKS),
)
"""What workers count; the rest is what the one that answers sees."""

_children = cache(lambda metric, *labels: metric.labels(*labels))
"""A metric with its labels; finding it in a dict is faster than making it again."""


def count_request(trace: RequestTrace, route: str, status: int, code: str, area: str) -> None:
    """Count a request that is done."""
    _children(REQUESTS, route, status, code, area).inc()
    for name, seconds in trace.stages.items():
        _children(STAGES, name).observe(seconds)
    for metric, counts in (
        (REFUSALS, trace.refusals),
        (WINDOWS, trace.windows),
        (PREDICTIONS, trace.predictions),
    ):
        for label, count in counts.items():
            _children(metric, label).inc(count)
    if trace.cache is not None:
        _children(CACHE, trace.cache).inc()
    if trace.input_age is not None:
        _children(INPUT_AGES, area).observe(trace.input_age.total_seconds())


def count_look(before: Snapshot, after: Snapshot) -> None:
    """Count one look at the store, and what was picked up by it."""
    LOOKS.labels("problem" if after.problem else "well").inc()
    for name, entry in after.entries.items():
        if before.entries.get(name) is not entry:
            PICKUPS.labels(entry.state, str(entry.code or "")).inc()


def area_label(snapshot: Snapshot, area: str | None) -> str:
    """Return the label of an area that a request names, which may be any text."""
    if area is None:
        return ""
    return area if area in _labelled(snapshot.contents) else OTHER


def exposition(app_context: AppContext) -> bytes:
    """Return all metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    if Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR") or "/dev/null").is_dir():
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        for each in COUNTED:
            registry.register(each)
    registry.register(_State(app_context))
    return prometheus.generate_latest(registry)


class _State(Collector):
    """What the worker that answers sees now."""

    def __init__(self, app_context: AppContext) -> None:
        self._context = app_context

    def collect(self) -> Iterator[Metric]:
        snapshot, now = self._context.catalogue.snapshot, datetime.now(UTC)
        yield _gauge("fairweather_live_models", "Models that can serve.", {(): len(snapshot.live)})
        counts = Counter((entry.state, str(entry.code)) for entry in snapshot.contents.not_live)
        text = "Deliveries that cannot serve, by state and code."
        yield _gauge("fairweather_deliveries_not_live", text, counts, "state", "code")
        trusts = [each.trust for each in snapshot.entries.values() if each.trust is not None]
        signed = Counter("no" if each.problem else "yes" for each in trusts)
        text = "Deliveries by whether a key of the operator's vouches for them."
        yield _gauge(
            "fairweather_deliveries_trusted", text, {(k,): signed[k] for k in signed}, "trusted"
        )
        if snapshot.checked_at is not None:
            age = (now - snapshot.checked_at).total_seconds()
            yield _gauge(
                "fairweather_store_look_age_seconds", "Time since the last store scan.", {(): age}
            )
        text = "1 while the store, a delivery in it, or the file of keys cannot be read."
        yield _gauge("fairweather_store_problem", text, {(): 1 if snapshot.problem else 0})
        states = snapshot.contents.rollout.count_states()
        text = "Deliveries by state of the rollout, one for each of their areas."
        yield _gauge("fairweather_rollout_states", text, states, "state")
        ages: dict[tuple[str, ...], float] = {}
        mae: dict[tuple[str, ...], float] = {}
        bias: dict[tuple[str, ...], float] = {}
        # absent while the database cannot be read: alert on absence
        with suppress(ObservationStoreError):
            for area in sorted(_labelled(snapshot.contents)):
                latest = self._context.observations.latest(area)
                if latest is not None:
                    ages[(area,)] = (now - latest).total_seconds()
        with suppress(ObservationStoreError):
            for each in self._context.live.all():
                of = (each.delivery_id, each.area, each.variable, str(each.lead_day))
                mae[of], bias[of] = each.mae, each.bias
        text = "Time since the latest observation of an area that a delivery declares."
        yield _gauge("fairweather_observation_age_seconds", text, ages, "area")
        labels = ("delivery_id", "area", "variable", "lead_day")
        yield _gauge(
            "fairweather_live_mae", "Mean absolute error of what was answered.", mae, *labels
        )
        yield _gauge("fairweather_live_bias", "Mean of forecast minus observed.", bias, *labels)


def _gauge(name: str, text: str, values: Mapping[Any, float], *labels: str) -> GaugeMetricFamily:
    made = GaugeMetricFamily(name, text, labels=labels)
    for of, value in values.items():
        made.add_metric(of, value)
    return made


@lru_cache(maxsize=1)
def _labelled(contents: Contents) -> frozenset[str]:
    """Return the areas that have numbers of their own: the first by name of those declared."""
    return frozenset(sorted(contents.declaring)[:MOST_AREAS])

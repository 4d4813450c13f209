"""The oracle: is an answer right, and if it is none, is there a fault that explains it?

Every 200 is computed again from the delivery that its receipt names: the soak's own copy of it,
run by a bare runtime, on windows that the soak makes of what it sent or of what it imported.
Nothing of the app is used.
"""

# ruff: noqa: INP001 - scripts beside each other, not a package

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import onnxruntime as ort  # type: ignore[import-untyped]
from journal import GRACE, Delivered, Journal
from weather import Weather

TOLERANCE = 1e-3
MARGIN = 3.0
"""FAIRWEATHER_DOMAIN_MARGIN, in degC."""
UNAVAILABLE = "observations-unavailable"
MODEL, TWIN = "model.onnx", "twin.onnx"

Answer = Literal["right", "explained", "wrong", "unexplained"]
Windows = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request: `sense` says whether it can be answered at all, and if not, with which code.

    `address` is there where no forecast is asked for: then any 200 is right.
    """

    kind: str
    method: str
    area: str = ""
    address: str | None = None
    variables: tuple[str, ...] | None = None
    reference_time: datetime | None = None
    observations: dict[str, list[float | None]] | None = None
    sense: str | None = None

    @property
    def page(self) -> bool:
        """Whether people are answered, in HTML."""
        return self.address is not None and self.address.startswith("/?")


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What came of it. `status` is None when the connection failed.

    `opened` is when the connection was made, `kept` what the client has by the ETag it sent.
    """

    sent: float
    received: float
    opened: float
    status: int | None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: str = ""
    kept: bytes | None = None


@dataclass(frozen=True)
class Verdict:
    """What the oracle says, and why."""

    answer: Answer
    why: str = ""


RIGHT = Verdict("right")


class Oracle:
    """Judges answers by the journal and the weather. Safe between threads."""

    def __init__(self, journal: Journal, weather: Weather, *, time_limit: float = 2.0) -> None:
        self._journal = journal
        self._weather = weather
        self._patience = 3 * time_limit + 2
        self._sessions: dict[str, ort.InferenceSession] = {}
        self._etags: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def judge(self, asked: Asked, heard: Heard) -> Verdict:
        """Hold one answer against what the soak knows."""
        if heard.status is None:
            return self._lost(heard)
        if heard.received - heard.sent > self._patience:
            took = heard.received - heard.sent
            return Verdict("unexplained", f"{heard.status} after {took:.1f} s: beyond every limit")
        if heard.status == HTTPStatus.OK:
            return self._ok(asked, heard)
        if heard.status == HTTPStatus.NOT_MODIFIED:
            return self._not_modified(asked, heard)
        return self._page(heard) if asked.page else self._problem(asked, heard)

    # ------------------------------------------------------------------------ successes

    def _ok(self, asked: Asked, heard: Heard) -> Verdict:
        if asked.sense is not None:
            return Verdict("wrong", f"200, expected the problem {asked.sense}")
        if asked.address is not None:
            return RIGHT
        if asked.method == "GET":
            etag, digest = heard.headers.get("etag", ""), sha256(heard.body).digest()
            with self._lock:
                before = self._etags.setdefault(etag, digest)
            if not etag or before != digest:
                return Verdict("wrong", f"ETag {etag or 'missing'} stands for different bytes")
        return self._content(asked, heard, heard.body)

    def _not_modified(self, asked: Asked, heard: Heard) -> Verdict:
        if heard.kept is None:
            return Verdict("wrong", "304 to a request without a condition")
        verdict = self._content(asked, heard, heard.kept)
        if verdict.answer == "right":
            return verdict
        return Verdict("wrong", f"304, but what the client has holds no more: {verdict.why}")

    def _content(self, asked: Asked, heard: Heard, body: bytes) -> Verdict:
        """Whether a body is right for what was asked between two moments."""
        try:
            content = json.loads(body)
            receipt = content["receipt"]
            reference_time = datetime.fromisoformat(content["reference_time"])
            series = content["forecast"]
            one = self._journal.deliveries.get(receipt["delivery_id"])
        except (ValueError, KeyError, TypeError) as error:
            return Verdict("wrong", f"200 that is no forecast: {error!r}")
        if one is None or receipt["digest"] != one.digest:
            return Verdict("wrong", f"the receipt names {receipt['delivery_id']}, never delivered")
        wrong = self._who(asked, heard, one, content["area"])
        if wrong is not None:
            return Verdict("wrong", wrong)
        reasons = set()
        for version in self._weather.versions(heard.sent, heard.received):
            wrong = self._compare(asked, one, reference_time, series, version)
            if wrong is None:
                return RIGHT
            reasons.add(wrong)
        return Verdict("wrong", f"{one.delivery_id} ({one.kind}): {'; '.join(sorted(reasons))}")

    def _who(self, asked: Asked, heard: Heard, one: Delivered, area: str) -> str | None:
        """Why a delivery could not rightly answer between two moments."""
        if area != asked.area or asked.area not in one.areas:
            return f"{one.delivery_id} answered {area} for {asked.area}"
        pinned = self._journal.pinned(asked.area, heard.sent, heard.received)
        if pinned not in {None, one.delivery_id}:
            return f"{one.delivery_id} answered, pinned is {pinned}"
        return self._journal.may_answer(one, heard.sent, heard.received)

    def _compare(
        self,
        asked: Asked,
        one: Delivered,
        reference_time: datetime,
        series: dict[str, Any],
        version: int,
    ) -> str | None:
        """How a forecast differs from what one version of the observations gives."""
        expected_time = asked.reference_time or self._weather.latest(asked.area, version)
        if reference_time != expected_time:
            return f"it starts at {reference_time}, expected {expected_time}"
        windows = self.windows(asked, one, expected_time, version)
        unfit = _unfit(one, asked.area, windows, expected_time)
        if unfit is not None:
            return f"it answered although {unfit}"
        found = self.forecast(one, asked.area, expected_time, windows)
        steps = [expected_time + lead * timedelta(hours=1) for lead in range(1, 25)]
        if [datetime.fromisoformat(each) for each in series["time"]] != steps:
            return "its times are not the 24 hours after its reference time"
        wanted = [
            each["variable"]
            for each in one.document["outputs"]
            if asked.variables is None or each["variable"] in asked.variables
        ]
        if sorted(set(series) - {"time"}) != sorted(wanted):
            return f"it forecasts {sorted(set(series) - {'time'})}, expected {sorted(wanted)}"
        problems = (_differs(one, variable, series[variable], found) for variable in wanted)
        return next((each for each in problems if each is not None), None)

    # ------------------------------------------------------------- what it computes itself

    def windows(
        self, asked: Asked, one: Delivered, reference_time: datetime, version: int
    ) -> Windows:
        """The windows of a delivery's inputs: what was sent, and else what was imported."""
        made: Windows = {}
        for each in one.document["inputs"]:
            if each["role"] != "observations":
                continue
            name, given = each["name"], asked.observations or {}
            if name in given:
                made[name] = np.array(given[name], dtype=np.float64).astype(np.float32)
            else:
                areas = tuple(each.get("areas") or (asked.area,))
                samples = int(each["shape"][1])
                made[name] = self._weather.window(
                    areas, each["variable"], reference_time, samples, version
                )
        return made

    def forecast(
        self, one: Delivered, area: str, reference_time: datetime, windows: Windows
    ) -> dict[str, npt.NDArray[np.float32]]:
        """What the delivery's model, or its twin, gives: by tensor."""
        session = self._session(one)
        feeds: dict[str, Any] = {name: values[np.newaxis, :] for name, values in windows.items()}
        feeds["reference_time"] = np.array([int(reference_time.timestamp())], dtype=np.int64)
        feeds["area_index"] = np.array([one.areas.index(area)], dtype=np.int64)
        takes = {each.name for each in session.get_inputs()}
        names = [each.name for each in session.get_outputs()]
        found = session.run(names, {name: feeds[name] for name in takes})
        return {name: each[0] for name, each in zip(names, found, strict=True)}

    def _session(self, one: Delivered) -> ort.InferenceSession:
        """The artifact, but of a slow model its twin: what is right does not depend on time."""
        with self._lock:
            session = self._sessions.get(one.delivery_id)
            if session is None:
                name = TWIN if one.kind == "slow" else MODEL
                session = self._sessions[one.delivery_id] = _open(one.copy / name)
            return session

    # ------------------------------------------------------------------------- problems

    def _page(self, heard: Heard) -> Verdict:
        """What is no success of a page for people."""
        down = heard.status == HTTPStatus.SERVICE_UNAVAILABLE
        if down and self._database_fails(heard):
            return Verdict("explained", "a page that says the database cannot be used")
        return Verdict("unexplained", f"{heard.status}: {heard.body[:200]!r}")

    def _problem(self, asked: Asked, heard: Heard) -> Verdict:
        try:
            problem = json.loads(heard.body)
            code = str(problem["type"]).removeprefix("/problems/")
            told = f"{heard.status} {code}: {problem['detail']}"
        except (ValueError, KeyError, TypeError):
            return Verdict("unexplained", f"{heard.status} without a problem: {heard.body[:200]!r}")
        if code == UNAVAILABLE and "retry-after" not in heard.headers:
            return Verdict("wrong", f"{told}: without Retry-After")
        if code == UNAVAILABLE and self._database_fails(heard):
            return Verdict("explained", UNAVAILABLE)
        if asked.sense == code or self._is_right(code, asked, heard):
            return RIGHT
        return Verdict("unexplained", told)

    def _is_right(self, code: str, asked: Asked, heard: Heard) -> bool:
        """Whether a problem is what this request must get, or may get at this moment."""
        if code == "unknown-delivery":
            return not self._must_know(asked, heard)
        nobody = code in {"observations-missing", "no-applicable-model"}
        return nobody and not self._base_can(asked, heard)

    def _database_fails(self, heard: Heard) -> bool:
        kinds = ("database slow", "database away", "database locked")
        return self._journal.active(heard.sent, heard.received, *kinds)

    def _must_know(self, asked: Asked, heard: Heard) -> bool:
        """Whether the delivery that an address names is surely one that every worker knows of."""
        one = self._journal.deliveries[str(asked.address).rpartition("/")[2]]
        barred = any(each.meets(heard.sent, heard.received, after=GRACE) for each in one.barred)
        return not barred and self._journal.calm(one.since, heard.sent) > GRACE

    def _base_can(self, asked: Asked, heard: Heard) -> bool:
        """Whether the base delivery of the area, which is always live, can surely answer."""
        bases = [
            each
            for each in self._journal.deliveries.values()
            if each.base and asked.area in each.areas
        ]
        pinned = [
            self._journal.deliveries[pin.delivery_id]
            for pin in self._journal.pins
            if pin.area == asked.area and pin.meets(heard.sent, heard.received, after=60)
        ]
        for one in [*bases, *pinned]:
            for version in self._weather.versions(heard.sent, heard.received):
                start = asked.reference_time or self._weather.latest(asked.area, version)
                windows = self.windows(asked, one, start, version)
                if _unfit(one, asked.area, windows, start) is not None:
                    return False
        answers = {each["variable"] for one in bases for each in one.document["outputs"]}
        return asked.variables is None or bool(answers & set(asked.variables))

    def _lost(self, heard: Heard) -> Verdict:
        """A request that got no answer."""
        during = heard.sent, heard.received
        if self._journal.active(*during, "worker killed", after=3):
            return Verdict("explained", "connection lost: a worker was killed")
        for fault in list(self._journal.faults):
            if fault.kind != "restart" or not fault.meets(*during, after=1):
                continue
            if heard.opened == 0 or heard.opened > fault.start:
                return Verdict("explained", "no connection: the server restarts")
        return Verdict("unexplained", f"connection lost: {heard.error}")


def _differs(
    one: Delivered, variable: str, told: dict[str, Any], found: dict[str, npt.NDArray[np.float32]]
) -> str | None:
    """How what was told of a variable differs from what the model gives."""
    names = {"value": f"{variable}_forecast"}
    if one.document.get("uncertainty"):
        names |= {"lower": f"{variable}_forecast_q10", "upper": f"{variable}_forecast_q90"}
    if set(told) & {"lower", "upper"} != set(names) - {"value"}:
        return f"its band of {variable} is there where none is declared, or missing"
    for part, tensor in names.items():
        values = np.array(told[part], dtype=np.float64)
        if values.shape != found[tensor].shape:
            return f"{variable} {part} has {values.size} values"
        gap = np.abs(values - found[tensor])
        if not (gap <= TOLERANCE).all():  # NaN is never within it
            return f"{variable} {part} is off by {gap.max():g}"
    return None


def _unfit(one: Delivered, area: str, windows: Windows, reference_time: datetime) -> str | None:
    """Why a delivery is not fit for windows, by what it declares."""
    document = one.document
    zone = ZoneInfo(document["areas"][area]["timezone"])
    if reference_time.astimezone(zone).month not in document["valid_months"]:
        return "it is out of season"
    allowed = {each["name"]: each.get("max_missing", 0) for each in document["inputs"]}
    for name, values in windows.items():
        missing = float(np.isnan(values).mean())
        if missing > allowed[name]:
            return f"{missing:.0%} of {name} is missing"
        bound = (document.get("applicability_domain") or {}).get(name, {}).get("maximum")
        if bound is not None and np.nanmax(values) > bound + MARGIN:
            return f"{name} reaches {np.nanmax(values):g}, beyond its bound"
    return None


def _open(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

"""The oracle is tested by answers that are wrong, and by failures that nothing explains."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from deliveries import Maker
from journal import GRACE, SHORTLY, Delivered, Journal, Pin, Span
from keys import Keys
from oracle import Asked, Heard, Oracle, Verdict
from weather import DAYS, HOUR, START, Weather

AT = START + 5 * 24 * HOUR
ASKED = Asked(kind="GET", method="GET", area="JFK", reference_time=AT)
LATEST = Asked(kind="GET", method="GET", area="JFK")
POSTED = Asked(
    kind="POST",
    method="POST",
    area="JFK",
    reference_time=AT,
    observations={"temperature": [20.0 + hour / 10 for hour in range(24)]},
)


class World:
    """One delivery for JFK, some days of weather, and an oracle over both."""

    def __init__(self, folder: Path) -> None:
        for name in ("own", "store"):
            (folder / name).mkdir()
        self.journal = Journal()
        chance = random.Random(1)  # noqa: S311 - no secret
        keys = Keys(folder / "keys.yaml", chance)
        self.maker = Maker(folder / "own", folder / "store", self.journal, chance, keys)
        self.weather = Weather(("EWR", "JFK"), chance)
        rows = [
            (area, variable, START + hour * HOUR, 20.0 + hour % 7)
            for area in self.weather.areas
            for variable in ("temperature", "humidity")
            for hour in range(24 * DAYS)
        ]
        self.weather.begin(rows).done = time.monotonic()
        self.one = self.deliver("plain", base=True)
        self.oracle = Oracle(self.journal, self.weather)

    def deliver(self, kind: str, *, base: bool = False) -> Delivered:
        made = self.maker.make(kind, ("EWR", "JFK"), base=base)
        self.maker.deliver(made)
        return made

    def body(self, asked: Asked, one: Delivered | None = None) -> dict[str, Any]:
        """The right answer, reckoned by hand: no ONNX, no window of the soak's."""
        one = one or self.one
        number = list(self.journal.deliveries).index(one.delivery_id) + 1
        start = asked.reference_time or START + (24 * DAYS - 1) * HOUR
        hours = int((start - START) / HOUR)
        window = (asked.observations or {}).get(
            "temperature", [20.0 + hour % 7 for hour in range(hours - 23, hours + 1)]
        )
        known = [15.0 if value is None else value for value in window]
        more = -3 + 0.07 * number + 0.3 + 0.2 * (start.hour / 24)
        values = [(0.8 + 0.01 * number) * value + more for value in known]
        return {
            "area": asked.area,
            "reference_time": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "forecast": {
                "time": [f"{start + lead * HOUR:%Y-%m-%dT%H:%M:%SZ}" for lead in range(1, 25)],
                "temperature": {"unit": "degC", "value": values},
            },
            "receipt": {"delivery_id": one.delivery_id, "digest": one.digest},
        }

    def judge(self, asked: Asked, body: Any, **more: Any) -> Verdict:
        return self.oracle.judge(asked, heard(body, **more))


def heard(body: Any, **more: Any) -> Heard:
    now = time.monotonic()
    said: dict[str, Any] = {
        "sent": now - 0.01,
        "received": now,
        "opened": now - 60,
        "status": 200,
        "headers": {"etag": f'"{hash(json.dumps(body))}"'},
        "body": json.dumps(body).encode(),
    }
    return Heard(**said | more)


def problem(code: str) -> dict[str, str]:
    return {"type": f"/problems/{code}", "detail": "so it is"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("asked", [ASKED, LATEST, POSTED])
def test_a_right_answer_is_right(world: World, asked: Asked) -> None:
    assert world.judge(asked, world.body(asked)) == Verdict("right")


def _one_value(body: dict[str, Any]) -> None:
    body["forecast"]["temperature"]["value"][7] += 0.01


def _shifted(body: dict[str, Any]) -> None:
    values = body["forecast"]["temperature"]["value"]
    body["forecast"]["temperature"]["value"] = [*values[1:], values[0]]


def _nothing(body: dict[str, Any]) -> None:
    body["forecast"]["temperature"]["value"] = [math.nan] * 24


def _short(body: dict[str, Any]) -> None:
    body["forecast"]["temperature"]["value"].pop()


def _other_times(body: dict[str, Any]) -> None:
    body["forecast"]["time"] = body["forecast"]["time"][::-1]


def _band(body: dict[str, Any]) -> None:
    body["forecast"]["temperature"]["lower"] = body["forecast"]["temperature"]["value"]


def _another_variable(body: dict[str, Any]) -> None:
    body["forecast"]["humidity"] = body["forecast"]["temperature"]


def _another_area(body: dict[str, Any]) -> None:
    body["area"] = "EWR"


def _another_start(body: dict[str, Any]) -> None:
    body["reference_time"] = f"{AT + HOUR:%Y-%m-%dT%H:%M:%SZ}"


def _another_digest(body: dict[str, Any]) -> None:
    body["receipt"]["digest"] = "sha256:" + "0" * 64


def _no_receipt(body: dict[str, Any]) -> None:
    del body["receipt"]


@pytest.mark.parametrize(
    "mutate",
    [
        _one_value,
        _shifted,
        _nothing,
        _short,
        _other_times,
        _band,
        _another_variable,
        _another_area,
        _another_start,
        _another_digest,
        _no_receipt,
    ],
)
@pytest.mark.parametrize("asked", [ASKED, POSTED])
def test_a_mutated_answer_is_wrong(
    world: World, asked: Asked, mutate: Callable[[dict[str, Any]], None]
) -> None:
    body = world.body(asked)
    mutate(body)
    assert world.judge(asked, body).answer == "wrong"


def test_an_answer_of_another_delivery_than_the_receipt_says_is_wrong(world: World) -> None:
    other = world.deliver("plain")
    body = world.body(ASKED, other)
    assert world.judge(ASKED, body).answer == "right"
    body["receipt"] = world.body(ASKED)["receipt"]
    assert world.judge(ASKED, body).answer == "wrong"


def test_a_model_that_is_not_fit_for_the_windows_must_not_answer(world: World) -> None:
    seasonal = world.deliver("seasonal")  # winter months, asked in June
    assert "out of season" in world.judge(ASKED, world.body(ASKED, seasonal)).why


def test_an_answer_made_before_the_latest_import_was_done_is_wrong(world: World) -> None:
    before = world.body(LATEST)
    began = world.weather.begin([("JFK", "temperature", START + 24 * DAYS * HOUR, 30.0)])
    assert world.judge(LATEST, before).answer == "right"  # under way: either is right
    began.done = time.monotonic() - 1
    verdict = world.judge(LATEST, before)
    assert verdict.answer == "wrong"
    assert "it starts at" in verdict.why


@pytest.mark.parametrize(
    ("faults", "answer"),
    [
        ([], "wrong"),
        (["partial upload", "slow model"], "wrong"),  # keep nobody from following
        (["store away"], "right"),
        (["store away", "store away"], "right"),
    ],
)
def test_what_was_removed_long_ago_must_not_answer_unless_the_app_could_not_know(
    world: World, faults: list[str], answer: str
) -> None:
    body = world.body(ASKED)
    world.one.barred.append(Span(time.monotonic() - GRACE + 2))
    assert world.judge(ASKED, body).answer == "right"
    world.one.barred[-1].start -= 10
    for kind in faults:
        with world.journal.fault(kind) as fault:
            fault.start -= GRACE
    assert world.judge(ASKED, body).answer == answer


def test_seconds_of_several_stalls_at_once_count_once(world: World) -> None:
    now = time.monotonic()
    for kind, start, end in (("restart", -90, -60), ("store away", -80, -50), ("cache", -40, 0)):
        with world.journal.fault(kind) as fault:
            pass
        fault.start, fault.end = now + start, now + end
    assert world.journal.calm(now - 100, now) == pytest.approx(100 - 40 - SHORTLY)


def test_what_an_area_is_not_pinned_to_must_not_answer(world: World) -> None:
    other = world.deliver("plain")
    long_ago = time.monotonic() - 2 * GRACE
    world.journal.pins.append(Pin(start=long_ago, area="JFK", delivery_id=other.delivery_id))
    assert world.judge(ASKED, world.body(ASKED, other)).answer == "right"
    assert world.judge(ASKED, world.body(ASKED)).answer == "wrong"


def test_what_must_never_be_live_must_not_answer(world: World) -> None:
    world.one.state = "quarantined"
    assert world.judge(ASKED, world.body(ASKED)).answer == "wrong"


def test_one_etag_for_two_bodies_is_wrong(world: World) -> None:
    tag = {"etag": '"the same"'}
    later = Asked(kind="GET", method="GET", area="JFK", reference_time=AT + HOUR)
    assert world.judge(ASKED, world.body(ASKED), headers=tag).answer == "right"
    assert "different bytes" in world.judge(later, world.body(later), headers=tag).why


def test_a_304_is_right_exactly_while_what_the_client_has_holds(world: World) -> None:
    kept = json.dumps(world.body(LATEST)).encode()
    assert world.judge(LATEST, None, status=304, kept=kept).answer == "right"
    assert world.judge(LATEST, None, status=304).answer == "wrong"
    done = world.weather.begin([("JFK", "temperature", START + 24 * DAYS * HOUR, 30.0)])
    done.done = time.monotonic() - 1
    assert world.judge(LATEST, None, status=304, kept=kept).answer == "wrong"


@pytest.mark.parametrize("status", [500, 502, 503, 404, 422])
def test_a_failure_without_a_fault_is_unexplained(world: World, status: int) -> None:
    for code in ("internal-error", "observations-unavailable", "no-applicable-model"):
        headers = {"retry-after": "5"}
        verdict = world.judge(ASKED, problem(code), status=status, headers=headers)
        assert verdict.answer == "unexplained"
        assert code in verdict.why
    assert world.judge(ASKED, "<html>", status=status).answer == "unexplained"


def test_a_500_is_unexplained_whatever_fault_is_active(world: World) -> None:
    with world.journal.fault("database away"), world.journal.fault("restart"):
        verdict = world.judge(ASKED, problem("internal-error"), status=500)
    assert verdict.answer == "unexplained"


def test_an_unavailable_database_is_explained_by_its_fault_alone_and_says_when_to_come_again(
    world: World,
) -> None:
    body, retry = problem("observations-unavailable"), {"retry-after": "5"}
    with world.journal.fault("worker killed"):
        assert world.judge(ASKED, body, status=503, headers=retry).answer == "unexplained"
    with world.journal.fault("database slow"):
        assert world.judge(ASKED, body, status=503, headers=retry).answer == "explained"
        assert world.judge(ASKED, body, status=503, headers={}).answer == "wrong"


def test_that_no_model_is_fit_is_right_only_where_the_base_delivery_is_not(world: World) -> None:
    early = Asked(kind="GET", method="GET", area="JFK", reference_time=START - timedelta(days=2))
    for asked, answer in ((early, "right"), (ASKED, "unexplained")):
        verdict = world.judge(asked, problem("observations-missing"), status=503)
        assert verdict.answer == answer


def test_a_lost_connection_is_explained_by_a_killed_worker_or_a_restart_after_which_it_was_opened(
    world: World,
) -> None:
    lost = {"status": None, "error": "reset"}
    assert world.judge(ASKED, None, **lost).answer == "unexplained"
    with world.journal.fault("worker killed") as killed:
        assert world.judge(ASKED, None, **lost).answer == "explained"
    world.journal.faults.remove(killed)
    with world.journal.fault("restart"):
        assert world.judge(ASKED, None, **lost).answer == "unexplained"  # open before: a promise
        fresh = lost | {"opened": time.monotonic() + 1}
        assert world.judge(ASKED, None, **fresh).answer == "explained"


def test_an_answer_that_comes_later_than_every_limit_is_unexplained(world: World) -> None:
    late = time.monotonic() - 60
    assert world.judge(ASKED, world.body(ASKED), sent=late).answer == "unexplained"


def test_a_request_without_sense_must_get_its_problem(world: World) -> None:
    asked = Asked(kind="GET", method="GET", area="Atlantis", sense="unknown-area")
    assert world.judge(asked, problem("unknown-area"), status=404).answer == "right"
    assert world.judge(asked, problem("not-found"), status=404).answer == "unexplained"
    assert world.judge(asked, world.body(ASKED)).answer == "wrong"


def test_a_delivery_that_is_there_must_be_known_once_the_app_could_know(world: World) -> None:
    asked = Asked(kind="GET", method="GET", address=f"/models/{world.one.delivery_id}")
    unknown = problem("unknown-delivery")
    assert world.judge(asked, {}).answer == "right"
    assert world.judge(asked, unknown, status=404).answer == "right"  # not yet
    world.one.since -= 2 * GRACE
    assert world.judge(asked, unknown, status=404).answer == "unexplained"
    world.one.barred.append(Span(time.monotonic()))
    assert world.judge(asked, unknown, status=404).answer == "right"


def test_a_page_may_fail_while_the_database_does_and_at_no_other_time(world: World) -> None:
    asked = Asked(kind="GET", method="GET", address="/?area=JFK")
    assert world.judge(asked, "<html>", status=503).answer == "unexplained"
    with world.journal.fault("database away"):
        assert world.judge(asked, "<html>", status=503).answer == "explained"
        assert world.judge(asked, "<html>", status=500).answer == "unexplained"

"""An app under a rollout by evidence, and what its deliveries forecast in the past."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask

from fairweather_app.background.trials import TrialRunner
from fairweather_app.common.times import MICROSECOND, to_microseconds
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.forecast_log import LoggedForecast

NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAYS = 8
PREDICT = "/weather/predict?area=EWR"
BETTER = {"skill": 0.6, "skill_interval": (0.55, 0.65)}
"""What a delivery declares that ranks before one of the kit's own."""


class Evidence:
    """One process of an app. It is 10 °C, always; the clock is the last observation's."""

    def __init__(
        self, make_app: Callable[..., Flask], observe: Callable[..., None], **settings: Any
    ) -> None:
        observe("EWR", [10.0] * 48, until=NOON)
        self._observe = observe
        self._hour = NOON
        self.app = make_app(**{"rollout": "evidence"} | settings)
        self.context: AppContext = self.app.extensions["fairweather"]
        self.runner = TrialRunner(self.context)

    def look(self, times: int = 2) -> None:
        """Scan the store and take the steps of the background, until they have an effect."""
        for _ in range(times):
            self.context.catalogue.refresh()
            self.runner.run()
        self.context.catalogue.refresh()

    def lived(self, errors: dict[str, float], *, days: int = DAYS) -> None:
        """Let some days go by, with a forecast every hour by each delivery, of constant errors."""
        hours = 24 * days
        wave = np.sin(np.arange(hours) / 7.0) / 10  # as weather, good days and bad for all
        self.context.live.log.add(
            [
                LoggedForecast(
                    delivery_id=name,
                    area="EWR",
                    variable="temperature",
                    reference_time=to_microseconds(self._hour + (hour + 1) * HOUR),
                    step=HOUR // MICROSECOND,
                    values=np.full(24, 11.0 + wave[hour] + error, dtype="<f4").tobytes(),
                )
                for name, error in errors.items()
                for hour in range(hours)
            ]
        )
        self._hour += hours * HOUR
        self._observe("EWR", [10.0] * hours, until=self._hour)

    def state(self, path: Path, area: str = "EWR") -> str | None:
        """Return the state of a delivery, as `/models/<id>` lists it."""
        detail = self.app.test_client().get(f"/models/{path.name}").json
        assert detail is not None
        return {each["area"]: each["state"] for each in detail["rollout"]}.get(area)

    def reason(self, path: Path) -> str:
        """Return why a delivery has its state."""
        detail = self.app.test_client().get(f"/models/{path.name}").json
        assert detail is not None
        return str(detail["rollout"][0]["reason"])

    def answer(self, time: str = "") -> tuple[str, bool]:
        """Return which delivery answers, and whether as a trial."""
        more = f"&reference_time={time}" if time else ""
        answer = self.app.test_client().get(PREDICT + more)
        assert answer.status_code == 200, answer.text
        assert answer.json is not None
        receipt = answer.json["receipt"]
        return receipt["delivery_id"], receipt.get("trial", False)

    def rows(self) -> list[tuple[str, str, str]]:
        """Return all changes: delivery, area and state."""
        with self.context.observations.database.transaction() as connection:
            query = "SELECT delivery_id, area, state FROM rollout WHERE digest <> '' ORDER BY id"
            return [(row[0], row[1], row[2]) for row in connection.exec_driver_sql(query)]

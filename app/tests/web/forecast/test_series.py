"""A series of a forecast beside what was observed."""

from __future__ import annotations

from datetime import timedelta

from fairweather_app.web.forecast.series import Series, verify

HOUR = timedelta(hours=1)


def test_only_what_can_be_compared_is_counted() -> None:
    series = Series(
        variable="temperature",
        label="Temperature",
        unit="°C",
        values=[1.0, None, 5.0, 7.0],
        lower=[0.0, 0.0, 3.0, 0.0],
        upper=[2.0, 2.0, 6.0, 9.0],
        interval=(0.1, 0.9),
        observed=[2.0, 2.0, 2.0, None],
    )
    found = verify(series, [HOUR, 2 * HOUR, 30 * HOUR, 31 * HOUR])
    assert found is not None
    assert (found.count, found.error, found.first_day, found.inside) == (2, 2.0, 1.0, 0.5)


def test_without_anything_to_compare_there_is_no_verification() -> None:
    series = Series(variable="t", label="T", unit="°C", values=[1.0])
    assert verify(series, [HOUR]) is None

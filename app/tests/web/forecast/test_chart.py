"""The chart's scale."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairweather_app.web.forecast.chart import scale

WEATHER = st.floats(-120, 1100, allow_subnormal=False)


@given(st.lists(WEATHER, min_size=1), st.sampled_from([3, 5]))
def test_a_scale_holds_every_value_between_round_ends(values: list[float], most: int) -> None:
    low, high, step = scale(values, most=most)
    assert low <= min(values)
    assert max(values) <= high
    assert 1 <= round((high - low) / step) <= most
    assert low / step == pytest.approx(round(low / step), abs=1e-6)


def test_a_scale_without_values_is_a_scale_all_the_same() -> None:
    assert scale([None], most=5) == (0.0, 1.0, 0.2)

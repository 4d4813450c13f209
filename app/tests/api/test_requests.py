"""Reading requests: what the schema accepts, and no key twice."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairweather_app.api.requests import read_body
from fairweather_app.api.schemas import PredictRequest
from fairweather_app.errors import InvalidRequestError

KEYS = st.sampled_from(["area", "variables", "reference_time", "observations", "temperature", "x"])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["JFK", "2013-12-20T00:00Z"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, VALUES, max_size=4), st.sampled_from([None, 2]))
def test_a_body_is_accepted_exactly_when_its_schema_accepts_it(
    document: dict[str, object], indent: int | None
) -> None:
    body = json.dumps(document, indent=indent, ensure_ascii=False)
    try:
        expected = PredictRequest.model_validate_json(body)
    except ValueError:
        with pytest.raises(InvalidRequestError):
            read_body(body.encode(errors="replace"))
    else:
        asked = read_body(body.encode())
        assert (asked.area, asked.reference_time) == (expected.area, expected.reference_time)
        assert asked.variables == (expected.variables and tuple(expected.variables))
        assert asked.observations == expected.observations


def test_a_plain_body_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("fairweather_app.api.requests.json.loads")
    body = {
        "area": "JFK",
        "variables": ["temperature"],
        "reference_time": "2013-12-20T00:00Z",
        "observations": {"temperature": [None, 1, 2.5], "humidity": []},
    }
    assert read_body(json.dumps(body).encode()).area == "JFK"
    bare = {"area": "JFK", "variables": None, "reference_time": None, "observations": None}
    assert read_body(json.dumps(bare).encode()).area == "JFK"


@given(st.data())
def test_a_key_given_twice_is_never_accepted(data: st.DataObject) -> None:
    value = st.sampled_from(['"JFK"', "null", "[1, 2]", '{"a": "b"}', '"\\u0041"'])
    pairs = data.draw(st.lists(st.tuples(KEYS, value), min_size=1, max_size=4))
    repeated = data.draw(st.sampled_from(pairs))
    pairs.insert(data.draw(st.integers(0, len(pairs))), (repeated[0], data.draw(value)))
    body = "{" + ", ".join(f'"{key}": {each}' for key, each in pairs) + "}"
    with pytest.raises(InvalidRequestError, match="given more than once"):
        read_body(body.encode())

"""Definitions: good YAML is read, bad YAML is refused with file, place and reason."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fairweather_interface.definitions import (
    VARIABLES,
    Definitions,
    RequiredInput,
    load_definitions,
    load_yaml,
    packaged_definitions,
    parse_definitions,
    plain_definitions,
)
from fairweather_interface.errors import DefinitionsError
from fairweather_interface.metadata import Area
from fairweather_interface.names import plain_name
from fairweather_interface.variables import Conversion, LargestStep, Variable

GOOD = """\
application:
  area: Israel
  areas:
    Jerusalem: {latitude: 31.78, longitude: 35.22, timezone: Asia/Jerusalem}
    Hebron: {latitude: 31.53, longitude: 35.10, timezone: Asia/Hebron}
training:
  required_inputs:
    - humidity: {period: 30 days, sample_rate: 1 minute}
    - temperature: {area: Israel, period: 30 days, sample_rate: 5 minutes}
    - temperature: {area: Hebron, period: 1 week, sample_rate: 1 hour}
"""
RAIN = (
    GOOD
    + """\
    - precipitation: {period: 30 days, sample_rate: 1 hour}
variables:
  precipitation: {unit: mm, minimum: 0, maximum: 500, label: Rain, stuck: 2 days}
"""
)


def _write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_new_york_is_read_by_its_name() -> None:
    found = load_definitions("new-york")
    assert found.region == "New York"
    assert list(found.areas) == ["EWR", "JFK", "LGA"]
    assert {area.timezone for area in found.areas.values()} == {"America/New_York"}
    month, hour = timedelta(days=30), timedelta(hours=1)
    assert found.required_inputs == (
        RequiredInput(variable="humidity", period=month, sample_rate=hour),
        RequiredInput(variable="temperature", period=month, sample_rate=hour),
    )
    assert [item.samples for item in found.required_inputs] == [720, 720]
    assert found.source == "new-york"


def test_israel_is_the_example_of_the_talk() -> None:
    found = load_definitions("israel")
    assert list(found.areas) == ["Jerusalem", "Beit-Shemesh"]
    humidity, temperature = found.required_inputs
    assert (humidity.area, humidity.sample_rate) == (None, timedelta(minutes=1))
    assert (temperature.area, temperature.sample_rate) == ("Israel", timedelta(minutes=5))


def test_all_packaged_definitions_can_be_read() -> None:
    assert packaged_definitions() == ("israel", "new-york")
    for name in packaged_definitions():
        assert load_definitions(name).areas


def test_definitions_of_ones_own_are_read_by_their_path(tmp_path: Path) -> None:
    path = _write(tmp_path, GOOD)
    found = load_definitions(path)
    assert found == load_definitions(str(path))
    assert found.areas["Hebron"] == Area(latitude=31.53, longitude=35.10, timezone="Asia/Hebron")
    assert found.required_inputs[2].area == "Hebron"
    assert found.source == str(path)


def test_a_variable_of_ones_own_is_read_with_its_row(tmp_path: Path) -> None:
    found = load_definitions(_write(tmp_path, RAIN))
    rain = Variable(
        name="precipitation", unit="mm", minimum=0.0, maximum=500.0, label="Rain",
        stuck=timedelta(days=2),
    )  # fmt: skip
    assert found.variables == {"precipitation": rain}
    assert found.required_inputs[3].variable == "precipitation"
    assert found.variable_table == {**VARIABLES, "precipitation": rain}
    assert next(iter(found.variable_table)) == "temperature"
    assert plain_definitions(found)["variables"] == {
        "precipitation": {
            "unit": "mm", "minimum": 0.0, "maximum": 500.0, "label": "Rain", "stuck": "2 days",
        }
    }  # fmt: skip


def test_without_variables_of_their_own_definitions_are_the_plain_data_they_were() -> None:
    found = load_definitions("israel")
    assert found.variables == {}
    assert found.variable_table == VARIABLES
    assert set(plain_definitions(found)) == {"application", "training"}


def test_a_row_of_the_packaged_table_may_say_more_but_not_otherwise(tmp_path: Path) -> None:
    row = "variables:\n  temperature: {unit: degC, minimum: -80, maximum: 60, label: Air}\n"
    found = load_definitions(_write(tmp_path, GOOD + row))
    assert found.variable_table["temperature"].label == "Air"
    with pytest.raises(DefinitionsError) as caught:
        load_definitions(_write(tmp_path, GOOD + row.replace("60", "50")))
    (problem,) = caught.value.problems
    assert problem.startswith(
        "variables: found temperature from -80 to 50 degC, expected -80 to 60"
    )
    assert problem.endswith("give the variable another name, or the same unit and limits")


_NUMBERS = st.floats(-1e6, 1e6)
_STEPS = st.builds(LargestStep, minute=st.floats(0.1, 9), hour=st.floats(0.1, 9))
_CONVERSIONS = st.builds(
    Conversion, unit=st.text("abc", min_size=1), factor=_NUMBERS, offset=_NUMBERS
)
_ROWS = st.dictionaries(
    st.from_regex(r"own_[a-z0-9_]{1,5}", fullmatch=True),
    st.fixed_dictionaries(
        {
            "unit": st.text(min_size=1, max_size=5),
            "minimum": st.floats(-1e6, -1),
            "maximum": st.floats(0, 1e6),
        },
        optional={
            "label": st.text(max_size=5),
            "symbol": st.text(max_size=5),
            "margin": st.floats(0, 10),
            "digits": st.integers(0, 3),
            "largest_step": _STEPS,
            "stuck": st.integers(1, 10**6).map(lambda seconds: timedelta(seconds=seconds)),
            "still": st.tuples(_NUMBERS, _NUMBERS),
            "conversions": st.lists(_CONVERSIONS, max_size=2).map(tuple),
            "extremes": st.just(("driest", "wettest")),
        },
    ),
    max_size=2,
)
_AREAS = st.dictionaries(
    st.from_regex(r"[A-Za-z][A-Za-z .'-]{0,9}", fullmatch=True).map(plain_name),
    st.builds(
        Area,
        latitude=st.floats(-90, 90),
        longitude=st.floats(-180, 180),
        timezone=st.sampled_from(["UTC", "Asia/Jerusalem", "America/New_York"]),
    ),
    min_size=1,
    max_size=4,
)


@given(areas=_AREAS, rows=_ROWS, data=st.data())
def test_plain_definitions_are_read_back_to_the_same(
    areas: dict[str, Area], rows: dict[str, Any], data: st.DataObject
) -> None:
    region = "Region 0"
    own = {name: Variable(name=name, **row) for name, row in rows.items()}
    item = st.builds(
        lambda variable, samples, rate, area: RequiredInput(
            variable=variable,
            period=samples * timedelta(seconds=rate),
            sample_rate=timedelta(seconds=rate),
            area=area,
        ),
        st.sampled_from(sorted({**VARIABLES, **own})),
        st.integers(1, 1000),
        st.integers(1, 86400),
        st.none() | st.sampled_from([region, *areas]),
    )
    required = tuple(data.draw(st.lists(item, min_size=1, max_size=4)))
    found = Definitions(
        region=region, areas=areas, required_inputs=required, source="here", variables=own
    )
    plain = plain_definitions(found)
    assert parse_definitions(plain, source="here") == found
    assert parse_definitions(load_yaml(yaml.safe_dump(plain)), source="here") == found


_BAD = {
    "nothing": ("", "found None, expected a mapping"),
    "a list": ("- 1", "found [1], expected a mapping"),
    "a word": ("hello", "found 'hello', expected a mapping"),
    "no YAML": ("application: [", "line 1"),
    "a tab": ("application:\n\tarea: x", "line 2"),
    "a key twice": (GOOD.replace("    Hebron:", "    Jerusalem:"), "the key 'Jerusalem' twice"),
    "a variable twice in one item": (
        GOOD.replace("- humidity: {period: 30 days, sample_rate: 1 minute}",
                     "- humidity: {period: 30 days, sample_rate: 1 minute}\n"
                     "      temperature: {period: 30 days, sample_rate: 1 minute}"), "at most 1"),
    "two documents": (GOOD + "---\n" + GOOD, "single document"),
    "an unknown alias": ("application: *x", "undefined alias"),
    "a date that is none": (GOOD.replace("30 days", "2013-13-45"), "line 8"),
    "a tag of Python": ("application: !!python/object:os.system x", "line 1"),
    "a tag that lies": ("application: !!timestamp soon", "cannot be read"),
    "a set that is none": ("application: !!set [1]", "cannot be read"),
    "a number without end": ("application: " + "9" * 5000, "cannot be read"),
    "a list as key": ("? [a]\n: b", "unhashable"),
    "too deep": ("[" * 5000, "nested too deeply"),
    "a control character": ("application: \x07", "special characters"),
    "an unknown section": (GOOD + "extra: 1\n", "extra: found 1, expected no such key"),
    "an unknown key": (GOOD.replace("area: Israel\n", "area: Israel\n  zone: x\n", 1),
                       "application.zone: found 'x', expected no such key"),
    "an unknown key of an area": (GOOD.replace("31.78,", "31.78, height: 800,"),
                                  "application.areas.Jerusalem.height"),
    "an unknown key of an input": (GOOD.replace("sample_rate: 1 minute", "rate: 1 minute"),
                                   "training.required_inputs[0].humidity.rate"),
    "no training": (GOOD.split("training", maxsplit=1)[0], "training: not found, expected a value"),
    "no areas": ("application: {area: X, areas: {}}\n" + GOOD[GOOD.index("training"):],
                 "application.areas"),
    "no inputs": (GOOD.split("  required_inputs", maxsplit=1)[0] + "  required_inputs: []\n",
                  "training.required_inputs"),
    "a latitude as text": (GOOD.replace("31.78", "'31.78'"), "areas.Jerusalem.latitude"),
    "a latitude of no place": (GOOD.replace("31.78", "131.78"), "areas.Jerusalem.latitude"),
    "a latitude that is no number": (GOOD.replace("31.78", ".nan"), "areas.Jerusalem.latitude"),
    "no time zone": (GOOD.replace(", timezone: Asia/Hebron", ""), "areas.Hebron.timezone"),
    "an unknown time zone": (GOOD.replace("Asia/Hebron", "Asia/Atlantis"),
                             "found 'Asia/Atlantis', expected an IANA time zone"),
    "an area without name": (GOOD.replace("    Hebron:", "    '':"), "application.areas: found ''"),
    "an area with a slash": (GOOD.replace("    Hebron:", "    ../x:"), "application.areas.../x"),
    "a region that is an area": (GOOD.replace("area: Israel\n", "area: Hebron\n", 1),
                                 "as the region and as one of its areas"),
    "an unknown variable": (GOOD.replace("humidity", "sunshine"),
                            "found the variable 'sunshine', expected one of temperature, humidity"),
    "an unknown variable that could be declared": (
        RAIN.replace("  precipitation:", "  sunshine:"),
        ("training.required_inputs[3].precipitation: found the variable 'precipitation', expected "
        "one of temperature, humidity, dew_point, pressure, wind_speed, sunshine, or a row for it "
        "under variables")),
    "a variable without unit": (
        RAIN.replace("unit: mm, ", ""), "variables.precipitation.unit: not found, expected a val"),
    "a variable of no unit": (RAIN.replace("mm", "''"), "variables.precipitation.unit: found ''"),
    "a variable without limits": (
        RAIN.replace("minimum: 0, ", ""), "variables.precipitation.minimum: not found"),
    "limits upside down": (
        RAIN.replace("500", "-5"), "variables.precipitation: found 0 to -5, expected a range"),
    "an unknown column": (
        RAIN.replace("label", "reduce"),
        "variables.precipitation.reduce: found 'Rain', expected no such key"),
    "a variable that is no row": (
        RAIN.replace("{unit: mm, minimum: 0, maximum: 500, label: Rain, stuck: 2 days}", "mm"),
        "variables.precipitation: found 'mm', expected a mapping"),
    "variables as a list": (GOOD + "variables: [sunshine]", "variables: found ['sunshine'], exp"),
    "a variable that is no name": (
        RAIN.replace("  precipitation:", "  2 m:"), "found '2 m', string should match pattern"),
    "a variable that is a number": (RAIN.replace("  precipitation:", "  2:"), "found 2"),
    "a variable in another unit": (
        GOOD + "variables:\n  temperature: {unit: degF, minimum: -112, maximum: 140}",
        "variables: found temperature from -112 to 140 degF, expected -80 to 60 degC"),
    "an unknown area": (GOOD.replace("{area: Hebron", "{area: Gaza"),
                        "required_inputs[2].temperature.area: found 'Gaza', expected one of "),
    "a duration in numbers": (GOOD.replace("30 days", "30"), "found 30, expected a duration"),
    "a duration in dayz": (GOOD.replace("30 days", "30 dayz"), "found '30 dayz', expected a dur"),
    "a month": (GOOD.replace("30 days", "1 month"), "expected a duration"),
    "a rate that does not divide": (GOOD.replace("5 minutes", "7 hours"), "whole number of"),
}  # fmt: skip


@pytest.mark.parametrize("name", _BAD)
def test_bad_definitions_are_refused_with_file_place_and_reason(name: str, tmp_path: Path) -> None:
    text, told = _BAD[name]
    path = _write(tmp_path, text)
    with pytest.raises(DefinitionsError) as caught:
        load_definitions(path)
    assert str(caught.value).startswith(f"found definitions we cannot use in {path}:\n  - ")
    assert told in str(caught.value)
    assert caught.value.problems
    assert len(str(caught.value)) < 3000


def test_names_of_areas_have_one_spelling(tmp_path: Path) -> None:
    text = GOOD.replace("    Hebron:", "    ' Ku\u0308che\u00a0 1 ':")
    text = text.replace("{area: Hebron", "{area: 'K\u00fcche 1\u00a0'")
    found = load_definitions(_write(tmp_path, text))
    assert "Küche 1" in found.areas
    assert found.required_inputs[2].area == "Küche 1"
    persian = "علی\N{ZERO WIDTH NON-JOINER}آباد"
    found = load_definitions(_write(tmp_path, GOOD.replace("Hebron:", f"{persian}:").replace(
        "{area: Hebron", f"{{area: {persian}")))  # fmt: skip
    assert persian in found.areas


def test_two_areas_of_one_name_are_refused(tmp_path: Path) -> None:
    text = GOOD.replace("    Hebron:", "    'Jerusalem ':").replace("area: Hebron", "area: Israel")
    with pytest.raises(DefinitionsError, match="found 'Jerusalem' and 'Jerusalem ', expected one"):
        load_definitions(_write(tmp_path, text))


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("31.78", "200").replace("30 days", "soon").replace("Asia/Hebron", "X")
    with pytest.raises(DefinitionsError) as caught:
        load_definitions(_write(tmp_path, text))
    assert len(caught.value.problems) == 4  # latitude, zone, and two periods
    text = GOOD.replace("{area: Hebron", "{area: A").replace("{area: Israel", "{area: B")
    with pytest.raises(DefinitionsError) as caught:
        load_definitions(_write(tmp_path, text))
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("name", ["nowhere", "nowhere.yaml", "", ".", "\0", "x" * 5000])
def test_definitions_that_are_not_there_are_told_with_what_there_is(name: str) -> None:
    with pytest.raises(DefinitionsError, match="one of israel, new-york"):
        load_definitions(name)


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(GOOD.replace("Hebron", "H\u00e9bron").encode("latin-1"))
    with pytest.raises(DefinitionsError, match="utf-8"):
        load_definitions(path)


def test_a_file_that_laughs_is_refused_in_a_moment(tmp_path: Path) -> None:
    lines = ["a0: &a0 [ha]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 20)]
    with pytest.raises(DefinitionsError):
        load_definitions(_write(tmp_path, "\n".join([*lines, "application: *a19"])))


def test_merged_keys_of_yaml_are_read() -> None:
    assert load_yaml("base: &b {x: 1, y: 2}\nmine: {<<: *b, y: 3}") == {
        "base": {"x": 1, "y": 2},
        "mine": {"x": 1, "y": 3},
    }


@pytest.mark.parametrize(
    "word",
    [
        "NO",
        "no",
        "Yes",
        "on",
        "OFF",
        "010",
        "0x1F",
        "0b1",
        "1_000",
        "12:30",
        "12:30.5",
        "2024-03-01",
        "1_0.5",
        "00.5",
    ],
)
def test_a_plain_word_of_two_readings_is_refused_with_its_place_as_key_and_as_value(
    word: str,
) -> None:
    for text in (f"a: 1\nb: {word}", f"a: 1\n{word}: b", f"a:\n  - {word}"):
        with pytest.raises(yaml.YAMLError, match="quote it where a name is meant") as refused:
            load_yaml(text)
        assert f"found {word!r}, which YAML reads as" in str(refused.value)
        assert "line 2" in str(refused.value)
    assert load_yaml(f"a: '{word}'") == load_yaml(f'a: "{word}"') == {"a": word}


def test_words_of_one_reading_stay_what_they_are() -> None:
    text = "[true, False, null, ~, 8, -10, 0, 0.5, -1.5e+3, .5, 1E5, 08, .inf, NA, None, y, n, N]"
    assert load_yaml(text) == [
        True, False, None, None, 8, -10, 0, 0.5, -1500.0, 0.5, "1E5", "08", float("inf"), "NA",
        "None", "y", "n", "N",
    ]  # fmt: skip


def test_one_name_in_two_forms_of_unicode_is_one_name() -> None:
    with pytest.raises(yaml.YAMLError, match="twice"):
        load_yaml("{\u00c5land: 1, A\u030aland: 2}")
    document = load_yaml(GOOD.replace("Asia/Hebron", "UTC").replace("Hebron", "A\u030aland"))
    assert "\u00c5land" in parse_definitions(document, source="here").areas


def test_a_number_as_the_name_of_an_area_is_refused_with_what_to_do() -> None:
    with pytest.raises(DefinitionsError, match="found 1001, expected a text: put it in quotes"):
        parse_definitions(load_yaml(GOOD.replace("Hebron", "1001")), source="here")


def _laughs(levels: int, anchor: str) -> str:
    """Nine to the power of the levels values, by aliases of aliases."""
    lines = ["a0: &a0 [" + ", ".join(["lol"] * 9) + "]"]
    lines += [f"a{n}: &a{n} " + anchor.format(f"*a{n - 1}") for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "anchor",
    [
        "[" + ", ".join(["{0}"] * 9) + "]",
        "{{" + ", ".join(f"k{n}: {{0}}" for n in range(9)) + "}}",
        "{{only: [" + ", ".join(["{0}"] * 9) + "]}}",
    ],
    ids=["lists", "mappings", "both"],
)
def test_aliases_stand_for_a_bounded_number_of_values(anchor: str) -> None:
    assert load_yaml(_laughs(4, anchor))
    with pytest.raises(yaml.YAMLError, match="aliases that repeat more than 100000 values"):
        load_yaml(_laughs(30, anchor))


def test_merges_of_merges_are_bounded_too() -> None:
    lines = ["m0: &m0 {a: 1}"]
    merged = ", ".join(["*m{0}"] * 9)
    lines += [f"m{n}: &m{n} {{<<: [{merged.format(n - 1)}]}}" for n in range(1, 30)]
    with pytest.raises(yaml.YAMLError, match="aliases that repeat"):
        load_yaml("\n".join(lines))


@pytest.mark.parametrize("text", ["&a [*a]", "&a {b: [1, *a]}"])
def test_an_alias_inside_its_own_anchor_is_refused(text: str) -> None:
    with pytest.raises(yaml.YAMLError, match="aliases that repeat"):
        load_yaml(text)


def test_a_long_document_without_aliases_is_read() -> None:
    assert load_yaml("[" + "1, " * 150_000 + "]") == [1] * 150_000
    assert load_yaml("") is None


def test_a_path_without_an_end_and_a_file_larger_than_any_are_refused_and_not_read(
    tmp_path: Path,
) -> None:
    with pytest.raises(DefinitionsError, match="a device, expected a file"):
        load_definitions("/dev/zero")
    with (tmp_path / "large.yaml").open("wb") as file:
        file.truncate((4 << 20) + 1)
    with pytest.raises(DefinitionsError, match="found 4194305 bytes, expected at most 4194304"):
        load_definitions(tmp_path / "large.yaml")


def test_a_key_much_longer_than_a_name_is_compared_as_it_stands() -> None:
    key = "e" + "\u0301\u0316" * 1_000_000  # years of work to put its accents in order
    assert load_yaml(f"? {key}\n: 1\n") == {key: 1}
    with pytest.raises(yaml.YAMLError, match=r"found the key .* twice"):
        load_yaml(f"? {key}\n: 1\n? {key}\n: 2\n")

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.variables import VARIABLES

from fairweather_app import Settings, create_app, load_settings
from fairweather_app.errors import OverridesError, SettingsError
from fairweather_app.forecasting.context import build_app_context
from fairweather_app.models_backend import Deliveries, OnnxBackend
from fairweather_app.settings import unknown_variables


def test_every_setting_has_a_default_and_says_what_it_is_for() -> None:
    assert load_settings() == Settings()
    assert all(field.description for field in Settings.model_fields.values())


def test_the_defaults_need_nothing_but_a_folder_to_write_in() -> None:
    chosen = load_settings()
    assert chosen.clock == "latest-observation"
    assert chosen.observations == "sqlite:///observations.sqlite"
    assert chosen.domain_margins == {name: each.margin for name, each in VARIABLES.items()}
    assert chosen.domain_margins["temperature"] == 3.0
    assert not chosen.refuse_below_baseline
    assert not chosen.tensorflow
    assert chosen.overrides is None


def test_what_is_given_goes_before_the_environment_before_the_file_before_the_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "fairweather.yaml"
    file.write_text("reload_seconds: 1\ndomain_margin: 1\nbody_limit: 2048\n")
    monkeypatch.setenv("FAIRWEATHER_CONFIG", str(file))
    monkeypatch.setenv("FAIRWEATHER_RELOAD_SECONDS", "2")
    monkeypatch.setenv("FAIRWEATHER_DOMAIN_MARGIN", "2")
    chosen = load_settings({"reload_seconds": 3})
    assert (chosen.reload_seconds, chosen.domain_margin, chosen.body_limit) == (3, 2, 2048)
    assert chosen.clock == "latest-observation"


def test_a_margin_comes_from_its_variable_then_the_older_setting_then_the_contract(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAIRWEATHER_DOMAIN_MARGIN", "1")
    monkeypatch.setenv("FAIRWEATHER_HUMIDITY_MARGIN", "2")
    monkeypatch.setenv("FAIRWEATHER_MARGINS", "{temperature: 0, pressure: 4}")
    margins = load_settings().domain_margins
    assert (margins["temperature"], margins["humidity"], margins["pressure"]) == (0, 2, 4)
    assert margins["wind_speed"] == VARIABLES["wind_speed"].margin


def test_settings_pass_through_as_they_are() -> None:
    chosen = Settings(clock="now")
    assert load_settings(chosen) is chosen


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"clock": "noon"}, "FAIRWEATHER_CLOCK is 'noon': expected 'latest-observation' or 'now'"),
        ({"reload_seconds": 0}, "FAIRWEATHER_RELOAD_SECONDS is 0: expected greater than 0"),
        (
            {"reload_seconds": "often"},
            "FAIRWEATHER_RELOAD_SECONDS is 'often': expected a valid num",
        ),
        ({"domain_margin": -1}, "FAIRWEATHER_DOMAIN_MARGIN is -1: expected greater than or equal"),
        ({"domain_margin": "nan"}, "FAIRWEATHER_DOMAIN_MARGIN is 'nan': expected"),
        ({"margins": "3"}, "FAIRWEATHER_MARGINS is '3': expected margins by variable, such as"),
        ({"margins": "{temprature: 3}"}, "the variables are temperature, humidity"),
        (
            {"margins": "{humidity: -1}"},
            "FAIRWEATHER_MARGINS is -1: expected greater than or equal",
        ),
        ({"margins": "{humidity: .nan}"}, "FAIRWEATHER_MARGINS is nan: expected a finite number"),
        ({"margins": "[}"}, "FAIRWEATHER_MARGINS is '\\[}': expected margins by variable"),
        ({"body_limit": 1}, "FAIRWEATHER_BODY_LIMIT is 1: expected"),
        ({"refuse_below_baseline": "perhaps"}, "expected a valid boolean"),
        ({"observations": "nonsense"}, "expected a SQLAlchemy URL, such as sqlite:///"),
        ({"observations": "mysql://host/db"}, "expected a database of sqlite or postgresql"),
        ({"observations": "sqlite://"}, "expected a file: a database in memory"),
        (
            {"observations": "sqlite:////no/such/folder/x.sqlite"},
            "expected a file in a folder that is there",
        ),
        ({"observations": "sqlite:////tmp"}, "expected a file in a folder that is there"),
        ({"observations": "sqlite://x.sqlite"}, "that can be used here \\(Invalid SQLite URL"),
        ({"observations": "sqlite:///file:x?mode=memory&uri=true"}, "expected a file: a database"),
        ({"observations": "sqlite+aiosqlite:///x"}, "expected a database of sqlite or postgresql"),
        ({"observations": "sqlite+nothing:///x"}, "expected a SQLAlchemy URL"),
        ({"observations": "postgresql://host:port/x"}, "expected a number for the port"),
        (
            {"observations": "postgresql+pg8000://host/x"},
            "No module named 'pg8000'.*pip install 'fairweather-app\\[postgresql\\]'",
        ),
        ({"margins": "{humidity: 1, humidity: 2}"}, "expected margins by variable, such as"),
        ({"tensorflow": True}, "pip install 'fairweather-app\\[tensorflow\\]'"),
        (
            {"stroe": "x"},
            "FAIRWEATHER_STROE \\('stroe'\\) is not a setting; the settings are: backends",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_what_is_expected(
    given: dict[str, Any], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairweather_app.setting_values.find_spec", lambda _name: None)
    with pytest.raises(SettingsError, match=expected):
        load_settings(given)


def test_no_app_is_made_of_wrong_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="FAIRWEATHER_CLOCK"):
        create_app({"clock": "noon"})
    with pytest.raises(OverridesError, match=r"nowhere\.yaml"):
        create_app({"overrides": tmp_path / "nowhere.yaml"})


def test_tensorflow_is_a_backend_only_where_it_is_switched_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("fairweather_app.setting_values.find_spec", lambda _name: object())
    for enabled, formats in ((False, ["onnx"]), (True, ["onnx", "tensorflow-saved-model"])):
        context = build_app_context(load_settings({"tensorflow": enabled, "cache": tmp_path}))
        assert [backend.format for backend in context.catalogue.backends] == formats


def test_all_wrong_settings_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"clock": "noon", "reload_seconds": -1})
    assert len(caught.value.problems) == 2


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"observations": "mysql://me:secret@host/db"})
    assert "secret" not in str(caught.value)


def test_an_empty_variable_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRWEATHER_OVERRIDES", "")
    assert load_settings().overrides is None


def test_only_variables_that_look_like_settings_and_are_none_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("CONFIG", "STORE", "store", "WITHOUT_CHART", "DEMO", "RELOAD", "XYZZY"):
        monkeypatch.setenv(f"FAIRWEATHER_{name}", "x")
    assert unknown_variables() == [
        (
            "FAIRWEATHER_RELOAD is not a setting and is ignored; "
            "did you mean FAIRWEATHER_RELOAD_SECONDS?"
        ),
        "FAIRWEATHER_XYZZY is not a setting and is ignored",
    ]


def test_a_cache_that_cannot_be_written_is_a_wrong_setting(tmp_path: Path) -> None:
    file = tmp_path / "cache"
    file.write_text("a file where a folder should be")
    with pytest.raises(SettingsError, match=r"FAIRWEATHER_CACHE is .*expected a folder"):
        create_app({"cache": file})


def test_home_is_expanded() -> None:
    assert load_settings({"store": "~/deliveries"}).store == str(Path.home() / "deliveries")


@pytest.mark.parametrize("name", ["store", "cache", "overrides"])
def test_a_home_that_is_not_known_is_a_sentence(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({name: "~nobody-at-all/here"})
    variable = f"FAIRWEATHER_{name.upper()}"
    (sentence,) = caught.value.problems
    assert sentence.startswith(f"{variable} is '~nobody-at-all/here': expected a path without ~: ")


def test_a_default_below_a_home_that_is_not_known_names_its_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    with pytest.raises(SettingsError, match=r"FAIRWEATHER_CACHE is '~/.cache/fairweather-app'"):
        load_settings()


def test_a_configuration_file_in_a_home_that_is_not_known_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAIRWEATHER_CONFIG", "~nobody-at-all/app.yaml")
    with pytest.raises(SettingsError, match=r"FAIRWEATHER_CONFIG is .*expected a path without ~"):
        load_settings()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "expected a YAML file of settings"),
        ("- store\n", "found a list"),
        ("store: [\n", "expected a YAML file of settings"),
    ],
)
def test_a_configuration_file_that_cannot_be_used_is_named(
    content: str | None, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "fairweather.yaml"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("FAIRWEATHER_CONFIG", str(file))
    with pytest.raises(SettingsError, match=expected) as caught:
        load_settings()
    assert str(file) in str(caught.value)


def test_an_empty_configuration_file_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "fairweather.yaml"
    file.write_text("# nothing yet\n")
    monkeypatch.setenv("FAIRWEATHER_CONFIG", str(file))
    assert load_settings() == Settings()


# ------------------------------------------------------------------------- a backend from outside


def echo(deliveries: Deliveries) -> OnnxBackend:
    """A backend as a package of somebody else's has it."""
    backend = OnnxBackend(deliveries)
    backend.format = "echo"
    return backend


def test_a_backend_from_outside_comes_after_the_apps_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = tmp_path / "echo-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: echo\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[fairweather_app.backends]\necho = {__name__}:echo")
    monkeypatch.syspath_prepend(str(tmp_path))
    for names in ("echo", f"{__name__}:echo"):
        context = build_app_context(load_settings({"backends": names, "cache": tmp_path / "c"}))
        assert [each.format for each in context.catalogue.backends] == ["onnx", "echo"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ehco", "expected package.module:callable"),
        ("no.such:Thing", "cannot import no.such:Thing (No module named"),
        ("builtins:str", "expected it to give a ModelsBackend, found '<bound method"),
        ("json:loads", "expected it to give a ModelsBackend, found TypeError("),
    ],
)
def test_a_backend_that_cannot_be_had_is_a_wrong_setting(
    name: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError) as caught:
        create_app({"backends": name, "cache": tmp_path})
    assert str(caught.value).startswith(f"FAIRWEATHER_BACKENDS is {name!r}: ")
    assert told in str(caught.value)


def test_a_key_that_stands_twice_in_the_configuration_file_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "settings.yaml").write_text("store: /a\nclock: now\nstore: /b\n")
    monkeypatch.setenv("FAIRWEATHER_CONFIG", str(tmp_path / "settings.yaml"))
    with pytest.raises(SettingsError, match=r"found the key 'store' twice\s+in .*, line 3"):
        load_settings()

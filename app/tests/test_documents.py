"""The documents say what the code does; as a program, this file rewrites their generated parts."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import click
import pytest
from flask import Flask
from prometheus_client import Metric
from pydantic import ByteSize, TypeAdapter

import fairweather_app
from fairweather_app import Settings, create_app
from fairweather_app.api import metrics
from fairweather_app.api.openapi import JSON, openapi_document
from fairweather_app.api.problems import PROBLEMS
from fairweather_app.api.schemas import ModelSummary
from fairweather_app.cli import observations
from fairweather_app.cli.output import JsonOption
from fairweather_app.models_backend import protocol
from fairweather_app.models_backend.capabilities import CAPABILITIES
from fairweather_app.observations import providers
from fairweather_app.observations.quality import SeriesQuality
from fairweather_app.server import serve
from fairweather_app.settings import PREFIX
from fairweather_app.web import PAGES as PAGES_OF_THE_APP

HOME = Path(__file__).parents[1]
PAGES = {path.name: path for path in (HOME / "README.md", *sorted((HOME / "docs").glob("*.md")))}
MAIN_SETTINGS = ("store", "observations", "cache", "clock", "model_memory")
PAGE_TOO = " Also a page."
OF_FLASK = {"run", "shell", "routes"}


# ------------------------------------------------------------------------- the generated parts


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (header, ["---"] * len(header), *rows)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines).replace("|  |", "| |")


def settings_table(names: Iterable[str] = tuple(Settings.model_fields), links: str = "") -> str:
    fields = [(name, Settings.model_fields[name]) for name in names]
    rows = [
        (f"`{PREFIX}{name.upper()}`", default_in_words(field.default), field.description or "")
        for name, field in fields
    ]
    return re.sub(r"\]\((?=\w+\.md)", f"]({links}", table(("setting", "default", ""), rows))


def default_in_words(default: object) -> str:
    match default:
        case bool():
            return f"`{str(default).lower()}`"
        case ByteSize():
            return f"`{default.human_readable().replace('.0', '')}`"
        case float():
            return f"`{default:g}`"
        case int() | str() | Path():
            return f"`{default}`"
        case _:  # none, an empty list, or made by a factory: an empty map
            return ""


def commands_of(app: Flask) -> dict[str, click.Command]:
    """Return our own commands by their whole name, wherever they are registered."""
    found: dict[str, click.Command] = {}
    for name, command in app.cli.commands.items():
        if isinstance(command, click.Group):
            found |= {f"{name} {inner}": sub for inner, sub in command.commands.items()}
        elif name not in OF_FLASK:
            found[name] = command
    return found


def usage(name: str, command: click.Command) -> str:
    words = [name]
    for each in command.params:
        if isinstance(each, click.Argument):
            words.append(each.metavar or str(each.name).upper())
        elif isinstance(each, click.Option):
            value = "" if each.is_flag else f" {each.metavar or str(each.name).upper()}"
            text = f"{each.opts[0]}{value}{'...' * each.multiple}"
            words.append(text if each.required else f"[{text}]")
    return " ".join(words)


def commands_table(app: Flask) -> str:
    rows = [("`run`", "Run the development server, which also polls the store.")]
    for name, command in commands_of(app).items():
        text = " ".join((command.help or "").split())
        exits = [each.strip() for each in re.findall(r"Exits .*?\.(?= |$)", text)]
        (purpose,) = re.findall(r"^.*?\.(?= |$)", text)
        rows.append((f"`{usage(name, command)}`", " ".join([purpose, *exits])))
    return table(("command", ""), rows)


def json_commands(app: Flask) -> dict[str, Any]:
    """Return the type that a command prints with ``--json``, by the command's whole name."""
    return {
        name: option.answer
        for name, command in commands_of(app).items()
        for option in command.params
        if isinstance(option, JsonOption)
    }


def json_keys(answer: Any) -> dict[str, str]:
    """Return the paths of all keys of a JSON answer of a type, each with its meaning."""
    schema = TypeAdapter(answer).json_schema(mode="serialization")
    found: dict[str, str] = {}
    for path, meaning in _keys(schema, "", schema.get("$defs", {})):
        found[path] = found.get(path) or meaning
    return found


def _keys(node: Any, path: str, defs: Any, meaning: str = "") -> Iterator[tuple[str, str]]:
    node = defs[node["$ref"].rpartition("/")[2]] if "$ref" in node else node
    if "anyOf" in node:
        options = [each for each in node["anyOf"] if each != {"type": "null"}]
        nullable = len(options) < len(node["anyOf"])
        if nullable and meaning and any("$ref" in each for each in options):
            yield path, meaning
        for each in options:
            yield from _keys(each, path, defs, meaning)
    elif node.get("type") == "array":
        if path:
            yield f"{path}[]", meaning
        if node["items"].get("type") not in {"string", "integer", "number"}:
            yield from _keys(node["items"], f"{path}[]", defs)
    elif "properties" in node:
        attributes = re.compile(r"^ {4}(\w+): ((?:.|\n {8})+)", re.MULTILINE)
        about = dict(attributes.findall(node.get("description", "")))
        for name, inner in node["properties"].items():
            said = inner.get("description") or " ".join(about.get(name, "").split())
            yield from _keys(inner, f"{path}.{name}" if path else name, defs, said)
    elif node.get("type") == "object":
        yield f"{path}{{}}", meaning
    else:
        yield path, meaning


def keys_tables(app: Flask) -> str:
    by_answer: dict[str, list[str]] = defaultdict(list)
    for name, answer in json_commands(app).items():
        by_answer[table(("key", ""), [(f"`{k}`", m) for k, m in json_keys(answer).items()])] += [
            name
        ]
    parts = [
        f"### {', '.join(f'`{name}`' for name in names)}\n\n{text}"
        for text, names in by_answer.items()
    ]
    return "\n\n".join(parts)


def serve_table() -> str:
    rows = []
    for option in serve.params:
        assert isinstance(option, click.Option)
        default = option.show_default if isinstance(option.show_default, str) else option.default
        text = default_in_words(float(default) if isinstance(default, int) else default)
        text = f"{default}" if isinstance(option.show_default, str) else text
        rows.append((f"`{option.opts[0]}`", text, option.help or ""))
    return table(("option", "default", ""), rows)


def metrics_table(app: Flask) -> str:
    counted = [(each.describe(), each._labelnames) for each in metrics.COUNTED]
    state = metrics._State(app.extensions["fairweather"]).collect()
    seen = [([each], each._labelnames) for each in state]  # type: ignore[attr-defined]
    rows = [
        (f"`{_series(metric)}`", ", ".join(f"`{name}`" for name in labels), metric.documentation)
        for (metric,), labels in [*counted, *seen]
    ]
    return table(("series", "labels", ""), rows)


def _series(metric: Metric) -> str:
    return metric.name + ("_total" if metric.type == "counter" else "")


def endpoints_table(app: Flask) -> str:
    rows = [
        (
            f"`{method.upper()} {path.replace('{', '<').replace('}', '>')}`",
            ", ".join(
                f"`{each['name']}`"
                for each in operation.get("parameters", ())
                if each.get("in") == "query"
            ),
            operation["summary"]
            + PAGE_TOO * (operation["responses"]["200"]["content"].keys() >= {"text/html", JSON}),
        )
        for path, operations in json.loads(openapi_document(app))["paths"].items()
        for method, operation in operations.items()
    ]
    return table(("endpoint", "parameters", ""), rows)


def problems_table() -> str:
    rows = [
        (f"`{each.code}`", ", ".join(map(str, each.statuses)), each.title, each.remedy or "")
        for each in PROBLEMS.values()
    ]
    return table(("code", "status", "", "what to do"), rows)


GENERATED: dict[str, tuple[str, Callable[[Flask], str]]] = {
    "main settings": ("README.md", lambda _: settings_table(MAIN_SETTINGS, "docs/")),
    "settings": ("settings.md", lambda _: settings_table()),
    "commands": ("commands.md", commands_table),
    "keys": ("commands.md", keys_tables),
    "serve": ("operations.md", lambda _: serve_table()),
    "metrics": ("operations.md", metrics_table),
    "endpoints": ("http-api.md", endpoints_table),
    "problems": ("http-api.md", lambda _: problems_table()),
}
"""By the name of each generated part, the page that it is in and what writes it."""


def generated_part(name: str) -> re.Match[str]:
    page = GENERATED[name][0]
    text = PAGES[page].read_text(encoding="utf-8")
    found = re.search(rf"(<!-- {name}: [^>]*-->\n)(.*?)(<!-- end of {name} -->)", text, re.DOTALL)
    assert found is not None, f"{page} lost its mark for {name}"
    return found


def wrong_parts(app: Flask, *, write: bool = False) -> list[str]:
    """Return the names of the generated parts that are not current; with `write` update them."""
    app.extensions["fairweather"].catalogue.refresh()
    wrong = []
    for name, (page, generate) in GENERATED.items():
        found = generated_part(name)
        new = f"{found[1]}{generate(app)}\n{found[3]}"
        if new != found[0]:
            wrong.append(name)
        if write:
            text = found.string[: found.start()] + new + found.string[found.end() :]
            PAGES[page].write_text(text, encoding="utf-8")
    return wrong


def run(*arguments: str) -> int:
    """Rewrite the generated parts; with ``--check`` only report those that are not current."""
    if arguments not in {(), ("--check",)}:
        sys.stderr.write("usage: python tests/test_documents.py [--check]\n")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "store").mkdir()
        chosen = {"store": f"{folder}/store", "cache": f"{folder}/cache"}
        app = create_app(chosen | {"observations": f"sqlite:///{folder}/observations.sqlite"})
        wrong = wrong_parts(app, write=not arguments)
        app.extensions["fairweather"].observations.close()
    if not arguments or not wrong:
        return 0
    sys.stderr.write(f"not current: {', '.join(wrong)}; run: python tests/test_documents.py\n")
    return 1


def test_the_generated_parts_are_current(app: Flask) -> None:
    assert wrong_parts(app) == [], "run: python tests/test_documents.py"


def test_the_check_of_the_generated_parts_finds_one_that_is_not_current(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copies = {name: tmp_path / name for name in PAGES}
    for name, path in copies.items():
        path.write_text(PAGES[name].read_text(encoding="utf-8"), encoding="utf-8")
    settings = copies["settings.md"]
    settings.write_text(settings.read_text(encoding="utf-8").replace("`store` |", "`shop` |"))
    monkeypatch.setattr(sys.modules[__name__], "PAGES", copies)
    assert run("--check") == 1
    assert "not current: settings; run" in capsys.readouterr().err
    assert run() == run("--check") == 0
    assert run("--chek") == 2


def test_a_generated_part_names_what_there_is(app: Flask) -> None:
    """The generators are no tautology: each real thing is looked for by itself."""

    def names(part: str) -> set[str]:
        return set(re.findall(r"^\| `([^` ]+)", generated_part(part)[2], re.MULTILINE))

    assert names("settings") == {PREFIX + name.upper() for name in Settings.model_fields}
    assert names("problems") == set(PROBLEMS)
    client = app.test_client()
    told = client.get("/metrics").get_data(as_text=True)
    real = re.findall(r"^# TYPE (fairweather_\w+) (?:counter|gauge|histogram)$", told, re.MULTILINE)
    optional = {"fairweather_store_look_age_seconds"}  # absent before the first scan
    series = {name for name in real if not name.endswith("_created")}
    assert series | optional == names("metrics")
    rules = [each for each in app.url_map.iter_rules() if each.endpoint.startswith("api.")]
    served = {
        f"{method} {rule.rule}"
        for rule in rules
        if "<path:" not in rule.rule
        for method in (rule.methods or set()) & {"GET", "POST"}
    }
    assert served <= set(re.findall(r"^\| `(.*?)`", generated_part("endpoints")[2], re.MULTILINE))


# ---------------------------------------------------------------------------- written by hand


def page(name: str) -> str:
    return PAGES[name].read_text(encoding="utf-8")


def test_what_is_exported_is_what_is_meant_to_be() -> None:
    assert fairweather_app.__all__ == ["Settings", "create_app", "load_settings", "start_polling"]
    assert all(hasattr(fairweather_app, name) for name in fairweather_app.__all__)


def test_the_readme_stays_short() -> None:
    assert len(page("README.md").splitlines()) <= 150


def test_every_link_leads_somewhere() -> None:
    for name, path in PAGES.items():
        for target in re.findall(r"\]\(([^)]+)\)", page(name)):
            file, _, anchor = target.partition("#")
            if "://" in file:
                continue
            where = (path.parent / file) if file else path
            assert where.exists(), f"{name}: {target}"
            if anchor and where.suffix == ".md" and where.name in PAGES:
                headings = re.findall(r"^#+ (.*)$", where.read_text(encoding="utf-8"), re.MULTILINE)
                anchors = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
                assert anchor in anchors, f"{name}: {target}"


def test_every_page_is_in_the_documents(app: Flask) -> None:
    for each in PAGES_OF_THE_APP:
        (rule,) = app.url_map.iter_rules(each.endpoint)
        rows = re.findall(rf"^\| `GET {rule.rule}` \|.*", page("http-api.md"), re.MULTILINE)
        assert len(rows) == 1, rule
        assert rows[0].endswith(PAGE_TOO + " |") == (not each.rule)


def test_every_picture_is_there_and_they_are_small() -> None:
    named = {
        (path.parent / image).resolve()
        for path in PAGES.values()
        for image in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", path.read_text(encoding="utf-8"))
    }
    assert named == set((HOME / "docs").resolve().glob("*.png"))
    assert 0 < sum(path.stat().st_size for path in named) < 150_000


def test_every_capability_is_in_the_documents_and_no_other() -> None:
    names = {each.name for each in CAPABILITIES}
    assert set(re.findall(r"\*\*([\w-]+)\*\* \(`capabilities`", page("http-api.md"))) == names
    described = ModelSummary.model_fields["capabilities"].description or ""
    assert set(re.findall(r"([\w-]+):", described)) == names


def test_every_word_of_quality_is_in_the_documents_and_no_other() -> None:
    part = page("commands.md").partition("**status**")[2].partition("### Another provider")[0]
    told = set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE))
    source = observations.status.help or ""
    assert {"good", *SeriesQuality(area="x").quality} <= told
    assert told - {"good", "none"} == set(re.findall(r"`(\w+)`", source))


def test_every_module_that_the_architecture_names_exists() -> None:
    source = Path(fairweather_app.__file__).parent
    rooms = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| \w", page("architecture.md"), re.MULTILINE)
    names = {name for row in rooms for name in re.findall(r"`(\w+)`", row)}
    real = {path.stem for path in source.iterdir() if path.is_dir() or path.suffix == ".py"}
    sessions = {path.name for path in (HOME / "checks").iterdir()}
    assert real - {"__init__", "__pycache__"} <= names
    assert names <= real | sessions | {"screenshots"}


def test_every_name_of_the_package_that_a_page_gives_exists() -> None:
    text = "\n".join(map(page, PAGES))
    named = set(re.findall(r"\bfairweather_app(?:\.\w+)+(?![\w:])", text))
    groups = {providers.GROUP, protocol.GROUP}
    assert groups <= named
    for name in named - groups:
        resolve_name(name)


def test_the_first_forecast_of_the_readme_is_answered(
    make_app: Callable[..., Flask], request: pytest.FixtureRequest
) -> None:
    (body,) = re.findall(r"curl --json '(.*?)'", page("README.md"), re.DOTALL)
    (folder,) = re.findall(r"tests/golden/(\S+)", page("README.md"))
    golden = Path(request.config.rootpath, request.config.getini("golden_deliveries")[0])
    answer = (
        make_app(store=golden / folder)
        .test_client()
        .post("/weather/predict", json=json.loads(body))
    )
    assert answer.status_code == 200, answer.text
    (delivery_id,) = re.findall(r'"delivery_id":"(.*?)"', page("README.md"))
    assert json.loads(answer.text)["receipt"]["delivery_id"] == delivery_id


def _sample(name: str, words: str) -> list[str]:
    """Return what a page shows that a command prints."""
    (text,) = re.findall(
        rf"^\$ flask --app fairweather_app {words}.*\n((?:.+\n)+?)```", page(name), re.MULTILINE
    )
    return str(text).splitlines()


def test_what_check_prints_is_what_the_documents_show(
    make_app: Callable[..., Flask], tiny_delivery: Callable[..., Path]
) -> None:
    tiny_delivery(areas=("LGA",), change=lambda document: document.update(valid_months=[1]))
    tiny_delivery(change=lambda document: document.update(schema_version="9.0", min_reader="9.0"))
    result = make_app().test_cli_runner().invoke(args=["check"])
    assert result.exit_code == 1

    def without_details(lines: list[str]) -> list[str]:
        """The head of the table, and the sentences below it without what is of one store."""
        told = [line for line in lines if re.match(r"fairweather-app|Areas|The", line)]
        told = [re.sub(r"\d[\w.]*", "N", line) for line in told]
        told = [re.sub(r"(in |: )\S*/.*|(model: ).*", r"\1\2", line) for line in told]
        return [" ".join(lines[0].split()), *told]

    shown = without_details(_sample("commands.md", "check"))
    assert without_details(result.stdout.splitlines()) == shown
    assert len(shown) == 4


def test_what_models_why_prints_is_what_the_documents_show(
    make_app: Callable[..., Flask],
    tiny_delivery: Callable[..., Path],
    observe: Callable[..., None],
    day: list[float],
) -> None:
    observe("JFK", day)
    best = {"skill": 0.9, "skill_interval": (0.8, 0.95), "valid_months": [1]}
    for more in (best, {}):
        tiny_delivery(areas=("JFK",), **more)
    printed = make_app().test_cli_runner().invoke(args=["models", "why", "JFK"]).stdout.splitlines()
    shown = _sample("commands.md", "models why")
    for lines in (printed, shown):
        assert re.fullmatch(r"[0-9a-f-]{36} answers for JFK at [\dT:-]+Z", lines[0])
    assert printed[1].split() == shown[1].split()
    for word in ("out-of-season", "answers", "asked in", "valid in", "skill: ", "trained"):
        assert word in " ".join(printed), word
        assert word in " ".join(" ".join(shown).split()), word


if __name__ == "__main__":
    raise SystemExit(run(*sys.argv[1:]))

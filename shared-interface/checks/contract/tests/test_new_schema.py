"""What a new schema is laid with: the bones of a minor one, and those of a major."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import new_schema
import pytest
import wheelhouse
from rules import LedgerError, version
from steps import STUB

HEAD = wheelhouse.ROOT / "shared-interface"
_VERSIONS = "src/fairweather_interface/versions.py"
NEWEST = re.findall(r'^SCHEMA_VERSION = "(.*)"', (HEAD / _VERSIONS).read_text(), re.MULTILINE)[0]
MAJOR, MINOR = version(NEWEST)
NEXT_MINOR, NEXT_MAJOR = f"{MAJOR}.{MINOR + 1}", f"{MAJOR + 1}.0"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the package, as far as a schema is laid in it."""
    home = tmp_path / "shared-interface"
    shutil.copytree(HEAD / "src", home / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("CHANGELOG.md", "pyproject.toml"):
        shutil.copy(HEAD / name, home / name)
    monkeypatch.setattr(wheelhouse, "ROOT", tmp_path)
    return home


def _lines(home: Path, path: str, word: str) -> list[str]:
    return [line for line in (home / path).read_text("utf-8").splitlines() if word in line]


@pytest.mark.parametrize("schema", [NEXT_MINOR, NEXT_MAJOR])
def test_a_new_schema_comes_with_its_step_its_ledger_and_a_stub_of_its_words(
    home: Path, schema: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new_schema.main([schema]) == 0
    step = f"v{MAJOR}_{MINOR}"
    history = "src/fairweather_interface/history"
    assert (home / history / f"{step}.py").read_text().startswith(f'"""Schema {schema} {STUB}')
    assert f'"{NEWEST}": {step}}}' in "".join(_lines(home, f"{history}/__init__.py", "STEPS"))
    assert _lines(home, _VERSIONS, "SCHEMA_VERSION =") == [f'SCHEMA_VERSION = "{schema}"']
    ledgers = home / "src/fairweather_interface/ledgers"
    assert f"schema {schema}\n" in (ledgers / f"{schema}.txt").read_text("utf-8")
    assert (ledgers / f"{schema}.meanings.toml").is_file()
    assert f"schema **{schema}**" in (home / "CHANGELOG.md").read_text("utf-8")
    unreleased = (home / "CHANGELOG.md").read_text("utf-8").partition("## Unreleased")[2]
    assert f"- Schema {schema} {STUB}." in unreleased
    (project,) = _lines(home, "pyproject.toml", "version = ")[:1]
    is_major = schema == NEXT_MAJOR
    (before,) = _lines(HEAD, "pyproject.toml", "version = ")[:1]
    assert project == (f'version = "{schema}.0.dev0"' if is_major else before)
    told = capsys.readouterr().out
    assert f"wrote shared-interface/{history}/{step}.py\n" in told
    assert f"nox -s new-schema -- {schema}: writes ledger and meanings again" in told
    of_a_major = ("reserved.txt: PATH | ", "raises NotExpressibleError", "- Breaking: `name`",
                  f'newer_law=("{schema}", ', "How to add a breaking change")  # fmt: skip
    assert [word in told for word in of_a_major] == [is_major] * len(of_a_major)


def test_laid_again_it_writes_ledger_and_meanings_alone(home: Path) -> None:
    new_schema.lay(home, NEXT_MINOR)
    assert [path.name for path in new_schema.lay(home, NEXT_MINOR)] == [
        f"{NEXT_MINOR}.txt",
        f"{NEXT_MINOR}.meanings.toml",
    ]


@pytest.mark.parametrize("schema", ["0.1", "2", "1.0.0", "x"])
def test_what_is_no_later_schema_is_not_laid(home: Path, schema: str) -> None:
    with pytest.raises(LedgerError, match=f"expected a schema after {NEWEST}"):
        new_schema.lay(home, schema)

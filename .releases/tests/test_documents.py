"""What documents of the whole repository point at is there: sessions, files, headings."""

from __future__ import annotations

import ast
import re
import subprocess
from itertools import chain
from pathlib import Path

import pytest
import wheelhouse

ROOT = Path(__file__).parents[2]
_CODE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def documents() -> list[Path]:
    """Every Markdown file that git knows, or would."""
    listed = subprocess.run(  # noqa: S603 - arguments of our own
        [wheelhouse.GIT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name]


def sessions() -> set[str]:
    """The names of the sessions that noxfile.py defines, and what it imports."""
    found: set[str] = set()
    files = [ROOT / "noxfile.py", *ROOT.glob("*/checks/*_sessions.py")]
    parsed = (ast.parse(each.read_text(encoding="utf-8")).body for each in files)
    for item in chain.from_iterable(parsed):
        if not isinstance(item, ast.FunctionDef):
            continue
        for each in item.decorator_list:
            called = each.func if isinstance(each, ast.Call) else each
            if ast.unparse(called) == "nox.session":
                named = {word.arg: word.value for word in getattr(each, "keywords", [])}
                name = named.get("name")
                found.add(str(name.value) if isinstance(name, ast.Constant) else item.name)
    return found


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    text = _CODE.sub("", document.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    bare = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in bare}


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_session_that_is_named_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    if document.name == "CHANGELOG.md":  # what was released named the sessions of its day
        text = re.split(r"^## \d", text, maxsplit=1, flags=re.MULTILINE)[0]
    named = set(re.findall(r"\bnox -s \"?([a-z][\w-]*)", text))
    assert named <= sessions()


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(document: Path) -> None:
    text = _CODE.sub("", document.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path) if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_names_of_sessions_are_found() -> None:
    assert {"tests", "own-domain", "matrix-table", "lint"} <= sessions()


PLACE = re.compile(
    r"`((?:app|research|shared-interface|\.github|\.releases)/[\w./*-]+|noxfile\.py)`(?:: `(\w+)`)?"
)
THREATS = ROOT / "app" / "docs" / "threats.md"
PAGES = (
    ROOT / ".github" / "WHERE.md",
    ROOT / "shared-interface" / "docs" / "from-the-talk.md",
    THREATS,
)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_place_that_a_page_names_exists_and_defines_the_name(page: Path) -> None:
    places = PLACE.findall(page.read_text(encoding="utf-8"))
    assert len(places) > 10
    for place, name in places:
        path = ROOT / place
        assert path.exists(), f"{page.name} names {place}, which is not there"
        if name:
            names = defined(path)
            assert name in names, f"{page.name} looks for {name} in {place}; found {sorted(names)}"


def test_every_threat_has_rows_and_every_row_names_tests() -> None:
    text = THREATS.read_text(encoding="utf-8")
    threats = set(re.findall(r"^- \*\*(T\d)\*\* ", text, re.MULTILINE))
    rows = re.findall(r"^\| (T\d).* \| (.+) \|$", text, re.MULTILINE)
    assert threats == {f"T{number}" for number in range(1, 8)} == {who for who, _ in rows}
    for who, tests in rows:
        names = [name for _, name in PLACE.findall(tests)]
        assert names, f"a row of {who} names no test: {tests}"
        assert all(name.startswith("test_") for name in names), names


@pytest.mark.parametrize("package", ["app", "research"])
def test_by_hash_our_wheels_are_named_by_their_paths(package: str) -> None:
    text = (ROOT / package / "README.md").read_text(encoding="utf-8")
    commands = text.split("### By hash")[1].split("```")[1]
    for wheel in (package, "interface"):
        assert f".wheelhouse/{wheel}-0.N.0-*/*.whl" in commands
    assert "printf './%s\\n' wheels/*.whl | uv pip compile - --generate-hashes" in commands
    assert f".releases/{package}-0.N.0.txt" in commands
    assert "pip install --require-hashes --requirement requirements.txt" in commands
    assert "fairweather-" not in commands  # no index is asked for a name of ours


def defined(path: Path) -> set[str]:
    """The names that a module defines at its top."""
    found: set[str] = set()
    for item in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(item, ast.FunctionDef | ast.ClassDef):
            found.add(item.name)
        elif isinstance(item, ast.Assign):
            found |= {ast.unparse(target) for target in item.targets}
        elif isinstance(item, ast.AnnAssign):
            found.add(ast.unparse(item.target))
    return found

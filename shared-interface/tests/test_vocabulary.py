"""The package is written in plain words, and the check that says so finds what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

import fairweather_interface
from fairweather_interface.testing.vocabulary import RETIRED, vocabulary_problems

_PACKAGE = Path(fairweather_interface.__file__).parent
_RELEASED = {"Return the bounds of an input that no field of 0.2 says."}  # kept byte for byte


def test_the_package_is_written_in_plain_words() -> None:
    assert vocabulary_problems(_PACKAGE, allowed=_RELEASED) == ()


def test_every_retired_word_is_one_lower_case_word_with_what_to_write_instead() -> None:
    assert set(RETIRED) == {"names", "docstrings", "openings"}
    for words in RETIRED.values():
        for word, instead in words.items():
            assert word.isalpha()
            assert word.islower()
            assert instead


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("class WorkTrail: ...", ":1: found 'trail' in 'WorkTrail', expected request trace"),
        ("def _told_of(it): ...", ":1: found 'told' in '_told_of', expected reported"),
        ("def f(*, held=1): ...", ":1: found 'held' in 'held', expected in use"),
        ("async def f(*came): ...", ":1: found 'came' in 'came', expected observed"),
        ('"""Serve whoever asks."""', ":1: found 'whoever' in 'Serve whoever asks.', expected the"),
        (
            '\n\nclass C:\n    """A model that is told."""',
            ":3: found 'told' in 'A model that is told.'",
        ),
        (
            'def f():\n    """What it is."""',
            ":1: found 'what' in 'What it is.', expected an impera",
        ),
    ],
)
def test_a_retired_word_is_found_with_its_place_and_what_to_write_instead(
    tmp_path: Path, source: str, problem: str
) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "module.py").write_text(source)
    (found,) = vocabulary_problems(tmp_path / "package")
    assert found.startswith(f"package/module.py{problem}")


@pytest.mark.parametrize(
    "source",
    [
        "def holder(trailing, tolder): ...",
        "told = 1",
        'def f():\n    """Return it.\n\n    Whoever asks is told.\n    """',
        '"""What it is."""',
        '@property\ndef f():\n    """What it is."""',
        "x = 'told'",
    ],
)
def test_words_inside_words_values_and_later_lines_are_left_alone(
    tmp_path: Path, source: str
) -> None:
    (tmp_path / "module.py").write_text(source)
    assert vocabulary_problems(tmp_path) == ()


def test_modules_and_folders_are_names(tmp_path: Path) -> None:
    (tmp_path / "portrait").mkdir()
    (tmp_path / "portrait" / "__init__.py").write_text("")
    (tmp_path / "losses.py").write_text("")
    assert [problem.partition(", ")[0] for problem in vocabulary_problems(tmp_path)] == [
        f"{tmp_path.name}/losses.py:1: found 'losses' in 'losses'",
        f"{tmp_path.name}/portrait/__init__.py:1: found 'portrait' in 'portrait'",
    ]


def test_a_package_adds_words_and_keeps_public_names(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("def told(eggs): ...")
    retired = {"names": {**RETIRED["names"], "eggs": "ham"}}
    assert len(vocabulary_problems(tmp_path, retired=retired)) == 2
    (found,) = vocabulary_problems(tmp_path, retired=retired, allowed={"told"})
    assert found.endswith("found 'eggs' in 'eggs', expected ham")

"""No name and no first line of a docstring uses a word that was retired."""

from __future__ import annotations

from pathlib import Path

from fairweather_interface.testing import vocabulary_problems

import fairweather_app


def test_the_package_keeps_to_the_words_of_the_trade() -> None:
    assert vocabulary_problems(Path(fairweather_app.__file__).parent) == ()

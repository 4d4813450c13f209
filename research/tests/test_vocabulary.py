"""No name and no first line of a docstring uses a word that was retired."""

from __future__ import annotations

from pathlib import Path

from fairweather_interface.testing import vocabulary_problems

import fairweather_research

ALLOWED = {
    "held_out",  # the term of the field, and the key of recipes
    *("Lessons", "teaching"),  # of ``networks.Network``, which networks of others implement
}


def test_the_package_keeps_to_the_words_of_the_trade() -> None:
    package = Path(fairweather_research.__file__).parent
    assert vocabulary_problems(package, allowed=ALLOWED) == ()

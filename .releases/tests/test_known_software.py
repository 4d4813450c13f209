"""What research holds its recipes against is the app that was released last."""

from __future__ import annotations

import release_cut
import wheelhouse


def test_research_carries_the_software_manifest_of_the_newest_released_app() -> None:
    newest = wheelhouse.releases("app")[-1]
    recorded = (wheelhouse.RECORDS / f"app-{newest.version}.json").read_bytes()
    assert (wheelhouse.ROOT / release_cut.KNOWN_TO_RESEARCH).read_bytes() == recorded

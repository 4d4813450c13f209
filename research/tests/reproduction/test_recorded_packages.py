"""What the handbook says to install of a delivery's packages is names and versions, no more."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from fairweather_interface.testing import build_delivery

PAGE = Path(__file__).parents[2] / "docs" / "reproduce.md"
RECORDED = {
    "python": "3.11.7",
    "numpy": "2.3.1",
    "torch": "2.1.0+cpu",
    "fairweather-research": "0.6.0.dev0+source.1a2b3c4d5e6f",
    "fairweather-app": "9.9",
    "fairweather_interface": "9.9",
    "network goodnet:build": "sha256:0",
    "--index-url=http://example.invalid": "1",
    "-r/etc/passwd": "1",
    "evil @ http://example.invalid/x": "1",
    "evil\nevil2": "1",
    "evil3": "1.0; import os",
    "evil4": "1.0 @ http://example.invalid",
    "evil5": "1.0\nevil6==1",
}


def test_a_name_that_is_an_option_an_address_or_one_of_ours_is_left_out(tmp_path: Path) -> None:
    def record(document: dict[str, Any]) -> None:
        document["training"]["packages"] = RECORDED

    delivery = build_delivery(tmp_path / "store", change=record)
    scripts = re.findall(
        r"python - DELIVERY <<'END'.*?\n(.*?)^END$",
        PAGE.read_text("utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    (script,) = scripts
    done = subprocess.run(  # noqa: S603 - our own page
        [sys.executable, "-", str(delivery)],
        input=script,
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(done.stdout.splitlines()) == ["numpy==2.3.1", "torch==2.1.0+cpu"]
    assert len(done.stderr.splitlines()) == len(RECORDED) - 2

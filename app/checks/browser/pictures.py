"""Make the pictures of the documents anew: small, and of the pages as they are now.

    python pictures.py DEMO TARGET

serves the deliveries and the observations that ``nox -s demo-deliver`` left in the folder DEMO, and
writes a few small PNG files into TARGET, with a record of their sources (see `pictures_current`).
"""

# ruff: noqa: INP001, T201 - a script beside its siblings

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pictures_current
import world
from chromium import NoChromiumError, chromium
from PIL import Image
from playwright.sync_api import Browser

COLOURS = 128
MOST_BYTES = 150_000
"""Of all pictures together: whoever clones pays for them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One picture: its name, the page's address, the window, and how much of the page."""

    name: str
    path: str
    width: int = 880
    height: int
    dark: bool = False


PICTURES = (
    Picture(name="forecast", path="/?area=JFK&reference_time=2013-12-12T12:00Z", height=960),
    Picture(name="refusal", path="/?area=LGA", height=1080),
    Picture(name="coverage", path="/coverage", height=860),
    Picture(
        name="phone",
        path="/?area=JFK&reference_time=2013-12-12T12:00Z",
        width=390,
        height=1020,
        dark=True,
    ),
)


def shoot(browser: Browser, address: str, picture: Picture) -> bytes:
    """Return the PNG of one picture."""
    context = browser.new_context(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme="dark" if picture.dark else "light",
        locale="en-GB",
    )
    page = context.new_page()
    page.goto(address + picture.path)
    page.wait_for_load_state("networkidle")
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    context.close()
    packed = io.BytesIO()
    # an octree keeps the few accents that the median cut gives away to shades of the ground
    few = shot.quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(packed, "PNG", optimize=True)
    return packed.getvalue()


def main() -> int:
    """Make the pictures and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demo", type=Path, help="what nox -s demo-deliver left")
    parser.add_argument("target", type=Path, help="where the pictures go")
    options = parser.parse_args()
    made: dict[str, bytes] = {}
    drawn_by = pictures_current.sources()
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            world.serving(
                Path(folder),
                store=options.demo / "store",
                archive=options.demo / "observations.parquet",
            ) as address,
            chromium() as browser,
        ):
            for picture in PICTURES:
                made[picture.name] = shoot(browser, address, picture)
    except NoChromiumError as error:
        print(error, file=sys.stderr)
        return 2
    weight = sum(map(len, made.values()))
    if weight > MOST_BYTES:
        print(f"found {weight} bytes of pictures, expected at most {MOST_BYTES}", file=sys.stderr)
        return 1
    options.target.mkdir(parents=True, exist_ok=True)
    for name, content in made.items():
        (options.target / f"{name}.png").write_bytes(content)
        print(f"{options.target / name}.png  {len(content)} bytes")
    pictures_current.record(options.target, drawn_by)
    return 0


if __name__ == "__main__":
    sys.exit(main())

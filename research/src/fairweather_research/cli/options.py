"""Options that several commands share, and the check of an option with few values."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated

import typer
from fairweather_interface.metadata import WRITTEN_SCHEMAS


def one_of(names: Collection[str], note: str = "") -> Callable[[str], str]:
    """Return a callback of typer that refuses other values than these."""

    def check(found: str) -> str:
        if found not in names:
            raise typer.BadParameter(f"found {found!r}, expected one of {', '.join(names)}{note}")
        return found

    return check


Store = Annotated[
    Path,
    typer.Option(
        help="Folder to deliver to; made if it does not exist.", envvar="FAIRWEATHER_STORE"
    ),
]
Software = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="Software manifest of a live release, as its /software answers; may be repeated.",
        show_default="all in .live/, else the newest release that this package knows",
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Train nothing if no live software supports all of it.")
]
TensorBoard = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Write logs for TensorBoard there, in a folder named after the delivery; outside the "
        "store.",
    ),
]
Schema = Annotated[
    str,
    typer.Option(
        metavar="VERSION",
        help=f"Schema to write the metadata in, of {', '.join(WRITTEN_SCHEMAS)}. Refuses "
        "recipes the schema cannot express.",
        callback=one_of(WRITTEN_SCHEMAS, ", the schemas that this release writes"),
    ),
]

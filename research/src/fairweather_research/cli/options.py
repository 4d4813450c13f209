"""Options that ``train`` and ``fleet`` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Software", "Store", "Strict", "TensorBoard"]

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
        help="Software manifest of a live release, to check the recipe against before training; "
        "may be repeated.",
        show_default="the newest release that this package knows",
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

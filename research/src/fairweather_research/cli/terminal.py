"""What all commands have in common: how an end is told, and where it is written."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer
from fairweather_interface.errors import FairweatherError, SoftwareError

from fairweather_research.errors import (
    ObservationsError,
    RecipeError,
    ReproduceError,
    UnfitDataError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

__all__ = ["NEGATIVE", "WRONG_USE", "console", "told"]

NEGATIVE = 1
WRONG_USE = 2

_WRONG = (RecipeError, ObservationsError, ReproduceError, SoftwareError)


class _Terminated(KeyboardInterrupt):
    """Somebody asked the process to end, as Ctrl-C does."""


@contextmanager
def told(interrupted: str = "interrupted; nothing was delivered") -> Iterator[None]:
    """Turn what this package refuses to do into a message and an exit code.

    SIGTERM ends the block as Ctrl-C does: in order, with everything taken down.
    """
    with _terminable():
        try:
            yield
        except FairweatherError as error:
            typer.echo(f"error: {error}", err=True)
            negative = isinstance(error, UnfitDataError) or not isinstance(error, _WRONG)
            raise typer.Exit(NEGATIVE if negative else WRONG_USE) from error
        except KeyboardInterrupt as stop:
            typer.echo(interrupted, err=True)
            number = signal.SIGTERM if isinstance(stop, _Terminated) else signal.SIGINT
            raise typer.Exit(128 + number) from None


@contextmanager
def _terminable() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> NoReturn:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def console() -> Console:
    """Stderr, as wide as it is; 120 columns where nobody is watching."""
    from rich.console import Console  # noqa: PLC0415 - rich is slow

    found = Console(stderr=True, highlight=False)
    if not found.is_terminal:
        return Console(stderr=True, highlight=False, width=120)
    return found

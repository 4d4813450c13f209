"""Exit codes, errors and the console of all commands."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer
from fairweather_interface.errors import DefinitionsError, FairweatherError, SoftwareError
from fairweather_interface.terminal import printable

from fairweather_research.errors import (
    ObservationsError,
    RecipeError,
    ReproduceError,
    SigningKeyError,
    UnfitDataError,
)

if TYPE_CHECKING:
    from rich.console import Console

NEGATIVE = 1
WRONG_USE = 2

_USER_OF_URL = re.compile(r"(?<=://)[^/\s]*@")  # and the password

_WRONG = (
    *(DefinitionsError, RecipeError, ObservationsError, ReproduceError),
    *(SigningKeyError, SoftwareError),
)


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does."""


@contextmanager
def handle_errors(interrupted: str = "interrupted; nothing was delivered") -> Iterator[None]:
    """Turn the errors of this package into a message and an exit code.

    SIGTERM ends the block as Ctrl-C does: in order, with all processes ended.
    """
    with _terminable():
        try:
            yield
        except FairweatherError as error:
            echo(f"error: {error}")
            negative = isinstance(error, UnfitDataError) or not isinstance(error, _WRONG)
            raise typer.Exit(NEGATIVE if negative else WRONG_USE) from error
        except RuntimeError as error:
            if "home directory" not in str(error):  # as pathlib says it
                raise
            typer.echo("error: found ~ of a home that is not known here, expected a path", err=True)
            raise typer.Exit(WRONG_USE) from None
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


def printed(text: str) -> str:
    """Return a text of others: what would steer a terminal is escaped, users of URLs are masked."""
    return printable(_USER_OF_URL.sub("***@", text), escaped=True)


def echo(text: str) -> None:
    """Print a message on stderr, as `printed` returns it."""
    typer.echo(printed(text), err=True)


def console(*, stderr: bool = True) -> Console:
    """Return the console on stderr, 120 columns wide where it is no terminal."""
    from rich.console import Console  # noqa: PLC0415 - rich is slow

    found = Console(stderr=stderr, highlight=False)
    if not found.is_terminal:
        return Console(stderr=stderr, highlight=False, width=120)
    return found

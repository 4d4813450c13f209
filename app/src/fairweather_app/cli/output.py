"""Shared parts of the commands: tables, JSON, ids by their beginning, errors as sentences.

A table on a terminal fits its width: ids are cut to what tells them apart, long cells are wrapped.
Anywhere else it has one line a row and nothing is cut. Scripts use ``--json``. Texts of deliveries
and archives are printed as `printable` text.
"""

from __future__ import annotations

import functools
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ParamSpec, TypeVar

import click
from fairweather_interface.errors import FairweatherError
from fairweather_interface.metadata import DELIVERY_ID_PATTERN
from fairweather_interface.terminal import printable
from flask.cli import with_appcontext
from pydantic import BaseModel

from fairweather_app.common.times import parse_time, write_time
from fairweather_app.errors import AppError, ObservationStoreError, SettingsError
from fairweather_app.forecasting.context import AppContext
from fairweather_app.text import escape_unseen, mask

P = ParamSpec("P")
R = TypeVar("R")

GAP = "  "
SHORTEST_ID = 8
SHORTEST_PREFIX = 4
MOST_IDS = 5
YEAR = 365.25 * 86_400


class JsonOption(click.Option):
    """The option ``--json``; the keys in the documents are those of `answer`, a type."""

    def __init__(self, names: Sequence[str], *, answer: Any, **more: Any) -> None:  # noqa: ANN401 - as click takes them
        super().__init__(names, **more)
        self.answer = answer


def answers(answer: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:  # noqa: ANN401 - a type
    """Give a command ``--json``, with which it prints an `answer`, and `handle_errors`."""
    option = click.option(
        "--json", "as_json", is_flag=True, help="Print JSON.", cls=JsonOption, answer=answer
    )

    def complete(command: Callable[P, R]) -> Callable[P, R]:
        return option(with_appcontext(handle_errors(command)))

    return complete


def handle_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the errors of the app, of a disk and of permissions into a sentence and an exit code.

    2 where a setting or the use is wrong, else 1.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except BrokenPipeError:
            raise  # click ends quietly: the reader of the pipe has read enough
        except click.UsageError as error:
            raise click.UsageError(_shown(error.message), error.ctx) from None
        except click.ClickException as error:
            raise click.ClickException(_shown(error.message)) from None
        except SettingsError as error:
            raise click.UsageError(_shown(str(error))) from None
        except (AppError, FairweatherError, OSError) as error:
            raise click.ClickException(_shown(str(error))) from None

    return run


def require_database(context: AppContext) -> None:
    """Raise `ObservationStoreError` where the database is a file that would be made, empty."""
    missing = context.observations.database.missing
    if missing is not None:
        raise ObservationStoreError(missing)


@contextmanager
def only_reading(context: AppContext) -> Iterator[None]:
    """Use an empty database inside the block where there is none, and make none."""
    database = context.observations.database
    if database.missing is None:
        yield
        return
    with (
        TemporaryDirectory(prefix="fairweather-") as folder,
        database.replaced_by(Path(folder) / "empty.sqlite"),
    ):
        yield


def read_time(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> datetime | None:
    """Parse the time of an option; a wrong one is wrong use."""
    try:
        return None if value is None else parse_time(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def print_text(text: str, *, err: bool = False) -> None:
    """Print a sentence for people."""
    click.echo(_shown(text), err=err)


def _shown(text: str) -> str:
    return printable(mask(text))


def print_json(answer: object) -> None:
    """Print a result for programs; times are UTC with ``Z``, control characters are escaped."""
    text = json.dumps(answer, indent=2, ensure_ascii=False, default=_as_json)
    click.echo(escape_unseen(text))


def _as_json(value: Any) -> object:  # noqa: ANN401 - a part of an answer
    if isinstance(value, datetime):
        return write_time(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return {field.name: getattr(value, field.name) for field in fields(value)}


def print_answer(
    answer: object, header: Sequence[str], rows: Sequence[Sequence[str]], *, as_json: bool
) -> None:
    """Print an answer as JSON for programs, or as a table, if it has rows, for people."""
    if as_json:
        print_json(answer)
    elif rows:
        for line in format_table(header, rows, terminal_width()):
            click.echo(line)


def terminal_width() -> int | None:
    """Return how many columns the terminal has; None where the output is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def format_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None
) -> Iterator[str]:
    """Lay a table out in lines; where they would be longer than `width`, cells are wrapped."""
    import wcwidth  # noqa: PLC0415 - 6 MB that no worker needs

    cells = [[printable(" ".join(cell.split())) for cell in row] for row in (header, *rows)]
    widths = [max(map(wcwidth.width, column)) for column in zip(*cells, strict=True)]
    if width is not None:
        while sum(widths) + len(GAP) * (len(widths) - 1) > width and max(widths) > 1:
            widths[widths.index(max(widths))] -= 1
    for row in cells:
        wrapped = [
            wcwidth.wrap(cell, size) if wcwidth.width(cell) > size else [cell]
            for cell, size in zip(row, widths, strict=True)
        ]
        for line in zip_longest(*wrapped, fillvalue=""):
            yield GAP.join(map(wcwidth.ljust, line, widths)).rstrip()


def short_ids(ids: Iterable[str]) -> Mapping[str, str]:
    """Shorten ids on a terminal as far as they stay distinct; leave them whole elsewhere."""
    names = sorted(set(ids))
    if terminal_width() is None:
        return {name: name for name in names}
    length = SHORTEST_ID
    while len({name[:length] for name in names}) < len(names):
        length += 1
    return {name: name[:length] for name in names}


def format_duration(seconds: float) -> str:
    """Write a duration for people: ``45 s``, ``12 min``, ``5 h``, ``3 days``, ``2.5 years``."""
    if seconds >= 2 * YEAR:
        return f"{seconds / YEAR:.1f} years"
    for size, unit, least in ((86_400, "days", 2), (3_600, "h", 1.5), (60, "min", 1.5)):
        if seconds >= size * least:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def resolve_id(text: str, known: Callable[[], Iterable[str]]) -> str:
    """Return the id that `text` is or begins, else `text`; several of `known` are wrong use."""
    if re.fullmatch(DELIVERY_ID_PATTERN, text) or len(text) < SHORTEST_PREFIX:
        return text
    found = sorted({name for name in known() if name.startswith(text.lower())})
    if len(found) > 1:
        names = ", ".join(found[:MOST_IDS]) + (", ..." if len(found) > MOST_IDS else "")
        raise click.UsageError(f"{text} is the beginning of {len(found)} ids: {names}")
    return found[0] if found else text

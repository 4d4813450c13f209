"""The command ``fairweather-research fleet``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from fairweather_interface.versions import SCHEMA_VERSION

from fairweather_research.cli.options import Schema, Software, Store, Strict, TensorBoard, one_of
from fairweather_research.cli.sign import Key
from fairweather_research.cli.terminal import NEGATIVE, echo, handle_errors


def fleet_command(  # noqa: PLR0917 - typer passes options by name
    plan: Annotated[
        Path,
        typer.Argument(metavar="PLAN.yaml", help="What to train; keys: docs/fleets.md."),
    ],
    store: Store = Path("store"),
    engine: Annotated[
        str,
        typer.Option(
            help="local: processes of this machine; ray: the cluster that RAY_ADDRESS names.",
            callback=one_of(("local", "ray")),
        ),
    ] = "local",
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Trainings at a time.",
            show_default="one a core, of this machine or cluster",
        ),
    ] = None,
    schema: Schema = SCHEMA_VERSION,
    software: Software = None,
    strict: Strict = False,  # noqa: FBT002 - a flag
    tensorboard: TensorBoard = None,
    sign: Key = None,
    index: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to write the page with links to all model cards.",
            show_default="STORE/.fleet/PLAN.html",
        ),
    ] = None,
    dry_run: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--dry-run", help="List what would be trained, and train nothing.")
    ] = False,
) -> None:
    """Train all recipes of a plan and deliver them to a store.

    What the store holds already (same recipe, observations and code) is not trained again: a fleet
    that was stopped continues when it is run again. A training that fails does not stop the others.

    Progress and a table go to stderr, with the path of a page with links to all model cards; stdout
    has a line for each delivery, its path. Exit code 0: all are in the store; 1: some are not, and
    stderr says which and why. With --dry-run, 0: all could begin; 1: some could not.

    Example: fairweather-research fleet plans/new-york.yaml --store store --jobs 2
    """
    stopped = "stopped; what was delivered stays, and the same command goes on with the rest"
    with handle_errors(stopped):
        from fairweather_research.cli.fleet_progress import (  # noqa: PLC0415 - pandas is slow
            list_trainings,
            run_fleet,
        )
        from fairweather_research.delivery.compatibility import live_software  # noqa: PLC0415
        from fairweather_research.delivery.keys import load_key  # noqa: PLC0415
        from fairweather_research.fleet import Fleet  # noqa: PLC0415
        from fairweather_research.recipes.plan import load_plan  # noqa: PLC0415

        expanded = load_plan(plan)
        releases = live_software(software)
        fleet = Fleet(expanded, store, schema=schema, software=releases, tensorboard=tensorboard)
        key = None if sign is None else load_key(sign)
        warnings = fleet.foreseen(strict=strict)
        for line in warnings:
            echo(f"warning: {line}")
        if dry_run:
            complete = list_trainings(fleet)
        else:
            complete = run_fleet(fleet, index, warnings, engine=engine, jobs=jobs, key=key)
        if not complete:
            raise typer.Exit(NEGATIVE)

"""The command ``fairweather-research fleet``."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from fairweather_interface.errors import FairweatherError

from fairweather_research.cli.options import Software, Store, Strict, TensorBoard
from fairweather_research.cli.terminal import NEGATIVE, console, told
from fairweather_research.delivery.compatibility import read_manifest_file
from fairweather_research.recipes.plan import load_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairweather_research.fleet import Fleet

__all__ = ["fleet_command"]

_ENGINES = ("local", "ray")


def _known(engine: str) -> str:
    if engine not in _ENGINES:
        raise typer.BadParameter(f"found {engine!r}, expected one of {', '.join(_ENGINES)}")
    return engine


def fleet_command(  # noqa: PLR0917 - typer passes options by name
    plan: Annotated[
        Path,
        typer.Argument(metavar="PLAN.yaml", help="What to train; see the README for its keys."),
    ],
    store: Store = Path("store"),
    engine: Annotated[
        str,
        typer.Option(
            help="local: processes of this machine; ray: the cluster that RAY_ADDRESS names.",
            callback=_known,
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
    software: Software = None,
    strict: Strict = False,  # noqa: FBT002 - a flag
    tensorboard: TensorBoard = None,
    index: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where the page goes that leads to every model card.",
            show_default="STORE/.fleet/PLAN.html",
        ),
    ] = None,
    dry_run: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--dry-run", help="List what would be trained, and train nothing.")
    ] = False,
) -> None:
    """Train all recipes of a plan and deliver them to a store.

    What the store holds already (same recipe, observations and code) is not trained again: a fleet
    that was stopped, by whatever, goes on when it is run again. A training that fails, fails alone.

    Progress and a table go to stderr, with the place of a page that leads to every model card;
    stdout has a line for each delivery, its path. Exit code 0: all are in the store; 1: some are
    not, and stderr says which and why. With --dry-run, 0: all could begin; 1: some could not.

    Example: fairweather-research fleet plans/new-york.yaml --store store --jobs 2
    """
    stopped = "stopped; what was delivered stays, and the same command goes on with the rest"
    with told(stopped):
        expanded = load_plan(plan)
        releases = [read_manifest_file(each) for each in software] if software else None
        from fairweather_research.fleet import Fleet  # noqa: PLC0415 - pandas is slow
        from fairweather_research.fleet.index import usual_place  # noqa: PLC0415

        fleet = Fleet(expanded, store, software=releases, tensorboard=tensorboard)
        foreseen = fleet.foreseen(strict=strict)
        for line in foreseen:
            typer.echo(f"warning: {line}", err=True)
        if dry_run:
            _list_waiting(fleet)
        else:
            page = (index or usual_place(expanded, fleet.store)).expanduser().resolve()
            _run(fleet, page, foreseen, engine=engine, jobs=jobs)


def _run(
    fleet: Fleet, page: Path, foreseen: Sequence[str], *, engine: str, jobs: int | None
) -> None:
    """Run a fleet, show it, and write its page."""
    from fairweather_research.cli.fleet_progress import Board, show_summary  # noqa: PLC0415
    from fairweather_research.fleet import State  # noqa: PLC0415 - pandas is slow
    from fairweather_research.fleet.index import rows, write_index  # noqa: PLC0415

    plan = fleet.plan
    with Board(len(plan.trainings)) as shown:
        try:
            with redirect_stdout(sys.stderr):  # where Ray tells what it lost
                outcomes = fleet.run(
                    engine=engine, jobs=jobs, progress=shown.progress, ended=shown.ended
                )
        except KeyboardInterrupt:
            there = dict(shown.came)
            there |= {each.name: each for each in fleet.waiting(but=there)}
            found = rows(plan, [there[each.name] for each in plan.trainings])
            with suppress(FairweatherError):  # it was stopped, whatever becomes of the page
                write_index(page, plan, fleet.store, found, foreseen=foreseen)
                typer.echo(f"Model cards so far: {page}", err=True)
            raise
    found = rows(plan, outcomes)
    show_summary(found)
    for outcome in outcomes:
        if outcome.path is not None:
            typer.echo(outcome.path)
    missing = [outcome for outcome in outcomes if outcome.path is None]
    for outcome in missing:
        typer.echo(f"{outcome.state}: {outcome.name}: {outcome.reason}", err=True)
    write_index(page, plan, fleet.store, found, foreseen=foreseen)
    console().print(
        f"{len(outcomes) - len(missing)} of {len(outcomes)} are in {fleet.store}, "
        f"{sum(each.state is State.DELIVERED for each in outcomes)} of them new.\n"
        f"Model cards: {page}\n"
        f"Serve them: FAIRWEATHER_STORE={fleet.store} flask --app fairweather_app run",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if missing:
        raise typer.Exit(NEGATIVE)


def _list_waiting(fleet: Fleet) -> None:
    """Say what would be trained, and what could not even begin."""
    found = list(fleet.waiting())
    for each in found:
        detail = each.path or each.reason
        line = f"{each.state}: {each.name}{f': {detail}' if detail else ''}"
        typer.echo(line, err=each.reason is not None)
    if any(each.reason is not None for each in found):
        raise typer.Exit(NEGATIVE)

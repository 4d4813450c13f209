"""The command ``fairweather-research reproduce``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from fairweather_interface.delivery import METADATA

from fairweather_research.cli.terminal import NEGATIVE, handle_errors


def reproduce_command(
    delivery: Annotated[
        Path, typer.Argument(metavar="DELIVERY", help="The delivery's folder.", show_default=False)
    ],
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of observations that are no packaged source; its digest is checked.",
        ),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Keep the rebuilt delivery in this folder. By default nothing is kept."),
    ] = None,
    trust_network: Annotated[
        bool,
        typer.Option(
            "--trust-network",
            help="Run the code of the network that the recipe names, if it is not one of ours.",
        ),
    ] = False,
) -> None:
    """Train a delivery again from its provenance alone, and compare the two.

    The recorded recipe is trained once more on the recorded observations. The answer goes to
    stdout: whether the model digest is the same, what of data, code, packages and machine differs,
    and what was not recorded. Exit code 0: the same; 1: different; 2: not known, because something
    is missing.

    Example: fairweather-research reproduce store/2b0f1f6e-6b0c-4f0e-9d61-3f1f7d6a3c11
    """
    with handle_errors():
        from fairweather_research.cli.progress import show_progress  # noqa: PLC0415 - rich is slow
        from fairweather_research.reproduction.reproduce import (  # noqa: PLC0415 - pandas is slow
            reproduce,
        )

        with show_progress("compared") as show:
            answer = reproduce(
                delivery, data=data, store=store, trust_network=trust_network, progress=show
            )
        typer.echo(answer.text())
        changed = {finding.what for finding in answer.findings if finding.differs}
        if not answer.same and changed & {"code", "packages"}:
            typer.echo(
                "To train with the recorded code and packages, install the versions that "
                f"`training.packages` of {delivery / METADATA} names into an environment of their "
                "own, and run this command there.",
                err=True,
            )
        if answer.path:
            typer.echo(f"The rebuilt delivery: {answer.path}", err=True)
    if not answer.same:
        raise typer.Exit(NEGATIVE)

"""The command ``fairweather-research sign``."""

from __future__ import annotations

from typing import Annotated

import typer
from fairweather_interface.errors import FairweatherError

from fairweather_research.cli.terminal import NEGATIVE, echo, handle_errors, printed

_URI = "file:PATH, pkcs11:token=LABEL;object=LABEL, awskms:KEY or hv:KEY"

Key = Annotated[
    str | None,
    typer.Option("--sign", metavar="KEY", help=f"Sign it with this Ed25519 key: {_URI}."),
]


def sign_command(  # noqa: PLR0917 - typer passes options by name
    key: Annotated[str, typer.Option(metavar="KEY", help=f"Ed25519 key: {_URI}.")],
    delivery: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DELIVERY", help="Folders: paths or URLs.", show_default="those of --all"
        ),
    ] = None,
    all_of: Annotated[
        str | None,
        typer.Option(
            "--all", metavar="STORE", help="Sign all deliveries of a store, such as for a new key."
        ),
    ] = None,
    signed_by: Annotated[
        str | None,
        typer.Option(
            metavar="PUBLIC",
            help="Sign only what the key of these 64 hexadecimal digits, its public part, signed.",
        ),
    ] = None,
    replace: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option("--replace", help="Write a new envelope instead of adding to the one there."),
    ] = False,
    public: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--public", help="Print the public part for the app's keys.yaml only.")
    ] = False,
) -> None:
    """Sign deliveries, or add a signature to those that they have.

    The signature says that these bytes are yours. It lies beside the manifest, so that digest and
    id stay the same, and which key may speak for which areas is the app's keys.yaml. Each delivery
    is verified first. A key file is one of openssl genpkey -algorithm ed25519, and may have a
    password: it is asked for, or FAIRWEATHER_KEY_PASSWORD.

    The paths of what was signed go to stdout. Exit code 0: all are signed; 1: some are not, and
    stderr says which and why; 2: the key cannot be used.

    Example: fairweather-research sign store/ID --key file:key.pem
    """
    with handle_errors("interrupted; what was signed stays signed, and the rest is as it was"):
        if [bool(delivery), all_of is not None, public].count(True) != 1:
            raise typer.BadParameter("expected one of DELIVERY, --all STORE and --public")
        from fairweather_research.delivery.keys import load_key  # noqa: PLC0415 - an extra
        from fairweather_research.delivery.signing import deliveries_of, sign  # noqa: PLC0415

        by = None if signed_by is None else _public(signed_by)
        signing = load_key(key)
        if public:
            typer.echo(f'- name: NAME\n  public: "{signing.public.hex()}"')
            return
        found = deliveries_of(all_of) if all_of is not None else delivery or []
        failed = 0
        for number, each in enumerate(found, start=1):
            try:
                sign(each, signing, replace=replace, signed_by=by)
                typer.echo(printed(each))
            except FairweatherError as error:
                failed += 1
                echo(f"not signed ({number} of {len(found)}): {each}: {error}")
        echo(f"{len(found) - failed} of {len(found)} signed by {signing.public.hex()}")
        if failed:
            raise typer.Exit(NEGATIVE)


def _public(text: str) -> bytes:
    try:
        public = bytes.fromhex(text)
    except ValueError:
        public = b""
    if len(public) != 32:  # noqa: PLR2004 - bytes of Ed25519
        raise typer.BadParameter(
            f"--signed-by: found {text[:80]!r}, expected 64 hexadecimal digits"
        )
    return public

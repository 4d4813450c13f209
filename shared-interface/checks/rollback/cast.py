"""The cast of the rollback: deliveries of every schema, and of none, in one store.

    python cast.py FOLDER

writes ``FOLDER/store`` with the newest testing kit, ``FOLDER/cast.json``, and ``FOLDER/keys.yaml``
with the key that all but one are signed with. Every delivery has an area of its own, so that a
request can be answered by no other. What a release must say to it is written down by hand: the
oldest schema a release has to obey to serve it, or the code that every release refuses it with.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fairweather_interface.envelope import dump_envelope, key_id, new_envelope
from fairweather_interface.manifest import SIGNATURE, read_manifest
from fairweather_interface.testing import build_delivery

SAMPLES = 24
GENTLE = [10.0 + hour / 8 for hour in range(SAMPLES)]
HOT = [*GENTLE[:-1], 40.0]
"""Beyond a bound of 30 degC and every margin."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One delivery of the cast.

    Attributes:
        area: its area, and what it is called.
        build: what the kit is asked for, in schema 0.4 unless it says another.
        change: changes its metadata before they are written, to lie or to come from the future.
        reader: the oldest schema that a release must obey to serve it; ``None`` if none does.
        code: the code it is refused with by all others.
        caught_since: for what nobody should serve, the schema whose releases were the first to
            find out; older ones serve it, and were released.
        too_hot: the code of the refusal where it is asked with a window of 40 degC; ``None``
            where it answers all the same.
        bands: whether it declares quantiles.
        signed: whether its manifest is signed, which no release before 1.0 looks at.
    """

    area: str
    build: dict[str, Any] = field(default_factory=dict)
    change: Callable[[dict[str, Any]], None] | None = None
    reader: str | None = "0.1"
    code: str = "schema-too-new"
    caught_since: str = "0.1"
    too_hot: str | None = None
    bands: bool = False
    signed: bool = True


def _says(**fields: Any) -> Callable[[dict[str, Any]], None]:  # noqa: ANN401 - any field
    return lambda document: document.update(fields)


def _from_the_future(document: dict[str, Any]) -> None:
    """Put a field nobody knows on every level of the metadata."""
    document["schema_version"] = "0.10"
    for record in (
        document,
        *document["areas"].values(),
        *document["inputs"],
        *document["outputs"],
        *document["artifacts"],
        *document["performance"],
        document["training"],
    ):
        record["novelty"] = {"deep": [1, None]}


def _leave_out(document: dict[str, Any]) -> None:
    """Leave out all that 1.0 asks for no more."""
    for name in ("topic", "model_digest", "performance"):
        del document[name]
    kept = ("train_end_time", "synthetic")
    document["training"] = {name: document["training"][name] for name in kept}


_CARRIED = {"temperature": {"maximum": 30.0, "max_missing": 0.0}}
CAST = (
    Member(area="Plain01", build={"schema": "0.1"}),
    Member(area="Plain02", build={"schema": "0.2"}),
    Member(area="Plain03"),
    Member(area="Unsigned", signed=False),
    Member(
        area="Bound01",
        build={"schema": "0.1", "max_temperature_seen": 30.0},
        too_hot="out-of-domain",
    ),
    Member(
        area="Humid02",
        build={"schema": "0.2", "variables": ("temperature", "humidity"), "max_humidity_seen": 90},
        reader="0.2",
    ),
    Member(area="Bands03", build={"quantiles": (0.1, 0.9)}, bands=True),
    Member(
        area="Carried03",
        build={"applicability_domain": _CARRIED},
        too_hot="out-of-domain",
    ),
    Member(
        area="Bound03",
        build={"applicability_domain": {"temperature": {"minimum": -10.0, "maximum": 30.0}},
               "quantiles": (0.1, 0.9)},
        reader="0.3",
        too_hot="out-of-domain",
        bands=True,
    ),
    Member(area="Future", change=_from_the_future),
    Member(area="FarFuture", change=_says(schema_version="0.10", min_reader="0.10"), reader=None),
    Member(area="Plain10", build={"schema": "1.0"}, reader="1.0"),
    Member(area="Lean10", build={"schema": "1.0"}, change=_leave_out, reader="1.0"),
    Member(
        area="Bound10",
        build={"schema": "1.0", "applicability_domain": _CARRIED, "quantiles": (0.1, 0.9)},
        reader="1.0",
        too_hot="out-of-domain",
        bands=True,
    ),
    Member(area="NextMajor", change=_says(schema_version="2.0", min_reader="2.0"), reader=None),
    Member(area="Prefixed", change=_says(schema_version="v0.2"), reader=None, code="corrupt"),
    Member(area="Patched", change=_says(schema_version="0.2.0"), reader=None, code="corrupt"),
    Member(area="Number", change=_says(schema_version=0.2), reader=None, code="corrupt"),
    Member(
        area="Liar",
        build={"schema": "0.1"},
        change=_says(min_reader="0.0"),
        reader=None,
        code="corrupt",
        caught_since="0.2",
    ),
    Member(area="Stranger", change=_says(model_type="Unheard-of/1")),
    Member(
        area="Exotic",
        change=lambda it: it["artifacts"].append({"format": "stablehlo", "path": "card"}),
    ),
    Member(
        area="Unrunnable",
        change=lambda it: it["artifacts"][0].update(format="stablehlo"),
        reader=None,
        code="runtime-unavailable",
    ),
)  # fmt: skip


def write(folder: Path) -> None:
    """Write the store and what is to be expected of it."""
    told, key = [], Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    for member in CAST:
        path = build_delivery(
            folder / "store",
            areas=(member.area,),
            samples=SAMPLES,
            change=member.change,
            **{"schema": "0.4"} | member.build,
        )
        if member.signed:
            envelope = new_envelope(read_manifest(path), datetime.now(UTC))
            envelope = envelope.with_signature(key_id(public), key.sign(envelope.signed_bytes))
            (path / SIGNATURE).write_bytes(dump_envelope(envelope))
        facts = asdict(member)
        del facts["build"], facts["change"]
        variables = member.build.get("variables", ("temperature",))
        told.append(facts | {"delivery_id": path.name, "variables": variables})
    windows = {"gentle": GENTLE, "hot": HOT}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cast.json").write_text(json.dumps({"members": told, "windows": windows}, indent=2))
    keys = {"require": "signed", "keys": [{"name": "cast", "public": public.hex()}]}
    (folder / "keys.yaml").write_text(json.dumps(keys))  # as YAML is read, too


if __name__ == "__main__":
    write(Path(sys.argv[1]))

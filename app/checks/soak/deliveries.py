"""Deliveries for the soak: sound ones of several kinds, models that go wrong, and corrupt ones.

Every delivery is first made in a folder of the soak's own, which is what the oracle believes, and
then copied into the store: whole, in one rename, as research delivers.
"""

# ruff: noqa: INP001 - scripts beside each other, not a package

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
from fairweather_interface.delivery import artifact_digest, staged_delivery
from fairweather_interface.manifest import SIGNATURE, read_manifest
from fairweather_interface.testing import build_delivery, metadata_document
from journal import Delivered, Journal, Span, State
from keys import STRANGER, Keys
from networks import SAMPLES, network

AREAS = ("EWR", "JFK", "LGA", "Hilltop")
SOUND = ("plain", "strict", "pair", "bands", "regional", "bounded", "seasonal")
FAULTY = ("nan", "beyond", "slow")
"""Live: their examples hold, and some requests make them go wrong."""
BROKEN: dict[str, tuple[State, str]] = {
    "garbage": ("quarantined", "corrupt"),
    "liar": ("quarantined", "corrupt"),
    "from the future": ("refused", "schema-too-new"),
    "unsigned": ("refused", "not-trusted"),
    "a stranger's": ("refused", "not-trusted"),
    "replayed": ("refused", "not-trusted"),
}
BOUND = 27.0
"""The highest temperature (degC) that a `bounded` model declares itself fit for."""
TWIN = "twin.onnx"
MODEL = "model.onnx"
_EXAMPLES = 8


class Maker:
    """Makes deliveries in `folder` and puts them into `store`; the same seed makes the same."""

    def __init__(
        self, folder: Path, store: Path, journal: Journal, chance: random.Random, keys: Keys
    ) -> None:
        self._folder = folder
        self.store = store
        self._journal = journal
        self._chance = chance
        self._made = 0
        self._keys = keys

    def make(
        self, kind: str, areas: Sequence[str] | None = None, *, base: bool = False
    ) -> Delivered:
        """Make a delivery; it is not in the store yet."""
        self._made += 1
        areas = areas or self._chance.sample(AREAS, self._chance.randint(1, len(AREAS)))
        name = str(UUID(int=self._chance.getrandbits(128), version=4))
        state: State
        state, code = BROKEN.get(kind, ("live", None))
        bad_bytes = kind in BROKEN and code != "not-trusted"
        path = (self._broken if bad_bytes else self._sound)(kind, name, areas)
        contractor = kind == "plain" and not base and self._chance.random() < 0.3  # noqa: PLR2004
        signer = self._keys.add("contractor") if contractor else None
        self._sign(path, kind, signer)
        made = Delivered(
            delivery_id=name,
            kind=kind,
            copy=path,
            digest=read_manifest(path).digest,
            document=json.loads((path / "metadata.json").read_text()),
            state=state,
            code=code,
            base=base,
            contractor=signer,
        )
        self._journal.deliveries[name] = made
        return made

    def _sign(self, path: Path, kind: str, contractor: str | None) -> None:
        if kind == "replayed":
            others = [each for each in self._journal.deliveries.values() if each.state == "live"]
            shutil.copy(self._chance.choice(others).copy / SIGNATURE, path)
        elif kind != "unsigned":
            stranger = STRANGER if kind == "a stranger's" else None
            self._keys.sign(path, contractor or stranger or self._keys.team)

    def deliver(self, made: Delivered) -> None:
        """Put it into the store, whole, in one step."""
        staging = self.store / f".soak-{made.delivery_id}"
        shutil.copytree(made.copy, staging, ignore=shutil.ignore_patterns(TWIN))
        made.since, made.stored = time.monotonic(), True
        staging.rename(self.store / made.delivery_id)
        self._journal.count(f"delivered: {made.kind}")

    def remove(self, made: Delivered) -> None:
        """Take it out of the store, file by file."""
        shutil.rmtree(self.store / made.delivery_id)
        made.stored = False
        made.barred.append(Span(time.monotonic()))
        self._journal.count("removed")

    def _sound(self, kind: str, name: str, areas: Sequence[str]) -> Path:
        variables = ("temperature", "humidity") if kind == "pair" else ("temperature",)
        bands = kind == "bands"
        changes: dict[str, Any] = {}
        if kind == "bounded":
            changes["applicability_domain"] = {"temperature": {"maximum": BOUND}}
        if kind == "seasonal":
            changes["valid_months"] = [1, 2, 12]
        document = metadata_document(
            areas=tuple(areas),
            variables=variables,
            samples=SAMPLES,
            context=True,
            max_missing=0.0 if kind == "strict" else 0.5,
            quantiles=(0.1, 0.9) if bands else (),
            delivery_id=name,
            author=kind,
            model_type=f"Soak{kind.title()}",
            **changes,
        )
        until = datetime(2013, 12, 31, tzinfo=UTC) + timedelta(hours=self._made)
        document["created_at"] = f"{until:%Y-%m-%dT%H:%M:%SZ}"
        document["training"]["train_end_time"] = document["created_at"]  # the newest wins
        if kind == "regional":
            document["inputs"][0]["areas"] = ["EWR", "JFK", "LGA"]
        shape: dict[str, Any] = {
            "scale": 0.8 + 0.01 * (self._made % 40),
            "shift": -3 + 0.07 * (self._made % 97),
            "variables": variables,
            "bands": bands,
        }
        with staged_delivery(self._folder, name) as folder:
            model = folder / MODEL
            twin = network(**shape)
            model.write_bytes(network(**shape, fault=kind) if kind in FAULTY else twin)
            document["model_digest"] = artifact_digest(folder, MODEL)
            self._write_examples(folder, document, twin)
            (folder / "card").mkdir()
            (folder / "card" / "index.html").write_text("<!doctype html><title>Card</title>")
            (folder / "metadata.json").write_text(json.dumps(document))
        (self._folder / name / TWIN).write_bytes(twin)  # answers as it should, and soon
        return self._folder / name

    def _write_examples(self, folder: Path, document: dict[str, Any], model: bytes) -> None:
        rows = np.arange(_EXAMPLES)
        month = document["valid_months"][0]
        times = [int(datetime(2013, month, 10 + row, 6, tzinfo=UTC).timestamp()) for row in rows]
        feeds: dict[str, Any] = {
            "reference_time": np.array(times, dtype=np.int64),
            "area_index": (rows % len(document["areas"])).astype(np.int64),
        }
        middles = {"temperature": 15.0, "humidity": 60.0}
        for each in document["inputs"]:
            if each["role"] == "observations":
                wave = np.sin((rows[:, None] + np.arange(SAMPLES)) / 4)
                values = (middles[each["variable"]] + 4 * wave).astype(np.float32)
                if each["max_missing"]:
                    values[1, 3] = np.nan
                feeds[each["name"]] = values
        session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_outputs()]
        found = dict(zip(names, session.run(names, feeds), strict=True))
        areas = list(document["areas"])
        np.savez(
            folder / "examples.npz",
            area=np.array([areas[row % len(areas)] for row in rows]),
            reference_time=feeds["reference_time"],
            expect=np.array(["serve"] * _EXAMPLES),
            **{f"input/{key}": value for key, value in feeds.items()},
            **{f"output/{key}": value for key, value in found.items()},
        )

    def _broken(self, kind: str, name: str, areas: Sequence[str]) -> Path:
        more: dict[str, Any] = {"areas": tuple(areas), "delivery_id": name, "author": kind}
        if kind == "garbage":
            more["model"] = self._chance.randbytes(2000)
        elif kind == "liar":  # a sound model of other values than its examples
            more["context"] = True
            more["model"] = network(scale=2.0, shift=1.0, variables=("temperature",), bands=False)
        else:
            more["change"] = lambda document: document.update(
                {"schema_version": "0.99", "min_reader": "0.99"}
            )
        return build_delivery(self._folder, **more)


def flip(path: Path, chance: random.Random) -> None:
    """Change one byte of a file, in place."""
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        at = chance.randrange(size)
        file.seek(at)
        before = file.read(1)
        file.seek(at)
        file.write(bytes([before[0] ^ 0xFF]))

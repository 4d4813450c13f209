"""Which trainings a store has already, and claims on those that are running.

A training is the same as another when recipe (with its seed), observations, code and schema are;
code is the source of this package, of the contract and of a network that the recipe brings itself.
All stands in the metadata of every delivery, so the deliveries themselves are the record.

A running training has a lock on an empty file in ``<store>/.fleet/``. The system drops the lock
when the process dies; a file without a lock means nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from fairweather_interface.delivery import METADATA, Delivery, list_deliveries, open_delivery
from fairweather_interface.errors import FairweatherError
from fairweather_interface.manifest import read_document
from fairweather_interface.versions import SCHEMA_VERSION

from fairweather_research.environment import NETWORK, OURS, packages
from fairweather_research.networks.base import NETWORKS
from fairweather_research.networks.external import source_digest
from fairweather_research.observations.loading import Observations
from fairweather_research.recipes.recipe import Recipe

#: What a fleet keeps in a store, hidden: readers of deliveries pass over it.
HIDDEN = ".fleet"

# Seconds for which ``clear_dead_claims`` may lock a file that is no claim.
_CLEARING = 0.05


def identity(recipe: Recipe, observations: Observations, schema: str = SCHEMA_VERSION) -> str:
    """Return a hexadecimal digest, the same for trainings that would deliver the same model.

    Raises:
        NetworkError: the recipe brings a network, and it is not here.
    """
    document = recipe.document()
    document["observations"]["source"] = observations.source
    found = {**packages()}
    if recipe.network not in NETWORKS:
        found[f"{NETWORK}{recipe.network}"] = source_digest(recipe.network)
    return _digest(document, observations.archive.digest(), found, schema)


class DeliveredIndex:
    """The deliveries of a store, by identity: read once, and verified when they are found.

    Safe among threads.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}  # the folder's name -> identity; empty for what has none

    def find(self, wanted: str) -> Delivery | None:
        """Return a whole delivery of this identity; None when there is none.

        A delivery that does not verify is none. A later one is found by the next call.
        """
        if not self._store.is_dir():
            return None
        folders = list_deliveries(self._store)
        with self._lock:
            for folder in folders:
                if folder.name not in self._known:
                    self._known[folder.name] = _identity_of(folder)
            found = [folder for folder in folders if self._known[folder.name] == wanted]
        for folder in found:
            with suppress(FairweatherError, OSError):
                return open_delivery(folder)
        return None


@contextmanager
def claim(store: Path, wanted: str) -> Iterator[bool]:
    """Claim an identity for as long as the block runs; yield False when another process has it."""
    folder = store / HIDDEN
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{wanted}.lock"
    asked_before = False
    while True:
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if asked_before:
                    yield False
                    return
                asked_before = True
                time.sleep(_CLEARING)
                continue
            if not _lies_at(file, path):  # its owner has just ended, and taken it away
                continue
            try:
                yield True
            finally:
                path.unlink(missing_ok=True)
            return


def clear_dead_claims(store: Path) -> None:
    """Remove the claims of processes that were killed."""
    for path in (store / HIDDEN).glob("*.lock"):
        with suppress(OSError), path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _lies_at(file, path):
                path.unlink()


def _lies_at(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _identity_of(folder: Path) -> str:
    """Return the identity in a delivery's provenance; empty where that is incomplete."""
    try:
        document = json.loads(read_document(folder / METADATA))
        schema, made = document["schema_version"], document["training"]
        return _digest(made["recipe"], made["data_digest"], made["packages"], schema)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""


def _digest(
    recipe: Any,  # noqa: ANN401 - JSON
    data: str,
    recorded: Mapping[str, str],
    schema: str,
) -> str:
    code = [recorded[name] for name in OURS]
    if recipe["network"] not in NETWORKS:
        code.append(recorded[f"{NETWORK}{recipe['network']}"])
    text = json.dumps([recipe, data, code, schema], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()

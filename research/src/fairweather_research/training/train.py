"""Train what a recipe describes, and deliver it.

``train`` either returns a verified delivery that lies in the store, or raises and leaves the store
as it was. There is no way to fit without delivering, nor to save without metadata.
"""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from fairweather_interface.delivery import (
    METADATA,
    Delivery,
    new_delivery_id,
    open_delivery,
    staged_delivery,
)
from fairweather_interface.metadata import dump_metadata, read_metadata
from fairweather_interface.software import Software
from fairweather_interface.versions import SCHEMA_VERSION

from fairweather_research.dataset.source_data import observations_of, refuse_changed
from fairweather_research.delivery.card.card import write_card
from fairweather_research.delivery.compatibility import check_compatibility
from fairweather_research.delivery.metadata import create_model_metadata
from fairweather_research.delivery.result import TrainingResult
from fairweather_research.environment import return_freed_memory
from fairweather_research.errors import (
    AbsentNetworkError,
    NetworkError,
    RecipeError,
    TrainingError,
    UnfitDataError,
    UnsupportedError,
)
from fairweather_research.networks.base import EpochRecord
from fairweather_research.networks.external import refuse_absent
from fairweather_research.recipes.recipe import Recipe, load_recipe
from fairweather_research.training.forkserver import OUTPUT, ForkServer, last_line
from fairweather_research.training.prepared import Prepared, prepare

#: The stages of a training, in order, and what each does.
STAGES = {
    "check": "checking compatibility with the app",
    "observations": "reading observations",
    "windows": "choosing windows",
    "start": "starting the training process",
    "fit": "fitting the network",
    "bands": "fitting the bands",
    "export": "exporting the SavedModel",
    "evaluate": "judging held-out forecasts",
    "examples": "computing examples",
    "convert": "converting to ONNX",
    "card": "writing the model card",
    "deliver": "delivering",
}

# What a training process may refuse, by name.
_REFUSALS = {
    each.__name__: each for each in (RecipeError, UnfitDataError, NetworkError, AbsentNetworkError)
}


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The stage of a training and, while fitting, the epoch that has just ended."""

    stage: str
    epoch: EpochRecord | None = None
    epochs: int | None = None  # the most there can be
    # what no live software supports yet, and what newer schemas say otherwise; of the stage "check"
    warnings: tuple[str, ...] = ()
    quality: str = ""  # what was found in the observations, for people, with the stage "windows"


def train(
    recipe: Recipe | str | Path,
    store: str | Path,
    *,
    schema: str | None = None,
    software: Sequence[Software] | None = None,
    strict: bool = False,
    tensorboard: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    server: ForkServer | None = None,
) -> Delivery:
    """Train what a recipe describes and deliver it to a store.

    Two trainings of one recipe on the same observations, package versions and kind of machine give
    the same ``model_digest``, and are two deliveries.

    Args:
        recipe: a recipe, or the path of one.
        store: a folder; made when it is not there.
        schema: write the metadata in this schema; the newest when absent.
        software: releases that are live, to hold the recipe against; when absent the newest that
            was released before this package.
        strict: refuse what none of them supports; a warning with the stage ``check`` otherwise.
        tensorboard: a folder for logs, in a folder called after the delivery. Not in the store.
        progress: called at every stage and after every epoch.
        server: starts the training processes; one serves many trainings.

    Raises:
        RecipeError: the recipe cannot be used.
        NotExpressibleError: the schema asked for has no words for what the recipe asks for.
        UnsupportedError: no live software supports what the recipe asks for, and ``strict``.
        ObservationsError: its observations cannot be read.
        UnfitDataError: its observations hold too little of what it asks for.
        NetworkError: the network it names cannot be had, or is not what a network must be.
        TrainingError: the store cannot be written, the training process failed, or the observations
            changed while it trained.
        DeliveryError: what came out does not conform to the contract.
    """
    return_freed_memory()
    report = progress or (lambda _: None)
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe)
    store = Path(store).expanduser().resolve()
    logs = logs_beside(store, tensorboard)
    refuse_absent(recipe.network)
    compatibility = check_compatibility(recipe, software, schema=schema)
    warnings = (*compatibility.warnings, *compatibility.notes)
    report(Progress(stage="check", warnings=warnings))
    if strict and compatibility.warnings:
        raise UnsupportedError(compatibility.warnings)
    report(Progress(stage="observations"))
    observations = observations_of(recipe)
    report(Progress(stage="windows", quality=observations.text()))
    delivery_id = new_delivery_id()
    prepared = prepare(
        recipe,
        compatibility.expected,
        observations.archive,
        logs=logs and logs / delivery_id,
    )
    with (
        _writable(store),
        ForkServer() if server is None else nullcontext(server) as starts,
        staged_delivery(store, delivery_id) as folder,
    ):
        result = run_training(starts, prepared, folder, report)
        metadata = create_model_metadata(
            recipe,
            prepared.expected,
            result,
            data={
                "data_source": observations.source,
                "data_location": observations.location,
                "data_digest": observations.archive.digest(),
            },
            delivery_id=delivery_id,
            folder=folder,
            schema=schema or SCHEMA_VERSION,
        )
        written = dump_metadata(metadata, schema=schema)
        (folder / METADATA).write_bytes(written)
        report(Progress(stage="card"))
        metadata = read_metadata(written)
        verdicts = compatibility.verdicts(metadata)
        write_card(folder / "card", metadata, result, observations.report, verdicts=verdicts)
        refuse_changed(recipe, observations)
        report(Progress(stage="deliver"))
    return open_delivery(store / delivery_id)


def run_training(
    server: ForkServer, prepared: Prepared, folder: Path, report: Callable[[Progress], None]
) -> TrainingResult:
    """Run a training process that puts artifacts and examples into ``folder``.

    Raises:
        RecipeError: what the process refused, by its own error.
        TrainingError: the process ended without a result.
    """
    epochs = prepared.recipe.fit.epochs * (prepared.switch.branches if prepared.switch else 1)
    stage, result = "start", None
    with tempfile.TemporaryDirectory(dir=folder, prefix=".scratch-") as name:
        scratch = Path(name)
        prepared.write(scratch)
        with server.start(folder, scratch) as process:
            for event in process.events():
                if "refused" in event:
                    refused = event["refused"]
                    raise _REFUSALS[refused["error"]](refused["source"], refused["problems"])
                stage = event.get("stage", stage)
                if "epoch" in event:
                    epoch = EpochRecord.model_validate(event["epoch"])
                    report(Progress(stage=stage, epoch=epoch, epochs=epochs))
                elif "result" in event:
                    result = TrainingResult.model_validate(event["result"])
                elif stage in STAGES:
                    report(Progress(stage=stage))
        if result is None or process.code != 0:
            raise TrainingError(failure_message(process.code, last_line(scratch / OUTPUT)))
    return result


def make_store(store: Path) -> None:
    """Make a store's folder where there is none.

    Raises:
        TrainingError: it cannot be used as a store.
    """
    try:
        store.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(
            f"{store}: cannot be used as a store ({error.strerror}); "
            "give a folder that you may write"
        ) from error


def logs_beside(store: Path, tensorboard: str | Path | None) -> Path | None:
    """Return the folder of logs, which grows and therefore may not lie among deliveries.

    Raises:
        TrainingError: it lies in the store.
    """
    if tensorboard is None:
        return None
    logs = Path(tensorboard).expanduser().resolve()
    if logs.is_relative_to(store):
        raise TrainingError(
            f"found the folder {logs} for logs, expected one outside the store {store}: a delivery "
            "never changes; choose a folder beside it"
        )
    return logs


@contextmanager
def _writable(store: Path) -> Iterator[None]:
    make_store(store)
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"{store}: could not be written ({error}); nothing was delivered; "
            "free space or permissions and train again"
        ) from error


def failure_message(code: int | None, output: str) -> str:
    """Describe a training process that ended without a result, and the last line it printed."""
    how = f"ended with code {code}"
    if code is not None and code < 0:
        how = f"was ended by {signal.Signals(-code).name}"
    return (
        f"the training process {how}, and nothing was delivered; its last output: {output}; "
        "train again, with more memory or fewer windows if it was killed"
    )

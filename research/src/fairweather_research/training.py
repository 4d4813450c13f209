"""Training: the one way from a recipe to a delivery.

``train`` either returns a verified delivery that lies in the store, or raises and leaves the store
as it was. There is no way to fit without delivering, nor to save without metadata.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fairweather_interface.delivery import (
    METADATA,
    Delivery,
    new_delivery_id,
    open_delivery,
    staged_delivery,
)
from fairweather_interface.metadata import dump_metadata, read_metadata

from fairweather_research._metadata import create_model_metadata
from fairweather_research._worker import ARCHIVE, REQUEST, RESULT
from fairweather_research.branches import find_switch
from fairweather_research.checking import refuse_unwritable
from fairweather_research.dataset import WindowSet, areas_and_variables
from fairweather_research.errors import NetworkError, RecipeError, TrainingError
from fairweather_research.networks.plugged import refuse_absent
from fairweather_research.observations import load_observations, write_archive
from fairweather_research.recipe import Recipe, load_recipe
from fairweather_research.results import EpochRecord, TrainingResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fairweather_research.observations import Observations

__all__ = ["STAGES", "THREADS", "Progress", "train"]

#: Threads a training computes with. One, on every machine, so that results do not depend on it.
THREADS = 1

#: The stages of a training, in order, and what each does.
STAGES = {
    "observations": "reading observations",
    "start": "starting the training process",
    "windows": "choosing windows",
    "fit": "fitting the network",
    "bands": "fitting the bands",
    "export": "exporting the SavedModel",
    "evaluate": "judging held-out forecasts",
    "examples": "computing examples",
    "convert": "converting to ONNX",
    "card": "writing the model card",
    "deliver": "delivering",
}

_ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "KERAS_BACKEND": "tensorflow",
    "MKL_NUM_THREADS": str(THREADS),
    "OMP_NUM_THREADS": str(THREADS),
    "OPENBLAS_NUM_THREADS": str(THREADS),
    "PYTHONHASHSEED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a training is: its stage and, while fitting, the epoch that has just ended."""

    stage: str
    epoch: EpochRecord | None = None
    epochs: int | None = None  # the most there can be


def train(
    recipe: Recipe | str | Path,
    store: str | Path,
    *,
    schema: str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Delivery:
    """Train what a recipe describes and deliver it to a store.

    Two trainings of one recipe on the same observations, package versions and kind of machine give
    the same ``model_digest``, and are two deliveries.

    Args:
        recipe: a recipe, or the path of one.
        store: a folder; made when it is not there.
        schema: write the metadata in this schema, the newest or one of the two before it.
        progress: called at every stage and after every epoch.

    Raises:
        RecipeError: the recipe cannot be used.
        NotExpressibleError: the schema asked for has no words for what the recipe asks for.
        ObservationsError: its observations cannot be read.
        UnfitDataError: its observations hold too little of what it asks for.
        NetworkError: the network it names cannot be had, or is not what a network must be.
        TrainingError: the store cannot be written, or the training process failed.
        DeliveryError: what came out does not conform to the contract.
    """
    tell = progress or (lambda _: None)
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe)
    refuse_unwritable(recipe, schema)
    refuse_absent(recipe.network)
    tell(Progress(stage="observations"))
    observations = _observations(recipe)
    # both refuse at once what cannot be trained
    find_switch(recipe, WindowSet.choose(recipe, observations.archive))
    delivery_id = new_delivery_id()
    store = Path(store).expanduser().resolve()
    with _writable(store), staged_delivery(store, delivery_id) as folder:
        result = _run_worker(recipe, observations, folder, tell)
        metadata = create_model_metadata(
            recipe, observations, result, delivery_id=delivery_id, folder=folder
        )
        written = dump_metadata(metadata, schema=schema)
        (folder / METADATA).write_bytes(written)
        tell(Progress(stage="card"))
        from fairweather_research.card import write_card  # noqa: PLC0415 - matplotlib is slow

        write_card(folder / "card", read_metadata(written), result, observations.report)
        tell(Progress(stage="deliver"))
    return open_delivery(store / delivery_id)


def _observations(recipe: Recipe) -> Observations:
    """The part of the recipe's source that it reads; the digest covers just this."""
    areas, variables = areas_and_variables(recipe)
    found = load_observations(recipe.observations.source, areas=areas)
    if found.origin.synthetic and not recipe.observations.synthetic:
        raise RecipeError(
            recipe.observations.source,
            [
                "`observations.synthetic`: the file says that its weather is made up, and the "
                "recipe does not; write `synthetic: true`, which every forecast will then say"
            ],
        )
    place = recipe.observations.location or found.location
    return replace(
        found,
        archive=found.archive.select(areas=areas, variables=variables),
        report=found.report.select(areas=areas, variables=variables),
        location="; ".join(filter(None, (place, found.origin.attribution))),
    )


@contextmanager
def _writable(store: Path) -> Iterator[None]:
    try:
        store.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(
            f"{store}: cannot be used as a store ({error.strerror}); "
            "give a folder that you may write"
        ) from error
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"{store}: could not be written ({error}); nothing was delivered; "
            "free space or permissions and train again"
        ) from error


def _run_worker(
    recipe: Recipe,
    observations: Observations,
    folder: Path,
    tell: Callable[[Progress], None],
) -> TrainingResult:
    """Train in a fresh process that puts artifacts and examples into ``folder``."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".scratch-") as name:
        scratch = Path(name)
        request = {"recipe": recipe.document(), "threads": THREADS}
        (scratch / REQUEST).write_text(json.dumps(request), encoding="utf-8")
        write_archive(observations.archive, scratch / ARCHIVE)
        with (scratch / "stderr.txt").open("w+", encoding="utf-8") as said:
            with subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
                [
                    sys.executable,
                    *("-P", "-m", "fairweather_research._worker"),
                    *(str(folder), str(scratch)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                env={**os.environ, **_ENVIRONMENT, "KERAS_HOME": str(scratch / "keras")},
            ) as process:
                try:
                    networks = recipe.switch.branches if recipe.switch else 1
                    _follow(process, recipe.fit.epochs * networks, tell)
                finally:
                    process.kill()
            if process.returncode != 0:
                said.seek(0)
                raise TrainingError(_epitaph(process.returncode, said.read()))
        return TrainingResult.model_validate_json((scratch / RESULT).read_text(encoding="utf-8"))


def _follow(process: subprocess.Popen[str], epochs: int, tell: Callable[[Progress], None]) -> None:
    """Pass the process's reports on until it ends."""
    stage = "start"
    for line in process.stdout or ():
        event = json.loads(line)
        if "refused" in event:
            raise NetworkError(event["refused"]["network"], event["refused"]["problems"])
        stage = event.get("stage", stage)
        if "epoch" in event:
            epoch = EpochRecord.model_validate(event["epoch"])
            tell(Progress(stage=stage, epoch=epoch, epochs=epochs))
        elif stage in STAGES:
            tell(Progress(stage=stage))
    process.wait()


def _epitaph(code: int, said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else "it said nothing"
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    return (
        f"the training process {how}, and nothing was delivered; its last words: {last}; "
        "train again, with more memory or fewer windows if it was killed"
    )

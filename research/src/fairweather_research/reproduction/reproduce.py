"""Reproduce: make a delivery again from its provenance alone, and say whether it is the same.

::

    answer = reproduce("store/2b0f1f6e-...")
    answer.same                        # whether the model digest came out again
    print(answer.text())               # and if not, what of data, code, packages, machine differs

A delivery may come from anybody. Its metadata is data: nothing that it names is run, fetched or
read, but for the packaged sources of observations and, where the caller says so, a network of its
own (``trust_network``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fairweather_interface.delivery import Delivery, open_delivery
from fairweather_interface.errors import FairweatherError
from fairweather_interface.manifest import artifact_files
from fairweather_interface.terminal import printable

from fairweather_research.dataset.source_data import observations_of
from fairweather_research.environment import NETWORK, THREADS, machine, packages, version_of
from fairweather_research.errors import (
    AbsentNetworkError,
    NetworkError,
    ObservationsError,
    RecipeError,
    ReproduceError,
)
from fairweather_research.networks.base import NETWORKS
from fairweather_research.networks.external import source_digest
from fairweather_research.observations.sources import SOURCES
from fairweather_research.recipes.recipe import Recipe
from fairweather_research.reproduction.differences import (
    Finding,
    Record,
    compare,
    forecast_difference,
    record_of,
)
from fairweather_research.training.train import Progress, train

__all__ = ["Reproduction", "reproduce"]

_GRAPH = "saved_model.pb"
_ABSENT = "not installed"  # as provenance says it of a package of a network


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """What came of making a delivery again."""

    delivery: Delivery
    rebuilt: str | None  # the model digest that came out; None where nothing did
    findings: tuple[Finding, ...]  # data, code, packages, machine
    remarks: tuple[str, ...]  # what else there is to say, a sentence each
    path: Path | None  # where the rebuilt delivery lies, when it was to be kept

    @property
    def same(self) -> bool:
        """Whether the model came out byte for byte."""
        return self.rebuilt == self.delivery.metadata.model_digest

    def text(self) -> str:
        """The answer for people: whether it is the same, why not, and what nobody recorded."""
        recorded = self.delivery.metadata.model_digest
        if self.same:
            lines = [f"same: model_digest {recorded} came out again"]
        else:
            came = f"{self.rebuilt} came out" if self.rebuilt else "nothing came out"
            lines = [f"different: model_digest {recorded} is recorded, {came}"]
        lines += [f"  {remark}" for remark in self.remarks]
        for finding in self.findings:
            known = "same, as far as recorded" if finding.unrecorded else "same"
            state = {True: "differs", False: known, None: "not recorded"}[finding.differs]
            if finding.what == "packages" and finding.differs:
                state = "differ"
            lines.append(f"  {finding.what}: {state}")
            lines += [f"    - {difference}" for difference in finding.differences]
        unknown = [line for finding in self.findings for line in finding.unrecorded]
        if unknown:
            lines.append(f"  not recorded: {'; '.join(unknown)}")
        return "\n".join(printable(line) for line in lines)


def reproduce(
    delivery: str | Path,
    *,
    data: Path | None = None,
    store: Path | None = None,
    trust_network: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Reproduction:
    """Make a delivery again and compare.

    Args:
        delivery: its folder.
        data: the file of observations, where the recorded source is no packaged one.
        store: keep what comes out there; by default nothing is kept.
        trust_network: run the code of a network that the recipe brings itself.
        progress: called at every stage of the training.

    Raises:
        ReproduceError: it cannot be told: no such delivery, its provenance does not suffice, its
            observations are not at hand, the code of its network is not here, or the training ended
            without a model.
        ObservationsError: the observations cannot be read.
    """
    found = _opened(Path(delivery))
    document = _document(found, data, trust_network=trust_network)
    remarks = _contradictions(found, document)
    recorded = found.metadata.training.data_digest
    with (
        _not_known(found),
        tempfile.TemporaryDirectory(prefix="fairweather-reproduce-") as scratch,
    ):
        try:
            recipe = Recipe.parse(document, source="metadata.json")
            digest = observations_of(recipe).archive.digest()
            if digest != recorded:
                remarks.append("not trained: with other observations it would prove nothing")
                return _untrained(found, digest, remarks)
            again = train(recipe, store or scratch, progress=progress)
        except AbsentNetworkError:  # that says nothing about the model
            raise
        except RecipeError as error:
            remarks.append(f"this release does not train the recorded recipe: {error}")
            return _untrained(found, recorded, remarks)
        findings = compare(record_of(found), record_of(again))
        return Reproduction(
            delivery=found,
            rebuilt=again.metadata.model_digest,
            findings=findings,
            remarks=(*remarks, *_differing(found, again, findings)),
            path=again.path if store else None,
        )


@contextmanager
def _not_known(found: Delivery) -> Iterator[None]:
    """A training that ends without a model is no answer: it does not say that another came out."""
    try:
        yield
    except (ReproduceError, ObservationsError):
        raise
    except (FairweatherError, OSError) as error:
        why = f"{error}; make room, or mend what it names" if isinstance(error, OSError) else error
        raise ReproduceError(
            f"{found.path}: nothing was trained that can be compared, so whether the model comes "
            f"out again is not known: {why}"
        ) from error


def _opened(path: Path) -> Delivery:
    try:
        return open_delivery(path)
    except (FairweatherError, OSError) as error:
        raise ReproduceError(
            f"{path}: found no delivery that can be rebuilt, expected the folder of one: {error}"
        ) from error


def _document(found: Delivery, data: Path | None, *, trust_network: bool) -> dict[str, Any]:
    """Return the recorded recipe with its observations where they lie now."""
    document = dict(found.metadata.training.recipe)
    plan = document.get("observations")
    if not isinstance(plan, Mapping) or not isinstance(document.get("definitions"), Mapping):
        raise ReproduceError(
            f"{found.path}: found a provenance without `observations` or `definitions` in its "
            "recipe, expected a resolved recipe as `fairweather-research train` records it: this "
            "delivery was not made by it and cannot be rebuilt"
        )
    network = document.get("network")
    if network not in (None, *NETWORKS) and not trust_network:
        raise ReproduceError(
            printable(
                f"found the network {str(network)[:200]!r}, which is code from outside this "
                "package that a rebuild would run: read it, install what you trust, and say "
                "--trust-network"
            )
        )
    if data is not None:
        plan = {**plan, "source": str(data.expanduser().absolute())}
    elif str(plan.get("source")) not in SOURCES:
        training = found.metadata.training
        raise ReproduceError(
            printable(
                f"{found.path}: was trained on {training.data_source[:200]!r}, which is no source "
                f"that this release brings; it can be had again at "
                f"{training.data_location[:500]!r} (nothing is fetched from there); say where it "
                "lies with --data FILE"
            )
        )
    return {**document, "observations": plan}


def _contradictions(found: Delivery, document: Mapping[str, Any]) -> list[str]:
    training = found.metadata.training
    told = []
    if document.get("seed") != training.seed:
        told.append(
            f"the provenance contradicts itself: seed {training.seed}, and "
            f"{document.get('seed')!r} in its recipe, which was used"
        )
    if training.threads != THREADS:
        told.append(f"it was trained with {training.threads} threads; this release uses {THREADS}")
    return told


def _here(found: Delivery, digest: str) -> Record:
    """Return what a training on data of this digest would record in this environment."""
    made = packages()
    return Record(
        data_digest=digest,
        code_version=f"fairweather-research {version_of(made['fairweather-research'])}",
        packages={**made, **_network_here(found, made)},
        threads=THREADS,
        machine=machine(),
    )


def _network_here(found: Delivery, made: Mapping[str, str]) -> dict[str, str]:
    """The code of a plugged network, and what was recorded for it alone, as they are here."""
    name = found.metadata.training.recipe.get("network")
    if name is None or name in NETWORKS:
        return {}
    try:
        here = {f"{NETWORK}{name}": source_digest(str(name))}
    except NetworkError:
        here = {f"{NETWORK}{name}": _ABSENT}
    for each in sorted({*found.metadata.training.packages} - {*made, *here}):
        try:
            here[each] = version(each)
        except (PackageNotFoundError, ValueError):
            here[each] = _ABSENT
    return here


def _untrained(found: Delivery, digest: str, remarks: Sequence[str]) -> Reproduction:
    """The answer where nothing was trained: this environment stands in for the training's."""
    return Reproduction(
        delivery=found,
        rebuilt=None,
        findings=compare(record_of(found), _here(found, digest)),
        remarks=tuple(remarks),
        path=None,
    )


def _differing(found: Delivery, again: Delivery, findings: Sequence[Finding]) -> list[str]:
    """Return how two models differ: in which files, and by how much in what they forecast."""
    if found.metadata.model_digest == again.metadata.model_digest:
        return []
    canonical = next(one.path for one in found.metadata.artifacts if one.canonical) or ""
    before = artifact_files(found.manifest.files, canonical)
    after = artifact_files(again.manifest.files, canonical)
    told = []
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    if changed and not any(name.endswith(_GRAPH) for name in changed):
        told.append("the graph is the same, the weights are not")
    elif changed:
        told.append(f"other bytes in {', '.join(changed)}")
    told.append(forecast_difference(found, again))
    if not any(finding.differs for finding in findings):
        told.append("nothing that is recorded differs: what differs was not recorded")
    return told

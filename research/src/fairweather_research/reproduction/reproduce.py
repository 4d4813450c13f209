"""Reproduce a delivery from its provenance alone, and compare the model digests.

::

    answer = reproduce("store/2b0f1f6e-...")
    answer.same                        # whether the model digest is the same
    print(answer.text())               # and if not, what of data, code, packages, machine differs

A delivery is not trusted. Nothing that its metadata names is run, fetched or read, except the
packaged sources of observations and, with ``trust_network``, the network that its recipe names.
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
from fairweather_research.delivery.metadata import Provenance
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

_GRAPH = "saved_model.pb"
_ABSENT = "not installed"  # as provenance records it of a package of a network


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """The result of reproducing a delivery."""

    delivery: Delivery
    rebuilt: str | None  # the new model digest; None where nothing was trained
    findings: tuple[Finding, ...]  # data, code, packages, machine
    remarks: tuple[str, ...]  # further sentences for people
    path: Path | None  # of the rebuilt delivery, where it was kept

    @property
    def same(self) -> bool:
        """Whether the rebuilt model is the same byte for byte."""
        return self.rebuilt == self.delivery.metadata.model_digest

    def text(self) -> str:
        """Describe the result for people: the same or not, why, and what was not recorded."""
        recorded = self.delivery.metadata.model_digest
        if self.same:
            lines = [f"same: model_digest {recorded} came out again"]
        else:
            new = self.rebuilt or "nothing"
            lines = [f"different: model_digest {recorded} is recorded, {new} came out"]
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
    """Train the recorded recipe of a delivery again and compare.

    Args:
        delivery: its folder.
        data: the file of observations, where the recorded source is no packaged one.
        store: keep the rebuilt delivery there; by default it is not kept.
        trust_network: run the code of the external network that the recipe names.
        progress: called at every stage of the training.

    Raises:
        ReproduceError: no such delivery, its provenance does not suffice, its observations or the
            code of its network are missing, or the training ended without a model.
        ObservationsError: the observations cannot be read.
    """
    found = _opened(Path(delivery))
    recorded = _recorded(found)
    document = _document(found, recorded, data, trust_network=trust_network)
    remarks = _contradictions(recorded, document)
    with (
        _wrap_failures(found),
        tempfile.TemporaryDirectory(prefix="fairweather-reproduce-") as scratch,
    ):
        try:
            recipe = Recipe.parse(document, source="metadata.json")
            digest = observations_of(recipe).archive.digest()
            if digest != recorded.data_digest:
                remarks.append("not trained: with other observations it would prove nothing")
                return _untrained(found, digest, remarks)
            code = recorded.packages.get(f"{NETWORK}{recipe.network}")
            theirs = code is not None and recipe.network not in NETWORKS
            if theirs and code != source_digest(recipe.network):
                remarks.append("not trained: the code of its network is another than was recorded")
                return _untrained(found, digest, remarks)
            again = train(recipe, store or scratch, progress=progress)
        except AbsentNetworkError:  # it is no difference of the model
            raise
        except RecipeError as error:
            remarks.append(f"this release does not train the recorded recipe: {error}")
            return _untrained(found, recorded.data_digest, remarks)
        findings = compare(record_of(found), record_of(again))
        return Reproduction(
            delivery=found,
            rebuilt=again.metadata.model_digest,
            findings=findings,
            remarks=(*remarks, *_differing(found, again, findings)),
            path=again.path if store else None,
        )


@contextmanager
def _wrap_failures(found: Delivery) -> Iterator[None]:
    """Turn a training without a model into a ``ReproduceError``: it does not prove a difference."""
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


def _recorded(found: Delivery) -> Provenance:
    training, lacking = found.metadata.training, "a model_digest"
    if found.metadata.model_digest is not None:
        absent = [name for name in Provenance.model_fields if getattr(training, name) is None]
        parts = ("observations", "definitions")
        absent += [
            f"`{part}` in its recipe"
            for part in parts
            if not isinstance((training.recipe or {}).get(part), Mapping)
        ]
        if not absent:
            return Provenance.of(found.metadata)
        lacking = ", ".join(absent)
    raise ReproduceError(
        f"{found.path}: found a provenance without {lacking}, expected what `fairweather-research "
        "train` records: this delivery was not made by it and cannot be rebuilt"
    )


def _document(
    found: Delivery, recorded: Provenance, data: Path | None, *, trust_network: bool
) -> dict[str, Any]:
    """Return the recorded recipe with its observations where they lie now."""
    document = dict(recorded.recipe)
    plan: Any = document["observations"]
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
        raise ReproduceError(
            printable(
                f"{found.path}: was trained on {recorded.data_source[:200]!r}, which is no source "
                f"that this release brings; it can be had again at "
                f"{recorded.data_location[:500]!r} (nothing is fetched from there); say where it "
                "lies with --data FILE"
            )
        )
    return {**document, "observations": plan}


def _contradictions(recorded: Provenance, document: Mapping[str, Any]) -> list[str]:
    problems = []
    if document.get("seed") != recorded.seed:
        problems.append(
            f"the provenance contradicts itself: seed {recorded.seed}, and "
            f"{document.get('seed')!r} in its recipe, which was used"
        )
    if recorded.threads != THREADS:
        problems.append(
            f"it was trained with {recorded.threads} threads; this release uses {THREADS}"
        )
    return problems


def _network_here(found: Delivery, made: Mapping[str, str]) -> dict[str, str]:
    """Return the record of an external network, and of the packages recorded for it, here."""
    recorded = Provenance.of(found.metadata)
    name = recorded.recipe.get("network")
    if name is None or name in NETWORKS:
        return {}
    try:
        here = {f"{NETWORK}{name}": source_digest(str(name))}
    except NetworkError:
        here = {f"{NETWORK}{name}": _ABSENT}
    for package in sorted({*recorded.packages} - {*made, *here}):
        try:
            here[package] = version(package)
        except (PackageNotFoundError, ValueError):
            here[package] = _ABSENT
    return here


def _untrained(found: Delivery, digest: str, remarks: Sequence[str]) -> Reproduction:
    """Return the result where nothing was trained: the record is compared with this environment."""
    made = packages()
    here = Record(
        data_digest=digest,
        code_version=f"fairweather-research {version_of(made['fairweather-research'])}",
        packages={**made, **_network_here(found, made)},
        threads=THREADS,
        machine=machine(),
    )
    return Reproduction(
        delivery=found,
        rebuilt=None,
        findings=compare(record_of(found), here),
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
    remarks = []
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    if changed and not any(name.endswith(_GRAPH) for name in changed):
        remarks.append("the graph is the same, the weights are not")
    elif changed:
        remarks.append(f"other bytes in {', '.join(changed)}")
    remarks.append(forecast_difference(found, again))
    if not any(finding.differs for finding in findings):
        remarks.append("nothing that is recorded differs: what differs was not recorded")
    return remarks

"""Check whether live software supports what a recipe makes, before anything is trained.

::

    compatibility = check_compatibility(recipe)    # or (recipe, [read_software(...), ...])
    compatibility.warnings                         # what no live software supports yet
    serving_problems(delivery.metadata)            # why nothing live can serve what was trained

What only training finds is assumed as it asks the most of a reader, so that a model which is
expected to be served, is. One thing cannot be known before: an ONNX conversion that fails. Which
keys of a recipe are too new for a schema is found by trying each of them alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from fairweather_interface.errors import NotExpressibleError, SoftwareError, listed
from fairweather_interface.manifest import read_document
from fairweather_interface.metadata import (
    WRITTEN_SCHEMAS,
    ModelMetadata,
    dump_metadata,
    metadata_notes,
    read_metadata,
)
from fairweather_interface.refusals import Code
from fairweather_interface.software import Software, read_software
from fairweather_interface.verdict import Verdict, check
from fairweather_interface.versions import SchemaVersion

from fairweather_research.delivery.metadata import expected_metadata, optional_parts
from fairweather_research.document import LARGEST
from fairweather_research.recipes.recipe import Recipe

#: The folder of the manifests of deployed apps.
LIVE = Path(".live")

# The manifest of the newest app that is released; `nox -s release -- app` writes it anew.
_NEWEST = "fairweather-app.json"

_REMEDIES = {
    Code.SCHEMA_TOO_NEW: "this release writes no schema that the software reads; train with a "
    "fairweather-research that does",
    Code.OBSERVATIONS_MISSING: "`definitions`: choose required inputs (variable, period, "
    "sample_rate) that the software supplies",
    Code.RUNTIME_UNAVAILABLE: "nothing in a recipe changes what artifacts and roles need of a "
    "runtime; upgrade the software, or train with an older fairweather-research",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one release of the software supports of a recipe."""

    software: Software
    expected: ModelMetadata  # of a delivery in the schema asked for, with stand-ins
    verdict: Verdict
    remedies: tuple[str, ...]  # what to change; none where it serves


@dataclass(frozen=True, kw_only=True)
class Compatibility:
    """What live software supports of a recipe, before it is trained."""

    expected: ModelMetadata  # of a delivery, with stand-ins for what training finds
    answers: tuple[Answer, ...]  # one of each release
    notes: tuple[str, ...]  # what is written in words that newer schemas have no more

    @property
    def warnings(self) -> tuple[str, ...]:
        """What no live software supports yet: a line for each thing; none where all is."""
        serving = [answer for answer in self.answers if answer.verdict.serves]
        if not serving:
            return tuple(
                f"{_name(answer.software)} refuses: "
                f"{' '.join(refusal.reason for refusal in answer.verdict.refusals)}; "
                f"{'; '.join(answer.remedies)}"
                for answer in self.answers
            )
        unused = set.intersection(*(set(answer.verdict.unused) for answer in serving))
        names = ", ".join(_name(answer.software) for answer in serving)
        return tuple(
            f"`{each}` is unknown to {names}, which would serve without" for each in sorted(unused)
        )

    def verdicts(self, metadata: ModelMetadata) -> list[tuple[str, Verdict]]:
        """Return the name of each release, and its verdict on a trained model."""
        releases = [answer.software for answer in self.answers]
        return [(_name(release), check(metadata, release)) for release in releases]


def check_recipe(recipe: Recipe, software: Software, *, schema: str | None = None) -> Answer:
    """Check whether a release of the software supports what a recipe makes.

    It raises what ``check_compatibility`` does.
    """
    return check_compatibility(recipe, [software], schema=schema).answers[0]


def check_compatibility(
    recipe: Recipe, software: Sequence[Software] | None = None, *, schema: str | None = None
) -> Compatibility:
    """Check a recipe against live releases, and against the schema to write its metadata in.

    Without ``software`` it is the newest known release, without ``schema`` the newest schema.

    Raises:
        NotExpressibleError: the schema has no words for what the recipe asks for; ``problems``
            names every meaning that would be lost, and the key to take out of the recipe.
        MetadataError: the contract does not allow what the recipe declares, or ``schema`` is none
            that is still written.
    """
    expected = expected_metadata(recipe)
    written = _written(expected, schema)
    if written is None:
        lost = tuple(
            f"{meaning}: take out {key}"
            for key, meaning, alone in optional_parts(recipe)
            if _written(alone, schema) is None
        )
        meanings = "1 meaning" if len(lost) == 1 else f"{len(lost)} meanings"
        raise NotExpressibleError(
            listed(f"schema {schema} has no words for {meanings} that the recipe asks for:", lost),
            problems=lost,
        )
    answers = []
    for release in _live(software):
        verdict = check(written, release)
        remedies = _remedies(recipe, release, verdict, written.schema)
        answers.append(
            Answer(software=release, expected=written, verdict=verdict, remedies=remedies)
        )
    notes = metadata_notes(dump_metadata(expected, schema=schema))
    return Compatibility(expected=expected, answers=tuple(answers), notes=notes)


def serving_problems(
    metadata: ModelMetadata, software: Sequence[Software] | None = None
) -> tuple[str, ...]:
    """Return why no live release can serve a trained model, a line each; none where one does.

    Before a training nobody knows this: a conversion to ONNX may fail.
    """
    verdicts = [(release, check(metadata, release)) for release in _live(software)]
    if any(verdict.serves for _, verdict in verdicts):
        return ()
    return tuple(
        f"{_name(release)} refuses: {refusal.code}: {refusal.reason}"
        for release, verdict in verdicts
        for refusal in verdict.refusals
    )


def newest_software() -> Software:
    """Return the software manifest of the newest app that was released before this package."""
    return read_software((files("fairweather_research") / "software" / _NEWEST).read_bytes())


def live_software(paths: Sequence[Path] | None) -> list[Software] | None:
    """Return the software of these manifests; else of those in ``.live``, where there are any.

    None where there are none: what is asked then is the newest known release. ``nox -s live``
    fetches what deployed apps say of themselves into the folder ``.live`` of the working directory.

    Raises:
        SoftwareError: one cannot be read, or is none.
    """
    return [read_manifest_file(path) for path in paths or sorted(LIVE.glob("*.json"))] or None


def read_manifest_file(path: Path) -> Software:
    """Read a software manifest from a file.

    Raises:
        SoftwareError: it cannot be read, or holds none; the message names the file.
    """
    try:
        return read_software(read_document(path, LARGEST, follow_links=True))
    except OSError as error:
        raise SoftwareError(
            f"{path}: cannot be read ({error.strerror}); give the path of a manifest"
        ) from error
    except (SoftwareError, ValueError) as error:
        raise SoftwareError(f"{path}: {error}", problems=getattr(error, "problems", ())) from error


def _live(software: Sequence[Software] | None) -> Sequence[Software]:
    return [newest_software()] if software is None else software


def _name(release: Software) -> str:
    return f"{release.name} {release.version}"


def _written(metadata: ModelMetadata, schema: str | None) -> ModelMetadata | None:
    """Return metadata as they are read of a schema; None where it has no words for them."""
    try:
        return read_metadata(dump_metadata(metadata, schema=schema))
    except NotExpressibleError:
        return None


def _remedies(
    recipe: Recipe, release: Software, verdict: Verdict, schema: SchemaVersion
) -> tuple[str, ...]:
    remedies: list[str] = []
    for code in dict.fromkeys(refusal.code for refusal in verdict.refusals):
        too_new = _too_new(recipe, release, schema) if code == Code.SCHEMA_TOO_NEW else []
        remedies += too_new or [_REMEDIES[code]]
    return tuple(remedies)


def _too_new(recipe: Recipe, release: Software, schema: SchemaVersion) -> list[str]:
    """Return what to change so that a release may read what is written in a newer schema.

    Within its major it reads whatever asks for no newer reader; of a later one, nothing.
    """
    newest = SchemaVersion.parse(release.readable_schemas.newest)
    own = [each for each in WRITTEN_SCHEMAS if SchemaVersion.parse(each).major == newest.major]
    if not own:
        return []
    older = newest.major < schema.major
    remedies = [f"write schema {own[-1]}, with `--schema {own[-1]}`"] if older else []
    for key, meaning, alone in optional_parts(recipe):
        metadata = _written(alone, own[-1]) or alone
        if SchemaVersion.parse(metadata.min_reader) > newest:
            reader = metadata.min_reader
            remedies.append(f"take out {key} ({meaning}): only readers of schema {reader} obey it")
    return remedies

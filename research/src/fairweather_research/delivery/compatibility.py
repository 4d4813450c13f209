"""Check whether live software supports what a recipe makes, before anything is trained.

::

    compatibility = check_compatibility(recipe)    # or (recipe, [read_software(...), ...])
    compatibility.warnings                         # what no live software supports yet
    serving_problems(delivery.metadata)            # why nothing live can serve what was trained

What only training finds is assumed as it asks the most of a reader, so that a model which is
expected to be served, is. Two things cannot be known before: an ONNX conversion that fails, and a
bound that the observations happen to let an older field say after all. Which keys of a recipe are
too new for a schema is found by trying each of them alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from fairweather_interface.errors import NotExpressibleError, SoftwareError, listed
from fairweather_interface.manifest import read_document
from fairweather_interface.metadata import ModelMetadata, dump_metadata
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
    Code.SCHEMA_TOO_NEW: "nothing in a recipe changes the schemas that this release writes; train "
    "with a fairweather-research that writes one the software reads",
    Code.OBSERVATIONS_MISSING: "`definitions`: choose required inputs (variable, period, "
    "sample_rate) that the software supplies",
    Code.RUNTIME_UNAVAILABLE: "nothing in a recipe changes what artifacts and roles need of a "
    "runtime; upgrade the software, or train with an older fairweather-research",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one release of the software supports of a recipe."""

    software: Software
    expected: ModelMetadata  # of a delivery, with stand-ins for what training finds
    verdict: Verdict
    remedies: tuple[str, ...]  # what to change; none where it serves


@dataclass(frozen=True, kw_only=True)
class Compatibility:
    """What live software supports of a recipe, before it is trained."""

    expected: ModelMetadata  # of a delivery, with stand-ins for what training finds
    answers: tuple[Answer, ...]  # one of each release

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


def check_recipe(recipe: Recipe, software: Software) -> Answer:
    """Check whether a release of the software supports what a recipe makes.

    Raises:
        MetadataError: the contract does not allow what the recipe declares.
    """
    return check_compatibility(recipe, [software]).answers[0]


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
    if schema is not None and not _can_express(expected, schema):
        lost = tuple(
            f"{meaning}: take out {key}"
            for key, meaning, alone in optional_parts(recipe)
            if not _can_express(alone, schema)
        )
        meanings = "1 meaning" if len(lost) == 1 else f"{len(lost)} meanings"
        raise NotExpressibleError(
            listed(f"schema {schema} has no words for {meanings} that the recipe asks for:", lost),
            problems=lost,
        )
    answers = []
    for release in _live(software):
        verdict = check(expected, release)
        remedies = _remedies(recipe, release, verdict)
        answers.append(
            Answer(software=release, expected=expected, verdict=verdict, remedies=remedies)
        )
    return Compatibility(expected=expected, answers=tuple(answers))


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


def _can_express(metadata: ModelMetadata, schema: str) -> bool:
    try:
        dump_metadata(metadata, schema=schema)
    except NotExpressibleError:
        return False
    return True


def _remedies(recipe: Recipe, release: Software, verdict: Verdict) -> tuple[str, ...]:
    newest = SchemaVersion.parse(release.readable_schemas.newest)
    remedies: list[str] = []
    for code in dict.fromkeys(refusal.code for refusal in verdict.refusals):
        parts = optional_parts(recipe) if code == Code.SCHEMA_TOO_NEW else ()
        too_new = [
            f"take out {key} ({meaning}): only readers of schema {alone.min_reader} obey it"
            for key, meaning, alone in parts
            if SchemaVersion.parse(alone.min_reader) > newest
        ]
        remedies += too_new or [_REMEDIES[code]]
    return tuple(remedies)

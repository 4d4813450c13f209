"""Does live software support what a recipe makes? Answered before anything is trained.

::

    foresight = foresee(recipe)                # or foresee(recipe, [read_software(...), ...])
    foresight.lines                            # what no live software supports yet
    foresight.refuse()                         # and an error of it
    unserved(delivery.metadata)                # why nothing live can serve what came out

What only training knows is assumed as it asks the most of a reader, so that a model which the
answer says is served, is. Two things it cannot foresee: an ONNX conversion that fails, and a bound
that the observations happen to let an older field say after all. Which keys of a recipe are too
much for a schema is found by trying each of them alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from fairweather_interface.errors import NotExpressibleError, SoftwareError, listed
from fairweather_interface.metadata import ModelMetadata, dump_metadata
from fairweather_interface.refusals import Code
from fairweather_interface.software import Software, read_software
from fairweather_interface.verdict import Verdict, check
from fairweather_interface.versions import SchemaVersion

from fairweather_research.delivery.metadata import expected_metadata
from fairweather_research.errors import UnsupportedError
from fairweather_research.recipes.recipe import Recipe

__all__ = [
    "Answer",
    "Foresight",
    "check_recipe",
    "foresee",
    "newest_software",
    "read_manifest_file",
    "refuse_unwritable",
    "unserved",
]

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
    """What a release of the software says to a recipe."""

    expected: ModelMetadata  # what a delivery would say, with stand-ins for what training finds
    verdict: Verdict
    remedies: tuple[str, ...]  # what to change; none where it serves


def check_recipe(recipe: Recipe, software: Software) -> Answer:
    """Tell whether a release of the software supports what a recipe makes, with all reasons.

    Raises:
        MetadataError: the contract does not allow what a delivery would say.
    """
    ((_, answer),) = foresee(recipe, [software]).answers
    return answer


@dataclass(frozen=True, kw_only=True)
class Foresight:
    """What live software says to a recipe, before it is trained."""

    answers: tuple[tuple[Software, Answer], ...]  # one for each release that was asked

    @property
    def served(self) -> bool:
        """Whether at least one release serves what the recipe makes."""
        return any(answer.verdict.serves for _, answer in self.answers)

    @property
    def lines(self) -> tuple[str, ...]:
        """What no live software supports yet: a line for each thing; none where all is."""
        if not self.served:
            return tuple(
                f"{_name(release)} refuses: "
                f"{' '.join(refusal.reason for refusal in answer.verdict.refusals)}; "
                f"{'; '.join(answer.remedies)}"
                for release, answer in self.answers
            )
        serving = {_name(release): a.verdict for release, a in self.answers if a.verdict.serves}
        unused = set.intersection(*(set(verdict.unused) for verdict in serving.values()))
        return tuple(
            f"`{each}` is unknown to {', '.join(serving)}, which would serve without"
            for each in sorted(unused)
        )

    def refuse(self) -> None:
        """Turn what no live software supports into an error.

        Raises:
            UnsupportedError: there is such a thing.
        """
        if self.lines:
            raise UnsupportedError(
                listed(
                    "found what no live software supports yet, expected nothing of it:", self.lines
                ),
                problems=self.lines,
            )


def foresee(recipe: Recipe, software: Sequence[Software] | None = None) -> Foresight:
    """Hold a recipe against the releases that are live, by default the newest known one.

    Raises:
        MetadataError: the contract does not allow what a delivery would say.
    """
    expected = expected_metadata(recipe)
    verdicts = _verdicts(expected, software)
    demands = [] if all(verdict.serves for _, verdict in verdicts) else [*_demands(recipe)]

    def remedies(release: Software, code: Code) -> list[str]:
        newest = SchemaVersion.parse(release.readable_schemas.newest)
        too_much = [
            f"take out {key} ({meaning}): only readers of schema {alone.min_reader} obey it"
            for key, meaning, alone in demands
            if code == Code.SCHEMA_TOO_NEW and SchemaVersion.parse(alone.min_reader) > newest
        ]
        return too_much or [_REMEDIES[code]]

    answers = []
    for release, verdict in verdicts:
        codes = dict.fromkeys(refusal.code for refusal in verdict.refusals)
        change = tuple(remedy for code in codes for remedy in remedies(release, code))
        answers.append((release, Answer(expected=expected, verdict=verdict, remedies=change)))
    return Foresight(answers=tuple(answers))


def unserved(
    metadata: ModelMetadata, software: Sequence[Software] | None = None
) -> tuple[str, ...]:
    """Why no live release can serve a model that is there, a line for each; none where one does.

    Before a training nobody knows this: a conversion to ONNX may fail.
    """
    verdicts = _verdicts(metadata, software)
    if any(verdict.serves for _, verdict in verdicts):
        return ()
    return tuple(
        f"{_name(release)} refuses: {refusal.code}: {refusal.reason}"
        for release, verdict in verdicts
        for refusal in verdict.refusals
    )


def _verdicts(
    metadata: ModelMetadata, software: Sequence[Software] | None
) -> list[tuple[Software, Verdict]]:
    live = [newest_software()] if software is None else software
    return [(release, check(metadata, release)) for release in live]


def newest_software() -> Software:
    """The software manifest of the newest app that was released before this package."""
    return read_software((files("fairweather_research") / "software" / _NEWEST).read_bytes())


def read_manifest_file(path: Path) -> Software:
    """Read a software manifest from a file.

    Raises:
        SoftwareError: it cannot be read, or holds none; the message names the file.
    """
    try:
        return read_software(path.read_bytes())
    except OSError as error:
        raise SoftwareError(
            f"{path}: cannot be read ({error.strerror}); give the path of a manifest"
        ) from error
    except SoftwareError as error:
        raise SoftwareError(f"{path}: {error}", problems=error.problems) from error


def _name(release: Software) -> str:
    return f"{release.name} {release.version}"


def refuse_unwritable(recipe: Recipe, schema: str | None) -> None:
    """Refuse a recipe whose delivery could not be written, in ``schema`` or at all.

    Raises:
        NotExpressibleError: the schema has no words for it; ``problems`` names every meaning that
            would be lost, and the key to take out of the recipe.
        MetadataError: the contract does not allow what a delivery would say, or ``schema`` is none
            that is still written.
    """

    def is_said(metadata: ModelMetadata) -> bool:
        try:
            dump_metadata(metadata, schema=schema)
        except NotExpressibleError:
            return False
        return True

    if is_said(expected_metadata(recipe)):
        return
    lost = tuple(
        f"{meaning}: take out {key}"
        for key, meaning, alone in _demands(recipe)
        if not is_said(alone)
    )
    meanings = "1 meaning" if len(lost) == 1 else f"{len(lost)} meanings"
    raise NotExpressibleError(
        listed(f"schema {schema} has no words for {meanings} that the recipe asks for:", lost),
        problems=lost,
    )


def _demands(recipe: Recipe) -> Iterator[tuple[str, str, ModelMetadata]]:
    """Yield what asks for more than the oldest schema: the key, its meaning, it alone."""
    optional = {key: item for key, item in Recipe.declares().items() if item.meaning}
    bare = recipe.model_copy(update={key: item.without for key, item in optional.items()})
    for key, item in optional.items():
        value = getattr(recipe, key)
        if isinstance(item.meaning, str):
            asked = {f"`{key}`": (item.meaning, value)} if value != item.without else {}
        else:
            asked = {f"`{one}` of `{key}`": (item.meaning[one], (one,)) for one in value}
        for name, (meaning, alone) in asked.items():
            yield name, meaning, expected_metadata(bare.model_copy(update={key: alone}))

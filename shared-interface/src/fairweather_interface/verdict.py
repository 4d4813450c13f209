"""The check: does this release of the software support this model?

A pure function over two documents, a model's metadata and a release's software manifest. It
lists every reason at once and runs neither; what it cannot know is whether the bytes of an
artifact keep what the metadata promise, which a replay of the examples shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from fairweather_interface.durations import format_duration
from fairweather_interface.metadata import (
    OBSERVATIONS,
    Artifact,
    Input,
    ModelMetadata,
    newer_meanings,
)
from fairweather_interface.refusals import Code, Refusal
from fairweather_interface.software import Runtime, Software
from fairweather_interface.versions import SchemaVersion

_VARIABLES_SINCE = SchemaVersion.parse("0.4")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The answer of a release to a model.

    Attributes:
        refusals: every reason why it cannot serve it; none when it can.
        unused: the paths of what the model declares and the release, being older, does not know;
            where it serves, it does so without.
    """

    refusals: tuple[Refusal, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def serves(self) -> bool:
        """Whether the release supports the model."""
        return not self.refusals


def check(metadata: ModelMetadata, software: Software) -> Verdict:
    """Return whether a release of the software supports a model, with all reasons if not.

    A release that reads schema 0.4 supplies the variables that the model declares, too, unless it
    has them in another unit.

    ``schema-too-new``: its readers may not read the metadata (also where a schema is older than
    the oldest they read; the reason names it). ``runtime-unavailable``: it runs no artifact
    that is there, or cannot feed a role. ``observations-missing``: it cannot supply a window.
    """
    units = software.variables
    if SchemaVersion.parse(software.readable_schemas.newest) >= _VARIABLES_SINCE:
        declared = (metadata.declared_variables or {}).items()
        units = {name: variable.unit for name, variable in declared} | dict(units)
    return Verdict(
        refusals=(
            *_schemas(metadata, software),
            *_artifacts(metadata, software),
            *(refusal for item in metadata.inputs for refusal in _feeding(item, software, units)),
        ),
        unused=newer_meanings(metadata, software.readable_schemas.newest),
    )


def _schemas(metadata: ModelMetadata, software: Software) -> Iterator[Refusal]:
    oldest = SchemaVersion.parse(software.readable_schemas.oldest)
    newest = SchemaVersion.parse(software.readable_schemas.newest)
    schema = SchemaVersion.parse(metadata.schema_version)
    needed = SchemaVersion.parse(metadata.min_reader)
    release = f"{software.name} {software.version}"
    if needed > newest or schema.major > newest.major:
        needed = needed if schema.major == newest.major else schema
        yield Refusal(
            code=Code.SCHEMA_TOO_NEW,
            reason=f"schema: needs a reader of {needed}, too new for {release}, which reads "
            f"{oldest} to {newest}; upgrade the software, or deliver what {newest} can say",
        )
    if schema < oldest:
        yield Refusal(
            code=Code.SCHEMA_TOO_NEW,
            reason=f"schema: found {schema}, too old for {release}, which reads {oldest} to "
            f"{newest}; deliver the model again in a schema it reads",
        )


def _artifacts(metadata: ModelMetadata, software: Software) -> Iterator[Refusal]:
    problems = []
    for artifact in metadata.artifacts:
        if artifact.path is None:
            problems.append(f"{artifact.format} was left out ({artifact.omitted})")
            continue
        runtimes = [item for item in software.runtimes if item.format == artifact.format]
        if not runtimes:
            problems.append(f"{artifact.format} has no runtime there")
        reasons = [_too_much(artifact, runtime) for runtime in runtimes]
        if "" in reasons:
            return
        problems += reasons
    yield Refusal(
        code=Code.RUNTIME_UNAVAILABLE,
        reason=f"artifacts: {software.name} {software.version} runs none of them: "
        + "; ".join(problems),
    )


def _too_much(artifact: Artifact, runtime: Runtime) -> str:
    """Return what an artifact needs beyond what a runtime of its format offers; empty if nothing.

    A limit that the release does not state is none.
    """
    needs = artifact.needs
    if needs is None:
        return ""
    missing = [
        f"{what} {needed}, not {limit}"
        for what, needed, limit in (
            ("opset", needs.opset, runtime.max_opset),
            ("IR version", needs.ir_version, runtime.max_ir_version),
        )
        if needed is not None and limit is not None and needed > limit
    ]
    if needs.tensorflow is not None and not _at_least(runtime.version, needs.tensorflow):
        missing.append(f"TensorFlow {needs.tensorflow} or later")
    here = f"{runtime.name} {runtime.version} offers"
    return f"{artifact.format} needs more than {here}: {', '.join(missing)}" if missing else ""


def _at_least(found: str, needed: str) -> bool:
    try:
        return Version(found) >= Version(needed)
    except InvalidVersion:  # a runtime of another naming: nothing shows that it is enough
        return False


def _feeding(item: Input, software: Software, units: Mapping[str, str]) -> Iterator[Refusal]:
    if item.role not in software.roles:
        known = ", ".join(software.roles)
        yield Refusal(
            code=Code.RUNTIME_UNAVAILABLE,
            reason=f"{item.name}: found the role {item.role}, {software.name} "
            f"{software.version} can feed {known}",
        )
    if item.role != OBSERVATIONS or item.variable is None:
        return
    unit = units.get(item.variable)
    wanted = []
    if unit is None:
        wanted.append(f"needs {item.variable}, supplied are {', '.join(units)}")
    elif unit != item.unit:
        wanted.append(f"needs {item.variable} in {item.unit}, supplied in {unit}")
    if item.period is not None and item.period > software.longest_period:
        wanted.append(
            f"needs {format_duration(item.period)}, the longest window supplied is "
            f"{format_duration(software.longest_period)}"
        )
    if item.sample_rate is not None and item.sample_rate < software.shortest_sample_rate:
        wanted.append(
            f"needs a sample every {format_duration(item.sample_rate)}, the finest supplied is "
            f"every {format_duration(software.shortest_sample_rate)}"
        )
    yield from (
        Refusal(code=Code.OBSERVATIONS_MISSING, reason=f"{item.name}: {text}") for text in wanted
    )

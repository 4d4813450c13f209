"""Definitions: the areas, variables and required inputs that models are trained from.

A definitions file is YAML in these words::

    application:
      area: Israel
      areas:
        Jerusalem: {latitude: 31.78, longitude: 35.22, timezone: Asia/Jerusalem}
    training:
      required_inputs:
        - humidity: {period: 30 days, sample_rate: 1 minute}
        - temperature: {area: Israel, period: 30 days, sample_rate: 5 minutes}
        - precipitation: {period: 30 days, sample_rate: 1 hour}
    variables:
      precipitation: {unit: mm, minimum: 0, maximum: 500}

A required input without ``area`` is read for the area the forecast is for; with the region's
name it is the mean over the region's areas. ``variables`` holds a row, in the columns of
:class:`Variable`, for each variable that the contract's own table lacks. The software serves from
metadata and observations alone, so a new city or variable needs neither a contract nor a software
release.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from fairweather_interface.durations import format_duration, parse_duration
from fairweather_interface.errors import DefinitionsError, in_words, listed, short
from fairweather_interface.manifest import read_document
from fairweather_interface.metadata import Area
from fairweather_interface.metadata.record import Name, unknown_fields
from fairweather_interface.names import parse_name, parse_names
from fairweather_interface.problems import problems_of
from fairweather_interface.variables import (
    VARIABLES,
    Variable,
    conflicts,
    named_rows,
    plain_variable,
)

__all__ = [
    "VARIABLES", "Definitions", "RequiredInput", "Variable", "load_definitions", "load_yaml",
    "packaged_definitions", "parse_definitions", "plain_definitions",
]  # fmt: skip

_PACKAGED = resources.files("fairweather_interface") / "data"
_MISREAD = (ValueError, TypeError, AttributeError, LookupError)  # what PyYAML lets through
_LARGEST = 4 << 20  # bytes of a file of definitions
_MOST_REPEATS = 100_000  # values that aliases may stand for
_LONGEST_KEY = 1000
_MERGE = "tag:yaml.org,2002:merge"
# Plain words that are no text in every version of YAML, and the same in each.
_ONE_READING = re.compile(
    r"true|True|TRUE|false|False|FALSE|null|Null|NULL|~|<<|="
    r"|[-+]?(0|[1-9]\d*)(\.\d*([eE][-+]\d+)?)?|[-+]?\.\d+([eE][-+]\d+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)|"
)
_DurationInWords = Annotated[timedelta, BeforeValidator(parse_duration)]


def _plain(found: object) -> object:
    """Return a name, or a mapping by names, in the one spelling of names."""
    if isinstance(found, str):
        return parse_name(found)
    if isinstance(found, Mapping) and all(isinstance(key, str) for key in found):
        return {name: found[text] for text, name in parse_names(found).items()}
    return found


_Plain = BeforeValidator(_plain)
_AreaName = Annotated[str, _Plain, Field(pattern=r"^[^\W_][\w .'()-]*$", max_length=100)]


@dataclass(frozen=True, kw_only=True, slots=True)
class RequiredInput:
    """The observations that a model needs: a variable over a period, at a sample rate.

    ``area`` names a region whose mean is wanted, or an area; ``None`` is the requested area.
    """

    variable: str
    period: timedelta
    sample_rate: timedelta
    area: str | None = None

    @property
    def samples(self) -> int:
        """The number of values in its window."""
        return self.period // self.sample_rate


@dataclass(frozen=True, kw_only=True, slots=True)
class Definitions:
    """A definitions file, read.

    Attributes:
        region: the name of the application's region.
        areas: the areas of the region, by name, in the file's order.
        required_inputs: what models are trained on, in the file's order.
        source: the packaged name or the path it was read from.
        variables: the file's own variables, by name.
    """

    region: str
    areas: Mapping[str, Area]
    required_inputs: tuple[RequiredInput, ...]
    source: str
    variables: Mapping[str, Variable] = field(default_factory=dict)

    @property
    def variable_table(self) -> Mapping[str, Variable]:
        """The row of every variable: the contract's own, and the file's, which may say more."""
        return {**VARIABLES, **self.variables}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class _Requirement(_Part):
    period: _DurationInWords
    sample_rate: _DurationInWords
    area: Annotated[str, _Plain] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.period % self.sample_rate:
            raise ValueError(
                f"found a period of {format_duration(self.period)} at a sample rate of "
                f"{format_duration(self.sample_rate)}, expected a whole number of samples"
            )
        return self


class _Application(_Part):
    area: _AreaName
    areas: Annotated[dict[_AreaName, Area], _Plain, Field(min_length=1)]


class _Training(_Part):
    required_inputs: Annotated[
        list[Annotated[dict[str, _Requirement], Field(min_length=1, max_length=1)]],
        Field(min_length=1),
    ]


class _File(_Part):
    application: _Application
    training: _Training
    variables: Annotated[dict[Name, Variable], BeforeValidator(named_rows)] = Field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _names_known(self) -> Self:
        region, areas = self.application.area, self.application.areas
        known, variables = [region, *areas], {**VARIABLES, **self.variables}
        problems = [
            f"application.areas.{name}.{path}: found a key we do not know, expected latitude, "
            "longitude and timezone only"
            for name, area in areas.items()
            for path in unknown_fields(area)
        ]
        if region in areas:
            problems.append(
                f"application.area: found {region!r} as the region and as one of its areas, "
                "expected two names"
            )
        problems += [f"variables: {problem}" for problem in conflicts(self.variables, VARIABLES)]
        named = in_words(known)
        for position, requirement in enumerate(self.training.required_inputs):
            for variable, item in requirement.items():
                place = f"training.required_inputs[{position}].{variable}"
                if variable not in variables:
                    problems.append(
                        f"{place}: found the variable {short(variable)}, expected one of "
                        f"{in_words(variables)}, or a row for it under variables"
                    )
                if item.area is not None and item.area not in known:
                    problems.append(
                        f"{place}.area: found {short(item.area)}, expected one of {named}"
                    )
        if problems:
            raise ValueError("\n".join(problems))
        return self


def packaged_definitions() -> tuple[str, ...]:
    """Return the names of the definitions this package brings along."""
    names = {item.name for item in _PACKAGED.iterdir()} - {"variables.yaml"}
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def load_definitions(name_or_path: str | Path) -> Definitions:
    """Return packaged definitions by name (``new-york``) or a user's by path.

    Raises:
        DefinitionsError: there are none of that name or path, or the file holds something we
            cannot use; ``problems`` lists every reason with its place in the file.
    """
    source = str(name_or_path)
    if source in packaged_definitions():
        text = (_PACKAGED / f"{source}.yaml").read_text(encoding="utf-8")
    else:
        try:
            text = read_document(Path(source), _LARGEST, follow_links=True).decode()
        except (OSError, ValueError) as error:  # ValueError: not UTF-8, or not a path at all
            raise DefinitionsError(
                f"found no definitions at {source!r} ({error}), expected the path of a YAML file "
                f"or one of {', '.join(packaged_definitions())}"
            ) from None
    try:
        document = load_yaml(text)
    except yaml.YAMLError as error:
        raise _unusable(source, (" ".join(str(error).split()),)) from None
    return parse_definitions(document, source=source)


def parse_definitions(document: Any, *, source: str) -> Definitions:  # noqa: ANN401 - YAML data
    """Return the definitions that plain data, as read from YAML or JSON, holds.

    Raises:
        DefinitionsError: the data hold something we cannot use.
    """
    try:
        file = _File.model_validate(document)
    except ValidationError as error:
        raise _unusable(source, problems_of(error)) from None
    return Definitions(
        region=file.application.area,
        areas=file.application.areas,
        required_inputs=tuple(
            RequiredInput(variable=variable, **dict(item))
            for requirement in file.training.required_inputs
            for variable, item in requirement.items()
        ),
        source=source,
        variables=file.variables,
    )


def plain_definitions(definitions: Definitions) -> dict[str, Any]:
    """Return the plain data that :func:`parse_definitions` reads back to the same definitions."""
    areas = {name: area.model_dump(mode="json") for name, area in definitions.areas.items()}
    inputs = []
    for item in definitions.required_inputs:
        words = {"area": item.area} if item.area is not None else {}
        words["period"] = format_duration(item.period)
        words["sample_rate"] = format_duration(item.sample_rate)
        inputs.append({item.variable: words})
    plain: dict[str, Any] = {
        "application": {"area": definitions.region, "areas": areas},
        "training": {"required_inputs": inputs},
    }
    if definitions.variables:
        rows = definitions.variables.items()
        plain["variables"] = {name: plain_variable(row) for name, row in rows}
    return plain


def _unusable(source: str, problems: tuple[str, ...]) -> DefinitionsError:
    return DefinitionsError(
        listed(f"found definitions we cannot use in {source}:", problems), problems=problems
    )


class _UniqueKeys(yaml.SafeLoader):
    """Plain YAML in which a key stands once, and no word is read as what only some would read."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - the base class's signature
        try:
            value = super().construct_object(node, deep)
        except _MISREAD as error:
            # a date or a number that looks like one, or is tagged as one, and is none
            raise _misread(f"found a value that cannot be read: {error}", node) from None
        plain = isinstance(node, yaml.ScalarNode) and node.style is None
        if plain and not isinstance(value, str) and not _ONE_READING.fullmatch(node.value):
            problem = (
                f"found {short(node.value)}, which YAML reads as {short(value)}; quote it where a "
                "name is meant, otherwise write true, false or a plain decimal number"
            )
            raise _misread(problem, node)
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the base class's signature
        keys = [key for key, _ in node.value if key.tag != _MERGE]
        mapping = super().construct_mapping(node, deep)
        seen: set[Any] = set()
        for mark in keys:
            key = self.construct_object(mark, deep=True)
            if isinstance(key, str) and len(key) < _LONGEST_KEY:
                key = unicodedata.normalize("NFC", key)  # in quadratic time
            if key in seen:
                raise _misread(f"found the key {short(key)} twice", mark)
            seen.add(key)
        return mapping


def _refuse_repeats(root: yaml.Node) -> None:
    """Refuse aliases that stand for more values than anyone writes out; inside itself, for any."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = 2 * _MOST_REPEATS
            inside = [] if isinstance(node, yaml.ScalarNode) else node.value
            if isinstance(node, yaml.MappingNode):
                inside = [part for pair in inside for part in pair]
            sizes[id(node)] = 1 + sum(map(size, inside))
        return sizes[id(node)]

    if size(root) > len(sizes) + _MOST_REPEATS:
        problem = f"found aliases that repeat more than {_MOST_REPEATS} values: write them out"
        raise _misread(problem, root)


def _misread(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def load_yaml(text: str) -> Any:  # noqa: ANN401 - YAML has no better type
    """Return the data of a YAML text in which every key stands once.

    A plain word that this version of YAML reads as something else than others do, or people, is
    refused: ``NO`` (false), ``010`` (8), ``12:30`` (750), a date.

    Raises:
        yaml.YAMLError: the text is not YAML; the message names the place.
    """
    try:
        loader = _UniqueKeys(text)
        root = loader.get_single_node()
        if root is None:
            return None
        _refuse_repeats(root)
        return loader.construct_document(root)
    except RecursionError:
        raise yaml.YAMLError("found lists or mappings nested too deeply to read") from None
    except _MISREAD as error:
        raise yaml.YAMLError(f"found a value that cannot be read: {error}") from None

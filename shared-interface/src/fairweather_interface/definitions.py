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

A required input without ``area`` is read for the area the forecast is for; with the region's
name it is the mean over the region's areas. The software serves from metadata and observations
alone, so a new city needs neither a contract nor a software release.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from fairweather_interface._record import problems_of, unknown_fields
from fairweather_interface.durations import format_duration, parse_duration
from fairweather_interface.errors import DefinitionsError, listed
from fairweather_interface.metadata import Area

_PACKAGED = resources.files("fairweather_interface") / "data"
_DurationInWords = Annotated[timedelta, BeforeValidator(parse_duration)]
_AreaName = Annotated[str, Field(pattern=r"^[^\W_][\w .'()-]*$", max_length=100)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Variable:
    """A quantity that is observed and forecast.

    Attributes:
        name: our name for it.
        unit: its UDUNITS unit everywhere in data.
        standard_name: its name in the CF conventions.
        minimum: the lowest value that can be real, in ``unit``.
        maximum: the highest, in ``unit`` (both after WMO-No. 8 as Zahumensky quotes it).
        symbol: the unit as people write it.
        label: the name as people write it.
    """

    name: str
    unit: str
    standard_name: str
    minimum: float
    maximum: float
    symbol: str
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RequiredInput:
    """What a model wants to be fed with: a variable over a period, at a sample rate.

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
    """

    region: str
    areas: Mapping[str, Area]
    required_inputs: tuple[RequiredInput, ...]
    source: str


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def _known_variable(name: str) -> str:
    if name not in VARIABLES:
        raise ValueError(f"found the variable {name!r}, expected one of {', '.join(VARIABLES)}")
    return name


class _Requirement(_Plain):
    period: _DurationInWords
    sample_rate: _DurationInWords
    area: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.period % self.sample_rate:
            raise ValueError(
                f"found a period of {format_duration(self.period)} at a sample rate of "
                f"{format_duration(self.sample_rate)}, expected a whole number of samples"
            )
        return self


class _Application(_Plain):
    area: _AreaName
    areas: Annotated[dict[_AreaName, Area], Field(min_length=1)]


class _Training(_Plain):
    required_inputs: Annotated[
        list[
            Annotated[
                dict[Annotated[str, AfterValidator(_known_variable)], _Requirement],
                Field(min_length=1, max_length=1),
            ]
        ],
        Field(min_length=1),
    ]


class _File(_Plain):
    application: _Application
    training: _Training

    @model_validator(mode="after")
    def _areas_known(self) -> Self:
        known = [self.application.area, *self.application.areas]
        for name, area in self.application.areas.items():
            for path in unknown_fields(area):
                raise ValueError(
                    f"application.areas.{name}: found the key {path!r}, expected latitude, "
                    "longitude and timezone only"
                )
        if self.application.area in self.application.areas:
            raise ValueError(
                f"application.area: found {self.application.area!r} as the region and as one of "
                "its areas, expected two names"
            )
        for requirement in self.training.required_inputs:
            for variable, item in requirement.items():
                if item.area is not None and item.area not in known:
                    raise ValueError(
                        f"training.required_inputs.{variable}.area: found {item.area!r}, expected "
                        f"one of {', '.join(known)}"
                    )
        return self


def packaged_definitions() -> tuple[str, ...]:
    """Return the names of the definitions this package brings along."""
    names = (item.name for item in _PACKAGED.iterdir())
    return tuple(
        sorted(
            name.removesuffix(".yaml")
            for name in names
            if name.endswith(".yaml") and name != "variables.yaml"
        )
    )


def load_definitions(name_or_path: str | Path) -> Definitions:
    """Return packaged definitions by name (``new-york``) or a user's by path.

    Raises:
        DefinitionsError: there are none of that name or path, or the file says something we
            cannot use; ``problems`` lists every reason with its place in the file.
    """
    source = str(name_or_path)
    if source in packaged_definitions():
        text = (_PACKAGED / f"{source}.yaml").read_text(encoding="utf-8")
    else:
        try:
            text = Path(source).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DefinitionsError(
                f"found no definitions at {source!r} ({error}), expected the path of a YAML file "
                f"or one of {', '.join(packaged_definitions())}"
            ) from None
    try:
        return parse_definitions(load_yaml(text), source=source)
    except (yaml.YAMLError, DefinitionsError) as error:
        problems = error.problems if isinstance(error, DefinitionsError) else (str(error),)
        raise DefinitionsError(
            listed(f"found definitions we cannot use in {source}:", problems), problems=problems
        ) from None


def parse_definitions(document: Any, *, source: str) -> Definitions:  # noqa: ANN401 - YAML data
    """Return the definitions that plain data, as read from YAML or JSON, holds.

    Raises:
        DefinitionsError: the data says something we cannot use.
    """
    try:
        file = _File.model_validate(document)
    except ValidationError as error:
        problems = problems_of(error)
        raise DefinitionsError(
            listed(f"found definitions we cannot use in {source}:", problems), problems=problems
        ) from None
    return Definitions(
        region=file.application.area,
        areas=file.application.areas,
        required_inputs=tuple(
            RequiredInput(
                variable=variable,
                period=item.period,
                sample_rate=item.sample_rate,
                area=item.area,
            )
            for requirement in file.training.required_inputs
            for variable, item in requirement.items()
        ),
        source=source,
    )


def plain_definitions(definitions: Definitions) -> dict[str, Any]:
    """Return the plain data that :func:`parse_definitions` reads back to the same definitions."""
    return {
        "application": {
            "area": definitions.region,
            "areas": {
                name: area.model_dump(mode="json") for name, area in definitions.areas.items()
            },
        },
        "training": {
            "required_inputs": [
                {
                    item.variable: {
                        **({"area": item.area} if item.area is not None else {}),
                        "period": format_duration(item.period),
                        "sample_rate": format_duration(item.sample_rate),
                    }
                }
                for item in definitions.required_inputs
            ]
        },
    }


class _UniqueKeys(yaml.SafeLoader):
    """Plain YAML in which a key stands once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the base class's signature
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key, (mark, _) in zip(keys, node.value, strict=True):
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"found the key {key!r} twice", mark.start_mark
                )
        return super().construct_mapping(node, deep)


def load_yaml(text: str) -> Any:  # noqa: ANN401 - YAML has no better type
    """Return the data of a YAML text in which every key stands once.

    Raises:
        yaml.YAMLError: the text is not YAML; the message says where.
    """
    return yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader


VARIABLES: Mapping[str, Variable] = {
    name: Variable(name=name, **fields)
    for name, fields in load_yaml(
        (_PACKAGED / "variables.yaml").read_text(encoding="utf-8")
    ).items()
}
"""Every variable the contract knows, by name."""

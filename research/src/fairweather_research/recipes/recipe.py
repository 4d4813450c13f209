"""Recipes: everything that decides what a training makes, in one YAML file.

::

    recipe = load_recipe("recipes/winter-predictor.yaml")
    recipe.areas                       # ('EWR', 'JFK')
    Recipe.parse(recipe.document(), source="metadata.json") == recipe

A recipe is *resolved* when it is loaded: the definitions it names are read and become part of it.
``document()`` is that resolved form, plain JSON; provenance records it, and a training can be
repeated from it alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self, get_args

from fairweather_interface.definitions import Definitions, parse_definitions
from fairweather_interface.durations import format_duration
from fairweather_interface.errors import in_words, short
from pydantic import BaseModel, Field, ValidationError, model_validator

from fairweather_research.document import (
    Duration,
    StrictModel,
    nearest,
    read_yaml,
    resolve_definitions,
)
from fairweather_research.errors import RecipeError
from fairweather_research.networks.base import FitPlan
from fairweather_research.observations.sources import SOURCES
from fairweather_research.recipes import values
from fairweather_research.recipes.blueprint import Blueprint, make_blueprint
from fairweather_research.recipes.switch import SwitchPlan

_DAY = timedelta(days=1)
_QUOTE_IT = "expected a text: put it in quotes"
_MOST_IN_WORDS = 20  # problems; others are counted


class ObservationsPlan(StrictModel):
    """Where the observations come from: a named source, or a file in the archive format."""

    source: values.Text
    """A [packaged source](observations.md), or the path of a Parquet or CSV file."""
    location: values.Text | None = None
    """Where the observations can be obtained again: an address, a DOI or a sentence. It is recorded
    in every delivery. Default: the name of the file, or the address of the packaged source."""
    synthetic: bool = False
    """`true` if the weather is generated; required by `generator`. Every forecast then says so."""

    @model_validator(mode="after")
    def _own_what_is_made_up(self) -> Self:
        if self.source in SOURCES and SOURCES[self.source].synthetic and not self.synthetic:
            raise ValueError(
                f"the weather of the source {self.source!r} is made up, and `synthetic` does not "
                "say so; write `synthetic: true`, which every forecast will then say"
            )
        return self


class SplitPlan(StrictModel):
    """How time is divided: of every ``every``, the last ``held_out`` is for judging alone.

    Or the ``last`` of the whole record is.
    """

    every: Duration = timedelta(days=48)
    """Length of one cycle of the split of time; cycles are counted from 1970-01-01."""
    held_out: Duration | None = timedelta(days=12)
    """The last days of each cycle, used for evaluation only. None with `last`."""
    last: values.Years | None = None
    """The end of the record, such as `1 year` (365 days), used for evaluation only, in place of the
    last days of each cycle. [More](evaluation.md#split-of-time)"""
    calibration: Duration = timedelta(days=10)
    """Days of each cycle, in two blocks, that decide when to stop, how far to trust the network and
    how wide the bands are."""

    @model_validator(mode="before")
    @classmethod
    def _one_way_to_hold_out(cls, found: Any) -> Any:  # noqa: ANN401 - whatever a file holds
        """Hold out nothing of a cycle where the end of the record is held out."""
        if isinstance(found, dict) and found.get("last") is not None:
            return {"held_out": None, **found}
        return found

    @model_validator(mode="after")
    def _leaves_time_to_train(self) -> Self:
        if (self.held_out is None) == (self.last is None):
            raise ValueError(
                "expected one of `held_out`, the last days of each cycle, and `last`, the end of "
                "the record; take the other out"
            )
        for name in ("every", "held_out", "last", "calibration"):
            if (getattr(self, name) or _DAY) % _DAY:
                raise ValueError(
                    f"`{name}` is no whole number of days; write, for example, 12 days"
                )
        if self.calibration % (2 * _DAY):
            raise ValueError("`calibration` is an odd number of days; it is cut in two blocks")
        if 2 * ((self.held_out or 0 * _DAY) + self.calibration) > self.every * 3 / 2:
            raise ValueError(
                "`held_out` and `calibration` leave less than a quarter of the time to train on; "
                "make `every` longer"
            )
        return self


@dataclass(frozen=True)
class Declares:
    """The field of the metadata that a key of a recipe declares; it stands beside the key.

    The key's value is the field's, unless training finds another one.

    Attributes:
        field: of the metadata.
        meaning: what older schemas cannot express, for people; for a key that holds a list, the
            meaning of each entry. Empty where every schema has the field.
        without: the value of the key that declares nothing.
    """

    field: str
    meaning: str | Mapping[str, str] = ""
    without: object = None


class Recipe(StrictModel):
    """A checked, resolved recipe."""

    topic: Annotated[values.Text, Declares("topic")]
    """What the model is about, in a few words for people."""
    author: Annotated[values.Text, Declares("author")]
    """Who is responsible for the model."""
    model_type: Annotated[
        str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=100), Declares("model_type")
    ]
    """A label such as `WinterPredictor`: letters, digits and `_`."""
    areas: values.Names
    """Areas that the model covers. Their order is the order of the model's `area_index`."""
    variables: values.Names
    """What it forecasts, of the
    [contract's variables](../../shared-interface/docs/observations.md#variables) or those of the
    definitions. [More](#add-a-variable)"""
    season: Annotated[values.Months, Declares("valid_months")]
    """Months (1 to 12) in which a forecast may start, in the area's local time. [More](#season)"""
    definitions: dict[str, Any]
    """Areas, required inputs and variables: a packaged name (`new-york`, `israel`), the path of a
    YAML file or the definitions themselves. [More](#add-an-area)"""
    observations: ObservationsPlan
    step: Duration = timedelta(hours=1)
    """Time between two forecast values; must divide a day. [More](#step)"""
    horizon: Duration = timedelta(days=7)
    """How far ahead the forecast reaches; a whole number of steps."""
    max_missing: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Largest share of a window that may be missing, in training and when serving."""
    max_age: Annotated[
        values.MaxAge, Declares("inputs", "a limit on the age of the newest value")
    ] = None
    """How old the newest value of every input may be when serving, such as `3 hours`; or
    `measured`, the greatest age at which the band still holds. Default: any age that `max_missing`
    admits. [More](#age-of-the-newest-value)"""
    max_temperature_seen: Annotated[
        bool,
        Declares("applicability_domain", "the highest temperature seen in training", without=False),
    ] = True
    """Declare the highest training temperature as an upper [bound](compatibility.md#bounds)."""
    max_humidity_seen: Annotated[
        bool,
        Declares("applicability_domain", "the highest humidity seen in training", without=False),
    ] = False
    """Declare the highest training humidity as an upper bound."""
    applicability_domain: Annotated[
        values.Bounds,
        Declares(
            "applicability_domain",
            {
                "minimum": "the lowest value of each input seen in training",
                "maximum": "the highest value of each input seen in training",
                "max_missing": "the largest share of missing values seen in training",
            },
            without=(),
        ),
    ] = ()
    """Bounds to declare for every input, from the training windows: any of `minimum`, `maximum` and
    `max_missing` (the largest share of a window that was missing)."""
    quantiles: Annotated[
        values.Quantiles, Declares("uncertainty", "bands of uncertainty", without=())
    ] = ()
    """Probabilities of [bands](#bands), ascending, at least one below and one above 0.5, such as
    `[0.1, 0.9]`."""
    intended_use: Annotated[values.Prose, Declares("intended_use", "what it is made for")] = None
    """What the model is made for, in sentences for people."""
    limitations: Annotated[values.Prose, Declares("limitations", "what it is not fit for")] = None
    """What it is not fit for, in sentences for people."""
    licence: Annotated[values.Licence | None, Declares("licence", "its licence")] = None
    """The licence of the model, an SPDX expression such as `CC-BY-4.0`."""
    contact: Annotated[values.Text | None, Declares("contact", "whom to ask")] = None
    """Where to ask about the model: an address or a name."""
    network: values.Network = "blend"
    """The [network](networks.md) to train, by its name, or a callable of your own as
    `package.module:callable`."""
    switch: SwitchPlan | None = None
    """Several networks in one model, and the condition that selects one of them.
    [More](networks.md#several-networks-in-one-model)"""
    fit: FitPlan = FitPlan()
    split: SplitPlan = SplitPlan()
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    """Seed of all random numbers."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        defined, step = self.defined, format_duration(self.step)
        problems = [
            f"`areas`: unknown area {short(area)}; expected one of {in_words(defined.areas)}; "
            "choose one of them, or define it in a definitions file of your own"
            for area in self.areas
            if area not in defined.areas
        ]
        problems += [
            f"`variables`: unknown variable {short(variable)}; expected one of "
            f"{in_words(defined.variable_table)}, or a row for it under `variables` of the "
            "definitions"
            for variable in self.variables
            if variable not in defined.variable_table
        ]
        if _DAY % self.step:
            problems.append(f"`step`: {step} does not divide a day; write, for example, 1 hour")
        if self.horizon % self.step or self.horizon < self.step:
            problems.append(
                f"`horizon`: {format_duration(self.horizon)} is no whole number of steps of {step}"
            )
        problems += [
            f"`step`: {step} does not fit the input {required.variable} "
            f"({format_duration(required.period)} every {format_duration(required.sample_rate)}); "
            "the step must be a multiple of the sample rate, and the period a multiple of the step"
            for required in defined.required_inputs
            if self.step % required.sample_rate or required.period % self.step
        ]
        problems += self._age_problems(sound=not problems)
        if self.switch is not None:
            problems += self.switch.problems()
            if not problems:
                problems += self.switch.input_problems(self.blueprint)
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _age_problems(self, *, sound: bool) -> Iterator[str]:
        """Yield what is wrong with ``max_age`` beside the other keys, if they are ``sound``."""
        if isinstance(self.max_age, timedelta):
            for required in self.defined.required_inputs:
                if self.max_age > required.period:
                    yield (
                        f"`max_age`: {format_duration(self.max_age)} is longer than the period of "
                        f"the input {required.variable}, {format_duration(required.period)}, in "
                        "which no value is so old; write less, or take it out where any age will do"
                    )
        elif self.max_age == values.MEASURED and not self.quantiles:
            yield (
                "`max_age`: `measured` is the age up to which the band holds, and there is no "
                "band; add `quantiles`, for example [0.1, 0.9], or write a duration"
            )
        elif self.max_age == values.MEASURED and sound and not self.blueprint.measured_ages:
            yield (
                "`max_age`: found measured, but `max_missing` allows so few missing values that no "
                "age is measured, the least being 3 hours; raise it, or write a duration"
            )

    @classmethod
    def declares(cls) -> dict[str, Declares]:
        """Return what keys declare in the metadata, by key."""
        return {
            key: item
            for key, field in cls.model_fields.items()
            for item in field.metadata
            if isinstance(item, Declares)
        }

    @property
    def defined(self) -> Definitions:
        """The areas and required inputs of the definitions that the recipe carries."""
        return parse_definitions(self.definitions, source="definitions")

    @cached_property
    def blueprint(self) -> Blueprint:
        """Names, shapes and units of the model's inputs and outputs."""
        return make_blueprint(
            self.defined,
            areas=self.areas,
            variables=self.variables,
            quantiles=self.quantiles,
            max_missing=self.max_missing,
            step=self.step,
            leads=self.leads,
        )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with other values, whose blueprint is its own."""
        copy = super().model_copy(update=update, deep=deep)
        copy.__dict__.pop("blueprint", None)
        return copy

    @property
    def leads(self) -> int:
        """Number of forecast steps: ``horizon / step``."""
        return self.horizon // self.step

    def document(self) -> dict[str, Any]:
        """Return the resolved recipe as plain JSON; ``parse`` returns an equal recipe."""
        return self.model_dump(mode="json")

    @classmethod
    def parse(cls, document: object, *, source: str, folder: Path | None = None) -> Recipe:
        """Check the content of a YAML file, or a ``document()``, and resolve its definitions.

        ``source`` names it in error messages; relative paths in it start from ``folder``, or from
        the working directory.

        Raises:
            RecipeError: with every problem, each naming its key.
        """
        if not isinstance(document, dict):
            found = "nothing" if document is None else type(document).__name__
            raise RecipeError(
                source, [f"found {found}, expected keys and values; start with `topic: ...`"]
            )
        resolved, problems = resolve_definitions(document, folder or Path.cwd())
        try:
            recipe = cls.model_validate(resolved)
        except ValidationError as error:
            problems = [*problems, *_problems(error, are_defined=not problems)]
        if problems:
            raise RecipeError(source, problems)
        return recipe


def load_recipe(path: str | Path) -> Recipe:
    """Read, check and resolve a recipe file. Relative paths in it start from its folder.

    Raises:
        RecipeError: with every problem found, each naming its key.
    """
    path = Path(path)
    try:
        document = read_yaml(path)
    except ValueError as error:
        raise RecipeError(str(path), [str(error)]) from error
    return Recipe.parse(document, source=str(path), folder=path.resolve().parent)


def _problems(error: ValidationError, *, are_defined: bool) -> list[str]:
    """List all problems, each with its key.

    What follows from unusable definitions alone is left out where those are a problem already.
    """
    problems: list[str] = []
    for part in error.errors(include_url=False):
        where, found = ".".join(str(step) for step in part["loc"]), part["input"]
        problem = part["msg"].removeprefix("Value error, ")
        if len(problems) >= _MOST_IN_WORDS:
            problems.append(problem)
            continue
        match part["type"]:
            case "missing":
                problem = "missing; a recipe must say it"
            case "extra_forbidden":
                problem = f"unknown key; {_nearest(part['loc'])}"
            case "tuple_type":
                problem = f"found {short(found)}, expected a list; write it in square brackets"
            case "invalid_key":
                where = where.rpartition(".")[0]
                problem = f"found the key {short(found)}; {_QUOTE_IT}"
            case "model_type":
                problem = f"found {short(found)}, expected keys and values"
            case kind if kind != "value_error":
                known = where.startswith("definitions") and not are_defined
                if known or (kind == "too_short" and found):  # each entry is a problem already
                    continue
                problem = problem.replace("Input should be a valid string", _QUOTE_IT)
                problem = f"found {short(found)}; {problem}"
        problems += [f"`{where}`: {problem}"] if where else problem.splitlines()
    return problems


def _nearest(location: tuple[int | str, ...]) -> str:
    owner: type[BaseModel] = Recipe
    for step in location[:-1]:
        annotation = owner.model_fields[str(step)].annotation
        for part in (annotation, *get_args(annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                owner = part
    return nearest(location[-1], list(owner.model_fields))

"""What a model may declare beyond a plain forecast: domain, uncertainty, variables of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Self

from pydantic import Field, model_validator

from fairweather_interface.metadata.record import Name, Positive, Record, Rule, Share, Word
from fairweather_interface.variables import Variable

_must = partial(Rule, since="0.3", must_obey=True)
_may = partial(Rule, since="0.3")
_later = partial(Rule, since="0.4")


class Bounds(Record):
    """The windows of one input that a model declares itself fit for; absent: no bound.

    ``minimum`` and ``maximum`` bound every value that is present, in the input's unit, and
    ``max_missing`` the share of the window that is not.
    """

    minimum: Annotated[float | None, _must("the lowest value, in the input's unit")] = None
    maximum: Annotated[
        float | None, _must("the highest value, in the input's unit", law="not below minimum")
    ] = None
    max_missing: Annotated[Share | None, _must("the largest share missing")] = None

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if None not in (self.minimum, self.maximum) and self.minimum > self.maximum:  # type: ignore[operator]  # narrowed
            raise ValueError(
                f"found a minimum of {self.minimum:g} above the maximum of {self.maximum:g}"
            )
        return self


class DeclaredVariable(Record):
    """A variable that the packaged table lacks, so that a new one needs no release of software.

    Where the table has come to know the variable since, its row there is the one that counts.
    """

    unit: Annotated[Word, _later("UDUNITS unit of its values everywhere in the delivery")]
    minimum: Annotated[float, _later("the lowest value that can be real, in its unit")]
    maximum: Annotated[
        float, _later("the highest value that can be real, in its unit", law="above minimum")
    ]
    label: Annotated[Word | None, _later("its name for people; absent: made of its name")] = None
    margin: Annotated[
        Positive | None,
        _later("how far beyond a declared bound software may go, in its unit; absent: not at all"),
    ] = None

    @model_validator(mode="after")
    def _row(self) -> Self:
        self.row("any")  # raises where no table could hold it
        return self

    @classmethod
    def of(cls, row: Variable) -> Self:
        """Return the declaration of a variable from its row in a table."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})

    def row(self, name: str) -> Variable:
        """Return the row of the variable, as tables of variables hold it."""
        said = self.model_dump(include=set(type(self).model_fields), exclude_none=True)
        return Variable(name=name, **said)


class Quantile(Record):
    """A named tensor with a quantile of an output: observed values lie below it with a probability.

    It has the output's type, shape, unit and step, and is none of ``outputs``. At every step the
    quantiles of an output do not fall as the probability rises, and they are values that their
    variable can have: a reader may refuse a model whose quantiles are not.
    """

    name: Annotated[Name, _may("the tensor's name")]
    output: Annotated[Name, _may("the output whose quantile it is")]
    probability: Annotated[float, _may("how often observed values lie below it"), Field(gt=0, lt=1)]


def domain_problems(domain: Mapping[str, Bounds] | None, observed: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with a domain, given the names of the inputs that are observed."""
    for name in domain or {}:
        if name not in observed:
            yield (
                f"applicability_domain: found bounds of {name!r}, expected an input of the role "
                f"observations: {', '.join(observed) or 'there is none'}"
            )


def uncertainty_problems(
    quantiles: Sequence[Quantile] | None,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    tolerance: Mapping[str, object],
) -> Iterator[str]:
    """Yield what is wrong with quantiles, given the names that the metadata holds elsewhere."""
    taken = {*inputs, *outputs}
    seen: set[tuple[str, float]] = set()
    for quantile in quantiles or ():
        place = f"uncertainty: {quantile.name!r}"
        if quantile.name in taken:
            yield f"{place}: found a name that another tensor has, expected one of its own"
        if quantile.output not in outputs:
            yield f"{place}: found a quantile of {quantile.output!r}, which is no output"
        if (quantile.output, quantile.probability) in seen:
            yield f"{place}: found {quantile.probability:g} of {quantile.output!r} twice"
        if quantile.name not in tolerance:
            yield f"tolerance: found none for {quantile.name!r}, expected one for every quantile"
        taken.add(quantile.name)
        seen.add((quantile.output, quantile.probability))

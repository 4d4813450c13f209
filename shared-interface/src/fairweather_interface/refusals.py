"""Refusals: why a model is passed over, as stable codes for programs and sentences for people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Phase(StrEnum):
    """When a code is decided on the way from a store to an answer."""

    STORE = "store"  # when a delivery is read
    OPERATOR = "operator"  # by decisions and settings of those who run the software
    DECLARED = "declared"  # from the area and the variables that are asked for
    START = "start"  # from the reference time
    WINDOWS = "windows"  # from the observations
    RUN = "run"  # when the model is loaded and run


class Code(StrEnum):
    """The codes a refusal can carry. They are part of the contract: added to, never renamed.

    Attributes:
        phase: when it is decided.
        meaning: why the model is passed over, as a sentence.
    """

    phase: Phase
    meaning: str

    AREA_NOT_DECLARED = (
        "area-not-declared",
        Phase.DECLARED,
        "The model does not declare the area; a nearby one is no substitute.",
    )
    VARIABLE_NOT_DECLARED = (
        "variable-not-declared",
        Phase.DECLARED,
        "The model does not forecast the variable.",
    )
    OUT_OF_SEASON = (
        "out-of-season",
        Phase.START,
        "The local month of the reference time is not among the model's `valid_months`.",
    )
    OUT_OF_DOMAIN = (
        "out-of-domain",
        Phase.WINDOWS,
        "The observations lie outside the bounds that the model declares.",
    )
    OBSERVATIONS_MISSING = (
        "observations-missing",
        Phase.WINDOWS,
        "A window lacks more values than the model allows, or cannot be supplied at all.",
    )
    OBSERVATIONS_STALE = (
        "observations-stale",
        Phase.WINDOWS,
        "The newest value of a window is older than the model allows.",
    )
    SCHEMA_TOO_NEW = (
        "schema-too-new",
        Phase.STORE,
        "The metadata needs software that reads a newer schema.",
    )
    RUNTIME_UNAVAILABLE = (
        "runtime-unavailable",
        Phase.RUN,
        "No runtime of the software runs any of the model's artifacts.",
    )
    BELOW_BASELINE = (
        "below-baseline",
        Phase.OPERATOR,
        "The model is no better than the baseline, and the operator demands that it is.",
    )
    INVALID_OUTPUT = (
        "invalid-output",
        Phase.RUN,
        "The model ran and returned values that are no forecast.",
    )
    TIMED_OUT = ("timed-out", Phase.RUN, "The model did not return in time.")
    WITHDRAWN = ("withdrawn", Phase.OPERATOR, "An operator withdrew the delivery.")
    OVERRIDDEN = ("overridden", Phase.OPERATOR, "An operator narrowed what the model may serve.")
    NOT_TRUSTED = (
        "not-trusted",
        Phase.STORE,
        "No key that the operator trusts vouches for the delivery.",
    )
    CORRUPT = ("corrupt", Phase.STORE, "The delivery's bytes, layout or contents disagree.")

    def __new__(cls, value: str, phase: Phase = Phase.RUN, meaning: str = "") -> Self:
        """Make a member whose value is the code alone; ``Code(value)`` needs no more to find it."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.phase = phase
        member.meaning = meaning
        return member

    @property
    def repeatable(self) -> bool:
        """Whether the same model refuses again for the same reference time and windows."""
        return self.phase in (Phase.START, Phase.WINDOWS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """One reason why a model does not answer.

    Attributes:
        code: what kind of reason, for programs.
        reason: the whole sentence, for people: what was found and what the model declares.
    """

    code: Code
    reason: str

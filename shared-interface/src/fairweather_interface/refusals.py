"""Why a model is passed over: stable codes for programs, sentences for people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """The codes a refusal can carry. They are part of the contract: added to, never renamed."""

    AREA_NOT_DECLARED = "area-not-declared"
    VARIABLE_NOT_DECLARED = "variable-not-declared"
    OUT_OF_SEASON = "out-of-season"
    OUT_OF_DOMAIN = "out-of-domain"
    OBSERVATIONS_MISSING = "observations-missing"
    SCHEMA_TOO_NEW = "schema-too-new"
    RUNTIME_UNAVAILABLE = "runtime-unavailable"
    BELOW_BASELINE = "below-baseline"
    INVALID_OUTPUT = "invalid-output"
    TIMED_OUT = "timed-out"
    WITHDRAWN = "withdrawn"
    OVERRIDDEN = "overridden"
    CORRUPT = "corrupt"


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """One reason why a model does not answer.

    Attributes:
        code: what kind of reason, for programs.
        reason: the whole sentence, for people: what was found and what the model declares.
    """

    code: Code
    reason: str

"""The description of an operation in the OpenAPI document, written beside its route.

`openapi` makes the document of the app's routes and of what is written here; a route without an
`Operation` (files) is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

_KEY = "fairweather_operation"
View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """Describes a view that it decorates, below the decorator of its route.

    The view's name is the operationId, the first line of its docstring the summary.

    Attributes:
        tag: the group it is shown in.
        answer: the model of its success, or the media type where there is no model.
        means: what the success is.
        page: whether the address also answers with a page, for people.
        query: the model whose fields are its parameters, by the parameters' names.
        parameters: more of its parameters, by their names in ``document.json``.
        body: the model of its request body.
        headers: more headers of its success, each with its name among the components.
        also: other statuses that are no problem, and what each means.
        links: where its success leads to.
        problems: the codes of its problems, beside ``internal-error``.
        invalid: the statuses of its ``invalid-request``.
    """

    tag: str
    answer: type[BaseModel] | str
    means: str
    page: bool = False
    query: tuple[type[BaseModel], Mapping[str, str]] | None = None
    parameters: tuple[str, ...] = ()
    body: type[BaseModel] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    also: Mapping[int, str] = field(default_factory=dict)
    links: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    invalid: tuple[int, ...] = ()

    def __call__(self, view: View) -> View:
        """Describe a view."""
        vars(view)[_KEY] = self
        return view


def operation_of(view: Callable[..., Any]) -> Operation | None:
    """Return the description of a view, or of the one that it wraps."""
    found: Operation | None = vars(view).get(_KEY)
    return found

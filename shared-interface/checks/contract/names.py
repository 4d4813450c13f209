"""Hold the public names of the package against those of a release: what may be asked, and how."""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from rules import Change, Rule, version
from witnesses import Witness

_INSIDE = ("fairweather_interface.problems",)
"""Modules that are no part of the promise."""


def changed_names(release: Witness, mine: Witness, told: Collection[str]) -> Iterator[Change]:
    """Yield the names of a release that are gone, or that cannot be used as they could.

    A new major may do that to the names that the changelog told of.
    """
    then, now = release.ask("names").get("answer", {}), mine.ask("names")
    if "answer" not in now:
        yield Change(rule=Rule.CANNOT_BE_ASKED, path="names", found=str(now))
        return
    major = version(mine.schema)[0] > version(release.schema)[0]
    for name, there in then.items():
        if name.startswith(_INSIDE):
            continue
        after = now["answer"].get(name)
        fields = there.get("fields", ()) if major else ()  # the ledger knows which of them go
        kept = set(there.get("attributes", ())) - set(fields)
        for found in (
            ["it is gone"] if after is None else _changed({**there, "attributes": kept}, after)
        ):
            if major and name.rpartition(".")[2] in told:
                yield Change(rule=Rule.CHANGED_WITH_NEW_MAJOR, path=name, found=found)
                continue
            remedy = "bring it back, and put what is new beside it"
            if major:
                remedy = f"say so in the changelog ('- Breaking: `{name.rpartition('.')[2]}` ...')"
            yield Change(
                rule=Rule.PUBLIC_NAME_CHANGED,
                path=name,
                found=f"{found}, and {release.name} had it so; research and app import from it: "
                f"{remedy}",
            )


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    if before["kind"] != after["kind"]:
        yield f"it is a {after['kind']} and was a {before['kind']}"
        return
    for part in ("bases", "attributes"):
        lost = set(before.get(part, ())) - set(after.get(part, ()))
        yield from (f"{part[:-1]} {each} is gone" for each in sorted(lost))
    if before.get("returns") != after.get("returns"):
        yield f"it returns {after.get('returns')}, not {before.get('returns')}"
    if "parameters" in before and "parameters" in after:
        yield from _asked(before["parameters"], after["parameters"])


def _asked(was: Mapping[str, Any], has: Mapping[str, Any]) -> Iterator[str]:
    """Yield what can be said to a function no more, or must be said now."""
    for name, (kind, default) in was.items():
        if name not in has:
            yield f"parameter {name} is gone"
        elif has[name] != [kind, default]:
            yield f"parameter {name} was {kind} with the default {default}, is {has[name]}"
    if [name for name in has if name in was] != [name for name in was if name in has]:
        yield "its parameters have another order"
    for name, (kind, default) in has.items():
        if name not in was and default is None and not kind.startswith("VAR_"):
            yield f"parameter {name} is new and has no default"
        later = list(has)[list(has).index(name) + 1 :]
        if name not in was and kind.startswith("POSITIONAL") and any(
            other in was and has[other][0].startswith("POSITIONAL") for other in later
        ):  # fmt: skip
            yield f"parameter {name} is new and stands before older ones"

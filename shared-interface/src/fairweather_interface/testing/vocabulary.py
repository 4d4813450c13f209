"""Hold the names and docstrings of a package against the words that are no longer used in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from importlib import resources
from pathlib import Path

import yaml

_TABLE = resources.files(__package__) / "vocabulary.yaml"
RETIRED: Mapping[str, Mapping[str, str]] = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
"""Retired words and what to write instead: of names, of docstrings and of their openings."""

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def vocabulary_problems(
    package: Path,
    *,
    retired: Mapping[str, Mapping[str, str]] = RETIRED,
    allowed: Collection[str] = (),
) -> tuple[str, ...]:
    """Return where the modules below a folder use retired words; empty where none does.

    Args:
        package: the folder of the package.
        retired: the table; a package may add words of its own, or leave a part out.
        allowed: whole names that keep a retired word, such as public ones.
    """
    return tuple(
        f"{path.relative_to(package.parent)}:{line}: found {word.lower()!r} in {text!r}, "
        f"expected {instead}"
        for path in sorted(package.rglob("*.py"))
        for line, part, text in _texts(path)
        for word in ([text.partition(" ")[0]] if part == "openings" else _WORD.findall(text))
        if (instead := retired.get(part, {}).get(word.lower())) and text not in allowed
    )


def _texts(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the part of the table and the text of everything that is checked."""
    yield 1, "names", path.parent.name if path.stem == "__init__" else path.stem
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.arg):
            yield node.lineno, "names", node.arg
        if not isinstance(node, ast.Module | ast.ClassDef | _Function):
            continue
        line = getattr(node, "lineno", 1)
        if not isinstance(node, ast.Module):
            yield line, "names", node.name
        first = (ast.get_docstring(node) or "").partition("\n")[0]
        yield line, "docstrings", first
        if isinstance(node, _Function) and not any(
            ast.unparse(decorator).endswith("property") for decorator in node.decorator_list
        ):
            yield line, "openings", first

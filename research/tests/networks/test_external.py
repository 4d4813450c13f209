"""Networks of somebody else's: how they are found, what they are held to, what is recorded."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fairweather_interface.metadata import ONNX, SAVED_MODEL
from fairweather_interface.testing import assert_delivery_conforms

import plugged_networks
from fairweather_research import Recipe, train
from fairweather_research.dataset.branches import find_switch
from fairweather_research.delivery.metadata import Provenance
from fairweather_research.errors import AbsentNetworkError, NetworkError
from fairweather_research.networks.base import NETWORKS, NetworkInputs
from fairweather_research.networks.external import (
    build_network,
    load_build,
    provenance_of,
    refuse_absent,
    refuse_other_numbers,
    source_digest,
    validate_network,
)
from shapes import SHAPE, inputs

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairweather_interface.delivery import Delivery

    from fairweather_research.dataset.window_set import WindowSet

HERE = Path(__file__).parents[1]
PAGE = (HERE.parent / "docs" / "networks.md").read_text(encoding="utf-8")


def plugged(name: str) -> str:
    return f"plugged_networks:{name}"


def refusal(name: str, step: Callable[..., object], *arguments: Any) -> str:
    with pytest.raises(NetworkError) as caught:
        step(name, *arguments)
    (problem,) = caught.value.problems
    assert caught.value.source == name
    assert problem.startswith("`network`: ")
    return problem


@pytest.mark.parametrize("name", ["no_such_module:build", "json.nothing.here:build"])
def test_a_module_that_is_not_there_is_refused_before_anything_is_trained(name: str) -> None:
    problem = refusal(name, refuse_absent)
    assert "found no module" in problem
    assert "PYTHONPATH" in problem
    assert refusal(name, load_build) == problem
    for step in (refuse_absent, source_digest):
        with pytest.raises(AbsentNetworkError):
            step(name)


def test_a_module_that_cannot_be_imported_is_as_good_as_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wants_more.py").write_text("import no_such_library\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    refuse_absent("wants_more:build")
    with pytest.raises(AbsentNetworkError, match=r"ModuleNotFoundError: No module named 'no_such"):
        load_build("wants_more:build")


@pytest.mark.parametrize("line", ["1 / 0", "def", "import no_such_library"])
def test_a_package_that_cannot_be_imported_is_told_and_never_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "__init__.py").write_text(line, encoding="utf-8")
    (tmp_path / "broken" / "net.py").write_text("def build(): ...", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for step in (refuse_absent, source_digest):
        with pytest.raises(AbsentNetworkError, match="`network`: "):
            step("broken.net:build")


def test_our_own_and_importable_networks_are_not_refused() -> None:
    for name in (*NETWORKS, plugged("Foreign")):
        refuse_absent(name)


def test_a_name_that_a_module_does_not_have_or_that_is_no_callable_is_told() -> None:
    assert "found no such name at 'nobody'" in refusal(plugged("nobody"), load_build)
    assert "found int, which is no callable" in refusal(plugged("number"), load_build)


def test_a_callable_that_takes_other_arguments_is_told_with_its_own_error() -> None:
    problem = refusal(plugged("takes_nothing"), build_network, SHAPE, inputs())
    assert "building it failed with TypeError: takes_nothing() takes 0 positional" in problem


def test_what_is_neither_a_keras_model_nor_a_network_is_told_with_all_it_lacks() -> None:
    problem = refusal(plugged("NothingToDeliver"), build_network, SHAPE, inputs())
    assert "NothingToDeliver, without fit, predict, model (in TensorFlow) or export_onnx" in problem


def test_a_network_of_another_framework_is_refused_where_a_recipe_switches(
    tiny: Callable[..., Recipe], tiny_windows: WindowSet
) -> None:
    from fairweather_research.training.fitting import fit  # noqa: PLC0415 - slow

    switch = {"by": "reference_time", "months": [[*range(1, 7)], [*range(7, 13)]]}
    recipe = tiny(network=plugged("Foreign"), switch=switch)
    with pytest.raises(NetworkError) as caught:
        fit(
            tiny_windows,
            recipe.fit,
            recipe.network,
            lambda _: None,
            find_switch(recipe, tiny_windows),
        )
    (problem,) = caught.value.problems
    assert "`switch`: found a network of another framework, expected one in TensorFlow" in problem


def hold(name: str) -> None:
    network = getattr(plugged_networks, name)(SHAPE)
    network.weights += 1
    validate_network(plugged(name), network.predict, SHAPE, inputs())


def test_a_network_that_keeps_its_promises_passes() -> None:
    hold("Foreign")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("WrongShape", "answers of shape [16, 2, 29], expected [16, 2, 30]"),
        ("NotANumber", "answers that are no number"),
        ("EmptyHanded", "no number for a past that is all missing"),
        ("Restless", "other answers to the same question"),
        ("Sociable", "another answer to a window alone"),
    ],
)
def test_a_network_that_breaks_a_promise_is_told_which(name: str, told: str) -> None:
    with pytest.raises(NetworkError, match=re.escape(told)):
        hold(name)


def test_a_keras_model_that_is_random_at_inference_is_refused() -> None:
    name = plugged("noisy_keras")
    network = build_network(name, SHAPE, inputs())
    with pytest.raises(NetworkError, match="no randomness at inference"):
        validate_network(name, network.predict, SHAPE, inputs())


def test_what_fails_in_foreign_code_is_one_sentence_with_its_place(
    tiny: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    store = tmp_path / "store"
    with pytest.raises(NetworkError) as caught:
        train(tiny(network=plugged("Raises")), store)
    (problem,) = caught.value.problems
    assert "fitting it failed with LookupError: there is no such optimizer" in problem
    assert "(plugged_networks.py, line " in problem
    assert not list(store.iterdir())


def test_provenance_tells_the_source_and_versions_of_a_network() -> None:
    found = provenance_of(plugged("Foreign"), plugged_networks.Foreign(SHAPE))
    digest = found.pop("network plugged_networks:Foreign")
    assert digest == source_digest(plugged("Foreign"))
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)
    assert found == {"onnx": version("onnx"), "no-such-distribution": "not installed"}
    assert provenance_of("blend", object()) == {}
    assert provenance_of("numpy.linalg:solve", object())["numpy"] == np.__version__


@pytest.fixture(scope="module")
def foreign(tiny_document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    recipe = {**tiny_document, "network": plugged("Foreign"), "quantiles": [0.1, 0.9]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE))
        store = tmp_path_factory.mktemp("store")
        return train(Recipe.parse(recipe, source="foreign.yaml"), store)


def test_a_network_of_no_framework_of_ours_is_delivered_with_onnx_as_the_model(
    foreign: Delivery,
) -> None:
    assert_delivery_conforms(foreign.path)
    canonical, other = foreign.metadata.artifacts
    assert (canonical.format, canonical.path, canonical.canonical) == (ONNX, "model.onnx", True)
    assert (other.format, other.path) == (SAVED_MODEL, None)
    assert other.omitted == "its network is not in TensorFlow"
    assert not (foreign.path / "model").exists()
    assert not [path for path in foreign.path.iterdir() if path.name.startswith(".")]


def test_a_foreign_network_has_our_batteries_around_it(foreign: Delivery) -> None:
    import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415 - slow

    session = onnxruntime.InferenceSession(str(foreign.path / "model.onnx"))
    metadata = foreign.metadata
    assert {item.name for item in session.get_inputs()} == {item.name for item in metadata.inputs}
    assert {item.name for item in session.get_outputs()} == {
        *(output.name for output in metadata.outputs),
        *(quantile.name for quantile in metadata.uncertainty or ()),
    }
    nothing = {
        "humidity": np.full((1, 72), np.nan, np.float32),
        "temperature": np.full((1, 72), np.nan, np.float32),
        "reference_time": np.array([1_372_000_000], np.int64),
        "area_index": np.array([1], np.int64),
    }
    hot = nothing | {"temperature": np.full((1, 72), 1e4, np.float32)}
    usual, extreme = (session.run(["temperature_forecast"], feed)[0] for feed in (nothing, hot))
    assert 10 < usual.min() < usual.max() < 35  # June at New York
    assert extreme.max() == 60.0  # the limit of the real


def test_its_provenance_names_it(foreign: Delivery) -> None:
    told = Provenance.of(foreign.metadata)
    assert told.recipe["network"] == plugged("Foreign")
    assert told.packages["network plugged_networks:Foreign"].startswith("sha256:")
    assert told.packages["no-such-distribution"] == "not installed"


def test_the_same_foreign_training_gives_the_same_bytes(
    foreign: Delivery, summer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    told = dict(Provenance.of(foreign.metadata).recipe)
    again = train(Recipe.parse(told, source="again", folder=summer.parent), tmp_path)
    assert again.metadata.model_digest == foreign.metadata.model_digest


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("OldOpset", "its ONNX is of opset 13, expected 17"),
        ("RandomInside", "its ONNX draws random numbers (RandomNormal)"),
        ("Unlike", "its ONNX answers otherwise than it does"),
    ],
)
def test_an_export_that_is_not_what_it_must_be_is_refused(
    tiny: Callable[..., Recipe],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    told: str,
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    with pytest.raises(NetworkError, match=re.escape(told)):
        train(tiny(network=plugged(name)), tmp_path / "store")
    assert not list((tmp_path / "store").iterdir())


def test_the_network_of_the_documents_trains_and_is_delivered(
    tiny: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(r"```python\n(# my_networks\.py\n.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "my_networks.py").write_text(code, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    assert "network: my_networks:small" in PAGE
    delivery = train(tiny(network="my_networks:small"), tmp_path / "store")
    assert all(artifact.path for artifact in delivery.metadata.artifacts)
    assert "network my_networks:small" in Provenance.of(delivery.metadata).packages


def test_inputs_can_be_taken_row_by_row() -> None:
    some = inputs().rows([3, 1])
    assert isinstance(some, NetworkInputs)
    assert len(some) == 2
    np.testing.assert_array_equal(some.calendar[1], inputs().calendar[1])


@pytest.mark.parametrize("precision", ["float16", "float64"])
def test_a_keras_model_of_another_precision_is_refused_before_it_is_fitted(precision: str) -> None:
    problem = refusal(plugged(f"keras_in_{precision}"), build_network, SHAPE, inputs())
    assert f"found answers in {precision}, expected float32" in problem
    build_network(plugged("keras_in_float32"), SHAPE, inputs())


def test_a_network_in_tensorflow_that_fits_itself_is_held_to_the_same_precision() -> None:
    built = plugged_networks.keras_in_float64(SHAPE, inputs())
    with pytest.raises(NetworkError, match="found answers in float64, expected float32"):
        refuse_other_numbers("own", built, inputs())


def test_a_network_that_fits_itself_is_given_arrays_or_refused_where_they_do_not_fit(
    tiny: Callable[..., Recipe], tiny_windows: WindowSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairweather_research.training import fitting  # noqa: PLC0415 - slow

    given: list[Any] = []
    monkeypatch.setattr(
        plugged_networks.Foreign, "fit", lambda _, *lessons: given.extend(lessons[:2])
    )
    recipe = tiny(network=plugged("Foreign"))
    fitting.fit(tiny_windows, recipe.fit, recipe.network, lambda _: None)
    for lessons in given:
        assert all(isinstance(each, np.ndarray) for each in lessons.inputs.arrays())
        assert isinstance(lessons.targets, np.ndarray)
        assert len(lessons.targets) == len(lessons.inputs)

    monkeypatch.setattr(fitting, "memory_limit", lambda: 1_000_000)
    with pytest.raises(NetworkError, match="GB of windows, which a network that fits itself"):
        fitting.fit(tiny_windows, recipe.fit, recipe.network, lambda _: None)


def test_trust_and_bands_are_found_with_as_many_windows_as_are_held_in_memory(
    tiny: Callable[..., Recipe], tiny_windows: WindowSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairweather_research.training import fitting  # noqa: PLC0415 - slow

    recipe = tiny(network=plugged("Foreign"))
    samples = tiny_windows.as_of_newest()

    def fitted() -> fitting.Fitted:
        return fitting.fit(samples, recipe.fit, recipe.network, lambda _: None)

    whole = fitted()
    assert len(whole.windows) == len(whole.predicted) == len(samples)
    monkeypatch.setattr(fitting, "_MOST_VALUES", 500 * 2 * samples.plan.leads)
    some = fitted()
    assert len(some.windows) == len(some.predicted) == 500
    rows = np.flatnonzero(
        np.isin(
            samples.reference + samples.area * 2**40,
            some.windows.reference + some.windows.area * 2**40,
        )
    )
    np.testing.assert_array_equal(some.predicted, whole.predicted[rows])

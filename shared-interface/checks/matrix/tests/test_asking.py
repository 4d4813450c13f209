"""How an app is started and asked."""

from __future__ import annotations

import json
import socket
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking import AppNotServingError, _worst, free_port, serving

APP = """
    import json, sys
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"models": [{"delivery_id": "ours"}]}).encode())

    try:
        HTTPServer(("127.0.0.1", int(sys.argv[3])), Handler).serve_forever()
    except OSError as error:
        sys.exit(f"Address already in use: {error}")
"""


def job(folder: Path, source: str = APP) -> dict[str, Any]:
    path = folder / "app.py"
    path.write_text(textwrap.dedent(source))
    command = [sys.executable, str(path)]
    return {"command": command, "store": "store", "work": folder, "deliveries": {"plain": "ours"}}


def test_an_app_is_served_on_a_free_port_and_ended_afterwards(tmp_path: Path) -> None:
    port = free_port()
    with serving(job(tmp_path), port) as address:
        assert address == f"http://127.0.0.1:{port}"
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_port_already_taken_is_told_as_that(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        taken.settimeout(0)
        port = taken.getsockname()[1]
        impatient = pytest.raises(AppNotServingError, match=f"port {port} is taken by another")
        with impatient, serving(job(tmp_path), port):
            pass


def test_a_stranger_that_answers_on_the_port_is_not_taken_for_the_app(tmp_path: Path) -> None:
    port = free_port()
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    stranger = {**job(theirs, APP.replace("ours", "theirs")), "deliveries": {"plain": "theirs"}}
    refused = pytest.raises(AppNotServingError, match="is taken")
    with serving(stranger, port), refused, serving(job(ours), port):
        pass


def test_an_app_that_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    source = "import sys; sys.exit('no store, no service')"
    with (
        pytest.raises(AppNotServingError, match=r"ended with code 1:\nno store, no service"),
        serving(job(tmp_path, source), free_port()),
    ):
        pass


METADATA: dict[str, Any] = {
    "outputs": [{"name": "forecast", "variable": "temperature"}],
    "uncertainty": [
        {"name": "high", "output": "forecast", "probability": 0.9},
        {"name": "low", "output": "forecast", "probability": 0.1},
    ],
    "tolerance": {name: {"absolute": 0.1, "relative": 0.0} for name in ("forecast", "low", "high")},
}
EXPECTED = {
    f"output/{name}": np.array(values, dtype=np.float32)
    for name, values in {"forecast": [1, 2], "low": [0, 1], "high": [2, 3]}.items()
}


@pytest.mark.parametrize(
    ("series", "worst"),
    [
        ({"value": [1.0, 2.0]}, 0),
        ({"value": [1.0, 2.05]}, 0.5),
        ({"value": [1.0]}, float("inf")),
        ({"value": [1.0, None]}, float("inf")),
        ({"value": [1, 2], "lower": [0, 1], "upper": [2, 3]}, 0),
        ({"value": [1, 2], "lower": [0, 1], "upper": [2, 3.2]}, 2),
        ({"value": [1, 2], "lower": [2, 3], "upper": [0, 1]}, 20),
    ],
)
def test_forecasts_and_bands_are_held_against_the_examples(
    series: dict[str, Any], worst: float
) -> None:
    found = _worst(METADATA, EXPECTED, {"temperature": series})
    assert found == pytest.approx(worst, rel=1e-5)


def test_an_absent_variable_is_infinitely_wrong() -> None:
    assert _worst(METADATA, EXPECTED, {"time": []}) == float("inf")
    assert json.loads(json.dumps(_worst(METADATA, EXPECTED, {}))) == float("inf")

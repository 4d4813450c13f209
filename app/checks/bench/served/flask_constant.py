"""The floor: Flask that answers a constant to a GET, and to a POST after parsing its body.

The constant is as large as the forecast it stands for: the file named by ``BENCH_ANSWER``.
"""

# ruff: noqa: INP001 - a script that a server loads, not a package

from __future__ import annotations

import os
from pathlib import Path

import orjson
from flask import Flask, Response, request

ANSWER = orjson.loads(Path(os.environ["BENCH_ANSWER"]).read_bytes())
CONSTANT = orjson.dumps(ANSWER)

app = Flask(__name__)


@app.get("/constant")
def constant() -> Response:
    """Answer the bytes that are there already: the floor of a forecast for an area."""
    return Response(CONSTANT, mimetype="application/json")


@app.post("/no-model")
def no_model() -> Response:
    """Parse the body and write the answer, and run no model in between."""
    asked = orjson.loads(request.get_data(cache=False))
    answer = ANSWER | {"area": asked["area"]}
    return Response(orjson.dumps(answer), mimetype="application/json")

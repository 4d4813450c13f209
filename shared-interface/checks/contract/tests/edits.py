"""Edits of the contract, each with the verdict that the check must give.

An edit is what a person might do in one commit: files, with what is put in place of what. It lies on
the tree at hand as if it were released (``now``), on a proper new minor schema after it (``minor``)
or on a proper new major (``major``). ``fails`` names a rule that must be among those that are printed; without one the check
must pass.
"""

# ruff: noqa: E501, Q000, Q001, Q003 - lines of the files that are edited

from __future__ import annotations

from dataclasses import dataclass

MINOR, MAJOR = "1.1", "2.0"  # the schemas that are laid: the next ones after the newest
SRC = "src/fairweather_interface/"
SCHEMA, TENSORS = f"{SRC}metadata/schema.py", f"{SRC}metadata/tensors.py"
EVIDENCE, BOUNDS = f"{SRC}metadata/evidence.py", f"{SRC}metadata/capabilities.py"
RECORD, READING = f"{SRC}metadata/record.py", f"{SRC}metadata/reading.py"
WRITING, VERSIONS = f"{SRC}metadata/writing.py", f"{SRC}versions.py"
RULES, VERDICT = f"{SRC}applicability.py", f"{SRC}verdict.py"
STEP, HISTORY = f"{SRC}history/v1_0.py", f"{SRC}history/__init__.py"
NAMED, DEFINED = f"{SRC}manifest.py", f"{SRC}definitions.py"
EXAMPLES, DELIVERY = f"{SRC}examples.py", f"{SRC}delivery.py"
KIT, SOFTWARE = f"{SRC}testing/builders.py", f"{SRC}software.py"
PROJECT, MAIN, SUMMARY = "pyproject.toml", f"{SRC}__main__.py", f"{SRC}summary.py"
UPGRADE = "    return document\n\n\ndef downgrade"

Text = tuple[str, str, str]  # a file, old text, new text; no old text: at the end of the file


@dataclass(frozen=True)
class Edit:
    """One edit and its verdict."""

    name: str
    group: str
    base: str
    fails: str | None
    texts: tuple[Text, ...]


def _edit(name: str, group: str, base: str, fails: str | None, *texts: Text) -> Edit:
    return Edit(name=name, group=group, base=base, fails=fails, texts=texts)


def _after(file: str, anchor: str, added: str) -> Text:
    return (file, anchor, anchor + added)


_TOP = '    contact: Annotated[Word | None, _later("where to ask about it")] = None\n'
_TRAINING = '    synthetic: Annotated[bool, _may("observations were made up")]\n'
_INPUT_AGE = '            law="of observations; not above the period",\n            since="0.4",\n        ),\n    ] = None\n'
_MISSING = '    max_missing: Annotated[Share | None, _must("the largest share missing")] = None\n'
_AUTHOR = '    author: Annotated[Word, _may("who answers for it")]\n'
_SEED = '    seed: Annotated[int | None, _may("of all randomness"), Field(ge=0)] = None\n'
_MAE = """    mae: Annotated[Positive, _may("mean absolute error, in the variable's unit")]\n"""
_SKILL = """        float | None,
        _may("1 - MAE / MAE of the better baseline", newer_law=("1.0", ">=-1e6")),
        Field(le=1),
    ] = None
"""
_NORTH = 'unit="degree_north"'
_RESERVED = (
    f"{SRC}ledgers/reserved.txt", "",
    "applicability_domain{}.maximum | 2.0; applicability_domain{}.highest\n",
)  # fmt: skip
_MOVES = (
    (STEP, UPGRADE, '    return _renamed(document, "maximum", "highest")\n\n\ndef downgrade'),
    (
        STEP, "    return document\n", """    return _renamed(document, "highest", "maximum")


def _renamed(document: Document, old: str, new: str) -> Document:
    domain = document.get("applicability_domain")
    if not domain:
        return document
    renamed = {
        name: {new if key == old else key: bound for key, bound in bounds.items()}
        for name, bounds in domain.items()
    }
    return {**document, "applicability_domain": renamed}
""",
    ),
)  # fmt: skip
_GONE = (
    (BOUNDS, "    maximum: Annotated[\n        float | None, _must(\"the highest value, in the input's unit\", law", "    highest: Annotated[\n        float | None, Rule(\"the highest value, in the input's unit\", since=\"2.0\", must_obey=True, law"),
    (BOUNDS, "(self.minimum, self.maximum) and self.minimum > self.maximum", "(self.minimum, self.highest) and self.minimum > self.highest"),
    (BOUNDS, "{self.maximum:g}", "{self.highest:g}"),
    (RULES, "bounds.maximum is not None", "bounds.highest is not None"),
    (RULES, "high > bounds.maximum", "high > bounds.highest"),
    (RULES, "{bounds.maximum:g}", "{bounds.highest:g}"),
    (SUMMARY, "bounds.maximum is None else [f\"up to {bounds.maximum:g}", "bounds.highest is None else [f\"up to {bounds.highest:g}"),
    (KIT, 'own.get("maximum"), row', 'own.get("highest"), row'),
)  # fmt: skip
_PRECIPITATION = """
precipitation:
  unit: mm
  minimum: 0
  maximum: 500
"""

EDITS = (
    # ------------------------------------------------------------------ units, types, defaults
    _edit("radians under a name that meant degrees", "ledger", "minor", "UNIT_CHANGED",
          (SCHEMA, _NORTH, 'unit="radian"')),
    _edit("a unit for a number that had none", "ledger", "minor", "UNIT_CHANGED",
          (EVIDENCE, '_may("share of the expected value")', '_may("share of the expected value", unit="%")')),
    _edit("a default made by a function", "ledger", "minor", "DEFAULT_CHANGED",
          (EVIDENCE, _SEED, _SEED.replace(" = None", " = Field(default_factory=lambda: 30)"))),
    _edit("the same in a released schema", "ledger", "now", "CHANGED_WITHOUT_NEW_VERSION",
          (EVIDENCE, _SEED, _SEED.replace(" = None", " = Field(default_factory=lambda: 30)"))),
    _edit("a required number gets a default", "ledger", "minor", "BECAME_OPTIONAL",
          (EVIDENCE, _MAE, _MAE.rstrip() + " = 0\n")),
    _edit("null is replaced by a number", "ledger", "minor", "DEFAULT_CHANGED",
          (EVIDENCE, _SEED, _SEED.replace("int | None", "int").replace("] = None", "] = 0"))),
    _edit("a required word may be null", "ledger", "minor", "CONSTRAINT_CHANGED",
          (SCHEMA, _AUTHOR, _AUTHOR.replace("Word,", "Word | None,"))),
    _edit("an open set is closed by its type", "ledger", "minor", "CONSTRAINT_CHANGED",
          (TENSORS, "from typing import Annotated, Self", "from typing import Annotated, Literal, Self"),
          (TENSORS, "    role: Annotated[Word, ", '    role: Annotated[Literal["observations", "reference_time", "area_index"], ')),
    _edit("an open set is closed by a validator", "behaviour", "now", "NOT_READ_ALIKE",
          (TENSORS, "from pydantic import Field, model_validator", "from pydantic import Field, field_validator, model_validator"),
          (TENSORS, '    @property\n    def samples', '''    @field_validator("dtype")
    @classmethod
    def _fed(cls, dtype: str) -> str:
        if dtype not in ("float32", "int64"):
            raise ValueError("no such type")
        return dtype

    @property
    def samples''')),
    _edit("one more role in an open set", "open sets", "now", None,
          (TENSORS, "    AREA_INDEX: (\"int64\", (BATCH,)),\n", "    AREA_INDEX: (\"int64\", (BATCH,)),\n    \"horizon\": (\"int64\", (BATCH,)),\n")),
    _edit("a new field of a closed set", "ledger", "minor", None,
          (EVIDENCE, "from functools import partial", "from enum import StrEnum\nfrom functools import partial"),
          (EVIDENCE, "class Training(Record)", 'class Device(StrEnum):\n    """Where it was trained."""\n\n    CPU = "cpu"\n    GPU = "gpu"\n\n\nclass Training(Record)'),
          _after(EVIDENCE, _TRAINING, '    device: Annotated[Device | None, Rule("where it ran", since="1.1")] = None\n')),
    _edit("names may start with another sign", "ledger", "minor", "CONSTRAINT_CHANGED",
          (RECORD, 'pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max', 'pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max')),
    _edit("words may be longer", "ledger", "minor", "CONSTRAINT_CHANGED",
          (RECORD, "Word = Annotated[str, Field(min_length=1, max_length=200)]", "Word = Annotated[str, Field(min_length=1, max_length=500)]")),
    _edit("a list may not be empty any more", "ledger", "minor", "CONSTRAINT_CHANGED",
          (SCHEMA, '_may("how well it did, per area and variable")\n', '_may("how well it did, per area and variable"), Field(min_length=1)\n')),
    _edit("a new field of one of two kinds", "ledger", "minor", None,
          (SCHEMA, "from typing import Annotated, Self", "from typing import Annotated, Literal, Self"),
          (SCHEMA, "class ModelMetadata(Record)", '''class Shap(Record):
    """One kind of explanation."""

    kind: Annotated[Literal["shap"], Rule("its kind", since="1.1")]
    samples: Annotated[int, Rule("how many", since="1.1")]


class Lime(Record):
    """Another kind."""

    kind: Annotated[Literal["lime"], Rule("its kind", since="1.1")]
    width: Annotated[float, Rule("how wide", since="1.1")]


class ModelMetadata(Record)'''),
          _after(SCHEMA, _TOP, '    explanation: Annotated[\n        Shap | Lime | None, Rule("why", since="1.1"), Field(discriminator="kind")\n    ] = None\n')),
    _edit("an alias takes the place of a name", "ledger", "now", "FIELD_REMOVED",
          (SCHEMA, '    author: Annotated[Word, _may("who answers for it")]', '    author: Annotated[Word, _may("who answers for it"), Field(alias="writer")]')),
    _edit("a new name with the old one as alias", "ledger", "minor", "FIELD_REMOVED",
          (TENSORS, '    step: Annotated[Duration, _must("value k is for t0 + k · step")]', '    lead_step: Annotated[Duration, _must("value k is for t0 + k · step"), Field(validation_alias="step")]'),
          (TENSORS, "return self.step * self", "return self.lead_step * self"),
          (TENSORS, "timedelta.max // self.step", "timedelta.max // self.lead_step")),
    _edit("a second name is read, too", "ledger", "now", "CONSTRAINT_CHANGED",
          (SCHEMA, "from pydantic import AfterValidator, Field", "from pydantic import AfterValidator, AliasChoices, Field"),
          (SCHEMA, '    author: Annotated[Word, _may("who answers for it")]', '    author: Annotated[\n        Word, _may("who answers for it"), Field(validation_alias=AliasChoices("author", "writer"))\n    ]')),
    _edit("steps of a half", "ledger", "now", "CONSTRAINT_CHANGED",
          (SCHEMA, "Field(ge=-180, le=180)", "Field(ge=-180, le=180, multiple_of=0.5)")),
    _edit("a bound inside of a pair", "ledger", "now", "CONSTRAINT_CHANGED",
          (EVIDENCE, "tuple[float, float] | None", "tuple[Share, Share] | None")),
    _edit("a field moves up", "ledger", "minor", "FIELD_REMOVED",
          (EVIDENCE, _TRAINING, ""),
          _after(SCHEMA, _TOP, '    synthetic: Annotated[bool, Rule("observations were made up", since="1.1")] = False\n')),
    _edit("whole numbers only", "ledger", "minor", "TYPE_CHANGED",
          (EVIDENCE, 'bias: Annotated[float | None, ', 'bias: Annotated[int | None, ')),
    _edit("fractions, too", "ledger", "minor", "TYPE_CHANGED",
          (EVIDENCE, 'seed: Annotated[int | None, ', 'seed: Annotated[float | None, ')),
    _edit("a set in place of a list", "ledger", "minor", "LEDGER_CANNOT_SAY",
          (TENSORS, '        tuple[Word, ...] | None,\n        _must(\n            "a region', '        frozenset[Word] | None,\n        _must(\n            "a region')),
    _edit("a pair in place of a list of two", "ledger", "minor", None,
          (TENSORS, '        tuple[int, ...],\n        _must("-1 counts requests", law="[-1, steps]', '        tuple[int, int],\n        _must("-1 counts requests", law="[-1, steps]'),
          (TENSORS, 'steps >= 1"),\n        Field(min_length=2, max_length=2),', 'steps >= 1"),')),
    _edit("a map by numbers", "ledger", "now", "LEDGER_CANNOT_SAY",
          (EVIDENCE, "Mapping[str, str] | None, _may", "Mapping[int, str] | None, _may")),
    _edit("names of a map that a law holds anyway", "ledger", "minor", "CONSTRAINT_CHANGED",
          (SCHEMA, "Mapping[Name, Bounds] | None", "Mapping[str, Bounds] | None")),
    _edit("a required field in an old object", "ledger", "minor", "REQUIRED_FIELD_ADDED",
          _after(BOUNDS, '    name: Annotated[Name, _may("the tensor\'s name")]\n', '    kind: Annotated[Word, Rule("its kind", since="1.1")]\n')),
    _edit("a value for what was absent", "ledger", "minor", "ADDED_WITH_OTHER_DEFAULT",
          _after(SCHEMA, _TOP, '    max_gap_hours: Annotated[float, Rule("the longest gap", since="1.1")] = 3.0\n')),
    _edit("a new field under an old schema", "ledger", "minor", "ADDED_WITHOUT_NEW_SINCE",
          _after(SCHEMA, _TOP, '    station: Annotated[Word | None, Rule("where", since="0.3")] = None\n')),
    _edit("a new field without a schema", "ledger", "now", "CHANGED_WITHOUT_NEW_VERSION",
          _after(SCHEMA, _TOP, '    station: Annotated[Word | None, _later("where")] = None\n')),
    _edit("a computed field", "ledger", "now", "LEDGER_CANNOT_SAY",
          (SCHEMA, "from pydantic import AfterValidator, Field,", "from pydantic import AfterValidator, Field, computed_field,"),
          (SCHEMA, '    @property\n    def horizon', '    @computed_field\n    @property\n    def horizon_seconds(self) -> float:\n        """In seconds."""\n        return self.horizon.total_seconds()\n\n    @property\n    def horizon')),
    # ------------------------------------------------------------------ what is read and written
    _edit("a zone is read as another one", "behaviour", "now", "NOT_READ_ALIKE",
          (SCHEMA, "        try:\n            ZoneInfo(name)", '        name = "America/New_York" if name == "EST" else name\n        try:\n            ZoneInfo(name)')),
    _edit("every area needs a row", "behaviour", "now", "NOT_READ_ALIKE",
          (SCHEMA, "        if problems:\n            raise ValueError", '        if set(self.areas) - {row.area for row in self.performance}:\n            problems.append("performance: an area has none")\n        if problems:\n            raise ValueError')),
    _edit("outputs without a tolerance", "behaviour", "now", "NOT_READ_ALIKE",
          (SCHEMA, "            if output.name not in self.tolerance\n", "            if output.name not in self.tolerance and not self.tolerance\n")),
    _edit("times with an offset are read", "behaviour", "now", "NOT_READ_ALIKE",
          (RECORD, r'(\.[0-9]{1,6})?)?Z")', r'(\.[0-9]{1,6})?)?(Z|\+00:00)")')),
    _edit("times are written with an offset", "behaviour", "now", "NOT_READ_ALIKE",
          (RECORD, r'(\.[0-9]{1,6})?)?Z")', r'(\.[0-9]{1,6})?)?(Z|\+00:00)")'),
          (RECORD, '.isoformat().replace("+00:00", "Z")', ".isoformat()")),
    _edit("durations in weeks", "behaviour", "now", "NOT_READ_ALIKE",
          (f"{SRC}durations.py", "    minutes, seconds = divmod(_whole_seconds(duration), 60)\n", "    if not _whole_seconds(duration) % 604800:\n        return f\"P{duration.days // 7}W\"\n    minutes, seconds = divmod(_whole_seconds(duration), 60)\n"),
          (f"{SRC}durations.py", "    match = re.fullmatch(ISO_PATTERN, text)\n", "    if re.fullmatch(r\"P[1-9][0-9]*W\", text):\n        return timedelta(weeks=int(text[1:-1]))\n    match = re.fullmatch(ISO_PATTERN, text)\n")),
    _edit("numbers are rounded", "behaviour", "now", "NOT_READ_ALIKE",
          (RECORD, "def dump_document(", "def _rounded(value: Any) -> Any:\n    if isinstance(value, float):\n        return float(f\"{value:.12g}\")\n    if isinstance(value, dict):\n        return {key: _rounded(item) for key, item in value.items()}\n    return [_rounded(item) for item in value] if isinstance(value, list) else value\n\n\ndef dump_document("),
          (RECORD, "json.dumps(document, indent=2", "json.dumps(_rounded(dict(document)), indent=2")),
    _edit("whole numbers without a point", "behaviour", "now", None,
          (RECORD, "def dump_document(", "def _plain(value: Any) -> Any:\n    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:\n        return int(value)\n    if isinstance(value, dict):\n        return {key: _plain(item) for key, item in value.items()}\n    return [_plain(item) for item in value] if isinstance(value, list) else value\n\n\ndef dump_document("),
          (RECORD, "json.dumps(document, indent=2", "json.dumps(_plain(dict(document)), indent=2")),
    _edit("keys in order of the alphabet", "behaviour", "now", "NOT_READ_ALIKE",
          (RECORD, "json.dumps(document, indent=2", "json.dumps(document, sort_keys=True, indent=2")),
    _edit("a number written as text", "behaviour", "now", "NOT_READ_ALIKE",
          (EVIDENCE, "from pydantic import Field, JsonValue,", "from pydantic import Field, JsonValue, PlainSerializer,"),
          (EVIDENCE, "observed, in the variable's unit\")]", "observed, in the variable's unit\"), PlainSerializer(lambda value: None if value is None else str(value), when_used=\"json\")]")),
    _edit("records convert what they read", "behaviour", "now", "NOT_READ_ALIKE",
          (RECORD, "        strict=True,\n        allow", "        strict=False,\n        allow")),
    _edit("records drop what they do not know", "behaviour", "now", "NOT_READ_ALIKE",
          (RECORD, '        extra="allow",', '        extra="ignore",')),
    _edit("reworded docstrings", "words", "now", None,
          (SCHEMA, '    """A place a model can forecast for."""', '    """A place that a model knows."""'),
          (TENSORS, '    """A named tensor that the model takes.', '    """A tensor, by its name, that goes into the model.')),
    # ------------------------------------------------------------------ duties
    _edit("a new field that must be obeyed", "duties", "minor", None,
          _after(BOUNDS, _MISSING, '    max_step: Annotated[\n        float | None, Rule("the largest step", since="1.1", must_obey=True)\n    ] = None\n')),
    _edit("hours that may be ignored and are obeyed", "duties", "minor", "DUTY_DOUBTFUL",
          _after(SCHEMA, _TOP, '    valid_hours: Annotated[tuple[int, ...] | None, Rule("local hours", since="1.1")] = None\n'),
          (RULES, "    if month in metadata.valid_months:\n", "    hours = metadata.valid_hours\n    if month in metadata.valid_months and (not hours or reference_time.hour in hours):\n")),
    _edit("a scale of windows that may be ignored", "duties", "minor", "DUTY_DOUBTFUL",
          _after(TENSORS, _INPUT_AGE, '    scale: Annotated[float | None, Rule("multiply the window by", since="1.1")] = None\n')),
    _edit("the same with a reason", "duties", "minor", None,
          _after(TENSORS, _INPUT_AGE, '    sensor: Annotated[\n        Word | None,\n        Rule("what measured it", since="1.1", harmless="for people: no number depends on it"),\n    ] = None\n')),
    _edit("a flag that says more", "duties", "minor", None,
          _after(EVIDENCE, _TRAINING, '    mixed_precision: Annotated[bool, Rule("halves", since="1.1")] = False\n')),
    _edit("a flag that must be obeyed and is always written", "duties", "minor", "DUTY_ALWAYS_WRITTEN",
          _after(SCHEMA, _TOP, '    night_only: Annotated[bool, Rule("not by day", since="1.1", must_obey=True)] = False\n')),
    _edit("why a bound is there, without a reason", "duties", "minor", "DUTY_DOUBTFUL",
          _after(BOUNDS, _MISSING, '    source: Annotated[Word | None, Rule("why this bound", since="1.1")] = None\n')),
    _edit("why a bound is there, with a reason", "duties", "minor", None,
          _after(BOUNDS, _MISSING, '    source: Annotated[\n        Word | None,\n        Rule("why this bound", since="1.1", harmless="for people: the bound holds without it"),\n    ] = None\n')),
    _edit("a newcomer's field", "duties", "minor", None,
          _after(EVIDENCE, _TRAINING, '    git_commit: Annotated[Word | None, Rule("of the training code", since="1.1")] = None\n')),
    # ------------------------------------------------------------------ who may read
    _edit("a bound is called carried that is not", "versions", "now", "NOT_READ_ALIKE",
          (HISTORY, "    return v0_2.uncarried(document) if older else document\n", "    if not older:\n        return document\n    left = v0_2.uncarried(document)\n    domain = left.get(\"applicability_domain\") or {}\n    kept = {name: {key: each for key, each in bounds.items() if key != \"minimum\"} for name, bounds in domain.items()}\n    kept = {name: bounds for name, bounds in kept.items() if bounds}\n    rest = {name: each for name, each in left.items() if name != \"applicability_domain\"}\n    return rest | ({\"applicability_domain\": kept} if kept else {})\n")),
    _edit("every document needs the newest reader", "versions", "now", "NOT_READ_ALIKE",
          (READING, "    return str(max(SchemaVersion.parse(needed), first))\n", "    return str(document.get(\"schema_version\", needed))\n")),
    _edit("what a document demands is not held", "versions", "now", "NOT_READ_ALIKE",
          (READING, '        if needed != document["min_reader"]:', '        if False and needed != document["min_reader"]:')),
    _edit("a newer minor is refused", "versions", "now", "NOT_READ_ALIKE",
          (VERSIONS, "    if schema.major > ours.major or min_reader > ours:", "    if schema > ours or min_reader > ours:")),
    _edit("only the newest is written", "versions", "now", "WRITER_LOST",
          (WRITING, "WRITTEN_SCHEMAS = (*history.STEPS, SCHEMA_VERSION)", "WRITTEN_SCHEMAS = (SCHEMA_VERSION,)")),
    _edit("another meaning of an end", "meanings", "minor", "MEANING_CHANGED",
          (EVIDENCE, '_may("excluded", law', '_may("included", law')),
    _edit("another meaning of a bound, in a released schema", "meanings", "now", "MEANING_CHANGED",
          (BOUNDS, '_must("the highest value, in', '_must("the 99th percentile, in')),
    _edit("other words, and the changelog says so", "meanings", "minor", None,
          (SCHEMA, '_may("who answers for it")', '_may("who answers for the model")'),
          ("CHANGELOG.md", "### Added\n", "### Changed\n\n- Reworded: `author`.\n\n### Added\n")),
    # ------------------------------------------------------------------ steps
    _edit("less is taken out for an older schema", "steps", "now", "NOT_READ_ALIKE",
          (HISTORY, 'SchemaVersion.parse("0.3")', 'SchemaVersion.parse("0.2")')),
    _edit("a step uses live code", "steps", "minor", "STEP_NOT_ALONE",
          (STEP, "from typing import Any\n", "from typing import Any\n\nfrom fairweather_interface.metadata.schema import LEDGER\n")),
    _edit("a step that is not registered", "steps", "minor", "STEP_NOT_REGISTERED",
          _after(EVIDENCE, _TRAINING, '    git_commit: Annotated[Word | None, Rule("of the code", since="1.1")] = None\n'),
          (HISTORY, ', "1.0": v1_0}', "}")),
    _edit("a step that returns nothing", "steps", "minor", "STEP_NOT_READ", (STEP, UPGRADE, UPGRADE.replace("return document", "return None"))),
    _edit("a schema without ledger, step and words", "steps", "now", "STEP_MISSING",
          (VERSIONS, 'SCHEMA_VERSION = "1.0"', 'SCHEMA_VERSION = "1.1"')),
    _edit("a schema that brings nothing", "steps", "minor", None),
    _edit("a package too old for its schema", "steps", "minor", "PACKAGE_VERSION_TOO_LOW",
          (PROJECT, 'version = "1.1.0.dev0"', 'version = "1.0.1.dev0"')),
    # ------------------------------------------------------------------ what is frozen
    _edit("a golden of a released contract", "frozen", "now", "RELEASED_FILE_CHANGED",
          ("tests/golden/research-0.1.0/54d8a3fb-76f2-4d4b-b160-d4fb129cfa58/metadata.json", '"author": "', '"author": "x')),
    _edit("a golden that no contract released", "frozen", "now", "RELEASED_FILE_CHANGED",
          ("tests/golden/research-0.5.0/0367daa6-15c7-4ef7-8264-48bc3468a518/metadata.json", '"author": "', '"author": "x')),
    _edit("a release is forgotten", "frozen", "now", "RECORD_CHANGED",
          ("../.releases/releases.toml", 'tree = "218ff35a903b3b2a20ecb4f6051a22a41c53e435"', 'tree = "7dbb3b11d2fefef776673a10145ba63f8d0198c4"')),
    _edit("the closed list is widened", "frozen", "minor", "CLOSED_LIST_WIDENED",
          ("checks/contract/rules.py", "{Rule.OPTIONAL_FIELD_ADDED,", "{Rule.BECAME_OPTIONAL, Rule.OPTIONAL_FIELD_ADDED,"),
          (SCHEMA, _AUTHOR, _AUTHOR.replace("Word,", "Word | None,").rstrip() + " = None\n")),
    _edit("a golden window is left out", "frozen", "now", "NOT_READ_ALIKE",
          (f"{SRC}testing/golden_windows.yaml", '- name: hourly observations on the hour are taken as they are\n', '- name: hourly observations\n')),
    _edit("wider limits of a variable", "frozen", "now", "NOT_READ_ALIKE",
          (f"{SRC}data/variables.yaml", "maximum: 100", "maximum: 105")),
    _edit("one more variable", "frozen", "now", None, (f"{SRC}data/variables.yaml", "", _PRECIPITATION)),
    # ------------------------------------------------------------------ applicability
    _edit("missing: at most becomes less than", "rules", "now", "NOT_READ_ALIKE",
          (RULES, "    if missing / required.samples <= allowed:", "    if missing / required.samples < allowed:")),
    _edit("missing of a domain: at most becomes less than", "rules", "now", "NOT_READ_ALIKE",
          (RULES, "observed.missing / item.samples > bounds.max_missing", "observed.missing / item.samples >= bounds.max_missing")),
    _edit("highest: up to becomes below", "rules", "now", "NOT_READ_ALIKE",
          (RULES, "high > bounds.maximum + margin", "high >= bounds.maximum + margin")),
    _edit("the wider of two bounds, in a frozen step", "frozen", "now", "RELEASED_FILE_CHANGED",
          (f"{SRC}history/v0_4.py", "min(own, bound)", "max(own, bound)")),
    _edit("quantiles from the highest down", "rules", "now", "NOT_READ_ALIKE",
          (SCHEMA, "key=lambda item: item.probability)", "key=lambda item: -item.probability)")),
    # ------------------------------------------------------------------ the other documents
    _edit("digests with a prefix", "documents", "now", "NOT_READ_ALIKE",
          (NAMED, 'pattern=r"^[0-9a-f]{64}$"', 'pattern=r"^sha256:[0-9a-f]{64}$"'),
          (NAMED, "FileEntry(sha256=digest,", 'FileEntry(sha256=f"sha256:{digest}",')),
    _edit("a manifest says when", "documents", "now", "NOT_READ_ALIKE",
          (NAMED, "class _Document(Record):\n    delivery_id: str\n", "class _Document(Record):\n    delivery_id: str\n    created_at: str\n"),
          (NAMED, "        delivery_id=delivery_id, files=", '        delivery_id=delivery_id, created_at="now", files=')),
    _edit("digests over other lines", "documents", "now", "NOT_READ_ALIKE",
          (NAMED, r'f"{path}\0{entry.sha256}\n"', r'f"{path}\n{entry.sha256}\n"')),
    _edit("paths with a colon", "documents", "now", "NOT_READ_ALIKE", (NAMED, '{"\\\\", ":"}', '{"\\\\"}')),
    _edit("another name in the examples", "documents", "now", "NOT_READ_ALIKE",
          (EXAMPLES, '"expect": ("<U", ())', '"expected": ("<U", ())'), (EXAMPLES, 'texts("expect")', 'texts("expected")'),
          (KIT, 'arrays["expect"]', 'arrays["expected"]')),
    _edit("more examples", "documents", "now", "NOT_READ_ALIKE",
          (EXAMPLES, "MINIMUM = 8", "MINIMUM = 16"), (KIT, "_EXAMPLES = 8", "_EXAMPLES = 16")),
    _edit("times of examples in milliseconds", "documents", "now", "NOT_READ_ALIKE",
          (KIT, "int(time.timestamp())", "int(time.timestamp() * 1000)")),
    _edit("the card in another place", "documents", "now", "NOT_READ_ALIKE", (DELIVERY, 'CARD = "card/index.html"', 'CARD = "cards/card.html"')),
    _edit("another key of definitions", "documents", "now", "NOT_READ_ALIKE",
          (DEFINED, "    sample_rate: _DurationInWords\n", "    step: _DurationInWords\n"),
          (DEFINED, "self.period % self.sample_rate", "self.period % self.step"),
          (DEFINED, "{format_duration(self.sample_rate)}", "{format_duration(self.step)}"),
          (DEFINED, "RequiredInput(variable=variable, **dict(item))", "RequiredInput(variable=variable, period=item.period, sample_rate=item.step, area=item.area)")),
    _edit("durations without weeks", "documents", "now", "NOT_READ_ALIKE",
          (f"{SRC}durations.py", '    match = _WORDS.fullmatch(text) if isinstance(text, str) else None\n', '    match = _WORDS.fullmatch(text) if isinstance(text, str) and "week" not in text else None\n')),
    _edit("one more key of definitions", "documents", "now", None,
          (DEFINED, "    areas: Annotated[dict[_AreaName, Area], _Plain, Field(min_length=1)]\n", "    areas: Annotated[dict[_AreaName, Area], _Plain, Field(min_length=1)]\n    elevation: float | None = None\n")),
    _edit("a refusal code is gone", "documents", "now", "PUBLIC_NAME_CHANGED",
          (f"{SRC}refusals.py", '    OVERRIDDEN = ("overridden", Phase.OPERATOR, "An operator narrowed what the model may serve.")\n', "")),
    _edit("one more refusal code", "documents", "now", None,
          (f"{SRC}refusals.py", '    OVERRIDDEN = (', '    RATE_LIMITED = ("rate-limited", Phase.OPERATOR, "Too much was asked for.")\n    OVERRIDDEN = (')),
    _edit("another field of software", "documents", "now", "SOFTWARE_NOT_READ",
          (SOFTWARE, "    longest_period: Duration\n", "    max_period: Duration\n"),
          (VERDICT, "item.period > software.longest_period", "item.period > software.max_period"),
          (VERDICT, "format_duration(software.longest_period)", "format_duration(software.max_period)")),
    _edit("one more field of software", "documents", "now", None,
          (SOFTWARE, "    shortest_sample_rate: Duration\n", "    shortest_sample_rate: Duration\n    platform: Word | None = None\n")),
    _edit("an opset at the limit", "rules", "now", "NOT_READ_ALIKE", (VERDICT, "and needed > limit", "and needed >= limit")),
    # ------------------------------------------------------------------ names
    _edit("a parameter is gone", "names", "now", "PUBLIC_NAME_CHANGED",
          (RULES, "    observed: Mapping[str, Observed],\n    *,\n    margins: Mapping[str, float] | None = None,\n) -> Refusal | None:", "    observed: Mapping[str, Observed],\n) -> Refusal | None:"),
          (RULES, 'margin = (margins or {}).get(item.variable or "", 0.0)', "margin = 0.0")),
    _edit("a parameter has another name", "names", "now", "PUBLIC_NAME_CHANGED",
          (WRITING, "def dump_metadata(metadata: ModelMetadata, *, schema: str | None = None) -> bytes:", "def dump_metadata(metadata: ModelMetadata, *, version: str | None = None) -> bytes:"),
          (WRITING, "    if schema is not None and schema not in WRITTEN", "    schema = version\n    if schema is not None and schema not in WRITTEN")),
    _edit("another default", "names", "now", "PUBLIC_NAME_CHANGED",
          (DELIVERY, "def open_delivery(path: Path, *, reader: str = SCHEMA_VERSION)", 'def open_delivery(path: Path, *, reader: str = "0.1")')),
    _edit("another return type", "names", "now", "PUBLIC_NAME_CHANGED",
          (DELIVERY, "def list_deliveries(store: Path) -> tuple[Path, ...]:", "def list_deliveries(store: Path) -> list[Path]:"),
          (DELIVERY, "return tuple(store / name for", "return list(store / name for")),
    _edit("another attribute of an error", "names", "now", "PUBLIC_NAME_CHANGED",
          (f"{SRC}errors.py", "        self.found = found\n", "        self.needed = found\n")),
    _edit("another base of an error", "names", "now", "PUBLIC_NAME_CHANGED",
          (f"{SRC}errors.py", "class DurationError(FairweatherError, ValueError):", "class DurationError(FairweatherError):")),
    _edit("a constant is gone", "names", "now", "PUBLIC_NAME_CHANGED",
          (f"{SRC}metadata/__init__.py", '"REFERENCE_TIME", "SAVED_MODEL", ', '"REFERENCE_TIME", '), (f"{SRC}metadata/__init__.py", "    SAVED_MODEL,\n", "")),
    _edit("a constant is gone that the package needs", "names", "now", "CANNOT_BE_ASKED",
          (f"{SRC}metadata/__init__.py", '"AREA_INDEX", "BATCH", ', '"AREA_INDEX", '), (f"{SRC}metadata/__init__.py", "    BATCH,\n", "")),
    _edit("a new function and a new keyword", "names", "now", None,
          (DELIVERY, "def list_deliveries(store: Path)", 'def count_deliveries(store: Path) -> int:\n    """Return how many there are."""\n    return len(list_deliveries(store))\n\n\ndef list_deliveries(store: Path, *, most: int | None = None)'),
          (DELIVERY, "ids = (name for name in names if", "ids = (name for name in names[:most] if")),
    _edit("another exit code", "names", "now", "NOT_READ_ALIKE", (MAIN, "    return 0 if verdict.serves else 1\n", "    return 0 if verdict.serves else 3\n")),
    # ------------------------------------------------------------------ a new major
    _edit("a field goes, its name not reserved", "majors", "major", "FIELD_REMOVED", *_GONE, *_MOVES),
    _edit("a field goes, and its bound is lost", "majors", "major", "STEP_LOSES_MEANING", *_GONE, _RESERVED,
          (STEP, UPGRADE, '    domain = document.get("applicability_domain") or {}\n    kept = {name: {key: each for key, each in bounds.items() if key != "maximum"} for name, bounds in domain.items()}\n    return {**document, "applicability_domain": kept}\n\n\ndef downgrade')),
    _edit("another unit in a major", "majors", "major", "UNIT_CHANGED", (SCHEMA, _NORTH, 'unit="radian"')),
    _edit("another law in a major", "majors", "major", "LAW_CHANGED",
          (SCHEMA, 'law="ascending, local months of the reference time"', 'law="ascending, months of the reference time in UTC"'),
          (RULES, "        month = reference_time.astimezone(zone).month\n", "        month = reference_time.astimezone(UTC).month\n")),
    _edit("a law for newer documents, in a minor", "ledger", "minor", "CONSTRAINT_CHANGED",
          (SCHEMA, '_may("who answers for it")', '_may("who answers for it", newer_law=("1.1", "a name"))')),
    _edit("a law for newer documents, in a major", "majors", "major", None,
          (SCHEMA, '_may("who answers for it")', '_may("who answers for it", newer_law=("2.0", "a name"))')),
    _edit("a field that will go", "ledger", "minor", None,
          (SCHEMA, '_later("where to ask about it")', '_later("where to ask about it", deprecated=("1.1", "2.0"))')),
    _edit("an optional field is asked for", "majors", "major", "NOT_READ_ALIKE", (EVIDENCE, _SKILL, _SKILL.replace("float | None", "float").replace(" = None", ""))),
    _edit("another default in a major", "majors", "major", "STEP_LOSES_MEANING",
          (SCHEMA, '`model_digest` covers it")] = False', '`model_digest` covers it")] = True')),
    _edit("an author who may be absent, in a major", "majors", "major", None,
          (SCHEMA, _AUTHOR, _AUTHOR.replace("Word,", "Word | None,").rstrip() + " = None\n")),
    _edit("shorter words in a major", "majors", "major", "NOT_READ_ALIKE", (RECORD, "min_length=1, max_length=200", "min_length=1, max_length=20")),
    _edit("less to obey in a major", "majors", "major", None, (SCHEMA, 'timezone: Annotated[str, _must("whose', 'timezone: Annotated[str, _may("whose')),
    _edit("a function goes with a major", "majors", "major", "PUBLIC_NAME_CHANGED",
          (RULES, "def start_months(", "def _start_months(")),
    _edit("a function goes with a major, and the changelog says so", "majors", "major", None,
          (RULES, "def start_months(", "def _start_months("),
          ("CHANGELOG.md", "### Added\n", "### Breaking\n\n- Breaking: `start_months` is gone.\n\n### Added\n")),
    _edit("a proper major", "majors", "major", None, *_GONE, _RESERVED, *_MOVES),
)  # fmt: skip

"""Let released contracts and the one at hand answer the same questions, and tell where they differ.

What a release wrote, good or bad, is asked of that release and of the contract at hand; what the
contract at hand writes is asked of every release. A difference is shrunk to the smallest document
that shows it.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from corpus import OTHERS, Document, smaller, variations
from rules import Change, Ledger, Rule, version

WITNESS = Path(__file__).parent / "witness.py"
KITS: tuple[Document, ...] = (
    {},
    {
        "areas": ["EWR", "JFK"], "variables": ["temperature", "humidity"], "context": True,
        "samples": 4, "max_missing": 0.5, "max_temperature_seen": 30.0, "max_humidity_seen": 88.3,
        "valid_months": [1, 2, 12],
    },
    {
        "quantiles": [0.1, 0.9], "samples": 4, "max_temperature_seen": 30.0,
        "applicability_domain": {
            "temperature": {"minimum": -20.0, "maximum": 30.0, "max_missing": 0.25}
        },
    },
    {"samples": 48, "max_missing": 0.2, "max_age": {"hours": 3}, "by_lead_day": [0.3, 0.1]},
)  # fmt: skip
"""What is asked of a testing kit; one that does not know a word of it is not asked for that one."""

_SOME = 50  # documents with several changes, beside all with a single one
_REWRITTEN = 60  # documents of each release that the writer at hand writes again
_SHOWN = 12  # kinds of differences printed for each release
_STEPS = 400  # tries to make a document smaller
_LONG = 600  # characters of a document in a message

Answer = dict[str, Any]


class Witness:
    """A process that answers with one contract."""

    def __init__(self, name: str, schema: str, source: Path) -> None:
        self.name = name
        self.schema = schema
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-W", "ignore", str(WITNESS)],
            env={**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, question: str, /, **about: object) -> Answer:
        """Return the answer, or why there is none: ``refused`` or ``crashed``."""
        line = json.dumps({"ask": question, "about": about})
        try:
            self._process.stdin.write(line + "\n")  # type: ignore[union-attr]  # piped
            self._process.stdin.flush()  # type: ignore[union-attr]  # piped
            told = self._process.stdout.readline()  # type: ignore[union-attr]  # piped
        except BrokenPipeError:
            told = ""
        if not told:
            error = self._process.communicate()[1].strip().splitlines() or ["no word"]
            return {"crashed": f"the contract cannot be imported: {error[-1]}"}
        answer: Answer = json.loads(told)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._process.kill()
        self._process.wait()


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One question that two contracts answer differently."""

    ask: str
    about: Mapping[str, Any]
    asked: str  # the release that was asked beside the contract at hand
    wrote: str  # whose document it is
    said: str  # what differs, the same for all of a kind
    then: object = None
    now: object = None
    document: Document | None = None


def outcome(answer: Answer) -> str:
    """Return how a question was answered, in a word."""
    return next(word for word in ("answer", "refused", "crashed", "absent") if word in answer)


def difference(then: Answer, now: Answer, *, schema: str, mine: bool) -> str | None:
    """Return what differs between the answer of a release and that of the contract at hand.

    Args:
        then: the answer of the release.
        now: the answer of the contract at hand.
        schema: the newest schema that the release knows.
        mine: whether the contract at hand wrote the document, maybe in a newer schema.
    """
    before, after = outcome(then), outcome(now)
    if before == "absent":
        return None
    if after == "crashed":
        return None if before == "crashed" else f"crashes: {now['crashed']}"
    if "answer" in (before, after) and before != after:
        return _one_refuses(then, now, schema=schema, mine=mine)
    if before != "answer":
        return None
    part = _other(then["answer"], now["answer"])
    return None if part is None else f"reads another {part}"


def _other(then: object, now: object) -> str | None:
    """Return where two answers differ in what both have, or ``None``."""
    if not isinstance(then, dict) or not isinstance(now, dict):
        return None if then == now else ""
    parts = ((name, _other(then[name], now[name])) for name in then if name in now)
    return next((f"{name} {part}".strip() for name, part in parts if part is not None), None)


def _one_refuses(then: Answer, now: Answer, *, schema: str, mine: bool) -> str | None:
    if outcome(now) == "answer":
        needed = now["answer"].get("min_reader") or now["answer"].get("views", {}).get("min_reader")
        too_new = then.get("refused") == "UnsupportedSchemaError"
        if mine and needed is not None and version(needed) > version(schema):
            return None if too_new else "is not refused as too new, though its min_reader is"
        return "looser: it is read now, and the release refuses it"
    return None if mine else "tighter: it is refused now, and the release reads it"


# ---------------------------------------------------------------------------- the corpus


def metadata_corpus(writer: Witness, ledger: Ledger, *, some: int) -> list[Document]:
    """Return documents in the words of a contract: of its testing kit, and near them."""
    found: list[Document] = []
    tried: set[str] = set()
    for number, kit in enumerate(KITS):
        told = writer.ask("document", fields=kit)
        document = told.get("answer", {}).get("document")
        paths = {path.partition("[")[0].partition("{")[0] for path in ledger.rows}
        if document is not None and {name.partition(".")[0] for name in document} <= paths:
            found.append(document)
            found += variations(document, ledger, seed=number, some=some, tried=tried)
    return list({json.dumps(each): each for each in found}.values())


SOFTWARE: Document = {
    "name": "fairweather-app", "version": "0.3.0",
    "readable_schemas": {"oldest": "0.1", "newest": "0.3"},
    "runtimes": [
        {"format": "onnx", "name": "onnxruntime", "version": "1.20.0", "max_opset": 17,
         "max_ir_version": 8},
        {"format": "saved_model", "name": "tensorflow", "version": "2.19.0"},
    ],
    "roles": ["observations", "reference_time", "area_index"],
    "variables": {"temperature": "degC", "humidity": "%"},
    "longest_period": "P90D", "shortest_sample_rate": "PT1M",
}  # fmt: skip
DEFINITIONS: Document = {
    "application": {
        "area": "Somewhere",
        "areas": {
            "Here": {"latitude": 40.0, "longitude": -74.0, "timezone": "America/New_York"},
            "There": {"latitude": 41.5, "longitude": -74.5, "timezone": "America/New_York"},
        },
    },
    "training": {
        "required_inputs": [{"temperature": {"period": "30 days", "sample_rate": "1 hour"}}]
    },
}
DURATIONS = (
    "1 hour", "2 hours", "90 minutes", "1 minute", "30 seconds", "1 day", "30 days", "2 weeks",
    "1 week", "PT1H", "P14D", "P2W", "P1DT12H", "0 hours", "-1 hour", "1.5 hours", "1 h", "1 month",
    "", "hour", 3600,
)  # fmt: skip
COMMANDS = (
    ["--help"], ["verify", "--help"], ["show", "--help"], ["check", "--help"], ["ledger", "--help"],
    ["changes", "--help"], ["verify", "GOOD"], ["verify", "BAD"], ["verify", "NOWHERE"],
    ["show", "GOOD"], ["show", "GOOD", "--json"], ["show", "BAD"], ["ledger"], ["ledger", "9.9"],
    ["check", "GOOD", "--software", "SERVES"], ["check", "GOOD", "--software", "REFUSES"],
    ["check", "BAD", "--software", "SERVES"], ["check", "GOOD", "--software", "NOWHERE"], [],
    ["changes", "--against", "0.1"], ["fly"],
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One question of the corpus."""

    ask: str
    about: Mapping[str, Any]
    wrote: str
    mine: bool = False
    document: Document | None = None


def _of_metadata(writer: Witness, documents: Iterable[Document], *, mine: bool) -> Iterator[Asked]:
    for document in documents:
        about = {"text": json.dumps(document)}
        yield Asked(ask="metadata", about=about, wrote=writer.name, mine=mine, document=document)


def _of_deliveries(writer: Witness, folder: Path, *, mine: bool) -> Iterator[Asked]:
    """Build deliveries with the writer's testing kit, good ones and damaged ones."""
    for number, kit in enumerate(KITS):
        built = writer.ask("build", store=str(folder / str(number)), fields=kit)
        if outcome(built) == "answer":
            path = built["answer"]["path"]
            yield Asked(ask="delivery", about={"path": path}, wrote=writer.name, mine=mine)
            if not number and not mine:
                yield from _damaged(writer, Path(path), folder / "damaged")


def _damaged(writer: Witness, good: Path, folder: Path) -> Iterator[Asked]:
    manifest = json.loads((good / "manifest.json").read_text(encoding="utf-8"))
    listed = manifest["files"]
    renamed = {**listed, "card/a:b.html": next(iter(listed.values()))}
    changed = [
        *variations(manifest, OTHERS["manifest"], seed=0, some=0),
        *({**manifest, "files": renamed} for _ in range(1)),
    ]
    for number, document in enumerate(changed):
        path = folder / str(number) / good.name
        path.mkdir(parents=True)
        for file in (item for item in good.rglob("*") if item.is_file()):
            target = path / file.relative_to(good)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, target)
        if "card/a:b.html" in document.get("files", {}):
            os.link(good / next(iter(listed)), path / "card" / "a:b.html")
        (path / "manifest.json").unlink()
        (path / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
        yield Asked(ask="delivery", about={"path": str(path)}, wrote=writer.name, document=document)


def _of_the_rest(writer: Witness, metadata: Sequence[Document]) -> Iterator[Asked]:
    software = [SOFTWARE, *variations(SOFTWARE, OTHERS["software"], seed=0, some=20)]
    for document in software:
        about = {"text": json.dumps(document)}
        yield Asked(ask="software", about=about, wrote=writer.name, document=document)
        for each in metadata:
            text = {"text": json.dumps(each), "software": json.dumps(document)}
            yield Asked(ask="verdict", about=text, wrote=writer.name, document=document)
    for document in (DEFINITIONS, *variations(DEFINITIONS, OTHERS["definitions"], seed=0, some=20)):
        yield Asked(
            ask="definitions", about={"text": json.dumps(document)}, wrote=writer.name,
            document=document,
        )  # fmt: skip
    for text in DURATIONS:
        yield Asked(ask="duration", about={"text": text}, wrote=writer.name)


def asked_of_both(
    release: Witness, head: Witness, questions: Sequence[Asked]
) -> Iterator[Difference]:
    """Ask a release and the contract at hand the same, and return where they differ."""
    with ThreadPoolExecutor(2) as pool:
        told = pool.map(
            lambda witness: [witness.ask(it.ask, **it.about) for it in questions], (release, head)
        )
        then, now = told
    for asked, before, after in zip(questions, then, now, strict=True):
        said = difference(before, after, schema=release.schema, mine=asked.mine)
        if said is not None:
            yield Difference(
                ask=asked.ask, about=asked.about, asked=release.name, wrote=asked.wrote, said=said,
                then=before, now=after, document=asked.document,
            )  # fmt: skip


def unlike(
    releases: Mapping[str, tuple[str, Path]], head: tuple[str, Path], ledgers: Mapping[str, Ledger]
) -> Iterator[Change]:
    """Return where the contract at hand and the released ones do not answer alike.

    Args:
        releases: the newest schema and the sources of each release, by what it is called.
        head: those of the contract at hand.
        ledgers: the ledger of every schema.
    """
    with Witness("the contract at hand", *head) as mine:
        for name, place in releases.items():
            with Witness(name, *place) as theirs, tempfile.TemporaryDirectory() as folder:
                differences = list(_differences(theirs, mine, ledgers, Path(folder)))
                kinds: dict[str, list[Difference]] = {}
                for each in differences:
                    kinds.setdefault(f"{each.ask} {each.wrote} {each.said}", []).append(each)
                for same in list(kinds.values())[:_SHOWN]:
                    yield _told(_shrunk(same[0], theirs, mine), theirs, more=len(same) - 1)


def _differences(
    theirs: Witness, mine: Witness, ledgers: Mapping[str, Ledger], folder: Path
) -> Iterator[Difference]:
    documents = metadata_corpus(theirs, ledgers[theirs.schema], some=_SOME)
    own = metadata_corpus(mine, ledgers[mine.schema], some=_SOME)
    questions = [
        *_of_metadata(theirs, documents, mine=False),
        *_of_metadata(mine, own, mine=True),
        *_of_deliveries(theirs, folder / "theirs", mine=False),
        *_of_deliveries(mine, folder / "mine", mine=True),
        *_of_the_rest(theirs, documents[:1]),
        *_rewritten(theirs, mine, documents),
    ]
    yield from asked_of_both(theirs, mine, questions)
    yield from _grown(theirs, mine)


def _rewritten(theirs: Witness, mine: Witness, documents: Sequence[Document]) -> Iterator[Asked]:
    """Return what the writer at hand makes of documents of a release."""
    for document in documents[:: max(1, len(documents) // _REWRITTEN)]:
        text = json.dumps(document)
        if outcome(theirs.ask("metadata", text=text)) == "answer":
            for schema in (None, theirs.schema):
                told = mine.ask("rewritten", text=text, schema=schema)
                if outcome(told) == "answer":
                    about = {"text": told["answer"]["text"]}
                    yield Asked(
                        ask="metadata", about=about, wrote=f"rewritten by {mine.name}", mine=True,
                        document=json.loads(about["text"]),
                    )  # fmt: skip


def _grown(theirs: Witness, mine: Witness) -> Iterator[Difference]:
    """Hold what a release states outside documents against the contract at hand: it only grows."""
    then, now = theirs.ask("said"), mine.ask("said")
    if outcome(now) != "answer":
        yield Difference(
            ask="said", about={}, asked=theirs.name, wrote=mine.name, said=f"crashes: {now}"
        )
        return
    for part, held in then["answer"].items():
        for name, value in held.items():
            found = now["answer"][part].get(name)
            if _other(value, found) is not None:
                yield Difference(
                    ask="said", about={part: name}, asked=theirs.name, wrote=theirs.name,
                    said=f"{part}: {name}", then=value, now=found,
                )  # fmt: skip


def _shrunk(found: Difference, theirs: Witness, mine: Witness) -> Difference:
    """Return the same difference with the smallest document that still shows it."""
    if found.ask != "metadata" or found.document is None:
        return found
    own = found.wrote != theirs.name
    tries = _STEPS
    document, found_again = found.document, True
    while found_again and tries > 0:
        found_again = False
        for less in smaller(document):
            tries -= 1
            text = json.dumps(less)
            then, now = theirs.ask("metadata", text=text), mine.ask("metadata", text=text)
            if difference(then, now, schema=theirs.schema, mine=own) == found.said:
                document, found_again = less, True
                found = replace(found, document=less, then=then, now=now)
                break
            if tries <= 0:
                break
    return found


def _told(found: Difference, theirs: Witness, *, more: int) -> Change:
    """Return a difference as the check prints it."""
    document = "" if found.document is None else f"; smallest: {_cut(json.dumps(found.document))}"
    others = f"; {more} more of this kind" if more else ""
    return Change(
        rule=Rule.NOT_READ_ALIKE,
        path=f"{found.ask} of {found.wrote}",
        found=f"{found.said} ({theirs.name} says {_cut(_essence(found.then))}, the contract at "
        f"hand says {_cut(_essence(found.now))}); {_remedy(found.said)}{document}{others}",
    )


def _remedy(said: str) -> str:
    kind = said.partition(":")[0].partition(" ")[0]
    return {
        "looser": "software that is live refuses what is written by it; add an optional field",
        "tighter": "what was delivered stays readable; put the rule into the strict writer",
        "reads": "a name never means something else; add a field for the other meaning",
        "crashes": "bad input is refused with a sentence, and good input is read",
    }.get(kind, "what was released is only ever added to; bring it back")


def _essence(answer: object) -> str:
    if isinstance(answer, dict) and "answer" in answer:
        return "it is read"
    return json.dumps(answer)


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"

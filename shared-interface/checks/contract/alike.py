"""Let released contracts and the one at hand answer the same questions, and tell where they differ.

What a release wrote, good or bad, is asked of that release and of the contract at hand; what the
contract at hand writes is asked of every release. A difference is shrunk to the smallest document
that shows it.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from corpus import OTHERS, Document, smaller, variations
from rules import Change, Ledger, Rule, version
from witnesses import Answer, Witness

KITS: tuple[Document, ...] = (
    {},
    {
        "areas": ["EWR", "JFK"], "variables": ["temperature", "humidity"], "context": True,
        "samples": 4, "max_missing": 0.5, "max_humidity_seen": 88.3,
        "max_temperature_seen": 30.123456789012345,
        "valid_months": [1, 2, 12],
    },
    {
        "quantiles": [0.1, 0.9], "samples": 4, "max_temperature_seen": 30.0,
        "applicability_domain": {
            "temperature": {"minimum": -20.0, "maximum": 30.0, "max_missing": 0.25}
        },
    },
    {"applicability_domain": {"temperature": {"maximum": 30.0}}, "max_temperature_seen": 30.0},
    {"samples": 48, "max_missing": 0.2, "max_age": {"hours": 3}, "by_lead_day": [0.3, 0.1]},
    {
        "areas": ["EWR", "JFK"], "variables": ["temperature", "humidity"], "context": True,
        "samples": 4, "max_missing": 0.5, "valid_months": [1, 2, 12],
        "applicability_domain": {
            "temperature": {"maximum": 30.123456789012345}, "humidity": {"maximum": 88.3}
        },
    },
    {
        "quantiles": [0.1, 0.9], "samples": 4, "max_missing": 0.25,
        "applicability_domain": {
            "temperature": {"minimum": -20.0, "maximum": 30.0, "max_missing": 0.25}
        },
    },
)  # fmt: skip
"""What is asked of a testing kit; one that does not know a word of it is not asked for that one."""

_SOME = 40  # documents with several changes, beside all with a single one
_REWRITTEN = 40  # documents of each release that the writer at hand writes again
_SHOWN = 8  # kinds of differences printed
_TRIES = 250  # to make a document smaller
_LONG_NAME = 100
_LONG = 600  # characters of a document in a message


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One question, of whose document, and the document where it is one.

    ``mine``: the contract at hand wrote it, maybe in a newer schema than a release knows.
    """

    ask: str
    about: Mapping[str, Any]
    wrote: str
    mine: bool = False
    document: Document | None = None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A question that a release and the contract at hand answer differently."""

    asked: Asked
    release: Witness
    said: str  # what differs, the same for all of a kind
    then: object = None
    now: object = None


def outcome(answer: Answer) -> str:
    """Return how a question was answered, in a word."""
    return next(word for word in ("answer", "refused", "crashed", "absent") if word in answer)


def difference(then: Answer, now: Answer, *, schema: str, newest: str, mine: bool) -> str | None:
    """Return what differs between the answer of a release and that of the contract at hand.

    Args:
        then: the answer of the release.
        now: the answer of the contract at hand.
        schema: the newest schema that the release knows.
        newest: the one of the contract at hand.
        mine: whether the contract at hand wrote the document.
    """
    before, after = outcome(then), outcome(now)
    if before == "absent":
        return None
    if after == "crashed":
        return None if before == "crashed" else f"crashes: {now['crashed']}"
    if "answer" in (before, after) and before != after:
        if after == "answer":
            return _looser(then, now, schema=schema, newest=newest, mine=mine)
        return None if mine else "tighter: it is refused now, and released software reads it"
    if before != "answer":
        return None
    part = _other(then["answer"], now["answer"])
    return None if part is None else f"reads another {part}".rstrip()


def _looser(then: Answer, now: Answer, *, schema: str, newest: str, mine: bool) -> str | None:
    answer = now["answer"]
    needed = answer.get("min_reader") or answer.get("views", {}).get("min_reader")
    too_new = then.get("refused") == "UnsupportedSchemaError"
    major = version(newest)[0] > version(schema)[0]
    if mine and needed is not None and (major or version(needed) > version(schema)):
        return None if too_new else "is not refused as too new, though its min_reader is"
    if not mine and needed is not None and (major or (too_new and newest != schema)):
        return None  # a new major may ask for less than the old one did
    return "looser: it is read now, and released software refuses it"


def _other(then: object, now: object) -> str | None:
    """Return where two answers differ in what both have, or ``None``."""
    if not isinstance(then, dict) or not isinstance(now, dict):
        return None if then == now else ""
    for name in [name for name in then if name in now]:
        here, there = then[name], now[name]
        if name == "unknown":  # a newer contract knows more fields, and none of nobody
            here, there = ([each for each in it if "nobody" in each] for it in (here, there))
        if (part := _other(here, there)) is not None:
            return f"{name} {part}".strip()
    return None


# ---------------------------------------------------------------------------- the corpus


def metadata_corpus(
    writer: Witness, ledger: Ledger, *, some: int, tried: set[str]
) -> list[Document]:
    """Return documents in the words of a contract: of its testing kit, and near them.

    Each also with the ``min_reader`` that it derives, where that is another one.
    """
    found: list[Document] = []
    known = {path.partition(".")[0].rstrip("[]{}") for path in ledger.rows}
    for number, kit in enumerate(KITS):
        document = writer.ask("document", fields=kit).get("answer", {}).get("document")
        if document is not None and set(document) <= known:
            found.append(document)
            found += variations(document, ledger, seed=number, some=some, tried=tried)
    texts = {json.dumps(each): each for each in found}
    for text, document in list(texts.items()):
        demands = {"max_age", "applicability_domain", "max_humidity_seen"} | (set(document) - known)
        if any(name in text for name in demands) or ledger.version not in ("0.1", "0.2"):
            sealed = writer.ask("sealed", text=text).get("answer", {}).get("document", document)
            texts.setdefault(json.dumps(sealed), sealed)
    return list(texts.values())


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
_COMMANDS: tuple[list[str], ...] = (
    ["--help"], ["verify", "--help"], ["show", "--help"], ["check", "--help"], ["ledger", "--help"],
    ["changes", "--help"], ["verify", "GOOD"], ["verify", "BAD"], ["verify", "NOWHERE"],
    ["show", "GOOD"], ["show", "GOOD", "--json"], ["show", "BAD"], ["ledger"], ["ledger", "9.9"],
    ["check", "GOOD", "--software", "SERVES"], ["check", "GOOD", "--software", "REFUSES"], [],
    ["check", "BAD", "--software", "SERVES"], ["check", "GOOD", "--software", "NOWHERE"],
    ["changes", "--against", "0.1"], ["fly"],
)  # fmt: skip


def _of_metadata(writer: Witness, documents: Iterable[Document], *, mine: bool) -> Iterator[Asked]:
    for document in documents:
        about = {"text": json.dumps(document)}
        yield Asked(ask="metadata", about=about, wrote=writer.name, mine=mine, document=document)


def _delivered(writer: Witness, folder: Path, work: Path) -> list[Answer]:
    """Return what the writer's testing kit builds, a delivery for each of the kits.

    Where another check has just built it, it is built once more, in ``work``.
    """
    said = []
    for number, kit in enumerate(KITS):
        fields = {"delivery_id": f"5f0e31c2-0d8a-4b6e-9a51-00000000000{number}", **kit}
        store = folder / str(number)
        if (store / fields["delivery_id"]).exists() and not writer.knows(
            "build", store=str(store), fields=fields
        ):
            store = work / writer.name / str(number)
        said.append(writer.ask("build", store=str(store), fields=fields).get("answer", {}))
    return said


def _damaged(writer: Witness, good: Path, folder: Path) -> Iterator[Asked]:
    """Yield a delivery of a release once for each change of its manifest."""
    manifest = json.loads((good / "manifest.json").read_text(encoding="utf-8"))
    listed = manifest["files"]
    first = next(iter(listed))
    odd = {"a:b.html", "CON", "b ", "\\x", "é.html", "." * 3, "x" * 300}
    changed = [
        *variations(manifest, OTHERS["manifest"], seed=0, some=0),
        *({**manifest, "files": {**listed, f"card/{name}": listed[first]}} for name in sorted(odd)),
    ]
    for number, document in enumerate(changed):
        path = folder / str(number) / good.name
        if not path.exists():
            shutil.copytree(good, path, copy_function=os.link)
            for name in document.get("files") or ():
                if name.startswith("card/") and len(name) < _LONG_NAME and name not in listed:
                    os.link(good / first, path / name)
            (path / "manifest.json").unlink()
            (path / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
        yield Asked(ask="manifest", about={"path": str(path)}, wrote=writer.name, document=document)
        if number % 8 == 0 or document.get("files") != listed:
            yield Asked(
                ask="delivery", about={"path": str(path)}, wrote=writer.name, document=document
            )


def _of_the_rest(writer: Witness, metadata: Sequence[Document]) -> Iterator[Asked]:
    """Yield what is no metadata: software, definitions, durations, and what software serves."""
    software = [SOFTWARE, *variations(SOFTWARE, OTHERS["software"], seed=0, some=20)]
    for position, document in enumerate(software):
        about = {"text": json.dumps(document)}
        yield Asked(ask="software", about=about, wrote=writer.name, document=document)
        for each in metadata[: 1 if position else len(metadata)]:
            text = {"text": json.dumps(each), "software": json.dumps(document)}
            yield Asked(ask="verdict", about=text, wrote=writer.name, document=document)
    for document in (DEFINITIONS, *variations(DEFINITIONS, OTHERS["definitions"], seed=0, some=20)):
        about = {"text": json.dumps(document)}
        yield Asked(ask="definitions", about=about, wrote=writer.name, document=document)
    for words in DURATIONS:
        yield Asked(ask="duration", about={"text": words}, wrote=writer.name)
        text = json.loads(json.dumps(DEFINITIONS))
        text["training"]["required_inputs"][0]["temperature"]["period"] = words
        about = {"text": json.dumps(text)}
        yield Asked(ask="definitions", about=about, wrote=writer.name, document=text)


def _of_commands(good: str, folder: Path) -> Iterator[Asked]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "serves.json").write_text(json.dumps(SOFTWARE), encoding="utf-8")
    refuses = {**SOFTWARE, "runtimes": []}
    (folder / "refuses.json").write_text(json.dumps(refuses), encoding="utf-8")
    (folder / "bad").mkdir(exist_ok=True)
    (folder / "bad" / "manifest.json").write_text("{}", encoding="utf-8")
    places = {"GOOD": good, "BAD": str(folder / "bad"), "NOWHERE": str(folder / "nowhere")}
    places |= {"SERVES": str(folder / "serves.json"), "REFUSES": str(folder / "refuses.json")}
    for command in _COMMANDS:
        arguments = [places.get(word, word) for word in command]
        yield Asked(ask="command", about={"arguments": arguments}, wrote=" ".join(command))


# ---------------------------------------------------------------------------- asking


def unlike(
    releases: Sequence[Witness],
    mine: Witness,
    ledgers: Mapping[str, Ledger],
    goldens: Sequence[Path],
    work: Path,
) -> tuple[Change, ...]:
    """Return where the contract at hand and the released ones do not answer alike.

    Args:
        releases: the released contracts, the oldest first, each with a home.
        mine: the contract at hand.
        ledgers: the ledger of every schema.
        goldens: deliveries of released producers.
        work: an empty folder.
    """
    newest, tried = releases[-1], set[str]()
    asked: list[tuple[Asked, tuple[Witness, ...]]] = []
    found: list[Difference] = []
    stepped: list[Change] = []
    own = metadata_corpus(mine, ledgers[mine.schema], some=_SOME, tried=set())
    asked += [(it, tuple(releases)) for it in _of_metadata(mine, own, mine=True)]
    built = _delivered(mine, work / "mine", work)
    for made in filter(None, built):
        about = {"path": made["path"]}
        it = Asked(ask="delivery", about=about, wrote=mine.name, mine=True)
        asked.append((it, tuple(releases)))
    for release in releases:
        documents = metadata_corpus(release, ledgers[release.schema], some=_SOME, tried=tried)
        both = tuple(dict.fromkeys((release, newest)))
        stepped += _stepped(release, mine, documents[0])
        asked += [(it, both) for it in _of_metadata(release, documents, mine=False)]
        home = release.home or work / release.name
        theirs = _delivered(release, home / "deliveries", work)
        for before, now in zip(theirs, built, strict=True):
            if not before or not now:
                continue  # a kit that one of both has no words for
            it = Asked(ask="delivery", about={"path": before["path"]}, wrote=release.name)
            asked.append((it, both))
            for part in ("arrays", "digits of times"):
                lost = {name for name, each in before[part].items()
                        if now.get(part, {}).get(name) != each}  # fmt: skip
                if lost:
                    said = f"builds other examples than {release.name}: {', '.join(sorted(lost))}"
                    it = Asked(ask="testing kit", about={}, wrote=mine.name, mine=True)
                    found.append(Difference(asked=it, release=release, said=said,
                                            then=before[part], now=now.get(part)))  # fmt: skip
        asked += [(it, (release,)) for it in _rewritten(release, mine, documents)]
        found += _grown(release, mine)
        if release is newest:
            good = str(theirs[0]["path"])
            asked += [(it, (release,)) for it in _damaged(release, Path(good), home / "damaged")]
            asked += [(it, (release,)) for it in _written(release, mine, documents)]
            kits = [each for each in documents if "a_field_of_nobody" not in each][:3]
            asked += [(it, (release,)) for it in _of_the_rest(release, kits)]
            asked += [(it, (release,)) for it in _of_commands(good, home / "commands")]
    for path in goldens:
        about = {"path": str(path)}
        it = Asked(ask="delivery", about=about, wrote=path.parent.name)
        asked.append((it, tuple(releases)))
    found += _compared(asked, mine)
    return (*stepped, *_said(found, mine))


def _stepped(theirs: Witness, mine: Witness, document: Document) -> Iterator[Change]:
    """Ask the steps at hand for a document of a release in the words of the newest schema."""
    told = mine.ask("stepped", text=json.dumps(document))
    if outcome(told) != "answer":
        yield Change(
            rule=Rule.STEP_NOT_READ,
            path=f"history, from {theirs.schema}",
            found=f"a document of {theirs.name} cannot be upgraded ({told}); a step returns the "
            "document in the words of the next schema",
        )


def _compared(
    asked: Sequence[tuple[Asked, tuple[Witness, ...]]], mine: Witness
) -> Iterator[Difference]:
    """Ask each question of the contract at hand and of the releases that it is for."""
    once: dict[str, Asked] = {}
    whom: dict[str, dict[Witness, bool]] = {}
    for it, releases in asked:
        key = json.dumps([it.ask, it.about])
        once.setdefault(key, it)
        for release in releases:
            known = whom.setdefault(key, {})
            known[release] = known.get(release, True) and it.mine

    def answers(witness: Witness) -> dict[str, Answer]:
        return {
            key: witness.ask(it.ask, **it.about)
            for key, it in once.items()
            if witness is mine or witness in whom[key]
        }

    everyone = [mine, *dict.fromkeys(each for known in whom.values() for each in known)]
    with ThreadPoolExecutor(3) as pool:
        told = dict(zip(everyone, pool.map(answers, everyone), strict=True))
    for key, it in once.items():
        for release, is_mine in whom[key].items():
            then, now = told[release][key], told[mine][key]
            said = difference(then, now, schema=release.schema, newest=mine.schema, mine=is_mine)
            grown = it.ask == "definitions" and outcome(now) == "answer" != outcome(then)
            if said is not None and not grown:  # who writes definitions reads them, nobody else
                yield Difference(asked=replace(it, mine=is_mine), release=release, said=said,
                                 then=then, now=now)  # fmt: skip


def _rewritten(theirs: Witness, mine: Witness, documents: Sequence[Document]) -> Iterator[Asked]:
    """Yield what the writer at hand makes of documents of a release."""
    for document in documents[:: max(1, len(documents) // _REWRITTEN)]:
        text = json.dumps(document)
        if outcome(theirs.ask("metadata", text=text)) == "answer":
            for schema in (None, theirs.schema):
                told = mine.ask("rewritten", text=text, schema=schema)
                if outcome(told) == "answer":
                    about = {"text": told["answer"]["text"]}
                    yield Asked(
                        ask="metadata", about=about, wrote=f"{theirs.name}, written again",
                        mine=True, document=json.loads(about["text"]),
                    )  # fmt: skip


def _written(theirs: Witness, mine: Witness, documents: Sequence[Document]) -> Iterator[Asked]:
    """Yield documents of the newest release to be written in each schema that it writes."""
    if version(mine.schema)[0] > version(theirs.schema)[0]:
        return
    kits = [theirs.ask("document", fields=kit)["answer"]["document"] for kit in KITS]
    for document in (*kits, *documents[:: max(1, len(documents) // _REWRITTEN)]):
        for schema in theirs.ask("ledger")["answer"]["written"]:
            about = {"text": json.dumps(document), "schema": schema}
            yield Asked(ask="written", about=about, wrote=theirs.name, document=document)


def _grown(theirs: Witness, mine: Witness) -> Iterator[Difference]:
    """Hold what a release states outside documents against the contract at hand: it only grows."""
    then, now = theirs.ask("said"), mine.ask("said")
    if outcome(now) != "answer":
        it = Asked(ask="said", about={}, wrote=theirs.name)
        yield Difference(asked=it, release=theirs, said=f"crashes: {now}")
        return
    for part, held in then["answer"].items():
        for name, value in held.items():
            here = now["answer"][part].get(name)
            if _other(value, here) is not None:
                it = Asked(ask="said", about={}, wrote=theirs.name)
                said = f"changed what is frozen: {part}, {name}"
                yield Difference(asked=it, release=theirs, said=said, then=value, now=here)


# ---------------------------------------------------------------------------- telling


def _said(found: Iterable[Difference], mine: Witness) -> Iterator[Change]:
    """Return the differences as the check prints them, one for each kind, shrunk."""
    kinds: dict[str, list[Difference]] = {}
    for each in found:
        kinds.setdefault(f"{each.asked.ask} {each.said}", []).append(each)
    for number, same in enumerate(kinds.values()):
        first = _shrunk(same[0], mine) if number < _SHOWN else same[0]
        releases = ", ".join(dict.fromkeys(each.release.name for each in same))
        yield _told(first, mine, releases, more=len({id(each.asked) for each in same}) - 1)


def _shrunk(found: Difference, mine: Witness) -> Difference:
    """Return the same difference with the smallest document that still shows it."""
    if found.asked.ask != "metadata" or found.asked.document is None:
        return found
    tries, again = _TRIES, True
    while again and tries > 0:
        again = False
        for less in smaller(found.asked.document):
            tries -= 1
            text = json.dumps(less)
            then, now = found.release.ask("metadata", text=text), mine.ask("metadata", text=text)
            said = difference(then, now, schema=found.release.schema, newest=mine.schema,
                              mine=found.asked.mine)  # fmt: skip
            if said == found.said:
                asked = replace(found.asked, document=less)
                found, again = replace(found, asked=asked, then=then, now=now), True
                break
            if tries <= 0:
                break
    return found


def _told(found: Difference, mine: Witness, releases: str, *, more: int) -> Change:
    document = found.asked.document
    smallest = "" if document is None else f"; smallest: {_cut(json.dumps(document))}"
    others = f"; {more} more of this kind" if more > 0 else ""
    newer = version(mine.schema)[0] > version(found.release.schema)[0]
    moved = newer and found.asked.ask == "metadata" and found.said.startswith("reads another")
    return Change(
        rule=Rule.STEP_LOSES_MEANING if moved else Rule.NOT_READ_ALIKE,
        path=f"{found.asked.ask} of {found.asked.wrote}",
        found=f"{found.said} ({releases}: {_cut(_essence(found.then))}; the contract at hand: "
        f"{_cut(_essence(found.now))}); {_remedy(found.said)}{smallest}{others}",
    )


def _remedy(said: str) -> str:
    return {
        "looser": "software that is live refuses what is written by it; add an optional field",
        "tighter": "what was delivered stays readable; put the rule into the strict writer",
        "reads": "a name never means something else; add a field for the other meaning",
        "crashes": "bad input is refused with a sentence, and good input is read",
    }.get(
        said.partition(":")[0].partition(" ")[0],
        "what was released is only ever added to; bring it back",
    )


def _essence(answer: object) -> str:
    if isinstance(answer, dict) and "answer" in answer:
        plain = answer["answer"].get("exit") if isinstance(answer["answer"], dict) else None
        return "it is read" if plain is None else f"exit code {plain}"
    return json.dumps(answer)


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"

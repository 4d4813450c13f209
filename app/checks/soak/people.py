"""What goes on while the app serves: research delivers, observations arrive, operators decide."""

# ruff: noqa: INP001 - scripts beside each other, not a package

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException

from deliveries import AREAS, BROKEN, SOUND, Maker
from faults import LOOKS, Resources
from journal import Delivered, Journal, Pin, Span
from keys import Keys
from served import Served
from weather import Row, Weather, write_archive

from fairweather_app.observations import ObservationStore
from fairweather_app.observations.archive_file import read_archive

MOST_STORED = 16
SETTLED_AFTER = 6
"""So many answers in a row must agree: two workers answer in turn, as it comes."""


class Operators:
    """Everybody who works on the app while it serves; each method is one step of one of them."""

    def __init__(
        self,
        *,
        served: Served,
        maker: Maker,
        keys: Keys,
        weather: Weather,
        journal: Journal,
        resources: Resources,
        stopping: threading.Event,
    ) -> None:
        self._served = served
        self._maker = maker
        self._keys = keys
        self._weather = weather
        self._journal = journal
        self._resources = resources
        self._stopping = stopping
        self.seen: dict[str, set[tuple[str, str | None]]] = {}

    def run(
        self, step: Callable[[random.Random], None], chance: random.Random, every: float
    ) -> None:
        """Take a step again and again until told to stop."""
        while not self._stopping.wait(chance.uniform(0.5, 1.5) * every):
            try:
                step(chance)
            except Exception as error:  # noqa: BLE001 - told at the end, which fails the soak
                self._journal.complain(f"{step.__name__} failed: {error!r}")

    # ------------------------------------------------------------------------- research

    def deliver(self, chance: random.Random) -> None:
        """Deliver something, mostly sound; beyond so many, the store loses one."""
        kind = chance.choice([*SOUND, *SOUND, *BROKEN])
        with self._resources.held("store"):
            self._maker.deliver(self._maker.make(kind))
            stored = [each for each in self._of_no_base() if each.stored]
            if len(stored) > MOST_STORED:
                self._maker.remove(chance.choice(stored))

    def rotate(self, chance: random.Random) -> None:
        """Rotate the team's key as the handbook says, or revoke a contractor's."""
        with self._resources.held("server", "store", "cache"):
            stored = [each for each in self._journal.deliveries.values() if each.stored]
            of_contractors = [each for each in stored if each.contractor and not each.revoked]
            if of_contractors and chance.random() < 0.5:  # noqa: PLR2004
                chosen = chance.choice(of_contractors)
                self._keys.revoke(str(chosen.contractor))
                chosen.revoked = True
                chosen.barred.append(Span(time.monotonic()))
                self._journal.count("keys: a contractor's revoked")
                return
            before, self._keys.team = self._keys.team, self._keys.add("team")
            for each in stored:
                if not each.contractor and each.code != "not-trusted":
                    for folder in (self._maker.store / each.delivery_id, each.copy):
                        self._keys.sign(folder, self._keys.team)
            time.sleep(LOOKS)
            self._keys.revoke(before)
            self._journal.count("keys: the team's rotated")

    def _of_no_base(self) -> list[Delivered]:
        """What may be removed or withdrawn; a faulty model is removed by who delivered it."""
        return [
            each
            for each in self._journal.deliveries.values()
            if not each.base and each.kind in (*SOUND, *BROKEN)
        ]

    # --------------------------------------------------------------------- observations

    def observe(self, chance: random.Random) -> None:
        """Let observations arrive; the command imports some of them, the app's own code others."""
        rows = self._weather.arriving()
        if not rows:
            return
        with self._resources.held("database"):
            self.bring(rows, by_command=chance.random() < 0.15)  # noqa: PLR2004

    def bring(self, rows: list[Row], *, by_command: bool) -> None:
        """Import rows, and try again until it is done: importing twice changes nothing."""
        archive = self._served.folder / "arriving.csv"
        write_archive(archive, rows)
        began = self._weather.begin(rows)
        if by_command:
            done = self._served.command("observations", "import", str(archive))
            while done.returncode:
                self._journal.complain(f"observations import failed: {done.stderr[-300:]}")
                time.sleep(1)
                done = self._served.command("observations", "import", str(archive))
            self._journal.count("observations import, the command")
        else:
            store = ObservationStore(self._served.environment["FAIRWEATHER_OBSERVATIONS"])
            try:
                store.add(read_archive(archive))
            finally:
                store.close()
            self._journal.count("imports")
        began.done = time.monotonic()

    # ------------------------------------------------------------------------ decisions

    def decide(self, chance: random.Random) -> None:
        """Withdraw, restore, pin or unpin, by the command."""
        actions = [self._withdraw, self._restore, self._pin, self._unpin]
        with self._resources.held("database"):
            chance.choice(actions)(chance)

    def _withdraw(self, chance: random.Random) -> None:
        free = [
            each
            for each in self._of_no_base()
            if each.stored and each.state == "live" and not each.withdrawn
        ]
        if free:
            chosen = chance.choice(free)
            if self._decided("withdraw", chosen.delivery_id, "--reason", "a soak"):
                chosen.withdrawn = True
                chosen.barred.append(Span(time.monotonic()))

    def _restore(self, chance: random.Random) -> None:
        withdrawn = [each for each in self._journal.deliveries.values() if each.withdrawn]
        if withdrawn:
            chosen = chance.choice(withdrawn)
            open_spans = [each for each in chosen.barred if each.end > time.monotonic()]
            if chosen.stored:
                for each in open_spans:
                    each.end = time.monotonic()
            if self._decided("restore", chosen.delivery_id):
                chosen.withdrawn = False
            else:
                chosen.barred.append(Span(time.monotonic()))

    def _pin(self, chance: random.Random) -> None:
        area = chance.choice(AREAS)
        plain = [
            each
            for each in self._journal.deliveries.values()
            if each.stored and each.kind == "plain" and area in each.areas and not each.withdrawn
        ]
        if plain:
            chosen = chance.choice(plain)
            self._end_pins(area)
            if self._decided("pin", area, chosen.delivery_id, "--reason", "a soak"):
                pin = Pin(start=time.monotonic(), area=area, delivery_id=chosen.delivery_id)
                self._journal.pins.append(pin)

    def _unpin(self, chance: random.Random) -> None:
        area = chance.choice(AREAS)
        if any(each.area == area and each.end > time.monotonic() for each in self._journal.pins):
            self._end_pins(area)
            self._decided("unpin", area)

    def _end_pins(self, area: str) -> None:
        """From now on a pin of the area may end at any moment."""
        for each in self._journal.pins:
            if each.area == area:
                each.end = min(each.end, time.monotonic())

    def _decided(self, action: str, *arguments: str) -> bool:
        """Run a command of ``models``; whether it did what it was told."""
        done = self._served.command("models", action, *arguments, "--author", "soak")
        if done.returncode not in {0, 1} or "Traceback" in done.stderr:
            self._journal.complain(f"models {action} failed: {done.stderr[-500:]}")
        self._journal.count(f"models {action}: {'done' if done.returncode == 0 else 'refused'}")
        return done.returncode == 0

    # ----------------------------------------------------------------------- what is seen

    def watch(self, _chance: random.Random) -> None:
        """Note what one worker says of every delivery."""
        with suppress(OSError, HTTPException):
            for name, found in self._served.models().items():
                self.seen.setdefault(name, set()).add(found)

    def settled(self, patience: float) -> str | None:
        """Wait until every worker says of every delivery what is right; what is not, in the end."""
        end = time.monotonic() + patience
        agreed = 0
        difference: str | None = "nobody was asked"
        while time.monotonic() < end:
            time.sleep(0.3)
            difference = self._difference()
            agreed = agreed + 1 if difference is None else 0
            if agreed == SETTLED_AFTER:
                return None
        return difference

    def _difference(self) -> str | None:
        try:
            found = self._served.models()
        except (OSError, HTTPException) as error:
            return f"/models cannot be had: {error!r}"
        expected: dict[str, tuple[str, str | None]] = {}
        for name, each in self._journal.deliveries.items():
            if each.stored:
                state: tuple[str, str | None] = (each.state, each.code)
                state = ("refused", "not-trusted") if each.revoked else state
                expected[name] = ("withdrawn", "withdrawn") if each.withdrawn else state
        wrong = [
            f"{name} ({self._journal.deliveries[name].kind}) is {found.get(name)}, expected "
            f"{expected.get(name)}"
            for name in sorted(found.keys() | expected.keys())
            if found.get(name) != expected.get(name)
        ]
        return "; ".join(wrong) or None

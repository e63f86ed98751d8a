"""A sample city of real processes for the system tests: the ledger and any number of buses, over HTTP alone.

The city is founded by the code of `mancard run`; the processes are started one by one here, so that a test
can kill each of them. A bus is driven through its web page's own requests, a card's truth is read from its
chip.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from sqlmodel import col, select

from fare.collection.models import RegisteredTap, Ride
from fare.core.desfire.application import open_card, run
from fare.database.engine import read, write
from fare.distribution import current_bundle
from fare.fleet import import_assignments
from fare.settings import LedgerSettings
from hardware.city.founding import fleet_csv
from hardware.city.media import issue_cards
from hardware.city.sample import open_sample
from hardware.city.service import Service
from hardware.emulator.files import TransactionMacFile
from hardware.emulator.image import image_names, image_path, read_image
from hardware.emulator.reader import InProcessReader
from tests.services.started import free_port

ADULT, STUDENT, POOR, DENIED, EXPIRED = (f"card-{number:05d}" for number in range(1, 6))
BLANK = "unissued-00001"
PHONE = "phone-0001"
ADULT_FARE_RIAL = 35_000
FIRST_LOAD_RIAL = 500_000
PATIENCE_S = 30.0

T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T | bool | None], patience_s: float = PATIENCE_S) -> T:
    """Look until there is something; fail with `what` was waited for."""
    give_up_at = time.monotonic() + patience_s
    while time.monotonic() < give_up_at:
        seen = look()
        if seen is not None and seen is not False:
            return seen  # type: ignore[return-value]
        time.sleep(0.05)
    raise AssertionError(f"waited {patience_s:.0f} s in vain for {what}")


def clean_environment(**settings: str) -> dict[str, str]:
    """This process's environment without any setting of Mancard but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MANCARD_")}
    return kept | settings


class Bus:
    """One validator process, and its page as a person would press it."""

    def __init__(self, number: int, service: Service, port: int) -> None:
        self.number = number
        self.service = service
        self.url = f"http://127.0.0.1:{port}"
        self._client = httpx2.Client(base_url=self.url, trust_env=False, timeout=20.0)
        self._token = ""

    def start(self) -> Bus:
        """Start the process and wait until a card could be tapped."""
        self.service.start()
        up = self.service.wait_until(
            f"{self.url}/bus/state", lambda bus: bus["bundle_n"] is not None, lambda: False
        )
        assert up, self.service.last_words()
        page = self._client.get("/bus").text
        found = re.search(r'name="mancard-token" content="([^"]+)"', page)
        assert found is not None, page
        self._token = found[1]
        return self

    def kill(self) -> None:
        """Kill it as `kill -9` does."""
        os.kill(self.service.pid, signal.SIGKILL)
        wait_for("the end of a killed validator", lambda: self.service.ended)

    def press(self, button: str, **body: Any) -> dict[str, Any]:
        """One button of the page; the state after it. Its `shown` says what the lamp says."""
        answer = self._client.post(f"/bus/{button}", json=body, headers={"X-Mancard-Token": self._token})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def tap(self, card: str) -> dict[str, Any]:
        """Lay a card on the reader; what is shown."""
        return self.press("tap", card=card)["shown"]

    def show_ticket(self, *, new_ride: bool = False) -> dict[str, Any]:
        """Show the phone's ticket; what is shown."""
        return self.press("ticket", phone=PHONE, new_ride=new_ride)["shown"]

    def state(self) -> dict[str, Any]:
        """Everything the page shows."""
        return self._client.get("/bus/state").json()

    def wait_until_sent(self) -> None:
        """Return when the ledger has acknowledged every tap."""
        wait_for("the last tap to be acknowledged", lambda: self.state()["unsent"] == 0)

    def close(self) -> None:
        """Stop it if it still runs."""
        self._client.close()
        self.service.stop()


class City:
    """A founded city whose ledger runs. Buses go by number: owner-1 has 1 and 2, owner-2 has 3 and 4."""

    def __init__(self, state: Path, stack: ExitStack, **settings: str) -> None:
        """`settings`: more of the ledger's environment."""
        self.state = state
        self._stack = stack
        self._buses: dict[int, Bus] = {}
        port = free_port()
        self.ledger_url = f"http://127.0.0.1:{port}"
        of_city = LedgerSettings(state_dir=state, database_url=f"sqlite:///{state / 'mancard.db'}", port=port)
        self.founded, self.sign_in = open_sample(of_city, self.ledger_url, datetime.now(UTC), lambda _: None)
        stack.callback(self.founded.engine.dispose)
        self.media = self.founded.media
        environment = clean_environment(MANCARD_STATE_DIR=str(state), MANCARD_PORT=str(port), **settings)
        self.ledger = Service("The ledger", ["ledger", "serve"], state / "ledger.log", environment)
        stack.callback(self.ledger.stop)
        self.start_ledger()

    def start_ledger(self) -> None:
        """Start the ledger and wait for its answer."""
        self.ledger.start()
        assert self.ledger.wait_until(f"{self.ledger_url}/v1/health", lambda _: True, lambda: False)

    def kill_ledger(self) -> None:
        """Kill it as `kill -9` does."""
        os.kill(self.ledger.pid, signal.SIGKILL)
        wait_for("the end of a killed ledger", lambda: self.ledger.ended)

    def bus(self, number: int, reader: str | None = None, *options: str) -> Bus:
        """The running bus of this number, started again where a test has killed it.

        `reader` as for `mancard validator`, a virtual one over our media unless given; `options`: more of its
        command line.
        """
        bus = self._buses.get(number)
        if bus is None:
            bus = self._buses[number] = self._new_bus(number, reader, options)
            self._stack.callback(bus.close)
            return bus.start()
        return bus.start() if bus.service.ended else bus

    def card(self) -> str:
        """A fresh adult card with money that every running bus knows of."""
        number = 1 + max(int(name[-5:]) for name in image_names(self.media) if name.startswith("card-"))
        now = datetime.now(UTC)
        issued, _ = issue_cards(self.founded, [FIRST_LOAD_RIAL], now, first_number=number)
        with write(self.founded.engine) as session:
            newest, _ = current_bundle(session, self.founded.keys, self.founded.settings, now)
        for bus in self._buses.values():
            if not bus.service.ended:
                wait_for("the bundle with the load", lambda b=bus: b.state()["bundle_n"] >= newest.n)
        return issued[0].name

    def move_device(self, device: int, to_bus: int) -> None:
        """Make a validator one more door of another bus, from now on."""
        columns, *rows = fleet_csv(to_bus, datetime.now(UTC).date()).splitlines()
        row = rows[to_bus - 1].split(",")
        row[0], row[-1] = str(device), datetime.now(UTC).isoformat(timespec="seconds")
        moved = self.state / "moved.csv"
        moved.write_text(f"{columns}\n{','.join(row)}\n", encoding="utf-8")
        with write(self.founded.engine) as session:
            import_assignments(session, moved, self.founded.zone)

    def _new_bus(self, number: int, reader: str | None, options: Sequence[str]) -> Bus:
        port = free_port()
        arguments = ["validator", "--kit", str(self.founded.kits / f"device-{number}")]
        arguments += ["--state", str(self.state / f"bus-{number}"), "--port", str(port), "--poll", "1"]
        arguments += ["--reader", reader or f"virtual:{self.media}", *options]
        log = self.state / f"bus-{number}.log"
        return Bus(number, Service(f"Bus {number}", arguments, log, clean_environment()), port)

    def serial(self, card: str) -> int:
        """The serial of a sample card."""
        serial = read_image(image_path(self.media, card)).notes["serial"]
        assert isinstance(serial, int)
        return serial

    def rides(self, medium_ref: str | int | None = None) -> list[Ride]:
        """Proven, posted rides in the order of the medium's own counter."""
        with read(self.founded.engine) as session:
            wanted = select(Ride).order_by(col(Ride.medium_ref), col(Ride.counter))
            if medium_ref is not None:
                wanted = wanted.where(col(Ride.medium_ref) == str(medium_ref))
            return list(session.exec(wanted))

    def register(self, medium_ref: str | int | None = None) -> list[RegisteredTap]:
        """The tap register, each device's taps in its own order."""
        with read(self.founded.engine) as session:
            wanted = select(RegisteredTap).order_by(col(RegisteredTap.device_id), col(RegisteredTap.seq))
            if medium_ref is not None:
                wanted = wanted.where(col(RegisteredTap.medium_ref) == str(medium_ref))
            return list(session.exec(wanted))

    def transaction_counter(self, card: str) -> int:
        """TMC as the card's image has it."""
        image = read_image(image_path(self.media, card))
        (counter,) = (
            file.tmc
            for application in image.state.applications.values()
            for file in application.files.values()
            if isinstance(file, TransactionMacFile)
        )
        return counter

    def spent_rial(self, card: str) -> int:
        """What the chip itself says was ever spent, read over APDUs with the validator's key."""
        keys = self.founded.keys.validator_keys
        reader = InProcessReader(self.media, name="auditor")
        reader.place(card)
        try:
            link = reader.wait_for_card(1)
            assert link is not None
            opened = run(open_card(keys, lambda: secrets.token_bytes(16)), link.transmit)
            link.close()
            return opened.spent
        finally:
            reader.remove()

"""A counter with a real reader, process and line: it holds no key, and killed it loses nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fare.core.desfire.keys import KeyPurpose
from fare.database.engine import read, write
from fare.issuing import card_with_uid
from fare.staff import Role, create_account, hash_password
from hardware.city.media import blank_card
from hardware.emulator.field import Field
from hardware.emulator.image import image_path, read_image
from hardware.emulator.vpcd import VpcdTray
from tests.services.pcsc import PcscService
from tests.system.city import City, clean_environment

# One city, one worker: the tests share its processes.
pytestmark = pytest.mark.xdist_group("system-desk")

PASSWORD = "a long password 123"
COMMIT = 0xC7


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    with ExitStack() as stack:
        founded = City(tmp_path_factory.mktemp("city"), stack)
        with write(founded.founded.engine) as session:
            create_account(session, "omid", Role.CLERK, hash_password(PASSWORD), datetime.now(UTC))
        (founded.state / "password").write_text(PASSWORD)
        (founded.state / "password").chmod(0o600)
        yield founded


def desk(city: City, reader: str, *words: str) -> subprocess.Popen[str]:
    """`mancard desk …` in a process that knows the ledger's address and nothing else of it."""
    where = ["--server", city.ledger_url, "--login", "omid", "--reader", reader]
    return subprocess.Popen(
        [sys.executable, "-c", "from fare.cli import main; main()", "desk", *words, *where,
         "--password-file", str(city.state / "password")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )  # fmt: skip


def done(process: subprocess.Popen[str]) -> str:
    out, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    return out


def family(pid: int) -> list[int]:
    """A process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(int(child) for child in children)]


def memory(pid: int) -> bytes:
    """Everything a process may write to: what it holds now."""
    found: list[bytes] = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as opened:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if span is None or "[v" in line:
                continue
            start, end = int(span[1], 16), int(span[2], 16)
            opened.seek(start)
            try:
                found.append(opened.read(end - start))
            except OSError:
                continue
    return b"\n".join(found)


class Spy:
    """Looks into the desk's processes while the card holds back its answer to Commit, and kills them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.desk = 0
        self.held = b""
        self.session_keys: list[bytes] = []
        self.last_apdu = b""
        original = Field.transmit

        def transmit(field: Field, apdu: bytes) -> bytes:
            if apdu[1] == COMMIT and self.desk:
                watched, self.desk = family(self.desk), 0
                self.last_apdu = apdu
                session: Any = field._held.card._chip.session  # type: ignore[union-attr]
                self.session_keys = [session.ses_enc, session.ses_mac]
                for pid in watched:
                    os.kill(pid, signal.SIGSTOP)
                self.held = b"\n".join(memory(pid) for pid in watched)
                for pid in watched:
                    os.kill(pid, signal.SIGKILL)
            return original(field, apdu)

        monkeypatch.setattr(Field, "transmit", transmit)


def test_a_counter_holds_no_key_and_a_killed_one_loses_nothing(
    city: City, pcsc_service: PcscService, monkeypatch: pytest.MonkeyPatch
) -> None:
    blank_card(city.founded, "fresh-00001", "fresh")
    uid = read_image(image_path(city.media, "fresh-00001")).state.uid
    tray = VpcdTray(city.media, host=pcsc_service.host, port=pcsc_service.port)
    spy = Spy(monkeypatch)

    tray.place("fresh-00001")
    with desk(city, pcsc_service.reader_name, "issue") as process:
        spy.desk = process.pid
        try:
            process.communicate(timeout=60)
        finally:
            process.kill()
            tray.remove()

    assert process.returncode == -signal.SIGKILL
    keys = city.founded.keys
    version = keys.cards.current
    secrets = {keys.cards.key(purpose, version, uid).reveal() for purpose in KeyPurpose}
    masters = re.findall(r'"([0-9a-f]{32})"', (city.state / "keys" / "card-masters.json").read_text())
    assert len(masters) == 5
    secrets |= {bytes.fromhex(master) for master in masters} | set(spy.session_keys)
    assert len(secrets) == 12
    assert spy.last_apdu.hex().encode() in spy.held, "the search would find what is there"
    for key in secrets:
        assert key not in spy.held
        assert key.hex().encode() not in spy.held
        assert key.hex().upper().encode() not in spy.held

    with read(city.founded.engine) as session:
        known = card_with_uid(session, uid)
    assert known is not None, "it was registered before it was touched"
    tray.place("fresh-00001")
    try:
        said = done(desk(city, pcsc_service.reader_name, "issue"))
        assert f"card 1 is card {known.serial}." in said
        assert "written onto it" in done(
            desk(city, pcsc_service.reader_name, "load", str(known.serial), "150000")
        )
        told = json.loads(done(desk(city, pcsc_service.reader_name, "inspect", "--json")))
    finally:
        tray.remove()
    assert (told["serial"], told["balance_rial"], told["tmc"]) == (known.serial, 150_000, 2)

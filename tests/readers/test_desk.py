"""The bridge of a counter: a reader here, the ledger elsewhere, a line that loses answers between them."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from typer.testing import CliRunner

import readers.desk
from fare.api import create_app
from fare.core.desfire import crypto
from fare.core.desfire.keys import KeyPurpose
from fare.core.errors import OperatorError
from fare.database.engine import open_engine, read, write
from fare.issuing import cards
from fare.keys import LedgerKeys
from fare.settings import LedgerSettings
from fare.staff import Role, create_account, hash_password
from hardware.emulator.faults import Fault, FaultKind, arm_in_folder
from hardware.emulator.field import tray_cards
from hardware.emulator.image import create_image, read_image
from hardware.emulator.reader import InProcessReader
from readers.addresses import Equipment
from readers.batch import issue_batch
from readers.counter import Batch, Counter, LaidCard
from readers.desk import DeskClient, checked_server
from readers.desk_cli import app
from readers.ports import ReaderFault
from tests.collection.bus import NOON

PASSWORD = "a long password 123"
TERSE: Callable[[str], None] = lambda _: None  # noqa: E731


@dataclass
class Line(httpx2.BaseTransport):
    """The line to a ledger in this process. It keeps all that travels, and loses answers when told."""

    ledger: TestClient
    carried: list[bytes] = field(default_factory=list)
    lose: set[int] = field(default_factory=set)
    refuse: bool = False
    requests: int = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        if self.refuse:
            raise httpx2.ConnectError("cut", request=request)
        body = request.read()
        answer = self.ledger.request(
            request.method, request.url.path, content=body, headers=dict(request.headers)
        )
        if self.requests in self.lose:
            raise httpx2.ReadError("lost", request=request)
        self.carried += [body, answer.content]
        return httpx2.Response(answer.status_code, content=answer.content, headers=dict(answer.headers))


@dataclass
class Place:
    """A ledger with a clerk, a folder of blank cards, and the line between."""

    engine: Engine
    keys: LedgerKeys
    line: Line
    media: Path

    def desk(self) -> DeskClient:
        client = DeskClient("http://127.0.0.1:1", self.line)
        client.sign_in("omid", PASSWORD)
        return client


@pytest.fixture(scope="module")
def password_hash() -> str:
    return hash_password(PASSWORD)


@pytest.fixture
def place(migrated_sqlite: Path, tmp_path: Path, password_hash: str) -> Iterator[Place]:
    file = tmp_path / "mancard.db"
    shutil.copy(migrated_sqlite, file)
    settings = LedgerSettings(state_dir=tmp_path, database_url=f"sqlite:///{file}")
    engine, keys = open_engine(settings.database_url), LedgerKeys.open(settings.keys_dir)
    with write(engine) as session:
        for clerk in ("omid", "reza"):
            create_account(session, clerk, Role.CLERK, password_hash, NOON)
    for number in range(3):
        create_image(tmp_path / "media", f"blank-{number}", b"\x04desk" + bytes([0, number]), label="")
    with TestClient(create_app(settings), raise_server_exceptions=False) as ledger:
        yield Place(engine, keys, Line(ledger), tmp_path / "media")
    engine.dispose()


@contextmanager
def laid(media: Path, name: str) -> Generator[Callable[[bytes], bytes]]:
    reader = InProcessReader(media)
    reader.place(name)
    link = reader.wait_for_card(1)
    assert link is not None
    try:
        yield link.transmit
    finally:
        reader.remove()


# --- the line ---------------------------------------------------------------------------------------------


def test_a_job_survives_every_lost_answer(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers.desk, "PAUSE_S", 0)
    desk = place.desk()
    place.line.requests, place.line.lose = 0, set(range(1, 400, 2))
    with laid(place.media, "blank-0") as transmit:
        done = desk.run({"kind": "issue"}, transmit)
    assert (done.error, done.result and done.result["serial"]) == (None, 1)
    place.line.requests, place.line.lose = 0, {1}
    done = desk.run({"kind": "load", "serial": 1, "amount_rial": 9_000}, None)
    assert "9,000 rial" in done.sentences[0]
    with read(place.engine) as session:
        assert [card.loaded_rial for card in cards(session)] == [9_000]


def test_a_line_that_is_cut_is_told_and_nothing_is_lost(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers.desk, "PAUSE_S", 0)
    desk = place.desk()
    with laid(place.media, "blank-0") as transmit:
        count = 0

        def cut(apdu: bytes) -> bytes:
            nonlocal count
            count += 1
            place.line.refuse = count > 20
            return transmit(apdu)

        with pytest.raises(OperatorError, match="does not answer"):
            desk.run({"kind": "issue"}, cut)
    place.line.refuse = False
    with laid(place.media, "blank-0") as transmit:
        done = place.desk().run({"kind": "issue"}, transmit)
    assert done.result is not None
    assert done.result["serial"] == 1


def test_no_key_comes_over_the_line_or_stays_at_the_desk(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_keys: list[bytes] = []
    derive = crypto.session_keys

    def watched(*given: Any) -> tuple[bytes, bytes]:
        derived = derive(*given)
        session_keys.extend(derived)
        return derived

    monkeypatch.setattr(crypto, "session_keys", watched)
    desk = place.desk()
    for job in (
        {"kind": "issue"},
        {"kind": "load", "serial": 1, "amount_rial": 5_000},
        {"kind": "inspect"},
        {"kind": "block", "serial": 1},
        {"kind": "roll"},
    ):
        with laid(place.media, "blank-0") as transmit:
            assert desk.run(job, transmit).error is None, job
    uid = read_image(place.media / "blank-0.card.json").state.uid
    version = place.keys.cards.current
    secret = {place.keys.cards.key(purpose, version, uid).reveal() for purpose in KeyPurpose}
    secret |= set(session_keys)
    stored = (place.media.parent / "keys" / "card-masters.json").read_text()
    masters = {bytes.fromhex(text) for text in _hex_texts(stored)}
    assert len(masters) == 5
    assert len(session_keys) >= 16
    seen = b"\n".join([*place.line.carried, _everything(desk)]).lower()
    assert uid.hex().encode() in seen, "the search would find what is there"
    for key in secret | masters:
        assert key not in seen
        assert key.hex().encode() not in seen


def _hex_texts(document: str) -> list[str]:
    import re

    return re.findall(r'"([0-9a-f]{32})"', document)


def _everything(thing: object) -> bytes:
    """All bytes and texts that can be reached from an object of the desk's own."""
    import gc

    found: list[bytes] = []
    known: set[int] = set()
    waiting = [thing]
    while waiting:
        one = waiting.pop()
        if id(one) in known or isinstance(one, type | Line):
            continue
        known.add(id(one))
        if isinstance(one, bytes | bytearray):
            found.append(bytes(one))
        elif isinstance(one, str):
            found.append(one.encode())
        elif not callable(one) or hasattr(one, "__self__"):
            waiting += gc.get_referents(one)
    return b"\n".join(found)


def test_a_password_travels_in_no_open_line() -> None:
    for good in (
        "https://ledger.example",
        "http://127.0.0.1:8000/",
        "http://localhost:1",
        "http://[::1]:8000",
    ):
        assert not checked_server(good).endswith("/")
    for bad in (
        "http://ledger.example",
        "http://10.0.0.1",
        "ftp://x",
        "ledger",
        "",
        "https://",
        "http://[::1",
    ):
        with pytest.raises(OperatorError):
            checked_server(bad)


def test_a_wrong_password_and_a_strange_server_are_told(place: Place) -> None:
    desk = DeskClient("http://127.0.0.1:1", place.line)
    with pytest.raises(OperatorError, match="Name and password do not fit"):
        desk.sign_in("omid", "wrong")
    strange = httpx2.MockTransport(lambda _: httpx2.Response(200, text="<html>"))
    with pytest.raises(OperatorError, match="no Mancard ledger"):
        DeskClient("http://127.0.0.1:1", strange).sign_in("omid", PASSWORD)
    endless = httpx2.MockTransport(
        lambda _: httpx2.Response(200, json={"job_id": "x", "step": 1, "command": "9060000000"})
    )
    with pytest.raises(OperatorError, match="more of this card"):
        DeskClient("http://127.0.0.1:1", endless).run({"kind": "inspect"}, lambda _: b"\x91\x00")


# --- the counter ------------------------------------------------------------------------------------------


@dataclass
class Job:
    """A job that ends as it was told, card after card."""

    errors: Sequence[str | None] = ()
    asked: int = 0

    @dataclass
    class Ended:
        result: dict[str, Any] | None
        error: str | None
        sentences: list[str]

    def __call__(self, transmit: Callable[[bytes], bytes]) -> Job.Ended:
        error = self.errors[self.asked % len(self.errors)] if self.errors else None
        self.asked += 1
        if error:
            return Job.Ended(None, error, [f"It is {error}."])
        return Job.Ended({"serial": self.asked}, None, ["Done."])


class Person:
    """A reader on which a person lays one card after the other; faults come in between."""

    name = "Desk reader 00"

    def __init__(self, script: Sequence[str]) -> None:
        self.script = list(script)
        self.said: list[str] = []

    def _next(self) -> str:
        return self.script.pop(0) if self.script else "interrupt"

    def wait_for_card(self, timeout_s: float) -> Any:
        match self._next():
            case "card":
                return self
            case "fault":
                raise ReaderFault("The reader was unplugged.")
            case "interrupt":
                os.kill(os.getpid(), signal.SIGINT)
            case _:
                pass
        return None

    def wait_for_removal(self, timeout_s: float) -> bool:
        return self._next() == "taken"

    atr = b""

    def transmit(self, apdu: bytes) -> bytes:
        raise ReaderFault("The reader was unplugged.")

    def close(self) -> None:
        self.said.append("closed")


def at_counter(monkeypatch: pytest.MonkeyPatch, reader: Any) -> Counter:
    monkeypatch.setattr("readers.counter.resolve", lambda _: Equipment(reader))
    return Counter("any")


def test_a_person_lays_cards_until_the_batch_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    person = Person(["nothing", "card", "lying", "taken", "fault", "nothing", "card", "taken", "card"])
    counter = at_counter(monkeypatch, person)
    told: list[str] = []
    shown: list[tuple[int, int]] = []
    job = Job([None, "card_torn", None])
    batch = counter.batch(job, 2, told.append, lambda batch: shown.append((batch.done, batch.failed)))
    assert (batch.done, batch.failed, batch.stopped) == (2, 1, False)
    assert shown == [(1, 0), (1, 1), (2, 1)]
    assert told == [
        "Lay a card on Desk reader 00.",
        "card 1 is card 1.",
        "Take it away.",
        "Lay a card on Desk reader 00.",
        "The reader was unplugged.",
        "card 2 was not issued. It is card_torn.",
        "Take it away.",
        "Lay a card on Desk reader 00.",
        "card 3 is card 3.",
    ]
    assert person.said == ["closed"] * 3


def test_the_first_interrupt_ends_a_batch_after_its_card(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)
    counter = at_counter(monkeypatch, Person(["card", "taken", "interrupt"]))
    batch = counter.batch(Job(), 500, TERSE, lambda _: None)
    assert (batch.done, batch.stopped) == (1, True)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_reader_that_fails_is_a_card_that_left() -> None:
    laid_card = LaidCard(None, Person([]))
    assert laid_card.transmit(b"\x00") == b""
    assert laid_card.problem == "The reader was unplugged."


def test_a_card_of_a_folder_is_found_by_its_job(place: Place) -> None:
    with Counter(f"virtual:{place.media}") as counter:
        job = Job(["other_card", "other_card", None])
        assert counter.run(job, TERSE, passing=("other_card",)).error is None
        assert job.asked == 3
        job = Job(["other_card"])
        assert counter.run(job, TERSE, passing=("other_card",)).error == "other_card"
        assert counter.run(Job(), TERSE, only="blank-1").error is None
        with pytest.raises(OperatorError, match="blank-0, blank-1, blank-2"):
            counter.run(Job(), TERSE)
    assert tray_cards(place.media)[0].name == "blank-0"


def test_a_batch_runs_in_any_thread(place: Place) -> None:
    batches: list[Batch] = []

    def work() -> None:
        with Counter(f"virtual:{place.media}") as counter:
            batches.append(counter.batch(Job(["already_issued", None]), 1, TERSE, lambda _: None))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [(batch.done, batch.failed) for batch in batches] == [(1, 0)]


# --- the command ------------------------------------------------------------------------------------------


@pytest.fixture
def typed(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    file.chmod(0o600)
    original = readers.desk.DeskClient.__init__

    def over_the_line(self: DeskClient, server: str, transport: Any = None) -> None:
        original(self, server, transport or place.line)

    monkeypatch.setattr(readers.desk.DeskClient, "__init__", over_the_line)

    def run(*words: str, password: Path | None = file, login: str = "omid") -> tuple[int, str]:
        where = ["--server", "http://127.0.0.1:1", "--login", login]
        named = [] if password is None else ["--password-file", str(password)]
        done = CliRunner().invoke(app, [*words, *where, *named])
        assert "Traceback" not in done.output
        said = str(done.exception) if isinstance(done.exception, OperatorError) else ""
        return done.exit_code, done.output + said

    return run


def test_a_counter_does_all_that_a_local_reader_does(
    place: Place, typed: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    reader = ("--reader", f"virtual:{place.media}")
    page = tmp_path / "batch.html"
    status, said = typed("issue", *reader, "--count", "2", "--report", str(page))
    assert (status, "2 of 2 cards are issued" in said) == (0, True)
    assert "omid" in page.read_text()
    assert "written onto it" in typed("load", "2", "50000", *reader)[1]
    assert "next bus" in typed("load", "1", "50000")[1]
    assert "Balance: 50,000 rial" in typed("inspect", *reader, "--card", "blank-1")[1]
    assert "is blocked" in typed("block", "2", *reader)[1]
    assert "is unblocked" in typed("unblock", "2", *reader)[1]
    assert "generation 1" in typed("roll", "2", *reader)[1]
    assert "may move from" in typed("replace", "1", "--report-lost")[1]
    assert "ask a second person" in typed("replace", "1", *reader, "--card", "blank-2")[1]
    assert "will go to card 3" in typed("replace", "1", *reader, "--card", "blank-2", login="reza")[1]
    status, said = typed("load", "2", "50000", *reader, "--card", "blank-0")
    assert (status, "Another card lies" in said) == (1, True)


def test_what_is_wrong_is_one_sentence(typed: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    open_file, no_text = tmp_path / "open", tmp_path / "bytes"
    open_file.write_text("x")
    open_file.chmod(0o644)
    no_text.write_bytes(b"\xff\xfe")
    no_text.chmod(0o600)
    for words, password, sentence in (
        (("load", "x", "5"), None, "card number"),
        (("load", "1", "x"), None, "whole number of rial"),
        (("inspect", "--reader", "virtual:nowhere"), open_file, "chmod 600"),
        (("inspect", "--reader", "virtual:nowhere"), no_text, "holds no text"),
        (("inspect", "--reader", "virtual:nowhere"), tmp_path / "none", "cannot be read"),
        (("inspect", "--reader", "virtual:nowhere"), None, "no terminal"),
        (("block", "77"), tmp_path / "password", "not issued here"),
        (("inspect", "--reader", "virtual:nowhere"), tmp_path / "password", "no folder nowhere"),
        (("issue", "--reader", "virtual:nowhere", "--report", "x.pdf"), None, "neither .html nor .csv"),
    ):
        status, said = typed(*words, password=password)
        assert status != 0
        assert sentence in said, words


def test_a_report_that_cannot_be_written_is_told_before_any_card(place: Place) -> None:
    job = Job()
    with pytest.raises(OperatorError, match="no folder"):
        issue_batch(f"virtual:{place.media}", job, 1, [place.media / "none" / "x.csv"], lambda *_: "")
    assert job.asked == 0


def test_a_cut_card_does_not_end_the_batch(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    arm_in_folder(place.media, Fault(FaultKind.CUT_AFTER, 0xCA))
    desk = place.desk()
    status = issue_batch(
        f"virtual:{place.media}", lambda transmit: desk.run({"kind": "issue"}, transmit), 3, [], desk.report
    )
    assert status == 1
    assert "2 of 3 cards are issued, 1 failed." in capsys.readouterr().out


def test_a_batch_whose_ledger_is_gone_ends_there(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    job = Job()

    def breaks_off(transmit: Callable[[bytes], bytes]) -> Job.Ended:
        if job.asked:
            raise OperatorError("The ledger does not answer.")
        return job(transmit)

    assert issue_batch(f"virtual:{place.media}", breaks_off, 3, [], lambda *_: "") == 1
    told = capsys.readouterr()
    assert "The ledger does not answer." in told.err
    assert "1 of 3 cards are issued, 0 failed." in told.out

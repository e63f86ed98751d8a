"""`mancard card …` as a person types it, over virtual cards in a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from sqlmodel import Session
from typer.testing import CliRunner, Result

from fare.core.errors import OperatorError
from fare.database.engine import open_engine, read
from fare.database.migrate import migrate
from fare.desk.cli import app
from fare.issuing import card_view, cards
from fare.ledger import balance
from hardware.emulator.faults import Fault, FaultKind, arm_in_folder
from hardware.emulator.image import create_image
from hardware.emulator.kinds import ChipKind
from tests.collection.bus import denied_cards
from tests.issuing.build import uid_of

T = TypeVar("T")


class Ledger:
    """A founded ledger on SQLite in a folder of its own, with three blank cards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.media = str(folder / "media")
        self.engine = open_engine(f"sqlite:///{folder / 'mancard.db'}")

    def read(self, look: Callable[[Session], T]) -> T:
        with read(self.engine) as session:
            return look(session)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setenv("MANCARD_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("MANCARD_DATABASE_URL", raising=False)
    migrate(f"sqlite:///{tmp_path / 'mancard.db'}")
    for number in range(3):
        create_image(tmp_path / "media", f"blank-{number}", uid_of(number), label="")
    founded = Ledger(tmp_path)
    yield founded
    founded.engine.dispose()


def typed(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def type_in(*words: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.output


def sentence_of(result: Result) -> str:
    assert result.exit_code != 0
    assert "Traceback" not in result.output
    return str(result.exception) if isinstance(result.exception, OperatorError) else result.output


def test_blank_cards_are_issued_once_with_a_report(ledger: Ledger) -> None:
    assert "blank-0 is card 1." in type_in("issue", "--virtual", ledger.media)
    create_image(Path(ledger.media), "a-classic", b"\x01\x02\x03\x04", kind=ChipKind.CLASSIC)
    page, sheet = ledger.folder / "batch.html", ledger.folder / "batch.csv"
    said = type_in(
        "issue", "--reader", f"virtual:{ledger.media}", "--count", "2", "--category", "1",
        "--report", str(page), "--report", str(sheet), status=1,
    )  # fmt: skip
    assert "a-classic was not issued. This is not a card of this system" in said
    assert "blank-1 is card 2." in said
    assert "blank-2 is card 3." in said
    assert "blank-0" not in said
    assert "2 of 2 cards are issued, 1 failed." in said
    assert [card.rider_category for card in ledger.read(cards)] == [0, 1, 1]
    assert "DESFire EV3" in page.read_text()
    assert len(sheet.read_text().splitlines()) == 4
    type_in("issue", "--virtual", ledger.media, status=1)  # the Classic alone is left


def test_a_folder_without_blank_cards_says_so(ledger: Ledger) -> None:
    type_in("issue", "--virtual", ledger.media, "--count", "3")
    assert "no blank card" in sentence_of(typed("issue", "--virtual", ledger.media))


def test_a_torn_card_is_named_and_the_batch_goes_on(ledger: Ledger) -> None:
    arm_in_folder(Path(ledger.media), Fault(FaultKind.CUT_AFTER, 0xCA, 1))
    said = type_in("issue", "--virtual", ledger.media, "--count", "3", status=1)
    assert "blank-0 was not issued. The card left the reader" in said
    assert "2 of 3 cards are issued, 1 failed." in said
    assert "blank-0 is card 1." in type_in("issue", "--virtual", ledger.media)


def test_a_card_is_loaded_inspected_blocked_and_unblocked(ledger: Ledger) -> None:
    type_in("issue", "--virtual", ledger.media, "--count", "2")
    here = ("--virtual", ledger.media)
    said = type_in("load", "۲", "۱۲۰٬۰۰۰", "--reference", "psp-1", *here)
    assert "120,000 rial (12,000 toman) signed for card 2 and written onto it." in said
    assert "next bus" in type_in("load", "1", "5000")
    said = type_in("inspect", *here, "--card", "blank-1")
    assert "Card 2: MIFARE DESFire EV3" in said
    assert "Balance: 120,000 rial (12,000 toman)." in said
    told = json.loads(type_in("inspect", *here, "--card", "blank-0", "--json"))
    assert (told["serial"], told["balance_rial"], told["waiting_rial"]) == (1, 0, 5000)
    assert "the card itself is blocked" in type_in("block", "1", *here)
    assert ledger.read(denied_cards) == {1}
    assert "itself carries a block" in type_in("inspect", *here, "--card", "blank-0")
    assert "the card itself is unblocked" in type_in("unblock", "1", *here)
    assert "denylist" in type_in("deny", "2")
    listed = type_in("list")
    assert re.search(r"2  04\w+  denied +v2 +120,000", listed)
    assert ledger.read(lambda session: balance(session, "psp_receivable:issuing-desk")) == 125_000


def test_a_lost_card_is_replaced(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    type_in("issue", "--virtual", ledger.media, "--count", "2")
    type_in("load", "1", "90000")
    assert "Its balance may move from" in type_in("replace", "1", "--report-lost")
    assert "may move from" in type_in("replace", "1", "--with", "2")
    assert "No balance of a lost card is due." in type_in("replace", "--due")
    monkeypatch.setenv("MANCARD_REPLACEMENT_WAIT_HOURS", "0")
    type_in("load", "2", "1000")
    type_in("replace", "2", "--report-lost")
    said = type_in("replace", "2", "--virtual", ledger.media, "--card", "blank-2")
    assert "Card 2 is replaced by card 3: 1,000 rial (100 toman) moved and are on it." in said
    assert ledger.read(lambda session: card_view(session, 3)).loaded_rial == 1000


def test_a_card_is_asked_which_keys_it_has(ledger: Ledger) -> None:
    type_in("issue", "--virtual", ledger.media)
    assert "already has the keys of generation 1" in type_in("roll", "1", "--virtual", ledger.media)


def test_bad_input_is_one_sentence(ledger: Ledger) -> None:
    here = ("--virtual", ledger.media)
    for words, sentence in (
        (("load", "x", "5"), "card number"),
        (("load", "1", "5.5"), "whole number of rial"),
        (("load", "1", "9" * 30), "whole number of rial"),
        (("load", "1", "-5"), "whole number of rial|No such option"),
        (("load", "1", "0"), "above zero"),
        (("load", "99", "5"), "not issued here"),
        (("load", "99", "5", *here), "not issued here"),
        (("load", "1", "5", "--card", "blank-0"), "--virtual"),
        (("deny", "99"), "not issued here"),
        (("deny", "zero"), "card number"),
        (("issue",), "--reader ADDRESS"),
        (("issue", *here, "--reader", "x"), "--reader ADDRESS"),
        (("issue", "--virtual", "nowhere"), "no folder nowhere"),
        (("issue", *here, "--report", "page.pdf"), "neither .html nor .csv"),
        (("issue", *here, "--report", "nowhere/page.html"), "no folder nowhere"),
        (("inspect", *here), "name one with --card"),
        (("inspect", *here, "--card", "none"), "no card 'none'"),
        (("inspect", *here, "--card", "blank-0"), "without the Mancard application"),
        (("replace", "1"), "--report-lost"),
        (("replace",), "--report-lost"),
        (("replace", "1", "--due"), "--due alone"),
        (("replace", "77", "--report-lost"), "not issued here"),
        (("roll", *here, "--card", "blank-0"), "not issued here"),
    ):
        assert re.search(sentence, sentence_of(typed(*words))), words
    assert ledger.read(cards) == []

"""What a counter does for riders: look them up, vouch for a phone, report one lost, sell tickets on paper."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from fare.core.proof.mp1 import decode_paper
from fare.core.tariff.model import FareProduct, flat_tariff
from fare.database.engine import open_engine, write
from fare.issuing import Purse, confirm_paid, enrol_phone, issue_phone_ticket, request_load, ticket_policy
from fare.keys import LedgerKeys
from fare.riders import create_rider, link, open_rider_session, rider_of, rider_with_wallet
from fare.riders.cli import clock
from fare.settings import LedgerSettings
from fare.staff import Role, create_account
from tests.fleet.files import row, write_file
from tests.issuing.riding import a_key
from tests.network.feeds import write_zip
from tests.staff.commands import Commands
from tests.tariffs.published import publish

MOBILE = "09141234567"


class Counter:
    """A ledger with a clerk, an auditor, and one rider whose second phone holds a ticket."""

    def __init__(self, *, tariff: bool = True) -> None:
        settings, now = LedgerSettings(), clock()
        self.keys = LedgerKeys.open(settings.keys_dir)
        self.engine = open_engine(settings.database_url)
        with write(self.engine) as session:
            create_account(session, "parvin", Role.CLERK, "x", now)
            create_account(session, "reza", Role.AUDITOR, "x", now)
            create_rider(session, now, "09120000001")
            rider_id, wallet_id = rider_with_wallet(session, MOBILE, now)
            order = request_load(session, "wallet", wallet_id, 900_000, "psp", "t-1", now)
            confirm_paid(session, self.keys, order, "psp-1", now)
            self.first = enrol_phone(session, wallet_id, True, now).phone_id
            self.second = enrol_phone(session, wallet_id, True, now).phone_id
            self.token = open_rider_session(session, rider_id, self.second, now)
            assert link(session, rider_id, Purse.CARD, "7", now) is None
            if not tariff:
                return
            product = FareProduct("single", "Single ride", 20_000)
            publish(session, flat_tariff(1, "flat", {0: product}), now - timedelta(days=1))
            policy = ticket_policy(session, settings, now)
            issue_phone_ticket(session, self.keys, policy, self.second, a_key(), now)

    def is_signed_in(self) -> bool:
        with write(self.engine) as session:
            return rider_of(session, self.token, clock()) is not None


def test_a_rider_is_found_and_their_phone_confirmed(commands: Commands) -> None:
    counter = Counter()
    status, out, err = commands("rider", "find", "+98 914 123 4567")
    assert (status, err) == (0, "")
    assert f"phone {counter.first}: superseded, confirmed by first" in out
    assert f"phone {counter.second}: live, not confirmed" in out
    assert "820,000 rial to hold, 80,000 rial held" in out
    assert "0 of 4 rides taken in" in out
    assert out.count("Asia/Tehran time") == 3, "of two phones, and of the ticket's end"
    status, _, err = commands("rider", "confirm-phone", MOBILE, "--by", "reza")
    assert (status, "name one of the role clerk." in err) == (2, True)
    status, _, err = commands("rider", "confirm-phone", MOBILE, "--by", "nobody")
    assert (status, "There is no open account nobody" in err) == (2, True)
    status, out, _ = commands("rider", "confirm-phone", MOBILE, "--by", "Parvin")
    assert (status, counter.second in out) == (0, True)
    assert "confirmed by counter:parvin" in commands("rider", "find", MOBILE)[1]
    assert "was confirmed before" in commands("rider", "confirm-phone", MOBILE, "--by", "parvin")[1]


def test_a_phone_is_reported_lost(commands: Commands) -> None:
    counter = Counter()
    assert counter.is_signed_in()
    status, out, _ = commands("rider", "report-lost", MOBILE, "--by", "parvin")
    assert (status, out.splitlines()[0][:18]) == (0, "Tickets denied: 1.")
    assert not counter.is_signed_in()
    assert commands("rider", "find", MOBILE)[1].count(": lost") == 2
    status, _, err = commands("rider", "confirm-phone", MOBILE, "--by", "parvin")
    assert (status, "no live phone" in err) == (2, True)


def test_a_number_of_nobody_is_one_sentence(commands: Commands) -> None:
    Counter()
    for number, told in (("09120000000", "Nobody"), ("09120000001", "Nobody"), ("12", "11 digits")):
        status, out, err = commands("rider", "find", number)
        assert (status, out, told in err, err.count("\n")) == (2, "", True, 1)


def test_without_a_tariff_nothing_is_sold(commands: Commands) -> None:
    Counter(tariff=False)
    status, out, err = commands(
        "rider", "paper", "1", "--terminal", "t-1", "--payment", "p-1", "--by", "parvin"
    )
    assert (status, out, "No tariff is in force" in err) == (2, "", True)


def test_paper_tickets_are_sold_once_for_a_payment(commands: Commands, tmp_path: Path) -> None:
    Counter()
    commands("network", "import", str(write_zip(tmp_path / "feed.zip")))
    commands("fleet", "import", str(write_file(tmp_path, row(vehicle="bus-7"))))
    order = ("rider", "paper", "3", "--terminal", "t-1", "--payment", "p-1", "--by", "parvin")
    status, out, err = commands(*order)
    assert (status, err) == (0, "")
    texts = out.splitlines()
    assert len({decode_paper(text).cti for text in texts}) == 3
    assert {decode_paper(text).vehicle for text in texts} == {None}
    assert sorted(commands(*order)[1].splitlines()) == sorted(texts)
    folder = tmp_path / "codes"
    status, out, _ = commands(*order, "--out", str(folder))
    assert (status, f"Tickets in {folder}: 3, good until " in out, "Asia/Tehran" in out) == (0, True, True)
    assert len(list(folder.glob("*.svg"))) == 3
    assert commands(*order, "--vehicle", "bus-9")[2].startswith("mancard: No validator is on a bus")
    assert commands(*order, "--vehicle", "bus-7")[0] == 2, "that payment bought others"
    mine = commands(*order[:6], "p-2", *order[7:], "--vehicle", "bus-7")[1].splitlines()
    assert {decode_paper(text).vehicle for text in mine} == {"bus-7"}


def test_a_folder_that_cannot_be_written_sells_nothing_twice(commands: Commands, tmp_path: Path) -> None:
    Counter()
    blocked = tmp_path / "file"
    blocked.write_text("")
    order = ("rider", "paper", "2", "--terminal", "t-1", "--payment", "p-1", "--by", "parvin")
    status, _, err = commands(*order, "--out", str(blocked))
    assert (status, "repeat the command" in err) == (2, True)
    assert len(commands(*order)[1].splitlines()) == 2


@pytest.mark.parametrize("count", ["0", "201", "many"])
def test_a_wrong_count_is_one_sentence(commands: Commands, count: str) -> None:
    Counter()
    status, out, err = commands(
        "rider", "paper", count, "--terminal", "t-1", "--payment", "p-1", "--by", "parvin"
    )
    assert status == 2
    assert out == ""
    assert "Traceback" not in err


def test_open_top_ups_are_asked_for_from_cron(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    Counter()
    status, _, err = commands("rider", "check-top-ups")
    assert (status, "No payment gateway is set up" in err) == (2, True)
    monkeypatch.setenv("MANCARD_PAYMENT_GATEWAY", "sandbox")
    status, out, err = commands("rider", "check-top-ups")
    assert (status, out, err) == (0, "Top-ups paid: 0, failed: 0, still open: 0.\n", "")

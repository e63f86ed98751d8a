from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy.engine import Engine

from fare.core.money import amount_in_words
from fare.database.engine import write
from fare.issuing.gateway import MAX_TOP_UP_RIAL, MIN_TOP_UP_RIAL
from fare.issuing.sandbox_payments import PAYABLE_FOR, TERMINAL, SandboxGateway
from fare.reconciliation import import_psp_report, run_proofs
from fare.settings import LedgerSettings
from tests.collection.bus import ZONE, City
from tests.web.client import Clock
from tests.web.rider.browser import Browser

Another = Callable[..., Browser]


@pytest.fixture
def gateway(settings: LedgerSettings, clock: Clock) -> SandboxGateway:
    """The provider's own view: another process's, over the same record."""
    return SandboxGateway(settings.state_dir, clock)


def loads(city: City) -> list[tuple[str, int]]:
    """(state, amount) of every order, in order of amount."""
    return city.rows("SELECT state, amount_rial FROM ledger_order ORDER BY amount_rial")


def received(city: City) -> int:
    return city.balance(f"psp_receivable:{TERMINAL}")


def test_a_top_up_is_in_the_balance_and_in_the_books_once(browser: Browser, city: City) -> None:
    browser.enrol()
    order_id = browser.tops_up(350_000)
    for _ in range(3):
        browser.get(f"/rider/topup/{order_id}?status=OK&authority=anything", follow_redirects=False)
        browser.ask(f"topup/{order_id}")
    account = browser.ask("account")[1]
    assert (account["balance_rial"], account["held_rial"]) == (350_000, 0)
    for language in ("fa", "en"):
        assert account["balance_words"][language] == amount_in_words(350_000, "toman", language)
    assert loads(city) == [("signed", 350_000)]
    assert received(city) == 350_000


def test_a_payment_whose_browser_never_came_back_is_found_when_the_page_asks(
    browser: Browser, city: City
) -> None:
    browser.enrol()
    order_id, redirect = browser.orders(50_000)
    assert browser.ask(f"topup/{order_id}")[1] == {"state": "waiting", "amount_rial": 50_000}
    assert browser.post(redirect, data={"button": "pay"}, follow_redirects=False).status_code == 303
    assert received(city) == 0, "paying tells the ledger nothing by itself"
    assert browser.ask(f"topup/{order_id}")[1]["state"] == "paid"
    assert received(city) == 50_000


def test_a_forged_return_moves_nothing(browser: Browser, another_browser: Another, city: City) -> None:
    browser.enrol()
    order_id, redirect = browser.orders(50_000)
    for forged in (f"{order_id}?status=paid&reference=SBX-1", "0" * 20, "%2e%2e%2fevil", "A" * 300, "é"):
        answer = browser.get(f"/rider/topup/{forged}", follow_redirects=False)
        assert answer.status_code in (303, 404)
        assert answer.headers.get("location", "/rider/").startswith("/rider/")
    browser.post(redirect, data={"button": "cancel"}, follow_redirects=False)
    browser.get(f"/rider/topup/{order_id}", follow_redirects=False)
    assert browser.ask(f"topup/{order_id}")[1]["state"] == "failed"
    assert received(city) == 0
    assert loads(city) == [("requested", 50_000)]
    assert browser.ask("topup/0000") == browser.ask("topup/é") == (404, {"error": "unknown_order"})

    other = another_browser()
    other.enrol("09350000000")
    assert other.ask(f"topup/{order_id}") == (404, {"error": "unknown_order"})


def test_what_is_too_late_or_out_of_range_is_not_taken(browser: Browser, clock: Clock, city: City) -> None:
    assert browser.say("topup", {"amount_rial": 50_000}) == (401, {"error": "signed_out"})
    browser.enrol()
    for amount_rial in (MIN_TOP_UP_RIAL - 1, MAX_TOP_UP_RIAL + 1, -1, 0, 10**30):
        refused = browser.say("topup", {"amount_rial": amount_rial})
        assert refused == (422, {"error": "amount_out_of_range"})
    order_id, redirect = browser.orders(MAX_TOP_UP_RIAL)
    clock.pass_time(PAYABLE_FOR)
    browser.post(redirect, data={"button": "pay"}, follow_redirects=False)
    assert browser.ask(f"topup/{order_id}")[1]["state"] == "failed"
    assert received(city) == 0


def test_a_gateway_that_does_not_answer_is_told_and_asked_again(
    browser: Browser, settings: LedgerSettings, city: City
) -> None:
    browser.enrol()
    order_id, redirect = browser.orders(50_000)
    browser.post(redirect, data={"button": "pay"}, follow_redirects=False)
    record = settings.state_dir / "sandbox-gateway.jsonl"
    away = record.rename(record.with_suffix(".away"))
    record.mkdir()
    assert browser.ask(f"topup/{order_id}") == (503, {"error": "busy", "retry_after_s": 5})
    home = browser.get(f"/rider/topup/{order_id}", follow_redirects=False)
    assert home.headers["location"] == f"/rider/?topup={order_id}"
    assert browser.say("topup", {"amount_rial": 60_000})[0] == 503
    record.rmdir()
    away.rename(record)
    assert browser.ask(f"topup/{order_id}")[1]["state"] == "paid"
    assert received(city) == 50_000


def test_many_asking_at_once_post_one_payment(browser: Browser, another_browser: Another, city: City) -> None:
    browser.enrol()
    order_id, redirect = browser.orders(50_000)
    browser.post(redirect, data={"button": "pay"}, follow_redirects=False)
    together = threading.Barrier(6)
    told: list[int] = []

    def come_back() -> None:
        client = another_browser()
        together.wait()
        told.append(client.get(f"/rider/topup/{order_id}", follow_redirects=False).status_code)

    threads = [threading.Thread(target=come_back) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [303] * 6
    assert received(city) == 50_000


def test_the_providers_report_reconciles_what_riders_paid(
    browser: Browser, city: City, clock: Clock, gateway: SandboxGateway, engine: Engine
) -> None:
    browser.enrol()
    browser.tops_up(50_000)
    browser.tops_up(70_000)
    _, unpaid = browser.orders(90_000)
    browser.post(unpaid, data={"button": "cancel"}, follow_redirects=False)
    day = clock.now.astimezone(ZONE).date()
    with write(engine) as session:
        taken = import_psp_report(session, gateway.report(day, ZONE), now=clock.now)
        assert (taken.lines, taken.new_lines) == (2, 2)
        proofs = run_proofs(session, day, clock.now + timedelta(days=3), ZONE)
    channel = proofs["channel"]
    assert (channel.checked, channel.matched, channel.exceptions) == (2, 2, 0)

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from hardware.emulator.phone import VirtualPhone
from tests.collection.bus import FARE_RIAL, City
from tests.web.client import Clock
from tests.web.rider.browser import Browser, PhoneKey, unb64

Another = Callable[..., Browser]
SOON = timedelta(minutes=5)


def test_a_ticket_is_for_a_fresh_key_and_its_money_is_held(browser: Browser, clock: Clock) -> None:
    browser.enrol()
    assert browser.wants_ticket() == (409, {"error": "short_of_funds"})
    browser.tops_up(20 * FARE_RIAL)
    account = browser.ask("account")[1]
    assert (account["refresh_due"], account["no_ticket_reason"]) == (True, None)

    status, account = browser.wants_ticket()

    assert status == 200
    ticket = account["ticket"]
    assert (account["balance_rial"], account["held_rial"]) == (10 * FARE_RIAL, 10 * FARE_RIAL)
    assert (ticket["max_taps"], ticket["max_fare_rial"], ticket["rides_taken_in"]) == (10, FARE_RIAL, 0)
    assert ticket["expires_at_ms"] - ticket["issued_at_ms"] == 72 * 3_600_000
    assert ticket["reissue"] is False
    assert bytes.fromhex(ticket["cti"]) in unb64(ticket["entitlement"])
    assert account["server_time_ms"] == int(clock.now.timestamp() * 1000)
    assert browser.wants_ticket() == (409, {"error": "not_due"})


def test_a_browser_that_keeps_no_key_gets_short_tickets(browser: Browser) -> None:
    browser.enrol()
    browser.tops_up(20 * FARE_RIAL)
    ticket = browser.wants_ticket(keeps_key=False)[1]["ticket"]
    assert ticket["expires_at_ms"] - ticket["issued_at_ms"] == 2 * 3_600_000


def test_a_challenge_counts_once_and_only_for_its_key(browser: Browser) -> None:
    browser.enrol()
    browser.tops_up(20 * FARE_RIAL)
    challenge = browser.ask("account")[1]["challenge"]
    key = PhoneKey()
    body = {"key": key.json, "proof": PhoneKey().proof(challenge), "keeps_key": True}
    assert browser.say("ticket", body) == (403, {"error": "bad_proof"})
    body["proof"] = key.proof(challenge)
    assert browser.say("ticket", body) == (403, {"error": "bad_proof"}), "it was used up"
    assert browser.wants_ticket()[0] == 200


def test_rides_show_newest_first_a_page_at_a_time(browser: Browser, city: City, clock: Clock) -> None:
    browser.enrol()
    browser.tops_up(100 * FARE_RIAL)
    bus, rides = city.bus(1), 0
    for _ in range(3):
        assert browser.wants_ticket()[0] == 200
        assert browser.phone is not None
        for ctr in range(1, 9):
            clock.pass_time(SOON)
            bus.scan(browser.phone, ctr, clock.now)
            rides += 1
        bus.send(clock.now)
    clock.pass_time(SOON)
    browser.wants_ticket()
    assert browser.phone is not None
    bus.scan(browser.phone, 1, clock.now, pax=3)
    bus.send(clock.now)

    first = browser.ask("rides")[1]
    newest = {"at_ms": int(clock.now.timestamp() * 1000), "line": 7, "line_name": "7", "pax": 3}
    assert first["rides"][0] == {**newest, "fare_rial": 3 * FARE_RIAL, "disputed": False}
    assert len(first["rides"]) == 20
    second = browser.ask(f"rides?before={first['next']}")[1]
    assert (len(second["rides"]), second["next"]) == (rides + 1 - 20, None)
    times = [ride["at_ms"] for ride in first["rides"] + second["rides"]]
    assert times == sorted(set(times), reverse=True)
    account = browser.ask("account")[1]
    assert account["ticket"]["rides_taken_in"] == 3
    assert account["balance_rial"] + account["held_rial"] == (100 - rides - 3) * FARE_RIAL
    for cursor in ("x", "1.2.3", "9" * 30 + ".0000000000000001.1", "1.zz.1", "", "é"):
        assert browser.ask(f"rides?before={cursor}") == (422, {"error": "malformed"})


def test_whoever_took_over_a_number_does_not_see_its_owners_rides(
    browser: Browser, another_browser: Another, city: City, clock: Clock
) -> None:
    browser.enrol()
    browser.tops_up(20 * FARE_RIAL)
    browser.wants_ticket()
    bus = city.bus(1)
    assert browser.phone is not None
    bus.scan(browser.phone, 1, clock.now)
    bus.send(clock.now)
    clock.pass_time(SOON)
    newer = another_browser()
    newer.enrol()
    assert newer.ask("rides") == (200, {"rides": [], "next": None})
    browser.say("phone/answer", {"mine": True})
    assert len(newer.ask("rides")[1]["rides"]) == 1
    stranger = another_browser()
    stranger.enrol("09350000000")
    assert stranger.ask("rides")[1]["rides"] == []


def test_a_phone_that_was_replaced_does_not_follow_its_rider_about(
    browser: Browser, another_browser: Another, city: City, clock: Clock
) -> None:
    """Whoever has the old phone, sold or taken, sees what it rode itself and nothing later."""
    browser.enrol()
    browser.tops_up(20 * FARE_RIAL)
    browser.wants_ticket()
    bus = city.bus(1)
    assert browser.phone is not None
    bus.scan(browser.phone, 1, clock.now)
    clock.pass_time(SOON)
    newer, key = another_browser(), PhoneKey()
    account = newer.say("enrol", newer.enrolment(newer.wants_code(), key=key))[1]
    browser.say("phone/answer", {"mine": True})
    phone = VirtualPhone(key.private)
    phone.hold(unb64(account["ticket"]["entitlement"]))
    bus.scan(phone, 1, clock.now)
    bus.send(clock.now)
    assert len(newer.ask("rides")[1]["rides"]) == 2
    assert len(browser.ask("rides")[1]["rides"]) == 1


def test_a_ticket_of_a_revoked_channel_key_is_issued_anew_with_its_money(
    browser: Browser, city: City, clock: Clock
) -> None:
    browser.enrol()
    browser.tops_up(10 * FARE_RIAL)
    before = browser.wants_ticket()[1]["ticket"]
    city.keys.channels.revoke(city.keys.channels.active.kid, "sara", clock.now)

    account = browser.ask("account")[1]
    assert (account["ticket"]["cti"], account["ticket"]["reissue"]) == (before["cti"], True)
    assert account["refresh_due"] is True

    status, account = browser.wants_ticket()
    assert status == 200
    assert account["ticket"]["cti"] != before["cti"]
    assert (account["ticket"]["reissue"], account["ticket"]["max_taps"]) == (False, 10)
    assert account["held_rial"] == 10 * FARE_RIAL


@pytest.mark.parametrize("path", ["account", "rides", "topup/0"])
def test_nothing_is_told_to_whoever_is_not_signed_in(browser: Browser, path: str) -> None:
    assert browser.ask(path) == (401, {"error": "signed_out"})
    browser.cookies.set("mancard_rider", "x" * 5000)
    assert browser.ask(path) == (401, {"error": "signed_out"})


def test_a_session_ends_180_days_after_its_last_use(browser: Browser, clock: Clock) -> None:
    browser.enrol()
    clock.pass_time(timedelta(days=179))
    answer = browser.get("/rider/api/account")
    assert (answer.status_code, "Max-Age=15552000" in answer.headers["set-cookie"]) == (200, True)
    clock.pass_time(timedelta(days=180))
    assert browser.ask("account") == (401, {"error": "signed_out"})

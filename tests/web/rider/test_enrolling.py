from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from fare.riders import LIMITS
from fare.web.rider.context import OUTSIDE_AT_ONCE
from tests.collection.bus import FARE_RIAL, City
from tests.web.client import Clock
from tests.web.rider.browser import MOBILE, ORIGIN, Browser, Messages, PhoneKey, b64

Another = Callable[..., Browser]


def test_a_code_and_a_key_enrol_a_phone_in_one_step(browser: Browser, messages: Messages) -> None:
    status, told = browser.say("code", {"mobile": "۰۹۱۲ ۱۲۳ ۴۵۶۷"})
    assert (status, told["valid_s"], told["again_after_s"], told["sandbox"]) == (200, 300, 60, True)
    assert messages.sent[0][0] == MOBILE
    assert messages.code_for(MOBILE) not in str(told)

    answer = browser.post("/rider/api/enrol", json=browser.enrolment(told["challenge"]))

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("mancard_rider=")
    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/rider", "Max-Age=15552000"))
    assert "Secure" not in cookie
    account: dict[str, Any] = answer.json()
    assert account["phone"]["state"] == "live"
    assert account["phone"]["confirmed"] is True
    assert account["phone"]["day_limit_rial"] is None
    assert (account["balance_rial"], account["held_rial"], account["ticket"]) == (0, 0, None)
    assert (account["refresh_due"], account["no_ticket_reason"]) == (False, "short_of_funds")
    assert account["max_fare_rial"] == FARE_RIAL
    assert account["balance_words"]["fa"] == "صفر تومان"
    assert set(account["balance_words"]) == {"fa", "en", "azb", "ckb"}
    assert MOBILE not in str(account)
    assert account["mobile_masked"].startswith("0912")
    assert browser.ask("account")[0] == 200


def test_over_https_the_cookie_never_leaves_it(browser: Browser) -> None:
    browser.base_url = "https://testserver"
    browser.headers["Origin"] = "https://testserver"
    answer = browser.post("/rider/api/enrol", json=browser.enrolment(browser.wants_code()))
    assert "Secure" in answer.headers["set-cookie"]


def test_a_wrong_code_is_counted_and_tells_nothing(
    browser: Browser, another_browser: Another, clock: Clock
) -> None:
    body = browser.enrolment(browser.wants_code())
    stranger = {**body, "mobile": "09350000000"}
    wrong = {**body, "code": "0000000"}
    assert browser.say("enrol", stranger) == (403, {"error": "wrong_code"}), "nobody asked for one"
    for _ in range(LIMITS.tries - 1):
        assert browser.say("enrol", wrong) == (403, {"error": "wrong_code"})
    assert browser.say("enrol", wrong) == (403, {"error": "no_tries_left"}), "the last one voids the code"
    assert browser.say("enrol", body) == (403, {"error": "no_tries_left"})
    clock.pass_time(timedelta(minutes=5))
    assert browser.say("enrol", body) == (403, {"error": "expired_code"})
    assert browser.ask("account") == (401, {"error": "signed_out"})
    # For one that is enrolled all of it is the same.
    another_browser().enrol()
    clock.pass_time(timedelta(minutes=5))
    again = browser.enrolment(browser.wants_code())
    assert browser.say("enrol", {**again, "code": ""}) == (403, {"error": "wrong_code"})


def test_a_proof_by_another_key_or_for_another_challenge_enrols_nobody(
    browser: Browser, clock: Clock
) -> None:
    challenge = browser.wants_code()
    body = browser.enrolment(challenge)
    for bad in (
        {"x": b64(bytes(32)), "y": b64(bytes(32))},
        {"x": body["key"]["x"], "y": body["key"]["x"]},
        {"x": body["key"]["x"], "y": body["key"]["y"] + "="},
        {"x": "", "y": "é"},
    ):
        assert browser.say("enrol", {**body, "key": bad}) == (422, {"error": "bad_key"})
    assert browser.say("enrol", {**body, "proof": "AA"}) == (403, {"error": "bad_proof"})
    # So far the code was not touched; a proof that does not hold uses it up.
    forged = {**body, "proof": PhoneKey().proof(challenge)}
    assert browser.say("enrol", forged) == (403, {"error": "bad_proof"})
    assert browser.say("enrol", body) == (403, {"error": "wrong_code"})
    clock.pass_time(timedelta(minutes=1))
    browser.wants_code()
    stale = browser.enrolment(challenge)
    assert browser.say("enrol", stale) == (403, {"error": "bad_proof"})


def test_a_code_that_does_not_leave_is_void_and_another_may_be_asked_for(
    browser: Browser, messages: Messages, clock: Clock
) -> None:
    messages.broken = True
    assert browser.say("code", {"mobile": MOBILE}) == (503, {"error": "busy", "retry_after_s": 0})
    messages.broken = False
    browser.enrol()
    assert browser.say("code", {"mobile": MOBILE}) == (429, {"error": "too_soon", "retry_after_s": 60})
    for _ in range(LIMITS.per_hour - 1):
        clock.pass_time(timedelta(minutes=1))
        browser.wants_code()
    clock.pass_time(timedelta(minutes=1))
    status, told = browser.say("code", {"mobile": MOBILE})
    assert (status, told["error"]) == (429, "too_many")
    assert 3000 < told["retry_after_s"] <= 3600


def test_senders_that_hang_leave_the_other_riders_an_answer(
    browser: Browser, another_browser: Another, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, go_on = threading.Semaphore(0), threading.Event()

    def hang(_mobile: str, _text: str) -> None:
        hanging.release()
        assert go_on.wait(30)

    monkeypatch.setattr(messages, "send", hang)
    waiting = [
        threading.Thread(target=another_browser().say, args=("code", {"mobile": f"0912000000{number}"}))
        for number in range(OUTSIDE_AT_ONCE)
    ]
    for thread in waiting:
        thread.start()
        assert hanging.acquire(timeout=30)
    assert browser.say("code", {"mobile": MOBILE}) == (503, {"error": "busy", "retry_after_s": 3})
    go_on.set()
    for thread in waiting:
        thread.join()
    assert browser.say("code", {"mobile": MOBILE})[0] == 200


def test_a_new_phone_takes_the_place_of_the_old_one_and_the_old_one_answers(
    browser: Browser, another_browser: Another, clock: Clock
) -> None:
    browser.enrol()
    browser.tops_up(20 * FARE_RIAL)
    assert browser.wants_ticket()[0] == 200
    clock.pass_time(timedelta(minutes=2))
    newer = another_browser()
    account = newer.enrol()
    assert account["phone"]["confirmed"] is False
    assert account["phone"]["day_limit_rial"] == 4 * FARE_RIAL
    assert account["ticket"]["max_taps"] == 4, "a code alone gets a day's fares and no more"
    assert newer.wants_ticket() == (409, {"error": "not_due"})

    seen = browser.ask("account")[1]
    assert (seen["phone"]["state"], seen["ticket"], seen["refresh_due"]) == ("superseded", None, False)
    assert seen["newer_phone"]["enrolled_at_ms"] == account["phone"]["enrolled_at_ms"]
    assert browser.wants_ticket() == (403, {"error": "phone_superseded"})
    assert newer.say("phone/answer", {"mine": True}) == (404, {"error": "not_found"})

    status, told = browser.say("phone/answer", {"mine": True})
    assert (status, told["newer_phone"]) == (200, None)
    account = newer.ask("account")[1]
    assert (account["phone"]["confirmed"], account["phone"]["day_limit_rial"]) == (True, None)


def test_the_old_phone_can_say_that_the_new_one_is_a_thiefs(
    browser: Browser, another_browser: Another, clock: Clock
) -> None:
    browser.enrol()
    browser.tops_up(20 * FARE_RIAL)
    clock.pass_time(timedelta(minutes=2))
    thief = another_browser()
    thief.enrol()

    status, told = browser.say("phone/answer", {"mine": False})

    assert (status, told["phone"]["state"], told["newer_phone"]) == (200, "live", None)
    assert thief.ask("account")[1]["phone"]["state"] == "contested"
    assert thief.wants_ticket() == (403, {"error": "phone_contested"})
    assert browser.wants_ticket()[0] == 200


def test_a_lost_phone_is_reported_from_anywhere(
    browser: Browser, another_browser: Another, clock: Clock, city: City
) -> None:
    browser.enrol()
    browser.tops_up(20 * FARE_RIAL)
    _, account = browser.wants_ticket()
    clock.pass_time(timedelta(minutes=2))
    elsewhere = another_browser()
    elsewhere.wants_code()
    body = {"mobile": MOBILE, "code": "000000000"}
    assert elsewhere.say("lost", body) == (403, {"error": "wrong_code"})
    body["code"] = elsewhere.messages.code_for(MOBILE)
    assert elsewhere.say("lost", body) == (200, {"denied_tickets": 1})
    assert elsewhere.say("lost", body) == (403, {"error": "wrong_code"}), "a code works once"
    cti = bytes.fromhex(account["ticket"]["cti"])
    assert city.rows("SELECT status FROM ledger_ticket_entitlement WHERE cti = :cti", cti=cti) == [
        ("denied",)
    ]
    assert browser.ask("account") == (401, {"error": "signed_out"}), "whoever has the phone sees nothing"
    stranger = "09350000000"
    elsewhere.wants_code(stranger)
    report = {"mobile": stranger, "code": elsewhere.messages.code_for(stranger)}
    assert elsewhere.say("lost", report) == (200, {"denied_tickets": 0})


def test_signing_out_ends_the_session(browser: Browser) -> None:
    browser.enrol()
    token = browser.cookies["mancard_rider"]
    assert browser.say("sign-out", {}) == (200, {})
    assert "mancard_rider" not in browser.cookies
    browser.cookies.set("mancard_rider", token)
    assert browser.ask("account") == (401, {"error": "signed_out"})


@pytest.mark.parametrize("path", ["code", "enrol", "lost", "ticket", "topup", "phone/answer", "sign-out"])
def test_a_post_comes_from_our_own_page_or_is_not_looked_at(browser: Browser, path: str) -> None:
    malformed = (422, {"error": "malformed"})
    good = b'{"mobile": "09121234567", "amount_rial": 20000, "mine": true}'

    def post(content: bytes = good, **headers: str | None) -> tuple[int, Any]:
        sent = {"Origin": ORIGIN, "Content_Type": "application/json", **headers}
        kept = {name.replace("_", "-"): value for name, value in sent.items() if value is not None}
        del browser.headers["Origin"]
        answer = browser.post(f"/rider/api/{path}", content=content, headers=kept)
        browser.headers["Origin"] = ORIGIN
        return answer.status_code, answer.json()

    assert post(Origin=None) == post(Origin="null") == post(Origin="https://evil.example") == malformed
    assert post(Sec_Fetch_Site="cross-site") == malformed
    assert post(Content_Type="text/plain") == post(Content_Type=None) == malformed
    assert post(b"") == post(b"{") == post(b"[1]") == post(b"\xff") == post(b"[" * 4000) == malformed
    assert post(b'{"mobile": "' + b"0" * 5000 + b'"}') == malformed
    assert browser.messages.sent == []


def test_one_address_gets_slowed_down_and_another_does_not(
    browser: Browser, another_browser: Another
) -> None:
    numbers = [f"0912{number:07d}" for number in range(41)]
    told = [browser.say("code", {"mobile": number}) for number in numbers]
    assert [status for status, _ in told] == [200] * 40 + [429]
    assert told[-1][1]["error"] == "too_many"
    assert told[-1][1]["retry_after_s"] > 0
    neighbour = another_browser("203.0.113.8")
    assert neighbour.say("code", {"mobile": "09350000000"})[0] == 200


def test_what_is_not_there_is_told_in_the_apis_own_way(browser: Browser) -> None:
    assert browser.ask("nothing/of/it") == (404, {"error": "not_found"})
    assert browser.say("account", {}) == (404, {"error": "not_found"})
    assert browser.say("code", {"mobile": "12345"}) == (422, {"error": "invalid_mobile"})
    assert browser.say("code", {"mobile": 9121234567}) == (422, {"error": "malformed"})
    assert browser.say("topup", {"amount_rial": "20000"}) == (422, {"error": "malformed"})

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

from tests.collection.bus import FARE_RIAL, City
from tests.web.client import Clock
from tests.web.rider.browser import MOBILE, Browser, PhoneKey

Another = Callable[..., Browser]
ROUNDS = 3


def together(*works: Callable[[], int]) -> list[int]:
    """Run all at once; what each brought."""
    start, told = threading.Barrier(len(works)), dict[int, int]()

    def run(number: int, work: Callable[[], int]) -> None:
        start.wait()
        told[number] = work()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [told[number] for number in range(len(works))]


def rush(owner: Browser, second: Browser, finder: Browser) -> list[int]:
    """A phone, the one that takes its place, and a report that it is lost, all in one instant."""
    challenge = owner.ask("account")[1]["challenge"]
    key = PhoneKey()
    ticket = {"key": key.json, "proof": key.proof(challenge), "keeps_key": True}
    enrolment = second.enrolment(second.wants_code())
    report = {"mobile": MOBILE, "code": enrolment["code"]}
    return together(
        lambda: owner.say("ticket", ticket)[0],
        lambda: owner.ask("account")[0],
        lambda: owner.ask("rides")[0],
        lambda: owner.say("phone/answer", {"mine": True})[0],
        lambda: second.say("enrol", enrolment)[0],
        lambda: finder.say("lost", report)[0],
    )


def test_everything_at_once_ends_in_answers_and_no_rial_is_lost(
    browser: Browser, another_browser: Another, clock: Clock, city: City
) -> None:
    browser.enrol()
    browser.tops_up(40 * FARE_RIAL)
    for _ in range(ROUNDS):
        clock.pass_time(timedelta(minutes=20))
        owner = another_browser()
        owner.enrol()
        clock.pass_time(timedelta(minutes=20))
        told = rush(owner, another_browser(), another_browser())
        assert not [status for status in told if status >= 500], told
        assert sorted(told[4:]) == [200, 403], "the code worked once"
    clock.pass_time(timedelta(minutes=20))
    account = browser.enrol()
    assert account["balance_rial"] + account["held_rial"] == 40 * FARE_RIAL
    assert city.rows("SELECT count(*) FROM ledger_phone WHERE status = 'live'") == [(1,)]
    assert city.rows("SELECT sum(amount_rial) FROM ledger_posting") == [(0,)]

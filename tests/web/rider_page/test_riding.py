from __future__ import annotations

import time

import pytest
from playwright.sync_api import BrowserContext, expect

from fare.core.proof.mc1 import PhoneTicket
from fare.core.proof.phone import examine
from fare.core.proof.refusal import TicketRefusal
from tests.web.rider_page.ledger import FakeLedger
from tests.web.rider_page.phone import MOBILE, Phone, assert_drawn_well

# An IndexedDB that keeps everything but keys, as in old browsers.
REFUSES_KEYS = """
const put = IDBObjectStore.prototype.put;
const isKey = (each) => each instanceof CryptoKey;
const holdsKey = (value) => value && typeof value === "object" && Object.values(value).some(isKey);
IDBObjectStore.prototype.put = function (value, name) {
  if (holdsKey(value)) throw new DOMException("no keys here", "DataCloneError");
  return put.call(this, value, name);
};
"""
# One that takes a key and gives back an empty object, as some web views did.
FORGETS_KEYS = """
const put = IDBObjectStore.prototype.put;
IDBObjectStore.prototype.put = function (value, name) {
  const kept = value && value.secret instanceof CryptoKey ? { ...value, secret: {} } : value;
  return put.call(this, kept, name);
};
"""


def accepted(phone: Phone, text: str) -> PhoneTicket:
    """The ticket, which a bus that trusts this ledger must accept right now."""
    found = examine(text, phone.ledger.channel_keys, phone.ledger.now_s(), True, lambda _cti: False)
    assert not isinstance(found, TicketRefusal), found
    return found


def test_a_phone_enrols_and_shows_its_code_with_the_network_cut(
    phone: Phone, context: BrowserContext, ledger: FakeLedger
) -> None:
    phone.enrol()
    assert ledger.scene.keeps_key is True
    phone.wait_until_offline_works()
    context.set_offline(True)
    phone.open()
    expect(phone.page.locator(".offline")).to_be_visible()
    phone.show_code()
    ticket = accepted(phone, phone.text())
    assert (ticket.ctr, ticket.pax) == (1, 1)
    assert_drawn_well(phone.picture())
    assert abs(ticket.ts_s - time.time()) < 12
    expect(phone.page.locator(".problem")).to_have_count(0)


def test_the_key_cannot_be_read_by_the_page_itself(phone: Phone) -> None:
    phone.enrol()
    secret = """async () => {
      const store = await import("/rider/static/store.js");
      const [name] = await store.namesWith("key:");
      const { secret } = await store.get(name);
      const read = await crypto.subtle.exportKey("jwk", secret).then(() => "read", (fault) => fault.name);
      return [secret instanceof CryptoKey, secret.extractable, secret.usages.join(), read];
    }"""
    assert phone.page.evaluate(secret) == [True, False, "sign", "InvalidAccessError"]


def test_a_new_ride_begins_only_when_the_rider_says_so(phone: Phone) -> None:
    phone.enrol()
    phone.page.click("#more-people")
    phone.page.click("#more-people")
    phone.show_code()
    first = accepted(phone, phone.text())
    assert (first.ctr, first.pax) == (1, 3)
    phone.page.click("#close")
    phone.open()
    phone.show_code()
    again = accepted(phone, phone.text())
    assert (again.ctr, again.pax) == (1, 3), "the same ride, also after a reload"

    phone.page.click("#new-ride")
    expect(phone.page.locator("#begin")).to_be_visible()
    phone.page.click("#back")
    phone.show_code()
    assert accepted(phone, phone.text()).ctr == 1, "the question alone begins nothing"
    phone.page.click("#new-ride")
    phone.page.click("#begin")
    phone.wait_for_code()
    second = accepted(phone, phone.text())
    assert (second.ctr, second.pax) == (4, 1), "a ride of three people has used three counters"


def test_a_ride_is_written_down_before_its_code_is_drawn(phone: Phone) -> None:
    phone.enrol()
    phone.page.evaluate(
        """async () => {
          const store = await import("/rider/static/store.js");
          window.usedWhenDrawn = [];
          const fill = CanvasRenderingContext2D.prototype.fillRect;
          CanvasRenderingContext2D.prototype.fillRect = function (...where) {
            if (!window.usedWhenDrawn.length) window.usedWhenDrawn.push(store.get("tickets"));
            return fill.apply(this, where);
          };
        }"""
    )
    phone.show_code()
    assert phone.page.evaluate("usedWhenDrawn[0].then((tickets) => tickets[0].used)") == 1


def test_two_open_pages_never_give_out_one_ride_twice(phone: Phone, context: BrowserContext) -> None:
    phone.enrol()
    other = Phone(context.new_page(), phone.ledger)
    other.open()
    begin = """import("/rider/static/account.js")
      .then((account) => Promise.all([1, 2, 3].map(() => account.ride(1))))
      .then((rides) => rides.map((ride) => ride.ctr))"""
    phone.page.evaluate(f"window.begun = {begin}")
    there = other.page.evaluate(begin)
    here = phone.page.evaluate("begun")
    assert sorted(here + there) == [1, 2, 3, 4, 5, 6]
    assert other.faults == []


def test_after_ninety_minutes_it_asks_whether_the_ride_is_a_new_one(phone: Phone, ledger: FakeLedger) -> None:
    phone.page.clock.install()
    phone.enrol()
    phone.show_code()
    phone.page.click("#close")

    def minutes_pass(minutes: int) -> None:
        ledger.scene.clock_ahead_s += minutes * 60
        phone.page.clock.fast_forward(minutes * 60_000)

    minutes_pass(88)
    phone.show_code()
    phone.page.click("#close")
    minutes_pass(4)
    phone.page.click("#show")
    expect(phone.page.locator("#same")).to_be_visible()
    phone.page.click("#same")
    phone.wait_for_code()
    assert accepted(phone, phone.text()).ctr == 1
    phone.page.click("#close")
    phone.page.click("#show")
    phone.page.click("#more-people")
    phone.page.click("#begin")
    phone.wait_for_code()
    ticket = accepted(phone, phone.text())
    assert (ticket.ctr, ticket.pax) == (2, 2)


def test_an_answer_of_the_ledger_does_not_change_for_how_many_people(phone: Phone) -> None:
    phone.enrol()
    phone.page.click("#more-people")
    with phone.page.expect_response("**/rider/api/account"):
        phone.page.click("#refresh")
    expect(phone.page.locator(".facts")).to_contain_text("همین حالا")
    expect(phone.page.locator("#people strong")).to_have_text("۲")
    phone.page.click("#fewer")
    phone.page.click("#fewer", force=True)  # there is nobody fewer than one
    expect(phone.page.locator("#people strong")).to_have_text("۱")


def test_every_ten_seconds_there_is_a_new_frame_of_the_same_ride(phone: Phone) -> None:
    phone.page.clock.install()
    phone.enrol()
    phone.show_code()
    first, at = phone.text(), int(phone.page.get_attribute("canvas.code", "data-ts") or 0)
    phone.page.clock.run_for(4_000)
    assert phone.text() == first, "turned by two quarters, and still the same frame"
    expect(phone.page.locator("canvas.code")).to_have_attribute("data-quarters", "2")
    expect(phone.page.locator(".ring-number")).to_have_text("۶")
    phone.page.clock.run_for(7_000)
    phone.page.wait_for_function(
        "(at) => Number(document.querySelector('canvas.code').dataset.ts) >= at", arg=at + 10
    )
    assert phone.text() != first


@pytest.mark.parametrize("ahead_s", [-1_800, 7_200])
def test_a_phone_with_a_wrong_clock_shows_the_ledgers_time(
    phone: Phone, ledger: FakeLedger, ahead_s: int
) -> None:
    ledger.scene.clock_ahead_s = ahead_s
    phone.enrol()
    phone.open()
    phone.show_code()
    assert abs(accepted(phone, phone.text()).ts_s - ledger.now_s()) < 12


def test_a_jump_of_the_phones_clock_drops_the_offset(
    phone: Phone, context: BrowserContext, ledger: FakeLedger
) -> None:
    ledger.scene.clock_ahead_s = 900
    phone.page.clock.install()
    phone.enrol()
    known = 'import("/rider/static/clock.js").then((clock) => clock.isKnown())'
    offset = 'import("/rider/static/store.js").then((store) => store.get("clock"))'
    assert phone.page.evaluate(known) is True
    assert abs(phone.page.evaluate(offset)["offset_ms"] - 900_000) < 2_000
    phone.page.clock.run_for(3_000)
    assert phone.page.evaluate(known) is True, "time that passes is no jump"
    context.set_offline(True)
    phone.page.clock.set_system_time(time.time() + 900)
    assert phone.page.evaluate(known) is False
    assert phone.page.evaluate(offset) is None
    phone.show_code()
    ts_s = int(phone.page.get_attribute("canvas.code", "data-ts") or 0)
    assert abs(ts_s - ledger.now_s()) < 15, "whoever sets the clock right is right from then on"
    expect(phone.page.locator("main")).to_contain_text("ساعت گوشی را روی خودکار بگذارید")


def test_a_clock_that_went_back_between_two_visits_drops_the_offset(phone: Phone) -> None:
    phone.enrol()
    restored = """async (seen_at_ms) => {
      const store = await import("/rider/static/store.js");
      await store.change([], () => ({ clock: { offset_ms: 60000, seen_at_ms } }));
      const clock = await import(`/rider/static/clock.js?seen=${seen_at_ms}`);
      await clock.restore();
      return clock.isKnown();
    }"""
    now_ms = time.time() * 1000
    assert phone.page.evaluate(restored, now_ms - 60_000) is True
    assert phone.page.evaluate(restored, now_ms + 60_000) is False


@pytest.mark.parametrize("browser_that", [REFUSES_KEYS, FORGETS_KEYS], ids=["refuses keys", "forgets keys"])
def test_a_browser_that_keeps_no_key_gets_short_tickets_and_still_rides(
    phone: Phone, ledger: FakeLedger, browser_that: str
) -> None:
    phone.page.add_init_script(browser_that)
    phone.enrol()
    assert ledger.scene.keeps_key is False
    assert ledger.scene.ticket is not None
    assert ledger.scene.ticket["expires_at_ms"] <= (ledger.now_s() + 7200) * 1000
    phone.open()
    phone.show_code()
    assert accepted(phone, phone.text()).ctr == 1


def test_without_any_storage_the_page_still_enrols(phone: Phone, ledger: FakeLedger) -> None:
    phone.page.add_init_script(
        "IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError') }"
    )
    phone.open()
    phone.page.fill("#mobile", MOBILE)
    phone.page.click("#send")
    phone.page.fill("#code", "123456")
    phone.page.click("#enter")
    phone.show_code()
    assert ledger.scene.keeps_key is False
    assert accepted(phone, phone.text()).ctr == 1


def test_a_fresh_key_for_each_ticket_and_the_old_ticket_first(phone: Phone, ledger: FakeLedger) -> None:
    ledger.scene.max_taps = 2
    phone.enrol()
    old = ledger.scene.ticket
    assert old is not None
    ledger.scene.refresh_due = True
    phone.page.click("#refresh")
    expect(phone.page.locator(".facts dd").first).to_have_text("۴")
    new = ledger.scene.ticket
    assert new is not None
    assert (ledger.scene.issued, new["cti"] != old["cti"]) == (2, True)

    ridden: list[tuple[str, int]] = []
    keys: set[bytes] = set()
    phone.page.click("#show")
    for _ in range(3):
        phone.wait_for_code()
        ticket = accepted(phone, phone.text())
        ridden.append((ticket.entitlement.cti.hex(), ticket.ctr))
        keys.add(ticket.entitlement.public_x)
        phone.page.click("#new-ride")
        phone.page.click("#begin")
    assert ridden == [(old["cti"], 1), (old["cti"], 2), (new["cti"], 1)]
    assert len(keys) == 2


def test_a_ticket_that_the_ledger_wants_back_is_replaced_without_a_word(
    phone: Phone, ledger: FakeLedger
) -> None:
    phone.enrol()
    phone.show_code()
    assert ledger.scene.ticket is not None
    revoked = ledger.scene.ticket["cti"]
    phone.page.click("#close")
    ledger.scene.ticket["reissue"], ledger.scene.refresh_due = True, True
    phone.page.click("#refresh")
    expect(phone.page.locator("#people")).to_be_visible()  # the ride on the old ticket is gone
    phone.show_code()
    assert accepted(phone, phone.text()).entitlement.cti.hex() == ledger.scene.ticket["cti"] != revoked


def test_rides_that_the_ledger_has_taken_in_are_never_shown_again(phone: Phone, ledger: FakeLedger) -> None:
    phone.enrol()
    assert ledger.scene.ticket is not None
    ledger.scene.ticket["rides_taken_in"] = 6
    phone.page.click("#refresh")
    expect(phone.page.locator(".facts dd").first).to_have_text("۴")
    phone.show_code()
    assert accepted(phone, phone.text()).ctr == 7


def test_a_phone_that_slept_in_the_pocket_keeps_the_ledgers_time(phone: Phone, ledger: FakeLedger) -> None:
    ledger.scene.clock_ahead_s = 900
    phone.page.clock.install()
    phone.enrol()
    known = 'import("/rider/static/clock.js").then((clock) => clock.isKnown())'
    hide = """(hidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    phone.page.evaluate(hide, True)
    phone.page.clock.set_system_time(time.time() + 3_600)  # the steady clock stood still meanwhile
    phone.page.context.set_offline(True)
    phone.page.evaluate(hide, False)
    assert phone.page.evaluate(known) is True
    phone.page.evaluate(hide, True)
    phone.page.clock.set_system_time(time.time())
    phone.page.evaluate(hide, False)
    assert phone.page.evaluate(known) is False, "no sleep turns a clock back"


def test_a_browser_that_forgot_everything_but_its_cookie_starts_with_the_number(phone: Phone) -> None:
    phone.enrol()
    forget = 'import("/rider/static/store.js").then((store) => store.forget())'
    phone.page.evaluate(forget)
    phone.open()
    expect(phone.page.locator("#mobile")).to_be_visible()


def test_a_ticket_whose_key_is_gone_is_not_offered(phone: Phone) -> None:
    phone.enrol()
    lose = """import("/rider/static/store.js").then(async (store) => {
      const names = [...(await store.namesWith("key:")), "tickets"];
      for (const name of names) await store.change([], () => ({ [name]: undefined }));
    })"""
    phone.page.evaluate(lose)
    phone.open()
    expect(phone.page.locator("#enrol-again")).to_be_visible()
    expect(phone.page.locator("#show")).to_have_count(0)

"""The rider's errands besides riding: topping up, a lost phone, another phone, leaving."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, expect

from tests.web.rider_page.ledger import FakeLedger
from tests.web.rider_page.phone import MOBILE, Phone


def test_the_keyboard_alone_is_enough_from_the_number_to_the_code(phone: Phone) -> None:
    page = phone.page
    phone.open()

    def tab_to(selector: str) -> None:
        for _ in range(15):
            page.keyboard.press("Tab")
            if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
                assert outline == "4px", "where the keyboard is must be seen"
                return
        raise AssertionError(f"Tab never reaches {selector}")

    tab_to("#mobile")
    page.keyboard.type("۰۹۱۴ ۱۲۳ ۴۵۶۷")
    page.keyboard.press("Enter")
    page.wait_for_selector("html[data-ready=yes] #code")
    expect(page.locator("#code")).to_be_focused()
    page.keyboard.type("۱۲۳۴۵۶")
    page.keyboard.press("Enter")
    expect(page.locator("[data-figure=balance]")).to_be_visible()
    tab_to("#more-people")
    page.keyboard.press("Enter")
    tab_to("#show")
    page.keyboard.press("Enter")
    phone.wait_for_code()
    expect(page.locator("h1")).to_have_text("۲ نفر")
    expect(page.locator("h1")).to_be_focused()
    tab_to("#close")
    page.keyboard.press("Enter")
    expect(page.locator("[data-figure=balance]")).to_be_visible()
    tab_to("#to-trips-door")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_be_focused()
    tab_to("#back")
    page.keyboard.press("Enter")
    expect(page.locator("#show")).to_be_visible()


def test_a_code_that_is_wrong_keeps_the_form_and_its_number(phone: Phone) -> None:
    phone.open()
    phone.ask_for_code()
    phone.page.fill("#code", "12345")
    phone.page.click("#enter")
    expect(phone.page.locator(".problem")).to_contain_text("شش رقم")
    phone.page.fill("#code", "654321")
    phone.page.click("#enter")
    expect(phone.page.locator(".problem")).to_contain_text("این کد درست نیست")
    phone.page.fill("#code", "123456")
    phone.page.click("#enter")
    expect(phone.page.locator("[data-figure=balance]")).to_be_visible()


def test_the_code_form_waits_while_the_rider_reads_the_message(phone: Phone) -> None:
    phone.open()
    phone.ask_for_code()
    phone.page.goto("about:blank")  # the messages' app; an old phone forgets the page meanwhile
    phone.open()
    expect(phone.page.locator("#code")).to_be_focused()
    expect(phone.page.locator("#again")).to_have_attribute("aria-disabled", "true")
    phone.page.click("#other-number")
    expect(phone.page.locator("#mobile")).to_be_visible()


def test_a_second_code_proves_its_own_key_as_the_first_does(phone: Phone, ledger: FakeLedger) -> None:
    ledger.scene.again_after_s = 0
    phone.open()
    phone.ask_for_code()
    with phone.page.expect_event("load"):
        phone.page.click("#again")
    phone.page.wait_for_selector("html[data-ready=yes] #code")
    phone.page.fill("#code", "123456")
    phone.page.click("#enter")
    expect(phone.page.locator("[data-figure=balance]")).to_be_visible()
    assert ledger.scene.keeps_key is True, "else this phone has tickets of two hours for ever"


def test_topping_up_goes_to_the_gateway_and_comes_back(phone: Phone, ledger: FakeLedger) -> None:
    phone.enrol()
    before = ledger.scene.balance_rial
    phone.page.click("#to-topup-door")
    phone.page.fill("#own", "۵۰٬۰۰۰")
    phone.page.click("#pay-own")
    phone.page.click("#pay")
    expect(phone.page.locator(".outcome.done")).to_contain_text("۵۰٬۰۰۰ تومان")
    assert ledger.scene.balance_rial == before + 500_000
    phone.page.click("#to-home")
    expect(phone.page.locator("[data-figure=balance]")).to_have_text("۱۷۲٬۵۰۰ تومان")
    assert phone.page.evaluate("location.search") == ""


def test_a_payment_that_failed_says_so(phone: Phone, ledger: FakeLedger) -> None:
    phone.enrol()
    ledger.scene.topup_state = "failed"
    phone.open("?topup=a1")
    expect(phone.page.locator(".outcome.close")).to_contain_text("پولی کم نشده است")


def test_a_gateway_that_is_no_payment_page_is_not_followed(phone: Phone) -> None:
    phone.enrol()
    phone.page.route(
        "**/rider/api/topup",
        lambda route: route.fulfill(json={"order_id": "a", "redirect": "javascript:alert(1)"}),
    )
    phone.page.click("#to-topup-door")
    phone.page.click("#amount-200000")
    expect(phone.page.locator(".problem")).to_be_visible()
    assert phone.page.url == f"{phone.ledger.address}#topup"


def test_a_lost_phone_is_reported_from_any_browser(phone: Phone, ledger: FakeLedger) -> None:
    phone.open()
    phone.page.click("#to-lost")
    phone.page.fill("#mobile", MOBILE)
    phone.page.click("#send")
    phone.page.fill("#code", "123456")
    phone.page.click("#enter")
    expect(phone.page.locator("h1")).to_have_text("گوشی گم‌شده بسته شد")
    assert "lost" in ledger.scene.asked
    phone.page.click("#to-start")
    expect(phone.page.locator("#mobile")).to_be_visible()


def test_the_earlier_phone_says_that_the_newer_one_is_not_its_rider_s(
    phone: Phone, ledger: FakeLedger
) -> None:
    phone.enrol()
    ledger.scene.newer_phone, ledger.scene.phone_state = True, "superseded"
    phone.page.click("#refresh")
    phone.page.click("#not-me")
    expect(phone.page.locator("[data-figure=balance]")).to_be_visible()
    assert ledger.scene.answers == [False]


def test_a_phone_that_lost_its_tickets_shows_no_code_and_enrols_again_in_one_step(
    phone: Phone, ledger: FakeLedger
) -> None:
    phone.enrol()
    phone.show_code()
    phone.page.click("#close")
    ledger.scene.phone_state, ledger.scene.ticket = "blocked", None
    phone.page.click("#refresh")
    expect(phone.page.locator("main")).to_contain_text("دو اتوبوس")
    phone.open("#code")
    expect(phone.page.locator("canvas")).to_have_count(0)
    ledger.scene.phone_state, ledger.scene.refresh_due = "live", True
    phone.page.click("#enrol-again")
    phone.ask_for_code()
    phone.page.fill("#code", "123456")
    phone.page.click("#enter")
    phone.show_code()


def test_who_leaves_leaves_nothing_behind(phone: Phone) -> None:
    phone.enrol()
    phone.page.click("#to-more-door")
    phone.page.click("#to-leave-door")
    phone.page.click("#leave")
    expect(phone.page.locator("#mobile")).to_be_visible()
    assert phone.page.evaluate('import("/rider/static/store.js").then((store) => store.namesWith(""))') == []


def test_a_browser_that_the_ledger_signed_out_shows_the_form_again(phone: Phone, ledger: FakeLedger) -> None:
    phone.enrol()
    ledger.scene.signed_in = False
    phone.page.click("#refresh")
    expect(phone.page.locator("#mobile")).to_be_visible()
    expect(phone.page.locator(".problem")).to_contain_text("خارج شده‌اید")


def test_a_ticket_that_is_taken_back_for_nothing_says_why(phone: Phone, ledger: FakeLedger) -> None:
    phone.enrol()
    assert ledger.scene.ticket is not None
    ledger.scene.ticket["reissue"] = True
    ledger.scene.refresh_due, ledger.scene.no_ticket_reason = False, "day_limit"
    phone.page.click("#refresh")
    expect(phone.page.locator("#taken-back")).to_contain_text("سهم امروز")


def test_without_money_it_says_what_helps(phone: Phone, ledger: FakeLedger) -> None:
    ledger.scene.refresh_due, ledger.scene.no_ticket_reason = False, "short_of_funds"
    ledger.scene.balance_rial = ledger.scene.held_rial = 0
    phone.enrol()
    expect(phone.page.locator(".why")).to_contain_text("کافی نیست")
    phone.page.click("#to-topup")
    expect(phone.page.locator("#own")).to_be_visible()


def test_without_a_network_errands_say_so_in_a_sentence(phone: Phone, context: BrowserContext) -> None:
    phone.enrol()
    phone.wait_until_offline_works()
    context.set_offline(True)
    phone.page.click("#to-topup-door")
    phone.page.click("#amount-200000")
    expect(phone.page.locator(".problem")).to_contain_text("اینترنت")
    phone.page.click("#back")
    phone.page.click("#to-trips-door")
    expect(phone.page.locator(".problem")).to_contain_text("اینترنت")
    phone.page.click("#back")
    context.set_offline(False)
    expect(phone.page.locator(".offline")).to_have_count(0)


def test_the_offer_to_install_is_made_once(phone: Phone) -> None:
    offer = "dispatchEvent(Object.assign(new Event('beforeinstallprompt'), { prompt: async () => {} }))"
    phone.enrol()
    phone.page.evaluate(offer)
    expect(phone.page.locator("#install")).to_be_visible()
    phone.page.click("#install-later")
    expect(phone.page.locator("#install")).to_have_count(0)
    phone.open()
    phone.page.evaluate(offer)
    expect(phone.page.locator("#refresh")).to_be_visible()
    expect(phone.page.locator("#install")).to_have_count(0)

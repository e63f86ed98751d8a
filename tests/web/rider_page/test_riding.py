from __future__ import annotations

import time

from playwright.sync_api import BrowserContext, expect

from fare.core.proof.mc1 import PhoneTicket
from fare.core.proof.phone import examine
from fare.core.proof.refusal import TicketRefusal
from tests.web.rider_page.ledger import FakeLedger
from tests.web.rider_page.phone import Phone


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
    phone.show_code()
    ticket = accepted(phone, phone.text())
    assert (ticket.ctr, ticket.pax) == (1, 1)
    assert abs(ticket.ts_s - time.time()) < 12

"""From an address to a reader, and the phones beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fare.core.errors import OperatorError
from fare.core.proof.mc1 import decode_ticket
from hardware.emulator.phone import PhoneError, VirtualPhone
from hardware.emulator.reader import InProcessReader
from readers.addresses import resolve
from readers.phones import FolderPhones
from tests.readers.bus import NOW_S, Issuer


def test_a_virtual_reader_comes_with_hands_and_phones(cards: Path, issuer: Issuer) -> None:
    issuer.phone().save(cards, "phone-1")
    equipment = resolve(f"virtual:{cards}")
    assert isinstance(equipment.reader, InProcessReader)
    assert equipment.tray is not None
    assert [card.name for card in equipment.tray.cards()] == ["one"]
    assert equipment.phones is not None
    assert [phone.name for phone in equipment.phones.phones()] == ["phone-1"]


@pytest.mark.parametrize("address", ["virtual:{0}/none", "virtual+pcsc:{0}/none", "virtual+pcsc@1:{0}/none"])
def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path, address: str) -> None:
    with pytest.raises(OperatorError, match=r"There is no folder .*none"):
        resolve(address.format(tmp_path))


@pytest.mark.parametrize("port", ["x", "0", "70000", "۸"])
def test_a_port_that_is_none_is_one_sentence(cards: Path, port: str) -> None:
    with pytest.raises(OperatorError, match="is not a port"):
        resolve(f"virtual+pcsc@{port}:{cards}")


def test_a_phones_ride_lasts_until_a_new_one_is_asked_for(tmp_path: Path, issuer: Issuer) -> None:
    issuer.phone().save(tmp_path, "p")
    shelf = FolderPhones(tmp_path, VirtualPhone.load)

    def ride(*, new: bool) -> int:
        return decode_ticket(shelf.ticket_text("p", NOW_S, new_ride=new)).ctr

    assert [ride(new=new) for new in (False, False, True, False, True)] == [1, 1, 2, 2, 3]
    shelf = FolderPhones(tmp_path, VirtualPhone.load)  # the page is restarted, the phone knows its ride
    assert ride(new=False) == 3
    issuer.phone().save(tmp_path, "p")  # a new entitlement begins at ride 1
    assert ride(new=False) == 1


def test_a_phone_without_a_ticket_or_no_phone_says_so(tmp_path: Path) -> None:
    VirtualPhone.new().save(tmp_path, "empty")
    shelf = FolderPhones(tmp_path, VirtualPhone.load)
    with pytest.raises(PhoneError, match="no entitlement"):
        shelf.ticket_text("empty", NOW_S, new_ride=False)
    with pytest.raises(LookupError, match="no phone"):
        shelf.ticket_text("../empty", NOW_S, new_ride=False)

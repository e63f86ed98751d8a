"""The sample city: what a first start makes, that a second one keeps it, that a half-made one is finished."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fare.core.proof.mc1 import decode_entitlement
from fare.database.engine import read
from fare.fleet import devices
from fare.issuing import cards, denied, wallet_balance
from fare.ledger import balance, trial_balance
from fare.network import lines
from fare.settings import LedgerSettings
from fare.staff import member, password_hash_of, verify_password
from hardware.city.founding import City
from hardware.city.media import SANDBOX_TERMINAL, phone_notes
from hardware.city.sample import SignIn, open_sample
from hardware.emulator.image import image_names, image_path, read_image
from hardware.emulator.phone import VirtualPhone

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
URL = "http://127.0.0.1:9"


def opened(state: Path, now: datetime = NOW) -> tuple[City, SignIn]:
    settings = LedgerSettings(state_dir=state, database_url=f"sqlite:///{state / 'mancard.db'}")
    city, sign_in = open_sample(settings, URL, now, lambda _: None)
    city.engine.dispose()
    return city, sign_in


def contents(state: Path) -> dict[str, bytes]:
    """What must outlive a start. Not the kits: their claim codes are renewed until they are used."""
    return {
        str(file.relative_to(state)): file.read_bytes()
        for folder in ("keys", "media")
        for file in (state / folder).iterdir()
        if not file.name.endswith(".lock")
    }


def test_the_first_start_makes_all_that_a_first_ride_needs(tmp_path: Path) -> None:
    city, sign_in = opened(tmp_path)

    with read(city.engine) as session:
        issued = cards(session)
        assert len(lines(session)) == 4
        assert [device.device_id for device in devices(session)] == [1, 2, 3, 4]
        assert [card.loaded_rial for card in issued] == [500_000, 300_000, 40_000, 200_000, 200_000]
        assert [card.rider_category for card in issued] == [0, 1, 0, 0, 0]
        assert issued[4].expires_on < NOW.date()
        assert denied(session, NOW)[0] == {issued[3].serial}
        assert trial_balance(session).total == 0
        wallet = phone_notes(city, "phone-0001")["wallet"]
        left_in_wallet = wallet_balance(session, wallet)
        paid = balance(session, f"psp_receivable:{SANDBOX_TERMINAL}")
        assert sign_in.password is not None
        assert verify_password(password_hash_of(session, sign_in.name), sign_in.password)
    assert image_names(city.media) == [*(f"card-{n:05d}" for n in range(1, 6)), "unissued-00001"]
    assert read_image(image_path(city.media, "card-00002")).label == "کارت ۲ – دانش‌آموز"
    held = VirtualPhone.load(city.media, "phone-0001").entitlement
    assert held is not None
    ticket = decode_entitlement(held)
    assert left_in_wallet == 3_000_000 - ticket.max_taps * ticket.max_fare_rial
    assert paid == 500_000 + 300_000 + 40_000 + 200_000 + 200_000 + 3_000_000
    assert sign_in.file.stat().st_mode & 0o777 == 0o600
    assert sign_in.password in sign_in.file.read_text()


def test_a_second_start_keeps_everything(tmp_path: Path) -> None:
    city, first = opened(tmp_path)
    before, password = contents(tmp_path), first.file.read_text()

    _, second = opened(tmp_path, NOW + timedelta(hours=1))

    assert contents(tmp_path) == before
    assert second.password is None
    assert second.file.read_text() == password
    with read(city.engine) as session:
        assert len(cards(session)) == 5


def test_a_kit_that_was_never_used_is_good_again_at_every_start(tmp_path: Path) -> None:
    opened(tmp_path)
    kit = tmp_path / "kits" / "device-1" / "kit.json"
    before = kit.read_text()

    opened(tmp_path, NOW + timedelta(days=3))

    assert kit.read_text() != before


def test_what_was_not_finished_is_finished(tmp_path: Path) -> None:
    city, _ = opened(tmp_path)
    lost = read_image(image_path(city.media, "card-00003"))
    image_path(city.media, "card-00003").unlink()
    image_path(city.media, "unissued-00001").unlink()
    (city.media / "phone-0001.phone.json").unlink()

    opened(tmp_path)

    made = read_image(image_path(city.media, "card-00003"))
    assert made.label == lost.label
    assert made.notes["serial"] != lost.notes["serial"], "a chip is never issued twice"
    assert image_path(city.media, "unissued-00001").exists()
    assert VirtualPhone.load(city.media, "phone-0001").entitlement is not None


@pytest.mark.parametrize("later", [timedelta(hours=61), timedelta(days=30)])
def test_a_ticket_near_its_end_is_replaced_and_paid_for(later: timedelta, tmp_path: Path) -> None:
    city, _ = opened(tmp_path)
    before = phone_notes(city, "phone-0001")

    opened(tmp_path, NOW + later)

    after = phone_notes(city, "phone-0001")
    assert after["wallet"] == before["wallet"]
    assert after["label"] == before["label"] == "گوشی ۱"
    assert after["cti"] != before["cti"]
    held = VirtualPhone.load(city.media, "phone-0001").entitlement
    assert held is not None
    ticket = decode_entitlement(held)
    assert ticket.expires_at_s == int((NOW + later + timedelta(hours=72)).timestamp())
    with read(city.engine) as session:
        assert balance(session, f"holds:{after['cti']}") == -ticket.max_taps * ticket.max_fare_rial


def test_the_sample_sign_in_sees_money_and_is_no_administrator(tmp_path: Path) -> None:
    city, sign_in = opened(tmp_path)

    with read(city.engine) as session:
        who = member(session, sign_in.name)
        assert who is not None
        assert who.role.value == "finance"


def test_the_same_city_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    settings = LedgerSettings(state_dir=tmp_path, database_url=postgres_url)
    for now in (NOW, NOW + timedelta(days=4)):
        city, _ = open_sample(settings, URL, now, lambda _: None)
        with read(city.engine) as session:
            assert len(cards(session)) == 5
            assert trial_balance(session).total == 0
            assert trial_balance(session).unbalanced_entries == ()
        city.engine.dispose()

"""The bundle a validator gets is what every room says, signed, and new only when something is new."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine
from sqlmodel import Session

from fare.core.bundle import Bundle, open_bundle, supersedes
from fare.core.signed import BadSignature
from fare.core.tap import BundleVersion
from fare.core.tariff.model import FareProduct, flat_tariff
from fare.database.engine import read, write
from fare.distribution import NoTariffInForce, current_bundle, unchanged_bundle
from fare.fleet import create_device, place_at_exit
from fare.fleet.models import DeviceAssignment
from fare.issuing import confirm_paid, deny_card, mark_seen, register_card, request_load
from fare.keys import LedgerKeys, MasterFile
from fare.network.models import Line
from fare.settings import LedgerSettings
from tests.tariffs.published import publish

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
TARIFF = flat_tariff(1, "نرخ یکسان", {0: FareProduct("adult", "بزرگسال", 35_000)})
DEARER = flat_tariff(2, "نرخ سال نو", {0: FareProduct("adult", "بزرگسال", 40_000)})


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> LedgerKeys:
    return LedgerKeys.open(tmp_path_factory.mktemp("keys") / "keys")


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> LedgerSettings:
    return LedgerSettings(
        state_dir=tmp_path,
        database_url=database_url,
        city="urmia",
        zone="Asia/Tehran",
        day_starts="03:30",
        issuer=7,
    )


@pytest.fixture
def running(engine: Engine) -> Engine:
    """A ledger with a tariff, a line and a device on it."""
    with write(engine) as session:
        publish(session, TARIFF, AT)
        session.add(Line(line=3, route_id="r", agency_name="a", short_name="۳", long_name="میدان – دانشگاه"))
        session.add(DeviceAssignment(device_id=7, starts_at=AT, ends_at=AT + DAY, vehicle_id="bus-7", line=3))
    return engine


def trusted(keys: LedgerKeys, envelope: bytes) -> Bundle:
    return open_bundle(envelope, {keys.bundle.kid: keys.bundle.public})


def fetch(engine: Engine, keys: LedgerKeys, settings: LedgerSettings, now: datetime = AT) -> Bundle:
    with write(engine) as session:
        version, envelope = current_bundle(session, keys, settings, now)
    bundle = trusted(keys, envelope)
    assert bundle.version == version
    return bundle


def a_loaded_card(session: Session, keys: LedgerKeys) -> int:
    serial = register_card(session, keys, uid=b"\x04abcdef", now=AT)
    order_id = request_load(session, "card", str(serial), 5, "psp", "t1", AT)
    confirm_paid(session, keys, order_id, "psp-1", AT)
    return serial


def test_it_carries_what_a_validator_needs(
    running: Engine, keys: LedgerKeys, settings: LedgerSettings
) -> None:
    bundle = fetch(running, keys, settings)
    assert bundle.version == BundleVersion(keys.ledger_epoch, 1)
    assert (bundle.issued_at_s, bundle.city, bundle.zone, bundle.day_starts_s, bundle.issuer) == (
        int(AT.timestamp()), "urmia", "Asia/Tehran", 12_600, 7,
    )  # fmt: skip
    assert bundle.tariffs == ((int(AT.timestamp()), TARIFF),)
    assert bundle.card_keys == {keys.card_issuer.kid: keys.card_issuer.public_bytes}
    assert bundle.channel_keys == keys.channels.trusted()
    assert bundle.acknowledgement_keys == {keys.acknowledgement.kid: keys.acknowledgement.public_bytes}
    assert (bundle.devices[7].line, bundle.devices[7].vehicle) == (3, "bus-7")
    assert "میدان" in bundle.devices[7].line_name
    assert (bundle.denied_cards, bundle.denied_tickets, bundle.entitlements) == (frozenset(), frozenset(), {})


def test_no_secret_is_in_it(running: Engine, keys: LedgerKeys, settings: LedgerSettings) -> None:
    with write(running) as session:
        _, envelope = current_bundle(session, keys, settings, AT)
    assert isinstance(keys.cards, MasterFile)
    masters = keys.cards.generations[0]
    secrets = [masters.picc, masters.k0, masters.k1, masters.k2, masters.tm]
    for key in (keys.bundle, keys.channel, keys.card_issuer):
        assert isinstance(key.private, Ed25519PrivateKey)
        secrets.append(key.private.private_bytes_raw())
    assert not [secret for secret in secrets if secret in envelope]


def test_nothing_new_gives_the_same_bundle(
    running: Engine, keys: LedgerKeys, settings: LedgerSettings
) -> None:
    first = fetch(running, keys, settings)
    again = fetch(running, keys, settings, AT + timedelta(hours=5))
    assert first == again
    assert again.issued_at_s == int(AT.timestamp())


def test_every_change_gives_the_next_number(
    running: Engine, keys: LedgerKeys, settings: LedgerSettings
) -> None:
    bundles = [fetch(running, keys, settings)]

    def changed(now: datetime = AT) -> Bundle:
        bundles.append(fetch(running, keys, settings, now))
        return bundles[-1]

    with write(running) as session:
        serial = a_loaded_card(session, keys)
    assert set(changed().entitlements) == {serial}
    with write(running) as session:
        mark_seen(session, {(serial, 2)}, AT.date())
    assert changed().entitlements == {}
    with write(running) as session:
        deny_card(session, serial)
    assert changed().denied_cards == {serial}
    with write(running) as session:
        publish(session, DEARER, AT + timedelta(hours=1))
    start_s = int((AT + timedelta(hours=1)).timestamp())
    coming = changed()
    assert [(start, tariff.version) for start, tariff in coming.tariffs] == [
        (int(AT.timestamp()), 1), (start_s, 2),
    ]  # fmt: skip
    assert (coming.tariff_at(start_s - 1), coming.tariff_at(start_s)) == (TARIFF, DEARER)
    same = fetch(running, keys, settings, AT + timedelta(hours=1))
    assert same == coming, "buses change over by themselves: the start is no news"
    with write(running) as session:
        create_device(session, 7, AT)
        place_at_exit(session, 7, at_exit=True)
    assert changed().devices[7].exit
    assert changed(AT + DAY).devices == {}, "the assignment has ended"
    assert [bundle.version.n for bundle in bundles] == [1, 2, 3, 4, 5, 6, 7]
    assert all(supersedes(new, old) for old, new in pairwise(bundles))


def test_reading_tells_whether_there_is_news(
    running: Engine, keys: LedgerKeys, settings: LedgerSettings
) -> None:
    with read(running) as session:
        assert unchanged_bundle(session, keys, settings, AT) is None
    with write(running) as session:
        published = current_bundle(session, keys, settings, AT)
    with read(running) as session:
        assert unchanged_bundle(session, keys, settings, AT + timedelta(hours=1)) == published
    with write(running) as session:
        a_loaded_card(session, keys)
    with read(running) as session:
        assert unchanged_bundle(session, keys, settings, AT) is None


def test_many_polls_at_once_publish_once(running: Engine, keys: LedgerKeys, settings: LedgerSettings) -> None:
    gate = threading.Barrier(6)
    versions: list[int] = []

    def poll() -> None:
        gate.wait()
        with write(running) as session:
            version, _ = current_bundle(session, keys, settings, AT)
        versions.append(version.n)

    threads = [threading.Thread(target=poll) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert versions == [1] * 6


def test_a_new_epoch_counts_anew(
    running: Engine, keys: LedgerKeys, settings: LedgerSettings, tmp_path: Path
) -> None:
    fetch(running, keys, settings)
    restored = LedgerKeys.open(tmp_path / "restored")
    with write(running) as session:
        version, envelope = current_bundle(session, restored, settings, AT)
    assert version == BundleVersion(restored.ledger_epoch, 1)
    with pytest.raises(BadSignature):
        trusted(keys, envelope)


def test_without_a_tariff_there_is_no_bundle(
    engine: Engine, keys: LedgerKeys, settings: LedgerSettings
) -> None:
    with pytest.raises(NoTariffInForce), write(engine) as session:
        current_bundle(session, keys, settings, AT)

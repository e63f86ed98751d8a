"""Founds a city on an empty ledger: network, fleet, tariff and devices. All of it is marked as sample.

Everything goes through the same public functions and files that a real city would use: the fleet is a CSV
file, devices get kits with claim codes, cards are personalised over APDUs.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from importlib.resources import as_file, files
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Engine
from sqlmodel import Session

from fare.core.errors import OperatorError
from fare.core.money import persian_digits
from fare.core.tariff.model import FareProduct, flat_tariff
from fare.database.engine import open_engine, read, write
from fare.database.migrate import migrate
from fare.distribution import publication_payload, publish_tariff
from fare.fleet import create_device, devices, import_assignments, note_card_keys, write_kit
from fare.keys import LedgerKeys
from fare.network import import_feed
from fare.settings import LedgerSettings
from fare.staff import Action, ApprovalView, Role, approve, create_account, disable, request

SAMPLE_TARIFF = flat_tariff(
    version=1,
    name="نمونه: نرخ یکسان",
    rider_categories={
        0: FareProduct("adult", "بزرگسال", 35_000),
        1: FareProduct("student", "دانش‌آموز", 17_500),
    },
)
_SAMPLE_STAFF = ("sample-requester", "sample-approver")
_ROUTES = ("sample-1", "sample-2", "sample-3", "sample-4")
_COLUMNS = ("device", "vehicle", "plate", "route_id", "owner", "owner_name", "owner_kind", "iban", "contract",
            "contract_name", "owner_share_percent", "starts_at")  # fmt: skip
_MUNICIPAL_EVERY = 10
_VEHICLES_PER_OWNER = 2


@dataclass(frozen=True, slots=True)
class City:
    """A founded city: its settings, database, keys, and the folder of virtual cards and phones."""

    settings: LedgerSettings
    engine: Engine
    keys: LedgerKeys
    media: Path
    kits: Path

    @property
    def zone(self) -> ZoneInfo:
        """The city's time zone."""
        return ZoneInfo(self.settings.zone)


def open_city(settings: LedgerSettings) -> City:
    """The city of a state folder, founded or not: folders, keys and an empty database are made where missing.

    Raises OperatorError for a folder that cannot be written, keys open to others, a database out of reach.
    """
    state = settings.state_dir
    media = state / "media"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        media.mkdir(mode=0o700, exist_ok=True)
    except OSError as fault:
        raise OperatorError(
            f"The state folder {state} cannot be used ({fault.strerror}): give another one with --state."
        ) from fault
    migrate(settings.database_url)
    return City(
        settings=settings,
        engine=open_engine(settings.database_url),
        keys=LedgerKeys.open(state / "keys"),
        media=media,
        kits=state / "kits",
    )


def found(settings: LedgerSettings, *, now: datetime, since: date, vehicles: int, ledger_url: str) -> City:
    """Migrate the database and fill it with a sample city whose fleet runs from `since` on.

    Raises OperatorError for a database that holds a city already.
    """
    city = open_city(settings)
    with read(city.engine) as session:
        if devices(session):
            raise OperatorError("This database holds a city already: give the URL of an empty one.")
    fleet_file = settings.state_dir / "fleet-sample.csv"
    fleet_file.write_text(fleet_csv(vehicles, since), encoding="utf-8")
    with write(city.engine) as session:
        with as_file(files("fare.network") / "sample") as feed:
            import_feed(session, feed, now, sample=True)
        import_assignments(session, fleet_file, city.zone)
        _publish_sample_tariff(session, now.replace(microsecond=0))
        for device in range(1, vehicles + 1):
            _enrol(city, session, device, now, ledger_url)
    return city


def _publish_sample_tariff(session: Session, at: datetime) -> None:
    """By two sample accounts that nobody can sign in to, and that are closed right after."""
    for name in _SAMPLE_STAFF:
        create_account(session, name, Role.FINANCE, "no password opens this account", at)
    asks, allows = _SAMPLE_STAFF
    asked = request(session, Action.PUBLISH_TARIFF, publication_payload(SAMPLE_TARIFF, at), asks, at)
    if not isinstance(asked, ApprovalView) or approve(
        session, asked.approval_id, asked.payload_sha256, allows, at
    ):
        raise OperatorError("The sample tariff could not be approved: found the city in an empty database.")
    publish_tariff(session, SAMPLE_TARIFF, at, asked.approval_id, now=at)
    for name in _SAMPLE_STAFF:
        disable(session, name)


def renew_kits(city: City, ledger_url: str, now: datetime) -> None:
    """Give every validator that has not enrolled yet a fresh kit: a claim code is good for a day alone."""
    with write(city.engine) as session:
        for state in devices(session):
            if state.enrolled_at is None and state.revoked_at is None:
                _enrol(city, session, state.device_id, now, ledger_url)


def _enrol(city: City, session: Session, device: int, now: datetime, ledger_url: str) -> None:
    claim_code = create_device(session, device, now)
    card_keys = city.keys.validator_keys
    write_kit(
        city.kits / f"device-{device}",
        device_id=device,
        ledger_url=ledger_url,
        bundle_keys={city.keys.bundle.kid: city.keys.bundle.public_bytes},
        claim_code=claim_code,
        card_keys=card_keys,
    )
    note_card_keys(session, device, card_keys.versions[-1])


def fleet_csv(vehicles: int, since: date) -> str:
    """The sample fleet as the CSV file that `mancard fleet import` takes."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for number in range(1, vehicles + 1):
        writer.writerow(dict(zip(_COLUMNS, _fleet_row(number, since), strict=True)))
    return out.getvalue()


def _fleet_row(number: int, since: date) -> Sequence[object]:
    municipal = number % _MUNICIPAL_EVERY == 0
    owner = (
        "municipality" if municipal else f"owner-{(number + _VEHICLES_PER_OWNER - 1) // _VEHICLES_PER_OWNER}"
    )
    owner_no = 0 if municipal else int(owner.removeprefix("owner-"))
    name = "سازمان اتوبوسرانی (نمونه)" if municipal else f"مالک نمونه {persian_digits(str(owner_no))}"
    kind, contract, share = ("municipal", "municipal", "100") if municipal else ("private", "private", "92.5")
    contract_name = "شهرداری" if municipal else "بخش خصوصی"
    plate = f"{10 + number % 80}-ع-{100 + number}"
    route = _ROUTES[(number - 1) % len(_ROUTES)]
    iban = sample_iban(owner_no)
    return (number, f"bus-{number}", plate, route, owner, name, kind, iban, contract, contract_name, share,
            since.isoformat())  # fmt: skip


def sample_iban(number: int) -> str:
    """A well-formed Iranian IBAN that belongs to nobody: bank code 999, check digits by ISO 7064."""
    bban = f"999{number:019d}"
    check = 98 - int(f"{bban}182700") % 97
    return f"IR{check:02d}{bban}"


def child_environment(settings: LedgerSettings) -> dict[str, str]:
    """The environment for child processes: this one's, with the city's settings instead of any other."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MANCARD_")}
    return kept | {
        "MANCARD_STATE_DIR": str(settings.state_dir),
        "MANCARD_DATABASE_URL": settings.database_url,
        "MANCARD_ZONE": settings.zone,
        "MANCARD_DAY_STARTS": str(settings.day_starts),
    }

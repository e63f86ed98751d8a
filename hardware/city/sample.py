"""The sample city that `mancard run` opens: founded once, finished where it was left half made, then kept.

Every step looks at what is there and adds what is missing, so it may be cut off anywhere and run again. All
media, owners and prices are invented; money comes from the PSP's sandbox.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from fare.core.money import persian_digits
from fare.core.proof.mc1 import decode_entitlement
from fare.database.engine import read, write
from fare.fleet import devices
from fare.issuing import deny_card, wallet_balance
from fare.settings import LedgerSettings
from fare.staff import Role, create_account, generate_password, hash_password, member
from hardware.city.founding import City, found, open_city, renew_kits
from hardware.city.media import (
    CardSpec,
    blank_card,
    issue_as_specified,
    issue_phones,
    issue_ticket,
    load_wallet,
    phone_notes,
)
from hardware.emulator.image import image_path, read_image
from hardware.emulator.phone import VirtualPhone

VEHICLES: Final = 4
STAFF_NAME: Final = "finance"
SIGN_IN_FILE: Final = "first-sign-in.txt"
ADULT, STUDENT = 0, 1
_DENIED_CARD: Final = "card-00004"
_BLANK_CARD: Final = "unissued-00001"
_PHONE: Final = "phone-0001"
_PHONE_TAPS: Final = 20
_WALLET_RIAL: Final = 3_000_000
_FRESH_FOR: Final = timedelta(hours=12)

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SignIn:
    """How to sign in: `password` is None when it was made at an earlier start and is in `file` alone."""

    name: str
    password: str | None
    file: Path


def open_sample(settings: LedgerSettings, ledger_url: str, now: datetime, tell: Tell) -> tuple[City, SignIn]:
    """The city, with all that a first ride needs. Raises OperatorError for what a person must put right."""
    city = open_city(settings)
    with read(city.engine) as session:
        founded = bool(devices(session))
    if founded:
        tell(f"Found the city of {settings.state_dir}: it is kept as it is.")
        renew_kits(city, ledger_url, now)
    else:
        tell("Founding a sample city: network, fleet, tariff, validators.")
        city.engine.dispose()
        since = now.astimezone(city.zone).date() - timedelta(days=1)
        city = found(settings, now=now, since=since, vehicles=VEHICLES, ledger_url=ledger_url)
    tell("Personalising what is missing of the sample cards, and looking at the phone's ticket.")
    _ensure_cards(city, now)
    _ensure_phone(city, now)
    return city, _ensure_sign_in(city, now)


def _card_specs(now: datetime, city: City) -> list[CardSpec]:
    yesterday = now.astimezone(city.zone).date() - timedelta(days=1)
    rows = [
        ("بزرگسال", 500_000, ADULT, None),
        ("دانش‌آموز", 300_000, STUDENT, None),
        ("تقریباً خالی", 40_000, ADULT, None),
        ("مسدود", 200_000, ADULT, None),
        ("تاریخ‌گذشته", 200_000, ADULT, yesterday),
    ]
    return [
        CardSpec(f"card-{n:05d}", f"کارت {persian_digits(str(n))} – {what}", load_rial, category, expires_on)
        for n, (what, load_rial, category, expires_on) in enumerate(rows, 1)
    ]


def _ensure_cards(city: City, now: datetime) -> None:
    missing = [spec for spec in _card_specs(now, city) if not image_path(city.media, spec.name).exists()]
    issue_as_specified(city, missing, now)
    denied = read_image(image_path(city.media, _DENIED_CARD)).notes.get("serial")
    if isinstance(denied, int):
        with write(city.engine) as session:
            deny_card(session, denied)
    if not image_path(city.media, _BLANK_CARD).exists():
        blank_card(city, _BLANK_CARD, "کارت خام – صادرنشده")


def _ensure_phone(city: City, now: datetime) -> None:
    """A phone whose ticket lives for half a day at least and has boardings left."""
    notes = phone_notes(city, _PHONE)
    if "wallet" not in notes:
        issue_phones(city, 1, wallet_rial=_WALLET_RIAL, max_taps=_PHONE_TAPS, now=now)
        return
    if _ticket_is_fresh(city, now):
        return
    with read(city.engine) as session:
        left_rial = wallet_balance(session, notes["wallet"])
    if left_rial < _WALLET_RIAL:
        load_wallet(city, notes["wallet"], _WALLET_RIAL - left_rial, now)
    issue_ticket(city, _PHONE, notes.get("label", _PHONE), notes["wallet"], max_taps=_PHONE_TAPS, now=now)


def _ticket_is_fresh(city: City, now: datetime) -> bool:
    held = VirtualPhone.load(city.media, _PHONE).entitlement
    if held is None:
        return False
    ticket = decode_entitlement(held)
    lives = ticket.expires_at_s > (now + _FRESH_FOR).timestamp()
    return lives and _current_boarding(city, held) < ticket.max_taps


def _current_boarding(city: City, held: bytes) -> int:
    """The boarding the phone shows now, as the validator's page keeps it beside it (readers.phones)."""
    try:
        ride = json.loads((city.media / f"{_PHONE}.ride.json").read_bytes())
        same = ride["entitlement"] == hashlib.sha256(held).hexdigest()
        return int(ride["ctr"]) if same else 1
    except (OSError, ValueError, KeyError, TypeError):
        return 1


def _ensure_sign_in(city: City, now: datetime) -> SignIn:
    """The first account that may see money. Its password is written down before it is valid, never after."""
    file = city.settings.state_dir / SIGN_IN_FILE
    with read(city.engine) as session:
        known = member(session, STAFF_NAME)
    if known is not None:
        return SignIn(STAFF_NAME, None, file)
    password = generate_password()
    _write_private(file, f"name      {STAFF_NAME}\npassword  {password}\n")
    digest = hash_password(password)
    with write(city.engine) as session:
        create_account(session, STAFF_NAME, Role.FINANCE, digest, now)
    return SignIn(STAFF_NAME, password, file)


def _write_private(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(handle)
    draft.replace(path)

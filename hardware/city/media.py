"""Issues the virtual media of a simulated city: cards personalised over APDUs, phones with a wallet, loads.

All of it goes through the issuer's public functions, as it would at a counter; only the card is an image
file. A rider's payment is also told in the PSP's own words (`RiderPayment`), for a report that no ledger code
writes.

    NAME.card.json   card-00001 … (and blank-00001 …, straight from the factory, one a vehicle)
    NAME.phone.json  phone-0001 …
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, cast

from sqlmodel import Session

from fare.core.desfire.application import run
from fare.core.errors import OperatorError
from fare.core.money import persian_digits
from fare.core.proof.mc1 import decode_entitlement
from fare.database.engine import write
from fare.desk import JobKind, JobRequest, begin, personalise_card
from fare.desk.context import LOCAL
from fare.desk.opening import desk_of
from fare.issuing import (
    Purse,
    confirm_paid,
    issue_ticket_entitlement,
    open_wallet,
    request_load,
)
from hardware.city.founding import SAMPLE_TARIFF, City
from hardware.city.outside_world import RiderPayment
from hardware.emulator.card import VirtualCard
from hardware.emulator.image import CardImage, create_image, image_path, replace_file, write_image
from hardware.emulator.phone import SUFFIX as PHONE_SUFFIX
from hardware.emulator.phone import VirtualPhone
from hardware.emulator.reader import InProcessReader

SANDBOX_TERMINAL: Final = "sandbox-1"
"""The terminal of the PSP's sandbox: every payment of a simulated city is made there."""
TICKET_LIFETIME: Final = timedelta(hours=72)
_CHANNEL: Final = "online"
_NXP: Final = b"\x04"
_UID_REST_BYTES: Final = 6
_REFERENCE_BYTES: Final = 8
_FIELD_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class CardSpec:
    """One card to issue. `expires_on` None: as long as the issuer gives; `first_load_rial` 0: not loaded."""

    name: str
    label: str
    first_load_rial: int = 0
    rider_category: int = 0
    expires_on: date | None = None


@dataclass(frozen=True, slots=True)
class IssuedCard:
    """A card in the folder: the name of its image, the number it is planned under, its serial."""

    name: str
    number: int
    serial: int


@dataclass(frozen=True, slots=True)
class IssuedPhone:
    """A phone in the folder: its name and number, the wallet it pays from, the ticket it holds."""

    name: str
    number: int
    wallet_id: str
    cti: bytes


def issue_cards(
    city: City, first_loads_rial: Sequence[int], now: datetime, *, first_number: int = 1
) -> tuple[list[IssuedCard], list[RiderPayment]]:
    """Adult cards `card-00001` …, one for each first load, and the payments of those loads."""
    specs = [
        CardSpec(f"card-{number:05d}", f"کارت {persian_digits(str(number))} – بزرگسال", load_rial)
        for number, load_rial in enumerate(first_loads_rial, first_number)
    ]
    issued = issue_as_specified(city, specs, now)
    cards = [
        IssuedCard(spec.name, number, serial)
        for number, (spec, (serial, _)) in enumerate(zip(specs, issued, strict=True), first_number)
    ]
    return cards, [payment for _, payment in issued if payment is not None]


def issue_as_specified(
    city: City, specs: Sequence[CardSpec], now: datetime
) -> list[tuple[int, RiderPayment | None]]:
    """Issue cards in one transaction: each one's serial, and the payment of its first load if it has one."""
    issued: list[tuple[int, RiderPayment | None]] = []
    made: list[CardImage] = []
    with write(city.engine) as session:
        for spec in specs:
            uid = _NXP + secrets.token_bytes(_UID_REST_BYTES)
            card = VirtualCard.factory(uid)
            serial = personalise_card(
                session,
                city.keys,
                uid=uid,
                transmit=card.transmit,
                now=now,
                rider_category=spec.rider_category,
                expires_on=spec.expires_on,
            )
            paid = None
            if spec.first_load_rial:
                paid = _load(city, session, Purse.CARD, str(serial), spec.first_load_rial, now)
            issued.append((serial, paid))
            made.append(CardImage(card.state, spec.label, {"serial": serial}))
    # Only now, when the ledger knows them: a card that nobody issued must not lie in the folder.
    for spec, image in zip(specs, made, strict=True):
        write_image(image_path(city.media, spec.name), image)
    return issued


def issue_blank_cards(city: City, count: int) -> None:
    """Cards as the factory sends them, `blank-00001` …: no validator may take them for ours."""
    for number in range(1, count + 1):
        blank_card(city, f"blank-{number:05d}", f"کارت خام {persian_digits(str(number))}")


def blank_card(city: City, name: str, label: str) -> None:
    """One card as the factory sends it."""
    create_image(city.media, name, _NXP + secrets.token_bytes(_UID_REST_BYTES), label=label)


def issue_phones(
    city: City, count: int, *, wallet_rial: int, max_taps: int, now: datetime
) -> tuple[list[IssuedPhone], list[RiderPayment]]:
    """Phones `phone-0001` …, each with a loaded wallet and a live ticket for `max_taps` boardings."""
    phones: list[IssuedPhone] = []
    payments: list[RiderPayment] = []
    for number in range(1, count + 1):
        name = f"phone-{number:04d}"
        with write(city.engine) as session:
            wallet_id = open_wallet(session, now)
            payments.append(_load(city, session, Purse.WALLET, wallet_id, wallet_rial, now))
        label = f"گوشی {persian_digits(str(number))}"
        cti = issue_ticket(city, name, label, wallet_id, max_taps=max_taps, now=now)
        phones.append(IssuedPhone(name, number, wallet_id, cti))
    return phones, payments


def issue_ticket(city: City, name: str, label: str, wallet_id: str, *, max_taps: int, now: datetime) -> bytes:
    """Give the phone a fresh key and a ticket entitlement for it, held out of its wallet. Returns its cti.

    A new key each time: a kept one would name the rider for ever.
    """
    phone = VirtualPhone.new()
    x, y = phone.public_key_xy
    max_fare_rial = SAMPLE_TARIFF.max_fare_rial
    with write(city.engine) as session:
        raw = issue_ticket_entitlement(
            session,
            city.keys,
            wallet_id,
            public_x=x,
            y_odd=bool(y[-1] & 1),
            max_taps=max_taps,
            max_fare_rial=max_fare_rial,
            now=now.astimezone(city.zone),
            lifetime=TICKET_LIFETIME,
        )
    phone.hold(raw)
    cti = decode_entitlement(raw).cti
    _save(city, name, phone, {"label": label, "wallet": wallet_id, "cti": cti.hex()})
    return cti


def load_card(city: City, serial: int, amount_rial: int, now: datetime) -> RiderPayment:
    """A rider pays for a top-up of a card, and the PSP confirms it."""
    with write(city.engine) as session:
        return _load(city, session, Purse.CARD, str(serial), amount_rial, now)


def load_card_at_desk(city: City, card: IssuedCard, amount_rial: int, now: datetime) -> RiderPayment:
    """The same at a counter with a reader of its own: the load is written onto the card at once."""
    psp_reference = f"SBX-{secrets.token_hex(_REFERENCE_BYTES)}"
    desk = desk_of(city.settings, city.keys, city.engine, lambda: now, LOCAL)
    asked = JobRequest(
        JobKind.LOAD,
        card.serial,
        amount_rial=amount_rial,
        terminal=SANDBOX_TERMINAL,
        reference=psp_reference,
    )
    reader = InProcessReader(city.media, name="counter")
    reader.place(card.name)
    try:
        link = reader.wait_for_card(_FIELD_TIMEOUT_S)
        if link is None:
            raise OperatorError(f"The card {card.name} does not lie on the counter's reader: run it again.")
        run(begin(desk, asked), link.transmit)
    finally:
        reader.remove()
    return RiderPayment(psp_reference, SANDBOX_TERMINAL, amount_rial, now.astimezone(city.zone).date())


def load_wallet(city: City, wallet_id: str, amount_rial: int, now: datetime) -> RiderPayment:
    """A rider pays for a top-up of the wallet behind a phone."""
    with write(city.engine) as session:
        return _load(city, session, Purse.WALLET, wallet_id, amount_rial, now)


def phone_notes(city: City, name: str) -> dict[str, str]:
    """What was noted with a phone: label, wallet, cti. Empty for one that is not there or not readable."""
    try:
        document: object = json.loads((city.media / f"{name}{PHONE_SUFFIX}").read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(document, dict):
        return {}
    fields = cast("dict[str, Any]", document)
    return {key: str(fields[key]) for key in ("label", "wallet", "cti") if key in fields}


def _load(
    city: City, session: Session, kind: Purse, ref: str, amount_rial: int, now: datetime
) -> RiderPayment:
    order_id = request_load(session, kind, ref, amount_rial, _CHANNEL, SANDBOX_TERMINAL, now)
    psp_reference = f"SBX-{order_id}"
    # A PSP books by the calendar day of the city, not by the service day.
    paid_at = now.astimezone(city.zone)
    confirm_paid(session, city.keys, order_id, psp_reference, paid_at)
    return RiderPayment(psp_reference, SANDBOX_TERMINAL, amount_rial, paid_at.date())


def _save(city: City, name: str, phone: VirtualPhone, notes: dict[str, str]) -> None:
    path = phone.save(city.media, name)
    document = cast("dict[str, Any]", json.loads(path.read_bytes())) | notes
    replace_file(path, json.dumps(document, indent=1, ensure_ascii=False).encode())

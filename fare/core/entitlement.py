"""The card entitlement: what the ledger signed for one card (file 01, exactly 128 bytes).

    offset size  field
      0     4    context "MCC1"
      4     1    issuer
      5     1    key id (each key id has one purpose: a channel key never signs a card)
      6     3    AID of the card application
      9     4    serial, LE            the issuer's number of this card
     13     7    UID
     20     2    version, LE           strictly rising, 1 at issue
     22     4    loaded_total, LE      rial, only ever grows
     26     4    withdrawn_total, LE   rial, only ever grows
     30     1    rider category
     31     2    category expiry, LE   day number (days since 2020-01-01), 0 = none
     33     3    overdraft, LE         rial
     36     2    expiry of the card, LE   day number
     38     8    pass 1: product(2) first day(2) last day(2) rides(1, 255 = unlimited) spare(1)
     46     8    pass 2
     54     4    issued at, LE         unix seconds
     58     6    zero
     64    64    Ed25519 signature over bytes 0..63

`balance = loaded_total - withdrawn_total - spent`; `spent` is the chip's own counter (file 02).
Names: UID and AID as in ISO 14443 and DESFire, product and rider category as in GTFS-Fares v2.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import NewType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fare.core.errors import MalformedDocument
from fare.core.signed import Signer

CONTEXT = b"MCC1"
SIZE = 128
SIGNED_SIZE = 64
MAX_VERSION = 0xFFFF
MAX_TOTAL_RIAL = 0xFFFF_FFFF
EPOCH_DAY = date(2020, 1, 1)
UNLIMITED_RIDES = 255

_LAYOUT = struct.Struct("<4sBB3sI7sHIIBH3sH8s8sI6s")
_PASS = struct.Struct("<HHHBx")


def day_number(day: date) -> int:
    """Days since 2020-01-01, as the card stores dates (1..65535)."""
    return (day - EPOCH_DAY).days


def day_of(number: int) -> date:
    """The date of a stored day number."""
    return EPOCH_DAY + timedelta(days=number)


@dataclass(frozen=True, slots=True)
class Pass:
    """A product that replaces the debit between two days, both inclusive (GTFS fare product)."""

    product: int
    first_day: int
    last_day: int
    rides: int = UNLIMITED_RIDES


@dataclass(frozen=True, slots=True)
class CardEntitlement:
    """One signed state of one card. Amounts in rial, days as day numbers."""

    issuer: int
    kid: int
    aid: bytes
    serial: int
    uid: bytes
    version: int
    loaded_total_rial: int
    withdrawn_total_rial: int
    rider_category: int
    category_expires_day: int
    overdraft_rial: int
    expires_day: int
    passes: tuple[Pass, ...]
    issued_at_s: int

    @property
    def funds_rial(self) -> int:
        """What the card may spend in all, overdraft aside: loaded minus withdrawn."""
        return self.loaded_total_rial - self.withdrawn_total_rial

    def balance_rial(self, spent_rial: int) -> int:
        """The rider's balance for a `spent` read from the chip."""
        return self.funds_rial - spent_rial


KeyRing = Mapping[int, Ed25519PublicKey]
"""Ed25519 keys by kid, all of one purpose."""

VerifiedEntitlement = NewType("VerifiedEntitlement", CardEntitlement)
"""An entitlement whose signature, UID and AID were checked by `verify`."""


class EntitlementFault(StrEnum):
    """Why bytes in file 01 are not an entitlement of this card."""

    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    OTHER_CARD = "other_card"


def sign(entitlement: CardEntitlement, key: Signer) -> bytes:
    """Encode and sign: 128 bytes for file 01. Raises ValueError when a field does not fit."""
    body = _encode_body(entitlement)
    return body + key.sign(body)


def decode(raw: bytes) -> CardEntitlement:
    """Read the fields of 128 bytes, unverified. Raises MalformedDocument."""
    if len(raw) != SIZE or raw[:4] != CONTEXT:
        raise MalformedDocument("not a card entitlement: 128 bytes that begin with MCC1")
    fields = _LAYOUT.unpack(raw[:SIGNED_SIZE])
    _, issuer, kid, aid, serial, uid, version, loaded, withdrawn = fields[:9]
    category, category_day, overdraft, expires, pass1, pass2, issued_at_s, spare = fields[9:]
    if spare != bytes(6) or version == 0:
        raise MalformedDocument("card entitlement: spare bytes are zero and versions begin at 1")
    passes = tuple(Pass(*_PASS.unpack(p)) for p in (pass1, pass2) if p != bytes(8))
    return CardEntitlement(
        issuer=issuer,
        kid=kid,
        aid=aid,
        serial=serial,
        uid=uid,
        version=version,
        loaded_total_rial=loaded,
        withdrawn_total_rial=withdrawn,
        rider_category=category,
        category_expires_day=category_day,
        overdraft_rial=int.from_bytes(overdraft, "little"),
        expires_day=expires,
        passes=passes,
        issued_at_s=issued_at_s,
    )


def verify(raw: bytes, keys: KeyRing, *, uid: bytes, aid: bytes) -> VerifiedEntitlement | EntitlementFault:
    """Check signature, UID and AID of the bytes read from a card. Never raises."""
    try:
        entitlement = decode(raw)
    except MalformedDocument:
        return EntitlementFault.MALFORMED
    key = keys.get(entitlement.kid)
    if key is None:
        return EntitlementFault.UNKNOWN_KEY
    try:
        key.verify(raw[SIGNED_SIZE:], raw[:SIGNED_SIZE])
    except InvalidSignature:
        return EntitlementFault.BAD_SIGNATURE
    if entitlement.uid != uid or entitlement.aid != aid:
        return EntitlementFault.OTHER_CARD
    return VerifiedEntitlement(entitlement)


def _encode_body(e: CardEntitlement) -> bytes:
    if not 1 <= e.version <= MAX_VERSION:
        raise ValueError(f"entitlement version {e.version} is outside 1..{MAX_VERSION}: replace the card")
    if not 0 <= e.withdrawn_total_rial <= e.loaded_total_rial <= MAX_TOTAL_RIAL:
        raise ValueError(
            "totals must satisfy 0 <= withdrawn <= loaded <= 4,294,967,295 rial: replace the card"
        )
    if len(e.aid) != 3 or len(e.uid) != 7 or len(e.passes) > 2:
        raise ValueError("an entitlement has an AID of 3 bytes, a UID of 7 and at most two passes")
    passes = [_PASS.pack(p.product, p.first_day, p.last_day, p.rides) for p in e.passes]
    passes += [bytes(8)] * (2 - len(passes))
    identity = (CONTEXT, e.issuer, e.kid, e.aid, e.serial, e.uid, e.version)
    totals = (e.loaded_total_rial, e.withdrawn_total_rial)
    category = (
        e.rider_category,
        e.category_expires_day,
        e.overdraft_rial.to_bytes(3, "little"),
        e.expires_day,
    )
    return _LAYOUT.pack(*identity, *totals, *category, *passes, e.issued_at_s, bytes(6))

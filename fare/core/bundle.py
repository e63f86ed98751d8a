"""The bundle: everything a validator needs to know, in one signed, versioned document.

    bundle = {                                   ; canonical CBOR inside an MCD1 envelope
      "format": 1, "ledger_epoch": bstr .size 8, "n": uint, "issued_at_s": uint,
      "city": tstr, "zone": tstr,                ; IANA time zone
      "day_starts_s": uint,                      ; start of the service day, seconds after local midnight
      "issuer": uint, "tariff": tariff,
      "card_keys": { kid: bstr .size 32 },       ; Ed25519 that sign card entitlements
      "channel_keys": { kid: bstr .size 32 },    ; Ed25519 that sign phone entitlements
      "acknowledgement_keys": { kid: bstr .size 32 },
      "denied_cards": [* uint], "denied_tickets": [* bstr .size 8],     ; both sorted
      "devices": { device: { "line": uint, "line_name": tstr, "area": uint, "vehicle": tstr } },
      "entitlements": { serial: bstr .size 128 } ; newer versions that wait to be written to a card
    }

(ledger_epoch, n) orders bundles: within one epoch n only rises. A validator keeps the newest it has
verified and runs on with it for as long as no newer one comes: expired is not bricked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fare.core.errors import MalformedDocument
from fare.core.signed import BUNDLE, canonical, decode_canonical, open_envelope
from fare.core.tap import BundleVersion
from fare.core.tariff.model import Tariff, from_document

FORMAT = 1
MAX_BUNDLE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class DeviceConfiguration:
    """Where a validator runs now. The ledger decides owner and line by its own dated assignments."""

    line: int
    line_name: str
    area: int
    vehicle: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """The decoded document; see the module's CDDL. Sets are exact, never probabilistic."""

    version: BundleVersion
    issued_at_s: int
    city: str
    zone: str
    day_starts_s: int
    issuer: int
    tariff: Tariff
    card_keys: Mapping[int, bytes]
    channel_keys: Mapping[int, bytes]
    acknowledgement_keys: Mapping[int, bytes]
    denied_cards: frozenset[int] = frozenset()
    denied_tickets: frozenset[bytes] = frozenset()
    devices: Mapping[int, DeviceConfiguration] = field(default_factory=dict[int, DeviceConfiguration])
    entitlements: Mapping[int, bytes] = field(default_factory=dict[int, bytes])

    def encode(self) -> bytes:
        """The payload to seal with context MCD1."""
        return canonical(
            {
                "format": FORMAT,
                "ledger_epoch": self.version.ledger_epoch,
                "n": self.version.n,
                "issued_at_s": self.issued_at_s,
                "city": self.city,
                "zone": self.zone,
                "day_starts_s": self.day_starts_s,
                "issuer": self.issuer,
                "tariff": self.tariff.to_document(),
                "card_keys": dict(self.card_keys),
                "channel_keys": dict(self.channel_keys),
                "acknowledgement_keys": dict(self.acknowledgement_keys),
                "denied_cards": sorted(self.denied_cards),
                "denied_tickets": sorted(self.denied_tickets),
                "devices": {
                    device: {"line": c.line, "line_name": c.line_name, "area": c.area, "vehicle": c.vehicle}
                    for device, c in self.devices.items()
                },
                "entitlements": dict(self.entitlements),
            }
        )


def open_bundle(envelope: bytes, trusted: Mapping[int, Ed25519PublicKey]) -> Bundle:
    """Verify and decode. Raises BadSignature or MalformedDocument; nothing is used before both pass."""
    if len(envelope) > MAX_BUNDLE_BYTES:
        raise MalformedDocument("the bundle is larger than 16 MiB")
    return decode_bundle(open_envelope(BUNDLE, envelope, trusted))


def decode_bundle(payload: bytes) -> Bundle:
    """Decode a verified payload. Raises MalformedDocument."""
    document = decode_canonical(payload)
    try:
        if document["format"] != FORMAT:
            raise MalformedDocument(
                f"bundle format {document['format']} is not known here: update the software"
            )
        return _read(document)
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise MalformedDocument(f"bundle: {fault}") from fault


def supersedes(new: Bundle, current: Bundle | None) -> bool:
    """Whether `new` may replace `current`: a rollback within an epoch, or to an older epoch, may not."""
    if current is None:
        return True
    if new.version.ledger_epoch == current.version.ledger_epoch:
        return new.version.n > current.version.n
    return new.issued_at_s >= current.issued_at_s


def _read(document: Any) -> Bundle:
    return Bundle(
        version=BundleVersion(_sized(document["ledger_epoch"], 8), int(document["n"])),
        issued_at_s=int(document["issued_at_s"]),
        city=str(document["city"]),
        zone=str(document["zone"]),
        day_starts_s=int(document["day_starts_s"]),
        issuer=int(document["issuer"]),
        tariff=from_document(document["tariff"]),
        card_keys={int(kid): _sized(key, 32) for kid, key in document["card_keys"].items()},
        channel_keys={int(kid): _sized(key, 32) for kid, key in document["channel_keys"].items()},
        acknowledgement_keys={
            int(kid): _sized(key, 32) for kid, key in document["acknowledgement_keys"].items()
        },
        denied_cards=frozenset(int(serial) for serial in document["denied_cards"]),
        denied_tickets=frozenset(_sized(cti, 8) for cti in document["denied_tickets"]),
        devices={
            int(device): DeviceConfiguration(
                int(c["line"]), str(c["line_name"]), int(c["area"]), str(c["vehicle"])
            )
            for device, c in document["devices"].items()
        },
        entitlements={int(serial): _sized(raw, 128) for serial, raw in document["entitlements"].items()},
    )


def _sized(value: object, size: int) -> bytes:
    if not isinstance(value, bytes) or len(value) != size:
        raise MalformedDocument(f"bundle: a byte string of {size} was expected")
    return value

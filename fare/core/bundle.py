"""The bundle: everything a validator needs to know, in one signed, versioned document.

    bundle = {                                   ; canonical CBOR inside an MCD1 envelope
      "format": 2, "ledger_epoch": bstr .size 8, "n": uint, "issued_at_s": uint,
      "city": tstr, "zone": tstr,                ; IANA time zone
      "day_starts_s": uint,                      ; start of the service day, seconds after local midnight
      "issuer": uint,
      "tariffs": [+ [uint, tariff]],             ; each in force from that unix second, starts rising
      "card_keys": { kid: bstr .size 32 },       ; Ed25519 that sign card entitlements
      "channel_keys": { kid: bstr .size 32 },    ; Ed25519 that sign phone entitlements
      "acknowledgement_keys": { kid: bstr .size 32 },
      "denied_cards": [* uint], "denied_tickets": [* bstr .size 8],     ; both sorted
      "devices": { device: { "line": uint, "line_name": tstr, "area": uint, "vehicle": tstr, "exit": bool } },
      "entitlements": { serial: bstr .size 128 } ; newer versions that wait to be written to a card
    }

`tariffs` holds the one before the current, which wrote what cards still carry, the current, and those to
come: a bus without a line changes over by itself. (ledger_epoch, n) orders bundles: within one epoch n only
rises. A validator keeps the newest it has verified and runs on with it for as long as no newer one comes:
expired is not bricked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fare.core.entitlement import SIZE as ENTITLEMENT_SIZE
from fare.core.errors import MalformedDocument
from fare.core.fields import array, byte_string, mapping, numbered, text, truth, uint
from fare.core.signed import BUNDLE, canonical, decode_canonical, open_envelope
from fare.core.tap import BundleVersion
from fare.core.tariff.document import from_document
from fare.core.tariff.model import Tariff

FORMAT = 2
MAX_BUNDLE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class DeviceConfiguration:
    """Where a validator runs now. The ledger decides owner and line by its own dated assignments.

    `exit`: riders tap here when they leave, never when they board.
    """

    line: int
    line_name: str
    area: int
    vehicle: str
    exit: bool = False


@dataclass(frozen=True, slots=True)
class Bundle:
    """The decoded document; see the module's CDDL. Sets are exact, never probabilistic.

    `tariffs`: (unix second from which it is in force, tariff), at least one, starts rising.
    """

    version: BundleVersion
    issued_at_s: int
    city: str
    zone: str
    day_starts_s: int
    issuer: int
    tariffs: tuple[tuple[int, Tariff], ...]
    card_keys: Mapping[int, bytes]
    channel_keys: Mapping[int, bytes]
    acknowledgement_keys: Mapping[int, bytes]
    denied_cards: frozenset[int] = frozenset()
    denied_tickets: frozenset[bytes] = frozenset()
    devices: Mapping[int, DeviceConfiguration] = field(default_factory=dict[int, DeviceConfiguration])
    entitlements: Mapping[int, bytes] = field(default_factory=dict[int, bytes])

    def tariff_at(self, at_s: int) -> Tariff:
        """The tariff in force at this unix second; before the first start, the first."""
        for starts_at_s, tariff in reversed(self.tariffs):
            if starts_at_s <= at_s:
                return tariff
        return self.tariffs[0][1]

    def tariffs_of(self, at_s: int) -> tuple[Tariff, ...]:
        """Every tariff that may have written a card's state at this unix second, the likeliest first."""
        likeliest = self.tariff_at(at_s)
        return (likeliest, *(tariff for _, tariff in self.tariffs if tariff is not likeliest))

    def next_tariff(self, at_s: int) -> tuple[int, Tariff] | None:
        """When the tariff changes next after this unix second, and to which; None: no change is known."""
        return next((coming for coming in self.tariffs if coming[0] > at_s), None)

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
                "tariffs": [[starts_at_s, tariff.to_document()] for starts_at_s, tariff in self.tariffs],
                "card_keys": dict(self.card_keys),
                "channel_keys": dict(self.channel_keys),
                "acknowledgement_keys": dict(self.acknowledgement_keys),
                "denied_cards": sorted(self.denied_cards),
                "denied_tickets": sorted(self.denied_tickets),
                "devices": {
                    device: {
                        "line": c.line,
                        "line_name": c.line_name,
                        "area": c.area,
                        "vehicle": c.vehicle,
                        "exit": c.exit,
                    }
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
    document = mapping(decode_canonical(payload), "a bundle")
    try:
        known = uint(document["format"], "bundle: format")
        if known < FORMAT:
            raise MalformedDocument(
                f"this bundle is of format {known}, older than what this software reads: update the ledger, "
                "or wait for its next bundle"
            )
        if known > FORMAT:
            raise MalformedDocument(f"bundle format {known} is not known here: update the software")
        return _read(document)
    except KeyError as missing:
        raise MalformedDocument(f"bundle: it has no {missing}") from missing


def supersedes(new: Bundle, current: Bundle | None) -> bool:
    """Whether `new` may replace `current`: a rollback within an epoch, or to an older epoch, may not."""
    if current is None:
        return True
    if new.version.ledger_epoch == current.version.ledger_epoch:
        return new.version.n > current.version.n
    return new.issued_at_s >= current.issued_at_s


def _read(document: Mapping[object, object]) -> Bundle:
    n = uint(document["n"], "bundle: n")
    entitlements = _numbered(document, "entitlements")
    return Bundle(
        version=BundleVersion(byte_string(document["ledger_epoch"], 8, "bundle: ledger_epoch"), n),
        issued_at_s=uint(document["issued_at_s"], "bundle: issued_at_s"),
        city=text(document["city"], "bundle: city"),
        zone=text(document["zone"], "bundle: zone"),
        day_starts_s=uint(document["day_starts_s"], "bundle: day_starts_s"),
        issuer=uint(document["issuer"], "bundle: issuer"),
        tariffs=_tariffs(document),
        card_keys=_keys(document, "card_keys"),
        channel_keys=_keys(document, "channel_keys"),
        acknowledgement_keys=_keys(document, "acknowledgement_keys"),
        denied_cards=frozenset(
            uint(serial, "bundle: a denied card") for serial in _list(document, "denied_cards")
        ),
        denied_tickets=frozenset(
            byte_string(cti, 8, "bundle: a denied ticket") for cti in _list(document, "denied_tickets")
        ),
        devices={device: _configuration(value) for device, value in _numbered(document, "devices").items()},
        entitlements={
            serial: byte_string(raw, ENTITLEMENT_SIZE, "bundle: a waiting entitlement")
            for serial, raw in entitlements.items()
        },
    )


def _tariffs(document: Mapping[object, object]) -> tuple[tuple[int, Tariff], ...]:
    pairs = [array(pair, 2, "bundle: a tariff and its start") for pair in _list(document, "tariffs")]
    starts = [uint(start, "bundle: a tariff's start") for start, _ in pairs]
    if not starts or starts != sorted(set(starts)):
        raise MalformedDocument("bundle: it has at least one tariff, and each starts after the one before")
    return tuple(zip(starts, (from_document(tariff) for _, tariff in pairs), strict=True))


def _configuration(value: object) -> DeviceConfiguration:
    fields = mapping(value, "bundle: a device")
    return DeviceConfiguration(
        line=uint(fields["line"], "bundle: a device's line"),
        line_name=text(fields["line_name"], "bundle: a device's line_name"),
        area=uint(fields["area"], "bundle: a device's area"),
        vehicle=text(fields["vehicle"], "bundle: a device's vehicle"),
        exit=truth(fields["exit"], "bundle: a device's exit"),
    )


def _keys(document: Mapping[object, object], name: str) -> dict[int, bytes]:
    return {kid: byte_string(key, 32, f"bundle: {name}") for kid, key in _numbered(document, name).items()}


def _numbered(document: Mapping[object, object], name: str) -> dict[int, object]:
    return numbered(document[name], f"bundle: {name}")


def _list(document: Mapping[object, object], name: str) -> list[object]:
    return array(document[name], None, f"bundle: {name}")

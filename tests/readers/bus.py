"""A small issuer, a ledger in memory and a bus, for the validator's tests.

The cards are the virtual chip's.
"""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fare.core.batch import Acknowledgement, chain_hash, decode_batch, genesis_hash
from fare.core.bundle import Bundle, DeviceConfiguration
from fare.core.card_record import first_record
from fare.core.desfire.application import personalise, run
from fare.core.desfire.keys import CardKeys, CardMasters, ValidatorKeys
from fare.core.desfire.layout import AID
from fare.core.entitlement import CardEntitlement, decode, sign
from fare.core.kit import Kit
from fare.core.proof.card import tap_tmi, verify_commit
from fare.core.proof.mc1 import EntitlementClaims, sign_entitlement
from fare.core.proof.mp1 import PaperClaims, sign_paper
from fare.core.signed import ACKNOWLEDGEMENT, BATCH, BUNDLE, open_envelope, seal
from fare.core.tap import BundleVersion, ClockQuality, Tap, decode_tap
from fare.core.tariff.model import FareProduct, flat_tariff
from hardware.emulator.image import create_image
from hardware.emulator.phone import VirtualPhone
from hardware.emulator.reader import InProcessReader
from readers.addresses import Equipment
from readers.process import ValidatorOptions, ValidatorProcess, compose
from readers.shown import Shown
from readers.vehicle_memory.composing import ShareWith

DEVICE = 7
FARE_RIAL = 50_000
LOADED_RIAL = 500_000
NOW_S = 1_795_000_000
TARIFF = dataclasses.replace(
    flat_tariff(1, "flat", {0: FareProduct("adult", "بزرگسال", FARE_RIAL)}), pass_back_s=0
)
"""Without a pass-back interval: most tests tap again at once and mean another ride."""
EPOCH = bytes.fromhex("0102030405060708")
SYSTEM_ID = b"MANCARD-TEST"


class ManualClock:
    """A clock that moves when told to."""

    def __init__(self, now_s: int = NOW_S) -> None:
        self.wall = now_s * 1000
        self.mono = 1_000_000_000
        self.synchronised = True
        self.heard: list[int] = []

    def wall_ms(self) -> int:
        return self.wall

    def mono_ns(self) -> int:
        return self.mono

    def quality(self) -> ClockQuality:
        return ClockQuality.SYNCHRONISED if self.synchronised else ClockQuality.UNSYNCHRONISED

    def heard_server_time(self, server_time_ms: int) -> None:
        self.heard.append(server_time_ms)

    def pass_s(self, seconds: float) -> None:
        self.wall += int(seconds * 1000)
        self.mono += int(seconds * 1e9)


class Disk:
    """A disk with as much room as the test says."""

    def __init__(self, free: int = 1 << 30) -> None:
        self.free = free

    def free_bytes(self) -> int:
        return self.free


class Issuer:
    """Keys of a system, and what they sign."""

    def __init__(self) -> None:
        self.masters = CardMasters(
            picc=secrets.token_bytes(16),
            k0=secrets.token_bytes(16),
            k1=secrets.token_bytes(16),
            k2=secrets.token_bytes(16),
            tm=secrets.token_bytes(16),
            system_id=SYSTEM_ID,
        )
        self.card_key = Ed25519PrivateKey.generate()
        self.channel_key = Ed25519PrivateKey.generate()
        self.bundle_key = Ed25519PrivateKey.generate()
        self.ack_key = Ed25519PrivateKey.generate()
        self.entitlements: dict[tuple[int, int], bytes] = {}
        self.uids: dict[int, bytes] = {}

    def entitlement(self, serial: int, *, version: int = 1, loaded: int = LOADED_RIAL, **more: Any) -> bytes:
        raw = sign(
            CardEntitlement(
                issuer=1,
                kid=1,
                aid=AID,
                serial=serial,
                uid=self.uids[serial],
                version=version,
                loaded_total_rial=loaded,
                withdrawn_total_rial=0,
                rider_category=0,
                category_expires_day=0,
                overdraft_rial=0,
                expires_day=more.get("expires_day", 20_000),
                passes=more.get("passes", ()),
                issued_at_s=NOW_S,
            ),
            self.card_key,
        )
        self.entitlements[serial, version] = raw
        return raw

    def make_card(self, folder: Path, name: str, serial: int, **more: Any) -> bytes:
        """A personalised virtual card in `folder`; its UID."""
        uid = b"\x04" + serial.to_bytes(6, "big")
        self.uids[serial] = uid
        create_image(folder, name, uid, label=f"کارت {serial}")
        reader = InProcessReader(folder)
        reader.place(name)
        link = reader.wait_for_card(1)
        assert link is not None
        keys = CardKeys.for_card(self.masters, uid)
        conversation = personalise(
            keys, uid, self.entitlement(serial, **more), first_record(NOW_S), lambda: secrets.token_bytes(16)
        )
        run(conversation, link.transmit)
        link.close()
        reader.remove()
        return uid

    def phone(self, *, max_taps: int = 5, now_s: int = NOW_S, life_s: int = 3600) -> VirtualPhone:
        phone = VirtualPhone.new()
        x, y = phone.public_key_xy
        claims = EntitlementClaims(
            expires_at_s=now_s + life_s,
            issued_at_s=now_s,
            cti=secrets.token_bytes(8),
            public_x=x,
            public_y_odd=bool(y[-1] & 1),
            product=1,
            max_taps=max_taps,
            max_fare_rial=FARE_RIAL,
        )
        phone.hold(sign_entitlement(claims, self.channel_key, b"\x03"))
        return phone

    def paper(self, vehicle: str | None, *, life_s: int = 3600) -> str:
        """The text of a paper ticket for `vehicle`, or for any bus that the ledger gives leave to."""
        claims = PaperClaims(NOW_S + life_s, NOW_S, secrets.token_bytes(8), 1, FARE_RIAL, vehicle)
        return sign_paper(claims, self.channel_key, b"\x03")

    def bundle(self, n: int = 1, *, epoch: bytes = EPOCH, issued_at_s: int = NOW_S, **more: object) -> bytes:
        bundle = Bundle(
            version=BundleVersion(epoch, n),
            issued_at_s=issued_at_s,
            city="urmia",
            zone="Asia/Tehran",
            day_starts_s=4 * 3600,
            issuer=1,
            tariffs=((0, TARIFF),),
            card_keys={1: self.card_key.public_key().public_bytes_raw()},
            channel_keys={3: self.channel_key.public_key().public_bytes_raw()},
            acknowledgement_keys={4: self.ack_key.public_key().public_bytes_raw()},
            devices={DEVICE: DeviceConfiguration(12, "خط ۱۲", 3, "bus-7")},
        )
        return seal(BUNDLE, dataclasses.replace(bundle, **more).encode(), 1, self.bundle_key)  # type: ignore[arg-type]

    def kit(self, ledger_url: str = "http://127.0.0.1:9") -> Kit:
        return Kit(
            device=DEVICE,
            ledger_url=ledger_url,
            bundle_keys={1: self.bundle_key.public_key()},
            claim_code="c" * 32,
            card_keys=ValidatorKeys({1: self.masters.k1}, SYSTEM_ID),
        )

    def proof_verifies(self, tap: Tap) -> bool:
        """What the ledger asks: did this card sign exactly this tap?"""
        evidence = tap.card
        assert evidence is not None
        assert evidence.proof is not None
        read = self.entitlements[evidence.serial, evidence.entitlement_version]
        version = evidence.delivered_version
        written = None if version is None else self.entitlements[evidence.serial, version]
        uid = decode(read).uid
        tm_key = CardKeys.for_card(self.masters, uid).tm
        return verify_commit(tm_key, uid, tap_tmi(evidence, read, written), evidence.proof)


@dataclass
class Bus:
    """A validator over a folder of virtual cards, driven by hand."""

    issuer: Issuer
    folder: Path
    process: ValidatorProcess
    reader: InProcessReader
    clock: ManualClock
    disk: Disk

    def tap(self, name: str) -> Shown:
        """Lay a card on the reader, take the answer, take the card away."""
        self.reader.place(name)
        shown = self.process.tap_next_card(1)
        self.reader.remove()
        assert shown is not None
        return shown

    def journalled(self) -> list[Tap]:
        return self.process.journal.recent_taps(10_000)

    def spent(self, name: str) -> int:
        """What the chip itself says."""
        return spent_on(self.issuer, self.folder, name)


def open_bus(
    issuer: Issuer,
    folder: Path,
    state: Path,
    *,
    clock: ManualClock | None = None,
    bundle: bytes | None = None,
    ledger_url: str = "http://127.0.0.1:9",
    device: int = DEVICE,
    share: ShareWith | None = None,
    inspect_vehicle: str | None = None,
    inspection_window_s: int = 90 * 60,
) -> Bus:
    """A bus whose bundle is in force."""
    clock = clock or ManualClock()
    disk = Disk()
    reader = InProcessReader(folder)
    process = compose(
        dataclasses.replace(issuer.kit(ledger_url), device=device),
        Equipment(reader, reader),
        ValidatorOptions(
            state,
            inspect=inspect_vehicle is not None,
            inspect_vehicle=inspect_vehicle,
            inspection_window_s=inspection_window_s,
        ),
        clock=clock,
        random_bytes=secrets.token_bytes,
        storage=disk,
        share=share,
    )
    if process.bundles.current is None:
        process.bundles.offer(bundle or issuer.bundle())
    return Bus(issuer, folder, process, reader, clock, disk)


def spent_on(issuer: Issuer, folder: Path, name: str) -> int:
    """Read the chip's own counter in rial."""
    from fare.core.desfire.application import open_card

    reader = InProcessReader(folder)
    reader.place(name)
    link = reader.wait_for_card(1)
    assert link is not None
    keys = ValidatorKeys({1: issuer.masters.k1}, SYSTEM_ID)
    card = run(open_card(keys, lambda: secrets.token_bytes(16)), link.transmit)
    link.close()
    reader.remove()
    return card.spent


class MemoryLedger:
    """What the ledger does with batches, in memory: exact numbers, one copy of each tap, signed receipts."""

    def __init__(self, issuer: Issuer, epoch: bytes = EPOCH) -> None:
        self.issuer = issuer
        self.epoch = epoch
        self.taps: dict[int, bytes] = {}
        self.device_key: Ed25519PublicKey | None = None
        self.batches = 0
        self.now_ms = NOW_S * 1000

    def take(self, body: bytes) -> bytes:
        """A compressed envelope in, an acknowledgement's envelope out."""
        envelope = zstandard.ZstdDecompressor().decompress(body, max_output_size=1 << 22)
        assert self.device_key is not None
        batch = decode_batch(open_envelope(BATCH, envelope, {0: self.device_key}))
        self.batches += 1
        if batch.first_seq <= len(self.taps) + 1:
            for seq, raw in enumerate(batch.taps, batch.first_seq):
                assert self.taps.setdefault(seq, raw) == raw, "a fork"
        head = genesis_hash(batch.device, batch.journal_id)
        for seq in range(1, len(self.taps) + 1):
            head = chain_hash(head, self.taps[seq])
        acknowledgement = Acknowledgement(
            ledger_epoch=self.epoch,
            device=batch.device,
            journal_id=batch.journal_id,
            acked_seq=len(self.taps),
            acked_hash=head,
            quarantined=(),
            inclusion_promise=hashlib.sha256(b"\x00" + envelope).digest(),
            server_time_ms=self.now_ms,
        )
        return seal(ACKNOWLEDGEMENT, acknowledgement.encode(), 4, self.issuer.ack_key)

    def decoded(self) -> list[Tap]:
        return [decode_tap(self.taps[seq]) for seq in sorted(self.taps)]

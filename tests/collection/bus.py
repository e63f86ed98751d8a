"""A small city for tests of collection: a ledger, cards with chips, phones, and buses that journal and sign.

The buses here are written for tests and share no code with the product's validator; the cards are the
virtual chip.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, text
from sqlmodel import Session

from fare.collection import BatchRefusal, take_in
from fare.core import entitlement
from fare.core.batch import Acknowledgement, Batch, chain_hash, decode_acknowledgement, genesis_hash
from fare.core.card_record import CardRecord
from fare.core.desfire.application import OpenCard, commit, open_card, run, stage
from fare.core.desfire.errors import CardTorn
from fare.core.desfire.keys import ValidatorKeys
from fare.core.proof.card import CardEvidence, CommitProof
from fare.core.signed import ACKNOWLEDGEMENT, BATCH, open_envelope, seal
from fare.core.tap import BundleVersion, ClockQuality, Outcome, Tap
from fare.core.tariff.model import FareProduct, flat_tariff
from fare.database.engine import read, write
from fare.fleet import claim, create_device
from fare.fleet.models import Contract, DeviceAssignment, Owner, Vehicle, VehicleAssignment
from fare.issuing import (
    card_written,
    confirm_paid,
    denied,
    issue_ticket_entitlement,
    open_wallet,
    personalisation,
    register_card,
    request_load,
)
from fare.issuing.paper import issue_paper_tickets
from fare.issuing.phone_tickets import TicketPolicy
from fare.issuing.phones import enrol_phone
from fare.keys import LedgerKeys
from hardware.emulator.card import VirtualCard
from hardware.emulator.phone import VirtualPhone
from tests.tariffs.published import publish

ZONE = ZoneInfo("Asia/Tehran")
NOON = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
EVENING = NOON + timedelta(hours=10)
"""When buses upload, unless a test says otherwise."""
FARE_RIAL = 20_000
SHARE_BPS = 9_001
"""A share that does not divide the fare evenly, so that rounding shows."""
OWNER_RIAL = FARE_RIAL - FARE_RIAL * (10_000 - SHARE_BPS) // 10_000
EPOCH = BundleVersion(bytes(8), 1)

T = TypeVar("T")
_draws = itertools.count()


def drawn(size: int) -> bytes:
    """Bytes that never repeat in one run and are the same in the next."""
    return hashlib.sha256(b"drawn %d" % next(_draws)).digest()[:size]


@dataclass
class RidersCard:
    """A card in somebody's hand."""

    serial: int
    chip: VirtualCard

    def load(self, city: City, amount_rial: int, at: datetime = NOON) -> bytes:
        """Buy a top-up; the entitlement that waits to be written to the card."""
        from fare.issuing import entitlements_waiting

        with write(city.engine) as session:
            order = request_load(session, "card", str(self.serial), amount_rial, "web", "t-1", at)
            confirm_paid(session, city.keys, order, f"psp-{order}", at)
            return entitlements_waiting(session)[self.serial]


@dataclass(frozen=True)
class Rider:
    """Somebody with a wallet and an enrolled phone."""

    wallet_id: str
    phone_id: str


@dataclass(frozen=True)
class Paper:
    """A printed ticket."""

    cti: bytes
    text: str


@dataclass
class City:
    """One ledger with a tariff, two owners and as many buses as are asked for."""

    engine: Engine
    keys: LedgerKeys
    uids: Any = field(default_factory=lambda: itertools.count(1))

    @classmethod
    def found(cls, engine: Engine, keys: LedgerKeys) -> City:
        with write(engine) as session:
            for owner in ("o-1", "o-2"):
                session.add(
                    Owner(owner_id=owner, name=owner, kind="private", iban="IR062960000000100324200001")
                )
            session.add(Contract(contract_id="c-1", name="c-1", owner_share_bps=SHARE_BPS))
            product = FareProduct("single", "Single ride", FARE_RIAL)
            student = FareProduct("student", "Student", FARE_RIAL // 2)
            tariff = flat_tariff(1, "flat", {0: product, 1: student})
            publish(session, tariff, NOON - timedelta(days=30))
        return cls(engine, keys)

    def bus(
        self, device: int, owner: str = "o-1", *, assigned: bool = True, key: Ed25519PrivateKey | None = None
    ) -> Bus:
        """Enrol a validator and put it on a bus of its own."""
        bus = Bus(device, key or Ed25519PrivateKey.from_private_bytes(drawn(32)), drawn(16), self)
        public = bus.key.public_key().public_bytes_raw()
        since = NOON - timedelta(days=30)
        with write(self.engine) as session:
            code = create_device(session, device, NOON)
            assert claim(session, device, code, public, NOON) is None
            if assigned:
                vehicle = f"v-{device}"
                session.add(Vehicle(vehicle_id=vehicle, plate=vehicle))
                session.add(DeviceAssignment(device_id=device, starts_at=since, vehicle_id=vehicle, line=7))
                session.add(
                    VehicleAssignment(vehicle_id=vehicle, starts_at=since, owner_id=owner, contract_id="c-1")
                )
        return bus

    def card(self, *, rider_category: int = 0) -> RidersCard:
        """Issue a card with nothing on it."""
        uid = b"\x04" + next(self.uids).to_bytes(6, "big")
        chip = VirtualCard.factory(uid)
        with write(self.engine) as session:
            serial = register_card(
                session, self.keys, uid=uid, now=NOON - timedelta(days=1), rider_category=rider_category
            )
            # Its first proof is left on the card: whoever meets it next brings it.
            run(personalisation(session, self.keys, serial), chip.transmit)
            card_written(session, serial, NOON.date() - timedelta(days=1))
        return RidersCard(serial, chip)

    def rider(self) -> Rider:
        """A wallet with one enrolled phone and nothing on it."""
        with write(self.engine) as session:
            wallet = open_wallet(session, NOON)
            return Rider(wallet, enrol_phone(session, wallet, True, NOON).phone_id)

    def phone(self, max_taps: int = 5, of: Rider | None = None) -> VirtualPhone:
        """A phone with a ticket for some rides, its money held. `of` somebody: another ticket of that
        phone.
        """
        rider = of or self.rider()
        return self._phone(max_taps, rider.wallet_id, rider.phone_id)

    def unbound_phone(self, max_taps: int = 5) -> VirtualPhone:
        """The same of a ticket that names no enrolled phone."""
        return self._phone(max_taps, self.rider().wallet_id, None)

    def _phone(self, max_taps: int, wallet: str, phone_id: str | None) -> VirtualPhone:
        phone = VirtualPhone.new()
        x, y = phone.public_key_xy
        with write(self.engine) as session:
            order = request_load(session, "wallet", wallet, max_taps * FARE_RIAL, "web", "t-1", NOON)
            confirm_paid(session, self.keys, order, f"psp-{order}", NOON)
            terms = (x, bool(y[-1] & 1), max_taps, FARE_RIAL, NOON, timedelta(hours=24), phone_id)
            phone.hold(issue_ticket_entitlement(session, self.keys, wallet, *terms))
        return phone

    def paper(self, vehicle: str | None, at: datetime = NOON) -> Paper:
        """A paper ticket for one ride, its money held."""
        policy, payment = TicketPolicy(FARE_RIAL), f"psp-{drawn(8).hex()}"
        with write(self.engine) as session:
            (sold,) = issue_paper_tickets(
                session,
                self.keys,
                policy,
                count=1,
                vehicle=vehicle,
                terminal="t-1",
                psp_reference=payment,
                now=at,
            )
        return Paper(sold.cti, sold.text)

    def take(self, envelope: bytes, at: datetime = EVENING) -> Acknowledgement:
        """Upload one envelope and open the answer."""
        answer = self.offer(envelope, at)
        assert isinstance(answer, bytes), answer
        return self.open(answer)

    def offer(self, envelope: bytes, at: datetime = EVENING) -> bytes | BatchRefusal:
        """Upload one envelope."""
        with write(self.engine) as session:
            return take_in(session, self.keys, envelope, at, ZONE, time(4))

    def open(self, answer: bytes) -> Acknowledgement:
        signer = self.keys.acknowledgement
        return decode_acknowledgement(open_envelope(ACKNOWLEDGEMENT, answer, {signer.kid: signer.public}))

    def rows(self, query: str, **parameters: Any) -> list[Any]:
        """Rows of a query, as tuples."""
        with read(self.engine) as session:
            return [tuple(row) for row in session.connection().execute(text(query), parameters)]

    def session(self, work: Callable[[Session], T]) -> T:
        """Something read in one snapshot."""
        with read(self.engine) as session:
            return work(session)

    # --- what the tests ask most --------------------------------------------------------------------------

    def rides(self) -> list[Any]:
        """(medium, counter, device, owner, fare, owner's part, suspense, proven_by), in order of medium."""
        return self.rows(
            "SELECT medium_ref, counter, device_id, owner_id, fare_rial, owner_rial, suspense_rial, proven_by"
            " FROM travel_ride ORDER BY medium_ref, counter"
        )

    def taps(self) -> list[Any]:
        """(device, seq, proof state, flags), in order."""
        return self.rows("SELECT device_id, seq, proof_state, flags FROM travel_tap ORDER BY device_id, seq")

    def balance(self, account: str) -> int:
        """The journal's balance of one account."""
        ((total,),) = self.rows(
            "SELECT coalesce(sum(amount_rial), 0) FROM ledger_posting WHERE account_id = :a", a=account
        )
        return int(total)

    def entries(self) -> int:
        """How many entries batches have posted."""
        ((count,),) = self.rows("SELECT count(*) FROM ledger_entry WHERE cause_kind = 'batch'")
        return int(count)


@dataclass
class Bus:
    """A validator that charges whatever it is told, journals it and signs batches."""

    device: int
    key: Ed25519PrivateKey
    journal_id: bytes
    city: City
    boot_id: bytes = field(default_factory=lambda: drawn(8))
    journal: list[bytes] = field(default_factory=list)
    booted_at: datetime = NOON - timedelta(days=10)

    @property
    def next_seq(self) -> int:
        return len(self.journal) + 1

    def _write(self, tap: Tap) -> Tap:
        self.journal.append(tap.encode())
        return tap

    def blank(self, at: datetime = NOON, **changes: Any) -> Tap:
        """A refused tap with no medium, to build others from."""
        tap = Tap(
            device=self.device,
            journal_id=self.journal_id,
            boot_id=self.boot_id,
            seq=self.next_seq,
            mono_ns=int((at - self.booted_at).total_seconds() * 1e9),
            wall_ms=int(at.timestamp() * 1000),
            clock_quality=ClockQuality.SYNCHRONISED,
            bundle_version=EPOCH,
            outcome=Outcome.REFUSED,
            reason="not_our_card",
            fare_rial=0,
            line=7,
            area=0,
            tariff_version=1,
        )
        return replace(tap, **changes)

    def write(self, at: datetime = NOON, **changes: Any) -> Tap:
        """Journal a tap made of `blank`."""
        return self._write(self.blank(at, **changes))

    def ride(
        self,
        card: RidersCard,
        at: datetime = NOON,
        *,
        fare_rial: int = FARE_RIAL,
        deliver: bytes | None = None,
        torn: str = "",
        record: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Tap:
        """A whole card tap. `torn`: "before" or "after" the card's Commit; `record` changes what is
        written.
        """
        opened = self._open(card)
        evidence = self._evidence(opened, at, fare_rial, deliver, record or {})
        assert evidence.record_written is not None
        run(stage(opened, fare_rial, evidence.record_written, deliver), card.chip.transmit)
        proof = None
        try:
            proof = run(commit(opened), _torn(card.chip, torn) if torn else card.chip.transmit)
        except CardTorn:
            assert torn
        return self._write(
            self.blank(
                at,
                outcome=Outcome.ACCEPTED if proof else Outcome.UNCONFIRMED,
                reason="ok" if proof else "card_torn",
                fare_rial=fare_rial,
                card=replace(evidence, proof=proof),
                **changes,
            )
        )

    def refuse(self, card: RidersCard, at: datetime = NOON, reason: str = "insufficient_balance") -> Tap:
        """A card that is read and sent away."""
        read = replace(self._read(card, at), record_written=None)
        return self.write(at, reason=reason, card=read)

    def block(self, card: RidersCard, at: datetime = NOON, *, torn: str = "", **record: Any) -> Tap:
        """A denied card that gets a block written."""
        opened = self._open(card)
        evidence = self._evidence(opened, at, 0, None, {"blocked": True, **record})
        assert evidence.record_written is not None
        run(stage(opened, 0, evidence.record_written, None), card.chip.transmit)
        proof = None
        try:
            proof = run(commit(opened), _torn(card.chip, torn) if torn else card.chip.transmit)
        except CardTorn:
            assert torn
        return self.write(at, reason="card_denied", card=replace(evidence, proof=proof))

    def _open(self, card: RidersCard) -> OpenCard:
        card.chip.power(False)
        card.chip.power(True)
        return run(open_card(self._keys(), lambda: drawn(16)), card.chip.transmit)

    def _read(self, card: RidersCard, at: datetime) -> CardEvidence:
        return self._evidence(self._open(card), at, 0, None, {})

    def recover(self, card: RidersCard, torn: Tap, at: datetime = NOON) -> Tap:
        """The same card back at this bus: its own proof completes the torn tap."""
        opened = self._open(card)
        assert torn.card is not None
        assert opened.newest_record == torn.card.record_written
        return self.write(
            at,
            outcome=Outcome.ACCEPTED,
            reason="ok",
            fare_rial=torn.fare_rial,
            card=replace(torn.card, proof=opened.previous),
            recovers=torn.seq,
        )

    def scan(
        self, phone: VirtualPhone, ctr: int, at: datetime = NOON, *, pax: int = 1, **changes: Any
    ) -> Tap:
        """An accepted phone ticket."""
        text_shown = phone.ticket_text(int(at.timestamp()), ctr, pax)
        return self.write(
            at,
            **{
                "outcome": Outcome.ACCEPTED,
                "reason": "ok",
                "fare_rial": FARE_RIAL * pax,
                "ticket": text_shown,
                **changes,
            },
        )

    def scan_paper(self, paper: Paper, at: datetime = NOON, **changes: Any) -> Tap:
        """An accepted paper ticket."""
        told = {"outcome": Outcome.ACCEPTED, "reason": "ok", "fare_rial": FARE_RIAL, "ticket": paper.text}
        return self.write(at, **{**told, **changes})

    def batch(
        self, first_seq: int = 1, last_seq: int | None = None, at: datetime = EVENING, **changes: Any
    ) -> bytes:
        """A signed envelope with these taps of the journal."""
        head = genesis_hash(self.device, self.journal_id)
        hashes = [head]
        for raw in self.journal:
            head = chain_hash(head, raw)
            hashes.append(head)
        last = last_seq or len(self.journal)
        batch = Batch(
            device=self.device,
            journal_id=self.journal_id,
            first_seq=first_seq,
            previous_hash=hashes[first_seq - 1],
            taps=tuple(self.journal[first_seq - 1 : last]),
            head_hash=hashes[last],
            newest_seq=len(self.journal),
            boot_id=self.boot_id,
            mono_ns=int((at - self.booted_at).total_seconds() * 1e9),
            wall_ms=int(at.timestamp() * 1000),
        )
        return self.sign(replace(batch, **changes).encode())

    def sign(self, payload: bytes) -> bytes:
        """Any payload as this device's signed batch."""
        return seal(BATCH, payload, 0, self.key)

    def send(self, at: datetime = EVENING) -> Acknowledgement:
        """Upload the whole journal."""
        return self.city.take(self.batch(at=at), at)

    def _keys(self) -> ValidatorKeys:
        return self.city.keys.validator_keys

    def _evidence(
        self, card: OpenCard, at: datetime, fare_rial: int, deliver: bytes | None, changed: dict[str, Any]
    ) -> CardEvidence:
        on_card = entitlement.decode(card.entitlement)
        version = on_card.version if deliver is None else entitlement.decode(deliver).version
        record = CardRecord(
            validator=self.device,
            seq=self.next_seq,
            at_s=int(at.timestamp()),
            line=7,
            area=0,
            fare_rial=fare_rial,
            spent_after_rial=card.spent + fare_rial,
            entitlement_version=version,
        )
        return CardEvidence(
            serial=on_card.serial,
            entitlement_version=on_card.version,
            delivered_version=None if deliver is None else version,
            record_read=card.newest_record,
            spent_before=card.spent,
            debit_rial=fare_rial,
            record_written=replace(record, **changed).encode(),
            previous=card.previous,
            proof=None,
        )


def _torn(chip: VirtualCard, when: str) -> Callable[[bytes], bytes]:
    def transmit(apdu: bytes) -> bytes:
        if when == "after":
            chip.transmit(apdu)
        chip.power(False)
        return b""

    return transmit


def denied_cards(session: Session) -> set[int]:
    """The cards that the next bundle refuses."""
    return denied(session, EVENING)[0]


def forged(proof: CommitProof) -> CommitProof:
    """The same counter with one bit of the MAC off."""
    return replace(proof, tmv=bytes([proof.tmv[0] ^ 1]) + proof.tmv[1:])
